"""Cameras that write as cameras do."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from irisdrop.reference.clinic import Clinic
from irisdrop.reference.plan import APART, Export, Plan, plan
from irisdrop.reference.rehearsal import Rehearsal
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.orders import WorklistEntry


def made(seconds: float) -> Plan:
    """A plan of some seconds."""
    return plan(Clinic(7, datetime(2025, 1, 14, 17, 0, tzinfo=UTC), UTC), seconds)


class Hasty(SystemClock):
    """Waits for nothing, and says how long it would have waited."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waited.append(seconds)
        return event.is_set()


def test_a_name_is_left_at_rest_before_it_is_used_again(tmp_path: Path) -> None:
    of = made(20)
    twice = tuple(export for export in of.exports if "used again" in export.story)
    clock = Hasty()
    rehearsal = Rehearsal(Plan(twice, (), ()), tmp_path, lambda _: None, lambda *_: None, clock)
    rehearsal.start()
    rehearsal.join()
    assert clock.waited[-1] > APART - 1


def test_a_rehearsal_writes_what_the_plan_says_and_orders_come_late(tmp_path: Path) -> None:
    of = made(4)
    told: list[tuple[Export, str]] = []
    came: list[WorklistEntry] = []
    rehearsal = Rehearsal(of, tmp_path, came.append, lambda export, digest: told.append((export, digest)), Hasty())
    rehearsal.start()
    rehearsal.join()
    assert Counter(export.path for export, _ in told) == Counter(export.path for export in of.exports)
    assert came == [late.entry for late in of.late]
    for export in of.exports:
        assert (tmp_path / export.camera / export.path).read_bytes() == export.content()
    assert not list(tmp_path.rglob("*.part"))


def test_a_rehearsal_can_be_stopped(tmp_path: Path) -> None:
    begun = threading.Event()
    rehearsal = Rehearsal(made(100), tmp_path, lambda _: None, lambda *_: begun.set())
    rehearsal.start()
    assert begun.wait(20)
    rehearsal.stop()
    assert not rehearsal.failures
