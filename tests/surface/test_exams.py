"""Images that belong together are one exam, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from irisdrop.profiles.profile import DeviceProfile
from irisdrop.surface.exams import exams_of, eye_of
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.states import State

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def image(number: int, minutes: float = 0, *, camera: str = "room-2", **said: str) -> ImageFile:
    at = NOON + timedelta(minutes=minutes)
    readings = tuple(Reading(key, value, value, f"filename:{key}") for key, value in said.items())
    return ImageFile(number, 1, State.QUARANTINED, camera, "/p", "n", None, None, at, True, readings)


def numbers(*images: ImageFile) -> list[list[int]]:
    return [[one.id for one in exam.images] for exam in exams_of(images)]


def test_one_patient_s_images_are_one_exam_oldest_first() -> None:
    assert numbers(image(2, 1, PatientID="1"), image(1, 0, PatientID="1")) == [[1, 2]]


def test_two_patients_are_two_exams_the_newest_first() -> None:
    assert numbers(image(1, 0, PatientID="1"), image(2, 1, PatientID="2")) == [[2], [1]]


def test_images_that_came_all_at_once_stand_as_the_camera_named_them() -> None:
    came = [
        replace(image(n, n / 60, PatientID="1"), name=name) for n, name in ((1, "b_002"), (2, "a_001"), (3, "b_003"))
    ]
    assert numbers(*came) == [[2, 1, 3]]
    timed = [
        replace(one, readings=(*one.readings, Reading("AcquisitionTime", "1", "1", "x")), taken=one.arrived)
        for one in came
    ]
    assert numbers(*timed) == [[1, 2, 3]]


def test_a_long_pause_begins_another_exam() -> None:
    assert numbers(image(1, 0, PatientID="1"), image(2, 31, PatientID="1")) == [[2], [1]]


def test_two_cameras_are_two_exams() -> None:
    assert len(numbers(image(1, PatientID="1"), image(2, PatientID="1", camera="other"))) == 2


def test_an_image_that_does_not_say_whose_it_is_stays_alone() -> None:
    """Two images without identity in the same minute may be two patients: assigned together, one would be filed wrongly."""
    assert numbers(image(1), image(2)) == [[2], [1]]


def test_what_one_says_and_the_other_does_not_keeps_them_apart() -> None:
    assert len(numbers(image(1, PatientID="1"), image(2, PatientID="1", PatientBirthDate="1961-03-07"))) == 2


def test_an_eye_that_two_readings_tell_differently_is_not_said() -> None:
    two = image(1)
    both = tuple(Reading("ImageLaterality", eye, eye, f"dicom:{eye}") for eye in "RL")
    assert eye_of(two) == "?"
    assert eye_of(ImageFile(1, 1, State.QUARANTINED, "c", "/p", "n", None, None, NOON, True, both)) == "?"
    assert eye_of(image(1, ImageLaterality="L")) == "L"


def test_a_profile_says_how_long_a_pause_may_be_and_what_else_must_be_equal(
    profile: Callable[..., DeviceProfile],
) -> None:
    rules = {"room-2": profile(more="exam: {pause: 2h, by: [StudyInstanceUID]}\n")}
    came = [image(1, 0, PatientID="1"), image(2, 90, PatientID="1"), image(3, 211, PatientID="1")]
    assert [[one.id for one in exam.images] for exam in exams_of(came, rules)] == [[3], [1, 2]]
    came = [image(number, PatientID="1", StudyInstanceUID=uid) for number, uid in ((1, "1.2"), (2, "1.3"), (3, "1.2"))]
    assert [[one.id for one in exam.images] for exam in exams_of(came, rules)] == [[2], [1, 3]]
    assert len(exams_of(came, {"other": rules["room-2"]})) == 1
