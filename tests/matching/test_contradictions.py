"""What an image says against itself and against an order: the sources are named, the values never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from irisdrop.matching.contradictions import conflict, eye, objections, same_patient
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code

Read = Callable[..., tuple[Reading, ...]]
NEW_YORK = ZoneInfo("America/New_York")
EXIF = "exif:0th.ImageDescription"


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("PatientID", "000815", "815"),
        ("AccessionNumber", "A-1", "a-1"),
        ("PatientBirthDate", "1961-02-03", "1961-03-02"),
        ("PatientName", "Muster^Anna", "Muster^Anne"),
        ("ImageLaterality", "R", "L"),
        ("ImageLaterality", "R", "B"),
        ("AcquisitionDateTime", "2025-01-14T09:30:00", "2025-01-14T09:30:01"),
        ("StudyInstanceUID", "1.2.3", "1.2.4"),
        ("PatientSex", "F", "M"),
    ],
)
def test_two_values_of_one_key_conflict_and_both_sources_are_named(read: Read, key: str, one: str, other: str) -> None:
    told = conflict(read((key, one, f"filename:{key}"), (key, other, EXIF)), UTC)
    assert told == f"{key} differs between filename:{key} and {EXIF}"
    assert conflict(read((key, one, f"filename:{key}"), (key, one, EXIF)), UTC) is None


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("PatientName", "Müller^Anna", "MUELLER ANNA"),
        ("ImageLaterality", "R", "U"),
        ("AcquisitionDateTime", "2025-01-14T09:30:00", "2025-01-14T15:30:00+01:00"),
        ("AcquisitionDateTime", "2025-11-02T01:30:00", "2025-11-02T01:30:00-05:00"),
    ],
)
def test_two_spellings_of_one_thing_do_not(read: Read, key: str, one: str, other: str) -> None:
    assert conflict(read((key, one, f"filename:{key}"), (key, other, EXIF)), NEW_YORK) is None


def test_a_stamp_on_another_day_than_the_date_conflicts(read: Read) -> None:
    readings = read(AcquisitionDateTime="2025-01-14T09:30:00", AcquisitionDate="2025-01-13")
    assert (
        conflict(readings, NEW_YORK)
        == "the day of filename:AcquisitionDateTime is not that of filename:AcquisitionDate"
    )
    assert conflict(read(AcquisitionDateTime="2025-01-13T09:30:00", AcquisitionDate="2025-01-13"), NEW_YORK) is None


def test_a_camera_in_another_zone_may_name_its_files_by_its_own_day(read: Read) -> None:
    stamp = "2025-01-15T02:00:00+00:00"
    for day in ("2025-01-14", "2025-01-15"):
        assert conflict(read(AcquisitionDateTime=stamp, AcquisitionDate=day), NEW_YORK) is None
    assert conflict(read(AcquisitionDateTime=stamp, AcquisitionDate="2025-01-16"), NEW_YORK)


def test_three_sources_must_all_agree(read: Read) -> None:
    readings = read(("PatientID", "1", "filename:PatientID"), ("PatientID", "1", EXIF), ("PatientID", "2", "dicom:x"))
    assert conflict(readings, UTC) == "PatientID differs between filename:PatientID and dicom:x"


def test_the_eye_is_what_somebody_declared_or_unknown(read: Read) -> None:
    assert eye(read(ImageLaterality="L")) == "L"
    assert eye(read(ImageLaterality="U")) == "U"
    assert eye(()) == "U"


def test_what_only_one_side_has_contradicts_nothing(read: Read) -> None:
    entry = WorklistEntry("E1", {"PatientID": "000815", "PatientSex": "F"})
    readings = read(PatientID="000815", AccessionNumber="A-1")
    assert objections(readings, entry, agree=("PatientSex",)) == []


def test_an_objection_names_the_source_and_never_a_value(read: Read) -> None:
    entry = WorklistEntry("E1", {"PatientID": "000815", "PatientName": "Muster^Anna"})
    found = objections(read(PatientID="000816", PatientName="Muster^Berta"), entry, agree=("PatientName",))
    assert [(objection.code, objection.words) for objection in found] == [
        (Code.PATIENT_MISMATCH, "PatientID of filename:PatientID is not the order's"),
        (Code.PATIENT_MISMATCH, "PatientName of filename:PatientName is not the order's"),
    ]


def test_the_eye_that_a_person_chose_counts_and_not_the_one_that_was_read(read: Read) -> None:
    entry = WorklistEntry("E1", {}, single_eye="R")
    assert objections(read(ImageLaterality="L"), entry, shown="R") == []
    assert [one.code for one in objections((), entry, shown="L")] == [Code.NO_WORKLIST_ENTRY]
    assert objections((), entry) == []


def test_what_was_passed_over_contradicts_nothing(read: Read) -> None:
    entry = WorklistEntry("E1", {"StudyInstanceUID": "1.2.3"})
    readings = read(StudyInstanceUID="9.9")
    assert objections(readings, entry)
    assert objections(readings, entry, passed_over=frozenset({"StudyInstanceUID"})) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"PatientID": "1"}, {"PatientID": "1"}, True),
        ({"PatientID": "1"}, {"PatientID": "2"}, False),
        ({"PatientID": "1", "PatientBirthDate": "1961-02-03"}, {"PatientID": "1"}, True),
        (
            {"PatientID": "1", "PatientBirthDate": "1961-02-03"},
            {"PatientID": "1", "PatientBirthDate": "1999-09-09"},
            False,
        ),
        ({"PatientID": "1", "IssuerOfPatientID": "a"}, {"PatientID": "1", "IssuerOfPatientID": "b"}, False),
    ],
)
def test_two_entries_are_of_one_person_as_far_as_both_say(
    one: dict[str, str], other: dict[str, str], same: bool
) -> None:
    assert same_patient(WorklistEntry("E1", one), WorklistEntry("E2", other)) is same


def test_a_stamp_without_fractions_says_no_more_than_the_second(read: Read) -> None:
    whole = ("AcquisitionDateTime", "2025-01-14T09:30:00", "filename:AcquisitionDateTime")
    assert conflict(read(whole, ("AcquisitionDateTime", "2025-01-14T09:30:00.730", EXIF)), UTC) is None
    assert conflict(read(whole, ("AcquisitionDateTime", "2025-01-14T09:30:01.730", EXIF)), UTC) is not None
    finer = ("AcquisitionDateTime", "2025-01-14T09:30:00.100", "filename:AcquisitionDateTime")
    assert conflict(read(finer, ("AcquisitionDateTime", "2025-01-14T09:30:00.730", EXIF)), UTC) is not None
