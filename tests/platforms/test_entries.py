"""Entries as they travel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irisdrop.platforms.entries import EntryFault, entry_id, parse_entry, wire_entry
from irisdrop.vocabulary.keys import KEYS
from irisdrop.vocabulary.orders import WorklistEntry

JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(), max_size=2)


def test_an_entry_survives_the_journey() -> None:
    entry = WorklistEntry(
        "E1",
        {"PatientID": "000815", "PatientBirthDate": "1961-03-07"},
        datetime(2025, 1, 14, 9, 30, tzinfo=timezone(timedelta(hours=-5))),
        "S1",
        "L",
    )
    assert parse_entry(wire_entry(entry), UTC) == entry


def test_an_id_is_stable_and_differs_by_site_order_patient_and_step() -> None:
    ids = {
        entry_id("S1", "A", "P"),
        entry_id("S2", "A", "P"),
        entry_id("S1", "B", "P"),
        entry_id("S1", "A", "Q"),
        entry_id("S1", "A", "P", "2"),
    }
    assert len(ids) == 5


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["id", "site", "ScheduledProcedureStepStartDateTime", "SingleEyeOnly", *KEYS]), JSON
    )
)
def test_no_object_at_all_breaks_it_or_is_told_with_its_values(wire: dict[str, object]) -> None:
    try:
        entry = parse_entry(wire, UTC)
    except EntryFault as fault:
        assert fault.id is None or fault.id == wire["id"]
    else:
        assert entry.id
        assert all(isinstance(value, str) and value for value in entry.keys.values())


@pytest.mark.parametrize(("told", "eye"), [("OD", "R"), ("left", "L"), ("OU", "B"), ("second", "U")])
def test_the_eye_of_an_order_is_read_at_the_border_like_any_other(told: str, eye: str) -> None:
    assert parse_entry({"id": "E1", "ImageLaterality": told}, UTC).keys["ImageLaterality"] == eye
