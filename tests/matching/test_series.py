"""What only several images together show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from irisdrop.matching.series import Flicker, OneEye, TooFew, flickers, one_eyed, too_few
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.states import State

NOW = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)


def taken(number: int, patient: str, seconds: float, key: str = "PatientID") -> ImageFile:
    """An image of so many seconds after half past nine, that arrived an hour later."""
    when = NOW + timedelta(seconds=seconds)
    readings = (
        Reading(key, patient, patient, "filename:x"),
        Reading("AcquisitionDateTime", when.isoformat(), "", "exif:x"),
    )
    return ImageFile(
        number, 1, State.IDENTIFIED, "room-1", "/x", "x", "d", 1, when + timedelta(hours=1), True, readings
    )


def series(*shots: tuple[str, float], key: str = "PatientID") -> list[Flicker]:
    return flickers([taken(number, *shot, key) for number, shot in enumerate(shots)], UTC)


@pytest.mark.parametrize("key", ["PatientID", "PatientName", "AccessionNumber", "PatientBirthDate"])
def test_an_identifier_that_changes_and_changes_back_within_seconds_flickers(key: str) -> None:
    assert series(("a", 0), ("a", 10), ("b", 20), ("a", 30), key=key) == [Flicker(key, 1, (2,), 3)]
    assert series(("a", 0), ("b", 20), ("b", 30), ("a", 40), key=key) == [Flicker(key, 0, (1, 2), 3)]


def test_the_next_patient_is_no_flicker() -> None:
    assert series(("a", 0), ("a", 10), ("b", 20), ("b", 30)) == []
    assert series(("a", 0), ("b", 20), ("c", 30)) == []


def test_a_patient_who_comes_again_after_another_is_no_flicker() -> None:
    assert series(("a", 0), ("b", 200), ("a", 400)) == []


def test_pictures_of_one_instant_are_a_batch_and_no_flicker() -> None:
    assert series(("a", 0), ("b", 1), ("a", 2)) == []


def exam(*eyes: str, ago: float = 30, state: State = State.DELIVERED, entry: str = "E1") -> list[ImageFile]:
    """Images that an order holds, the last of so many minutes ago."""
    arrived = NOW - timedelta(minutes=ago)
    return [
        ImageFile(n, 1, state, "room-1", "/x", "x", "d", 1, arrived, True, entry=entry, eye=eye)
        for n, eye in enumerate(eyes, 1)
    ]


BOTH = WorklistEntry("E1", {"PatientID": "000815"}, NOW)


def test_one_eyes_pictures_only_are_told_while_the_patient_can_be_called_back() -> None:
    assert one_eyed(exam("R", "R"), {"E1": BOTH}, NOW) == [OneEye(2, "E1", "R")]
    assert one_eyed(exam("R", ago=3), {"E1": BOTH}, NOW) == []  # the other eye may still come
    assert one_eyed(exam("R", ago=600), {"E1": BOTH}, NOW) == []  # the patient has gone home


def test_a_profile_says_when_an_exam_is_over() -> None:
    over = {"room-1": timedelta(minutes=40)}
    assert one_eyed(exam("R", ago=30), {"E1": BOTH}, NOW, over) == []
    assert one_eyed(exam("R", ago=41), {"E1": BOTH}, NOW, over) == [OneEye(1, "E1", "R")]
    assert too_few(exam("R", "L", ago=30), {"E1": BOTH}, {"room-1": 2}, NOW, over) == []
    assert len(too_few(exam("R", "L", ago=41), {"E1": BOTH}, {"room-1": 2}, NOW, over)) == 2
    assert one_eyed(exam("R", ago=2), {"E1": BOTH}, NOW, {"room-1": timedelta(minutes=1)}) == [OneEye(1, "E1", "R")]


def test_both_eyes_in_two_pictures_or_one_are_an_exam() -> None:
    assert one_eyed(exam("R", "L"), {"E1": BOTH}, NOW) == []
    assert one_eyed(exam("B"), {"E1": BOTH}, NOW) == []


def test_an_order_for_a_single_eye_or_one_that_is_closed_asks_for_no_more() -> None:
    assert one_eyed(exam("R"), {"E1": replace(BOTH, single_eye="R")}, NOW) == []
    assert one_eyed(exam("R"), {"E1": replace(BOTH, standing=Standing.COMPLETED)}, NOW) == []


def test_a_picture_in_quarantine_is_no_picture_of_the_exam() -> None:
    assert one_eyed([*exam("R"), *exam("L", state=State.QUARANTINED)], {"E1": BOTH}, NOW) == [OneEye(1, "E1", "R")]


def lacking(*eyes: str, ago: float = 30, order: WorklistEntry = BOTH, expected: int = 2) -> list[tuple[str, int]]:
    found = too_few(exam(*eyes, ago=ago), {"E1": order}, {"room-1": expected}, NOW)
    assert all((one.image, one.entry, one.expected) == (len(eyes), "E1", expected) for one in found)
    return [(one.eye, one.held) for one in found]


def test_an_exam_with_fewer_fields_of_an_eye_than_expected_is_told_while_the_patient_can_be_called_back() -> None:
    assert lacking("R", "R", "L") == [("L", 1)]
    assert lacking("R", "L") == [("R", 1), ("L", 1)]
    assert lacking("R", "R", "L", ago=3) == []
    assert lacking("R", "R", "L", ago=600) == []


def test_enough_fields_are_an_exam_and_a_picture_of_both_eyes_is_one_of_each() -> None:
    assert lacking("R", "R", "L", "L", "L") == []
    assert lacking("R", "L", "B") == []


def test_only_the_eye_of_a_single_eye_order_is_expected_and_an_eye_never_seen_is_told_elsewhere() -> None:
    assert lacking("R", order=replace(BOTH, single_eye="R")) == [("R", 1)]
    assert lacking("R", "R") == []
    assert lacking("R", "R", "L", order=replace(BOTH, standing=Standing.COMPLETED)) == []


def test_where_the_platform_finds_the_eye_fields_are_not_counted() -> None:
    assert lacking("R", "U") == []


def test_fields_are_counted_for_each_camera_that_expects_some() -> None:
    other = replace(exam("R", "L")[0], id=9, camera="oct")
    assert too_few([*exam("R", "R", "L", "L"), other], {"E1": BOTH}, {"room-1": 2}, NOW) == []
    assert too_few([*exam("R", "R", "L", "L"), other], {"E1": BOTH}, {"oct": 3}, NOW) == [TooFew(9, "E1", "R", 1, 3)]
