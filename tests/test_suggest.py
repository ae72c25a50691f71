"""What a person is shown for one quarantined image, from the worklist as it is known now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop.profiles.config import Config, parse_config
from irisdrop.suggest import suggested
from irisdrop.vocabulary.reasons import Code


@pytest.fixture
def config(tmp_path: Path) -> Config:
    text = "site: {zone: UTC}\ncameras:\n  - {name: room-2, profile: topcon-nw400, folder: exports, clock: 2h}\n"
    return parse_config(text, tmp_path / "irisdrop.yaml")


def test_an_image_with_a_merged_patients_old_number_finds_the_order(records: Any, config: Config, read: Any) -> None:
    entry = records.entry("E1", PatientID="000815")
    records.sync(entry, full=False)
    records.sync(replace(entry, keys={"PatientID": "99"}), full=False)
    image = records.identified(*read(PatientID="000815"))
    assert [found.entry.id for found in suggested(image, records.orders, config)] == ["E1"]
    assert records.orders.find([("PatientID", "000815")]) == []


def test_who_had_the_number_before_it_was_given_to_another_is_found_by_name_and_birth_date(
    records: Any, config: Config, read: Any
) -> None:
    """The camera still has the former number, in the file's name and in the Exif: that is one number, and no second."""
    now = records.clock.now()
    former = {"PatientName": "Muster^Anna", "PatientBirthDate": "1961-03-07"}
    other = {"PatientName": "Beispiel^Björn", "PatientBirthDate": "1948-11-30"}
    records.sync(
        replace(records.entry("E1", now - timedelta(days=400), PatientID="000815", **former)),
        records.entry("E2", now - timedelta(hours=2), PatientID="000815", **other),
        records.entry("E3", now, PatientID="004711", **former),
    )
    image = records.identified(*read(PatientID="000815") * 2)
    assert [found.entry.id for found in suggested(image, records.orders, config)][:2] == ["E2", "E3"]
    said = replace(image, readings=image.readings + read(PatientBirthDate="1961-03-07"))
    assert next(found.entry.id for found in suggested(said, records.orders, config)) == "E3"


def test_of_two_orders_on_one_day_the_one_that_is_due_on_arrival_comes_first(
    records: Any, config: Config, read: Any
) -> None:
    """The camera writes a day alone, and the image came in live."""
    now = records.clock.now()
    records.sync(records.entry("E1", now + timedelta(hours=5)), records.entry("E2", now))
    image = records.identified(*read(PatientID="000815", AcquisitionDate=now.date().isoformat()))
    assert [found.entry.id for found in suggested(image, records.orders, config)] == ["E2", "E1"]


def test_a_stamp_that_was_not_believed_does_not_rank_either(records: Any, config: Config, read: Any) -> None:
    """By its clock it was taken two days ago; it came in now."""
    now = records.clock.now()
    records.sync(records.entry("E1", now - timedelta(days=2)), records.entry("E2", now))
    stamp = (now - timedelta(days=2)).isoformat()
    image = records.identified(*read(PatientID="000815", AcquisitionDateTime=stamp))
    believed = [found.entry.id for found in suggested(image, records.orders, config)]
    doubted = replace(image, reason=Code.CLOCK_IMPLAUSIBLE)
    assert believed == ["E1", "E2"]
    assert [found.entry.id for found in suggested(doubted, records.orders, config)] == ["E2", "E1"]
