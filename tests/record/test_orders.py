"""The mirror of the worklist: what the source told, at the same cost however long the list is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.record.orders import Orders
from irisdrop.vocabulary.decisions import Unmatched
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges, WorklistEntry


def test_an_incremental_answer_changes_what_it_names_and_leaves_the_rest(records: Any) -> None:
    one, two = records.entry("E1"), records.entry("E2", PatientID="000816")
    assert records.sync(one, two) == ["E1", "E2"]
    assert records.sync(records.entry("E2", PatientID="000817"), full=False) == ["E2"]
    assert records.orders.get("E1") == one
    assert records.orders.get("E2").keys["PatientID"] == "000817"
    assert records.orders.cursor() == "c1"


def test_an_entry_comes_back_as_it_was_told(records: Any) -> None:
    entry = records.entry(PatientName="Müller^Anna", site="S1", single_eye="R", AccessionNumber="A-1")
    records.sync(entry)
    assert records.orders.get("E1") == entry
    assert records.orders.find([("AccessionNumber", "A-1")]) == [entry]


def test_what_is_told_again_is_no_change(records: Any) -> None:
    records.sync(records.entry())
    change = records.orders.last_change()
    assert records.sync(records.entry()) == []
    assert records.orders.last_change() == change
    assert records.sync(records.entry(PatientSex="F")) == ["E1"]
    assert records.orders.last_change() > change


@pytest.mark.parametrize("why", [Standing.CANCELLED, Standing.REPLACED, Standing.COMPLETED])
def test_a_withdrawal_keeps_the_entry_and_its_why(records: Any, why: Standing) -> None:
    records.sync(records.entry())
    assert records.sync(full=False, withdrawn=(Withdrawal("E1", why), Withdrawal("unknown", why))) == ["E1"]
    assert records.orders.get("E1").standing is why
    assert records.orders.count() == 0
    assert records.orders.find([("PatientID", "000815")])[0].standing is why


def test_what_a_full_list_no_longer_has_is_completed(records: Any) -> None:
    records.sync(records.entry("E1"), records.entry("E2"))
    assert records.sync(records.entry("E2")) == ["E1"]
    assert records.orders.get("E1").standing is Standing.COMPLETED
    assert records.orders.get("E2").standing is Standing.OPEN


STUDY = {"StudyInstanceUID": "1.2.3", "AccessionNumber": "A-1", "ScheduledProcedureStepID": "1"}


def test_what_a_full_list_has_under_another_patient_now_was_replaced(records: Any) -> None:
    """A patient merge at a source whose entries have no ids of their own."""
    records.sync(records.entry("E1", **STUDY))
    assert records.sync(records.entry("E2", **STUDY, PatientID="000816")) == ["E2", "E1"]
    assert records.orders.get("E1").standing is Standing.REPLACED
    assert [entry.id for entry in records.orders.renumbered(["000815"])] == ["E2"]


@pytest.mark.parametrize(
    "more",
    [{"StudyInstanceUID": "1.2.4"}, {"AccessionNumber": "A-2"}, {"ScheduledProcedureStepID": "2"}, {"site": "S2"}],
)
def test_what_differs_in_its_study_numbers_or_site_was_not(records: Any, more: dict[str, str]) -> None:
    records.sync(records.entry("E1", **STUDY))
    records.sync(records.entry("E2", **(STUDY | more), PatientID="000816"))
    assert records.orders.get("E1").standing is Standing.COMPLETED


@pytest.mark.parametrize("keys", [{"StudyInstanceUID": "1.2.3"}, STUDY | {"AccessionNumber": ""}])
def test_one_uid_for_every_order_replaces_none(records: Any, keys: dict[str, str], profile: Any, read: Any) -> None:
    """The image of the first patient, whose order is done, would have gone to the second one by the UID alone."""
    records.sync(records.entry("E1", **keys))
    records.sync(records.entry("E2", **keys, PatientID="000816"))
    assert records.orders.get("E1").standing is Standing.COMPLETED
    entries = records.orders.find([("StudyInstanceUID", "1.2.3")])
    situation = Situation(UTC, datetime(2025, 1, 14, 8, 5, tzinfo=UTC), live=True)
    by_study = profile(match="[StudyInstanceUID]")
    assert isinstance(
        match(read(StudyInstanceUID="1.2.3", ImageLaterality="R"), by_study, situation, entries), Unmatched
    )


def test_one_study_under_two_patients_at_once_is_no_merge(records: Any) -> None:
    records.sync(records.entry("E1", **STUDY), records.entry("E2", **STUDY, PatientID="000816"))
    records.sync(records.entry("E2", **STUDY, PatientID="000816"))
    assert records.orders.get("E1").standing is Standing.COMPLETED


def test_an_incremental_answer_completes_nothing_by_its_silence(records: Any) -> None:
    records.sync(records.entry("E1"), records.entry("E2"))
    records.sync(records.entry("E3"), full=False)
    assert records.orders.count() == 3


def test_an_order_that_is_opened_again_is_open(records: Any) -> None:
    records.sync(records.entry())
    records.sync()
    records.sync(records.entry())
    assert records.orders.get("E1").standing is Standing.OPEN


def test_a_key_that_changed_is_no_longer_found(records: Any) -> None:
    records.sync(records.entry())
    records.sync(records.entry(PatientID="000816"))
    assert records.orders.find([("PatientID", "000815")]) == []


def test_a_number_is_found_exactly_and_a_name_however_it_is_spelled(records: Any) -> None:
    records.sync(records.entry(PatientName="Müller^Anna"))
    assert records.orders.find([("PatientID", "815")]) == []
    assert [entry.id for entry in records.orders.find([("PatientName", "MULLER anna")])] == ["E1"]


def test_what_is_no_unicode_can_be_told_and_asked(records: Any) -> None:
    records.sync(records.entry(AccessionNumber="\ud800"))
    assert records.orders.find([("AccessionNumber", "\ud800")])[0].keys["AccessionNumber"] == "\ud800"


def test_open_entries_around_a_time(records: Any, clock: Any) -> None:
    for number in range(4):
        records.sync(records.entry(f"E{number}", clock.now() + timedelta(hours=number)), full=False)
    found = records.orders.between(clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=3))
    assert [entry.id for entry in found] == ["E1", "E2"]


def test_patience_runs_only_while_the_list_is_fresh(records: Any, clock: Any) -> None:
    orders = records.orders
    clock.advance(3600)
    assert orders.fresh_seconds() == 0  # never synced
    records.sync()
    clock.advance(60)
    assert orders.fresh_seconds() == 60
    clock.advance(3600)
    assert orders.fresh_seconds() == 900  # stale after 15 minutes
    clock.advance(86400)
    records.sync()
    assert orders.fresh_seconds() == 900
    clock.advance(30)
    assert orders.fresh_seconds() == 930


def test_patience_counts_every_fresh_minute_once_however_often_the_list_is_synced(records: Any, clock: Any) -> None:
    for _ in range(10):
        records.sync()
        clock.advance(60)
    assert records.orders.fresh_seconds() == 600


def test_a_clock_that_is_set_back_or_forward_uses_up_no_patience(records: Any, clock: Any) -> None:
    records.sync()
    clock.set(clock.now() - timedelta(days=1))
    assert records.orders.fresh_seconds() == 0
    records.sync()
    clock.set(clock.now() + timedelta(days=2))
    assert records.orders.fresh_seconds() == 900
    records.sync()
    assert records.orders.fresh_seconds() == 900


def test_another_source_begins_with_a_full_list_and_nothing_is_synced_until_then(records: Any, clock: Any) -> None:
    records.orders.standing_since("one")
    records.sync(records.entry())
    clock.advance(60)
    records.orders.standing_since("one")
    assert records.orders.cursor() == "c1"
    assert records.orders.synced() is not None
    records.orders.standing_since("another")
    assert records.orders.cursor() is None
    assert records.orders.synced() is None
    assert records.orders.fresh_seconds() == 60
    records.sync()
    assert records.orders.get("E1").standing is Standing.COMPLETED
    assert records.orders.fresh_seconds() == 60


def test_the_first_answer_of_another_source_completes_what_only_the_former_one_had(records: Any) -> None:
    records.orders.standing_since("one")
    records.sync(records.entry("E1"), records.entry("E2"), full=False)
    records.orders.standing_since("another")
    assert records.sync(records.entry("E2"), full=False) == ["E1"]
    assert records.orders.get("E1").standing is Standing.COMPLETED
    records.sync(records.entry("E3"), full=False)
    assert [entry.id for entry in records.orders.open_entries()] == ["E2", "E3"]


def test_an_empty_first_answer_of_another_source_counts_too(records: Any) -> None:
    records.orders.standing_since("one")
    records.sync(records.entry("E1"), full=False)
    records.orders.standing_since("another")
    records.orders.apply(WorklistChanges((), (), None, full=False))
    assert records.orders.count() == 0


def test_opening_the_list_writes_nothing(records: Any) -> None:
    before = records.journal.database.row("SELECT total_changes()")[0]
    Orders(records.journal.database, records.clock)
    assert records.journal.database.row("SELECT total_changes()")[0] == before


def filled(records: Any, count: int) -> None:
    entries = tuple(
        WorklistEntry(
            f"E{number}",
            {"PatientID": f"{number // 2:07}", "AccessionNumber": f"A-{number}", "PatientBirthDate": "1961-02-03"},
            records.clock.now(),
        )
        for number in range(count)
    )
    records.orders.apply(WorklistChanges(entries, (), "c", full=False))


def steps(records: Any) -> int:
    """How much SQLite works for one look-up, in its own instructions: no stopwatch, so no luck."""
    counted = 0

    def tick() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection = records.journal.database._connection
    connection.set_progress_handler(tick, 1)
    found = records.orders.find([("PatientID", "0000100"), ("AccessionNumber", "A-201")])
    connection.set_progress_handler(None, 1)
    assert [entry.id for entry in found] == ["E200", "E201"]
    return counted


@pytest.mark.timeout(300)
def test_a_look_up_costs_the_same_at_a_thousand_and_at_a_hundred_thousand_entries(records: Any) -> None:
    filled(records, 1000)
    few = steps(records)
    filled(records, 100_000)
    many = steps(records)
    assert records.orders.count() == 100_000
    assert many <= few * 1.2


def test_a_look_up_uses_the_indexes_and_scans_nothing(records: Any) -> None:
    for question in (
        "SELECT number FROM entry_keys WHERE key = 'PatientID' AND value = '000815'",
        "SELECT * FROM entries WHERE number = 1",
        "SELECT * FROM entries WHERE id = 'E1'",
        "SELECT coalesce(max(change), 0) AS n FROM entries",
    ):
        plan = [row["detail"] for row in records.journal.database.rows(f"EXPLAIN QUERY PLAN {question}")]
        assert all(line.startswith("SEARCH") for line in plan), plan
