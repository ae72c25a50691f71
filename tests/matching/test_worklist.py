"""The mirror and its source: synced, trusted for a while, and asked for what an image could belong to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from irisdrop.matching.worklist import Worklist, gather
from irisdrop.platforms import WorklistUnavailable
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import WorklistChanges


class Source:
    """A worklist source that answers what it is told to."""

    def __init__(self) -> None:
        self.answer: WorklistChanges | WorklistUnavailable = WorklistChanges((), (), "c1", full=True)
        self.asked: list[str | None] = []
        self.closed = False

    def changes(self, cursor: str | None) -> WorklistChanges:
        self.asked.append(cursor)
        if isinstance(self.answer, WorklistUnavailable):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def worklist(records: Any, source: Source) -> Worklist:
    return Worklist(records.orders, source, records.conditions, records.clock, 900.0)


def codes(records: Any) -> set[str]:
    return {row["code"] for row in records.journal.database.rows("SELECT code FROM conditions")}


def test_a_sync_asks_from_where_the_last_one_ended(worklist: Worklist, source: Source, records: Any) -> None:
    source.answer = WorklistChanges((records.entry(),), (), "c7", full=True)
    assert worklist.sync() == ["E1"]
    assert worklist.sync() == []
    assert source.asked == [None, "c7"]


def test_nothing_is_matched_on_a_list_that_was_never_synced_or_is_stale(
    worklist: Worklist, records: Any, clock: Any
) -> None:
    assert not worklist.usable()
    worklist.tell_age()
    assert codes(records) == {"WORKLIST_NEVER"}
    worklist.sync()
    assert worklist.usable()
    assert codes(records) == set()
    clock.advance(900)
    assert worklist.usable()
    clock.advance(1)
    assert not worklist.usable()
    worklist.tell_age()
    assert codes(records) == {"WORKLIST_STALE"}


@pytest.mark.parametrize("late", ["answer", "failure"])
def test_what_a_source_says_after_it_was_closed_is_not_heard(
    worklist: Worklist, source: Source, records: Any, late: str
) -> None:
    """Another one may stand in its place by then, and would be matched on the former one's orders."""

    def changes(_: str | None) -> WorklistChanges:
        worklist.close()
        if late == "failure":
            raise WorklistUnavailable("gone")
        return WorklistChanges((records.entry(),), (), "c7", full=True)

    source.changes = changes  # type: ignore[method-assign]
    assert worklist.sync() is None
    assert (records.orders.count(), records.orders.cursor(), records.orders.synced()) == (0, None, None)
    assert codes(records) == set()


def test_a_list_that_was_synced_in_the_future_is_not_trusted(worklist: Worklist, clock: Any) -> None:
    """The wall clock was set back by a day: nobody knows how old the mirror is, until the next sync."""
    worklist.sync()
    clock.set(clock.now() - timedelta(days=1))
    assert not worklist.usable()
    worklist.sync()
    assert worklist.usable()


def test_a_source_that_does_not_answer_changes_nothing_and_is_told(
    worklist: Worklist, source: Source, records: Any
) -> None:
    source.answer = WorklistChanges((records.entry(),), (), "c1", full=True)
    worklist.sync()
    source.answer = WorklistUnavailable("no route")
    assert worklist.sync() is None
    assert codes(records) == {"WORKLIST_UNREACHABLE"}
    assert records.orders.count() == 1
    source.answer = WorklistUnavailable("401", "PLATFORM_DENIED")
    worklist.sync()
    assert "PLATFORM_DENIED" in codes(records)
    source.answer = WorklistChanges((), (), "c2", full=False)
    worklist.sync()
    assert codes(records) == set()


def test_rows_that_can_not_be_read_are_told_and_cleared(worklist: Worklist, source: Source, records: Any) -> None:
    source.answer = WorklistChanges((), (), "c1", full=True, faults=("row 7: no date",))
    worklist.sync()
    assert codes(records) == {"WORKLIST_FAULTS"}
    source.answer = WorklistChanges((), (), "c2", full=True)
    worklist.sync()
    assert codes(records) == set()


def test_an_unchanged_list_still_has_the_faults_that_it_had(
    worklist: Worklist, source: Source, records: Any, clock: Any
) -> None:
    source.answer = WorklistChanges((records.entry(),), (), "c1", full=True, faults=("row 3: it has no OrderLocalId",))
    worklist.sync()
    source.answer = WorklistChanges((), (), "c1", full=False)
    clock.advance(60)
    worklist.sync()
    assert codes(records) == {"WORKLIST_FAULTS"}
    source.answer = WorklistChanges((records.entry(),), (), "c2", full=True)
    clock.advance(60)
    worklist.sync()
    assert codes(records) == set()


def test_what_an_image_could_belong_to_is_gathered_by_its_numbers(
    records: Any, profile: Callable[..., DeviceProfile], read: Callable[..., tuple[Reading, ...]]
) -> None:
    records.sync(
        records.entry("E1", AccessionNumber="A-1"),
        records.entry("E2", PatientID="000816", AccessionNumber="A-1"),
        records.entry("E3", PatientID="000817", PatientBirthDate="1961-02-03"),
    )
    found = gather(records.orders, read(PatientID="000815", PatientBirthDate="1961-02-03"), profile())
    assert [entry.id for entry in found] == ["E1", "E2"]  # E2 shares the order number of E1


def test_a_birthday_is_looked_up_where_there_is_no_number(
    records: Any, profile: Callable[..., DeviceProfile], read: Callable[..., tuple[Reading, ...]]
) -> None:
    records.sync(records.entry("E3", PatientBirthDate="1961-02-03", PatientName="Muster^Anna"))
    made = profile(match="[PatientName + PatientBirthDate]")
    readings = read(PatientBirthDate="1961-02-03", PatientName="Muster^Anna")
    assert [entry.id for entry in gather(records.orders, readings, made)] == ["E3"]


def test_a_name_and_birthday_that_decide_are_looked_up_beside_a_number_that_hits_nothing(
    records: Any, profile: Callable[..., DeviceProfile], read: Callable[..., tuple[Reading, ...]]
) -> None:
    records.sync(records.entry("E3", PatientBirthDate="1961-02-03", PatientName="Muster^Anna"))
    made = profile(match="[AccessionNumber, PatientName + PatientBirthDate]")
    readings = read(PatientID="9", PatientBirthDate="1961-02-03", PatientName="Muster^Anna")
    assert [entry.id for entry in gather(records.orders, readings, made)] == ["E3"]


def test_a_flawed_value_is_not_looked_up(records: Any, profile: Callable[..., DeviceProfile]) -> None:
    records.sync(records.entry())
    flawed = Reading("PatientID", "000815", "000815", "filename:PatientID", "not readable in its character set")
    assert gather(records.orders, (flawed,), profile()) == []


def test_closing_lets_go_of_the_source(worklist: Worklist, source: Source) -> None:
    worklist.close()
    assert source.closed
