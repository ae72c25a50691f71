"""What was read is written soon, together, and told to whom it belongs."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from irisdrop.arrival import ledger as module
from irisdrop.arrival.ledger import TOGETHER, Ledger
from irisdrop.record.database import Database
from irisdrop.vocabulary.clock import SystemClock


class Paper:
    """A real database with one table, and what was told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.told: list[Any] = []
        self.told_all = threading.Event()
        self.commits = 0
        with database.transaction():
            database.execute("CREATE TABLE lines (n INTEGER PRIMARY KEY)")

    def share(self, write: Callable[[], Any]) -> Any:
        self.commits += 1
        return self.database.share(write)

    def line(self, number: int) -> Callable[[], int]:
        def write() -> int:
            self.database.execute("INSERT INTO lines VALUES (?)", (number,))
            return number

        return write

    def tells(self, last: bool = False) -> Callable[[Any], None]:
        def told(found: Any) -> None:
            self.told.append(found)
            if last:
                self.told_all.set()

        return told

    def lines(self) -> list[int]:
        return [row["n"] for row in self.database.rows("SELECT n FROM lines ORDER BY n")]


@pytest.fixture
def paper(tmp_path: Path) -> Any:
    database = Database(tmp_path / "journal.db", SystemClock())
    yield Paper(database)
    database.close()


def held(ledger: Ledger) -> threading.Event:
    """Enter what holds the ledger's thread until the event that is returned is set."""
    gate, begun = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        gate.wait(60)

    ledger.enter(write, lambda _: None)
    assert begun.wait(60)
    return gate


def test_whoever_enters_does_not_wait_and_what_waits_is_one_commit(paper: Paper) -> None:
    ledger = Ledger("t", paper.share)
    gate = held(ledger)
    for number in range(TOGETHER):
        ledger.enter(paper.line(number), paper.tells(last=number == TOGETHER - 1))
    gate.set()
    assert paper.told_all.wait(60)
    assert paper.told == paper.lines() == list(range(TOGETHER))
    assert paper.commits == 2


def test_a_large_heap_is_several_commits_so_that_others_get_their_turn(paper: Paper) -> None:
    ledger = Ledger("t", paper.share)
    gate = held(ledger)
    for number in range(2 * TOGETHER):
        ledger.enter(paper.line(number), paper.tells(last=number == 2 * TOGETHER - 1))
    gate.set()
    assert paper.told_all.wait(60)
    assert paper.told == list(range(2 * TOGETHER))
    assert paper.commits == 3


def test_what_fails_is_told_of_the_one_to_which_it_belongs_and_the_others_are_written(paper: Paper) -> None:
    ledger = Ledger("t", paper.share)
    gate = held(ledger)
    for number in (1, 2, 2, 3):
        ledger.enter(paper.line(number), paper.tells(last=number == 3))
    gate.set()
    assert paper.told_all.wait(60)
    assert paper.lines() == [1, 2, 3]
    assert [type(found) for found in paper.told] == [int, int, sqlite3.IntegrityError, int]


def test_it_is_told_only_once_it_is_on_the_disk(paper: Paper, tmp_path: Path) -> None:
    seen: list[int] = []
    done = threading.Event()

    def told(_: Any) -> None:
        other = sqlite3.connect(tmp_path / "journal.db")
        seen.extend(row[0] for row in other.execute("SELECT n FROM lines"))
        other.close()
        done.set()

    Ledger("t", paper.share).enter(paper.line(7), told)
    assert done.wait(60)
    assert seen == [7]


def test_its_thread_ends_when_there_is_nothing_to_write_and_comes_again(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    ledger = Ledger("idle ledger", paper.share)
    for number in (1, 2):
        done = threading.Event()
        ledger.enter(paper.line(number), lambda _, done=done: done.set())
        assert done.wait(60)
        for thread in threading.enumerate():
            if thread.name == "idle ledger":
                thread.join(60)
        assert not any(thread.name == "idle ledger" for thread in threading.enumerate())
    assert paper.lines() == [1, 2]


def test_a_system_without_threads_left_writes_on_the_one_that_enters(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    Ledger("t", paper.share).enter(paper.line(1), paper.tells())
    assert paper.told == paper.lines() == [1]


def test_who_waits_for_the_end_waits_for_all_that_was_entered(paper: Paper) -> None:
    ledger = Ledger("t", paper.share)
    gate = held(ledger)
    ledger.enter(paper.line(1), paper.tells())
    ledger.wait(0.01)
    assert paper.told == []
    gate.set()
    ledger.wait(60)
    assert paper.told == [1]


def test_who_reads_waits_while_many_entries_wait_so_that_the_newest_file_stands_behind_few() -> None:
    """Without it an image of now stood behind thousands of a backlog that were read already: 8 s, measured."""
    writing, go_on = threading.Event(), threading.Event()

    def share(write: Callable[[], Any]) -> Any:
        writing.set()
        go_on.wait(30)
        return write()

    ledger = Ledger("ledger", share)
    told: list[int] = []
    ledger.enter(lambda: 0, told.append)
    assert writing.wait(30)  # one is being written, and all that come now wait
    entered = threading.Semaphore(0)

    def read() -> None:
        for number in range(1, 3 * module.WAITING):
            ledger.enter(lambda n=number: n, told.append)  # type: ignore[misc]
            entered.release()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(module.WAITING):
        assert entered.acquire(timeout=30)
    assert not entered.acquire(timeout=0.3)
    go_on.set()
    reader.join(30)
    ledger.wait(30)
    assert told == list(range(3 * module.WAITING))


def test_a_thread_that_dies_of_a_fault_is_followed_by_another(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever reads would wait for room, and no image of that camera would come in until the next start."""
    ledger = Ledger("t", paper.share)
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())

    def faulty(_: Any) -> None:
        raise LookupError

    ledger.enter(paper.line(1), faulty)
    assert died.wait(30)
    ledger.enter(paper.line(2), paper.tells(last=True))
    assert paper.told_all.wait(30)
    assert paper.lines() == [1, 2]
