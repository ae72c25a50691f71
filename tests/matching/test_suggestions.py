"""Near misses, ranked for a person; the agent never uses them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from irisdrop.matching.capture import MOMENT
from irisdrop.matching.suggestions import likeness, suggestions
from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import Standing, WorklistEntry

Read = Callable[..., tuple[Reading, ...]]
NOW = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)
TAKEN = Capture(NOW, NOW + MOMENT, "arrival")


def order(number: str, start: datetime | None = NOW, **keys: Any) -> WorklistEntry:
    fields = {name: keys.pop(name) for name in ("single_eye", "standing") if name in keys}
    return WorklistEntry(number, keys, start, **fields)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("000815", "815", "zeros"),
        ("O00815", "000815", "letters"),
        ("l23456", "123456", "letters"),
        ("000851", "000815", "swapped"),
        ("000816", "000815", "one character"),
        ("00815", "000815", "zeros"),
        ("MRN-123456", "123456", "part"),
    ],
)
def test_a_number_that_is_nearly_the_orders_is_suggested_with_how(one: str, other: str, how: str) -> None:
    found = likeness(one, other)
    assert found is not None
    assert how in found[1]


@pytest.mark.parametrize(("one", "other"), [("000815", "004711"), ("1", "2"), ("12", "123")])
def test_numbers_that_have_nothing_in_common_suggest_nothing(one: str, other: str) -> None:
    assert likeness(one, other) is None


def test_the_nearer_miss_comes_first(read: Read) -> None:
    entries = [
        order("one-off", PatientID="000816"),
        order("same", PatientID="000815"),
        order("zeros", PatientID="815"),
        order("nobody", PatientID="004711"),
    ]
    found = suggestions(read(PatientID="000815"), TAKEN, entries)
    assert [suggestion.entry.id for suggestion in found] == ["same", "zeros", "one-off"]


def test_why_is_told_without_any_value(read: Read) -> None:
    entry = order("E1", PatientID="815", PatientName="Muster^Anna", PatientBirthDate="1961-03-02")
    readings = read(PatientID="000815", PatientName="Muster^Anna", PatientBirthDate="1961-02-03")
    why = " ".join(suggestions(readings, TAKEN, [entry])[0].why)
    assert "day and month swapped" in why
    assert not any(value in why for value in ("815", "Muster", "1961"))


def test_a_time_alone_is_no_evidence_of_whose_it_is(read: Read) -> None:
    assert suggestions(read(AcquisitionDate="2025-01-14"), TAKEN, [order("E1", PatientID="000815")]) == []


def test_of_one_patients_orders_the_nearest_in_time_comes_first(read: Read) -> None:
    entries = [order("far", NOW + timedelta(hours=20), PatientID="000815"), order("near", PatientID="000815")]
    assert [s.entry.id for s in suggestions(read(PatientID="000815"), TAKEN, entries)] == ["near", "far"]


def test_a_completed_order_is_suggested_after_an_open_one_and_a_withdrawn_one_never(read: Read) -> None:
    entries = [order(str(standing), PatientID="000815", standing=standing) for standing in Standing]
    found = [s.entry.id for s in suggestions(read(PatientID="000815"), TAKEN, entries)]
    assert found == ["open", "completed"]


def test_the_order_for_the_other_eye_comes_last(read: Read) -> None:
    entries = [order("L", PatientID="000815", single_eye="L"), order("both", PatientID="000815")]
    found = [s.entry.id for s in suggestions(read(PatientID="000815", ImageLaterality="R"), TAKEN, entries)]
    assert found == ["both", "L"]


def test_swapped_names_are_the_same_person_and_another_first_name_is_not(read: Read) -> None:
    entries = [order("swapped", PatientName="Anna^Muster"), order("other", PatientName="Muster^Berta")]
    found = suggestions(read(PatientName="Muster^Anna"), TAKEN, entries)
    assert [s.entry.id for s in found] == ["swapped", "other"]
    assert "PatientName agrees" in found[0].why


def test_no_more_than_a_person_can_look_at(read: Read) -> None:
    entries = [order(f"E{number}", PatientID="000815") for number in range(20)]
    assert len(suggestions(read(PatientID="000815"), TAKEN, entries)) == 5


def test_a_number_in_a_name_that_no_pattern_could_read_is_found(read: Read) -> None:
    """Set off from what stands beside it, so that 000815 is none of 10008151."""
    entries = [order("E1", PatientID="000815"), order("E2", PatientID="0815")]
    (found,) = suggestions((), TAKEN, entries, name="20250114_000815_X_012.JPG")
    assert (found.entry.id, found.why[0]) == ("E1", "PatientID stands in the file's name")
    assert suggestions((), TAKEN, entries, name="20250114_10008151_X_012.JPG") == []
    assert suggestions(read(PatientID="77"), TAKEN, entries, name="20250114_000815_X_012.JPG") == []


def test_the_number_that_a_merged_patient_had_leads_to_the_order(read: Read) -> None:
    merged = order("E1", PatientID="99")
    (found,) = suggestions(read(PatientID="000815"), TAKEN, [merged], renumbered={"E1"})
    assert "before it was changed" in found.why[0]


def test_an_order_of_long_ago_comes_after_todays_of_the_same_person(read: Read) -> None:
    said = read(PatientID="000815", PatientName="Weber^Anna")
    former = order("E1", NOW - timedelta(days=500), PatientID="000815", PatientName="Weber^Anna")
    today = order("E2", PatientID="4711", PatientName="Weber^Anna")
    assert [one.entry.id for one in suggestions(said, TAKEN, [former, today])] == ["E2", "E1"]
