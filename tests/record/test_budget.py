"""How much room the spool may take: each answer is one step, and the last of the disk is never used."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from irisdrop.record import budget as module
from irisdrop.record.budget import RESERVE, Budget

GIB = 1 << 30


class Disk:
    """A disk of a size that we choose."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
        self.total, self.free = total, free
        monkeypatch.setattr(
            module.shutil,
            "disk_usage",
            lambda _: shutil._ntuple_diskusage(self.total, self.total - self.free, self.free),
        )


def test_a_gibibyte_of_a_large_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 500 * GIB, 3 * GIB)
    budget = Budget(tmp_path, None, None)
    assert budget.short(2 * GIB) == 0
    assert budget.short(2 * GIB + 1) == 1
    assert budget.words(2 * GIB + 1) == "only the reserve of 1.0 GiB is left on the disk"


def test_a_twentieth_of_a_small_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 12 << 20, 1 << 20)
    budget = Budget(tmp_path, None, None)
    spare = (1 << 20) - (12 << 20) // 20
    assert budget.short(spare) == 0
    assert budget.short(spare + 1) == 1


def test_what_is_set_stays_free_and_nothing_where_that_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, 500 * GIB, 10 * GIB)
    assert Budget(tmp_path, None, 8 * GIB).short(3 * GIB) == GIB
    assert Budget(tmp_path, None, 0).short(11 * GIB) == 0
    assert RESERVE == GIB


def test_a_disk_that_can_not_be_asked_refuses_nothing(tmp_path: Path) -> None:
    """The copy that fails on it tells more."""
    assert Budget(tmp_path / "gone", None, 5).short(GIB) == 0


def test_the_smaller_of_limit_and_disk_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, 500 * GIB, 100 * GIB)
    budget = Budget(tmp_path, 1000, 100)
    budget.count(400)
    assert budget.short(600) == 0
    assert budget.short(700) == 100
    assert budget.words(700) == "its limit of 1000 B is reached"
    disk.free = 300
    assert budget.short(300) == 100
    assert budget.words(300) == "only the reserve of 100 B is left on the disk"


@pytest.mark.parametrize(("limit", "free"), [(1000, 100 * GIB), (None, 1100)], ids=["limit", "reserve"])
def test_many_threads_together_are_promised_no_more_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int | None, free: int
) -> None:
    """Two readers that each found room passed it together."""
    Disk(monkeypatch, 500 * GIB, free)
    budget = Budget(tmp_path, limit, 100)
    gate, leave = threading.Barrier(20), threading.Barrier(20)
    given: list[bool] = []

    def ask() -> None:
        gate.wait()
        with budget.promise(300) as enough:
            given.append(enough)
            leave.wait()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert given.count(True) == 3
    assert budget.short(1000) == 0


def test_who_was_refused_is_remembered_until_there_is_room(tmp_path: Path) -> None:
    """So that as much goes as is wanted, and somebody is told at once."""
    budget, told = Budget(tmp_path, 1000, 0), []
    budget.on_short = lambda: told.append("short")
    budget.count(900)
    with budget.promise(500) as enough:
        assert not enough
    assert told == ["short"]
    assert budget.lacking() == 400
    assert not budget.sufficient()
    budget.count(-500)
    assert budget.sufficient()
    assert budget.lacking() == 0


def test_nothing_goes_for_what_is_larger_than_the_limit_itself(tmp_path: Path) -> None:
    budget = Budget(tmp_path, 1000, 0)
    with budget.promise(1001) as enough:
        assert not enough
    assert budget.lacking() == 0


def test_a_little_room_is_made_before_anybody_waits(tmp_path: Path) -> None:
    budget = Budget(tmp_path, 1000, 0)
    budget.count(960)
    assert budget.lacking() == 10


def test_nobody_makes_room_for_a_file_that_was_taken_away_while_it_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits asks every few seconds; without a word after a minute it has gone, and no confirmed copy goes for it."""
    Disk(monkeypatch, 500 * GIB, 100 * GIB)
    now = [0.0]
    budget = Budget(tmp_path, 1000, 100, lambda: now[0])
    budget.count(900)

    def refused(size: int) -> None:
        with budget.promise(size) as enough:
            assert not enough

    refused(800)
    now[0] += 50
    refused(500)
    assert budget.lacking() == 700
    now[0] += 11
    refused(500)
    assert budget.lacking() == 400
    now[0] += 61
    assert budget.lacking() == 0
    assert budget.sufficient()
