"""The steps of `clean` and the form of each key."""

from typing import Any

import pytest

from irisdrop.identity.clean import reading
from irisdrop.identity.found import Found
from irisdrop.profiles.profile import Step


def cleaned(key: str, raw: str, *steps: Step) -> tuple[str, str | None]:
    found = reading(Found(key, raw, "filename:x"), steps)
    assert found is not None
    assert found.raw == raw
    return found.value, found.flaw


@pytest.mark.parametrize(
    ("raw", "steps", "value"),
    [
        (" 000815\0", [], "000815"),
        ("815", [Step("pad", 6)], "000815"),
        ("MRN000815", [Step("strip_prefix", "mrn")], "000815"),
        ("000815_oph4py", [Step("strip_suffix", "_oph4py")], "000815"),
        ("a1", [Step("upper")], "A1"),
        ("A1", [Step("lower")], "a1"),
        ("A-08/15", [Step("digits")], "0815"),
        ("A_B", [Step("replace", {"_": "-"})], "A-B"),
        ("x", [Step("map", {"x": "y"})], "y"),
        ("z", [Step("map", {"x": "y"})], "z"),
        ("MRN 815 ", [Step("strip_prefix", "MRN"), Step("trim"), Step("pad", 6)], "000815"),
    ],
)
def test_a_step_makes_the_value(raw: str, steps: list[Step], value: str) -> None:
    assert cleaned("PatientID", raw, *steps) == (value, None)


@pytest.mark.parametrize(
    ("token", "eye"),
    [
        ("R", "R"),
        ("od", "R"),
        ("right", "R"),
        ("OS", "L"),
        ("Left", "L"),
        ("OU", "B"),
        ("both", "B"),
        ("X", "U"),
        ("0D", "U"),
    ],
)
def test_an_unknown_eye_is_never_the_other_one(token: str, eye: str) -> None:
    assert cleaned("ImageLaterality", token) == (eye, None)


def test_nothing_is_no_reading() -> None:
    assert reading(Found("PatientID", " \0\t", "filename:x"), ()) is None
    assert reading(Found("PatientID", "MRN", "filename:x"), (Step("strip_prefix", "MRN"),)) is None


@pytest.mark.parametrize(
    ("key", "raw", "steps", "value"),
    [
        ("AcquisitionDate", "14-01-2025", [Step("date", "%d-%m-%Y")], "2025-01-14"),
        ("AcquisitionTime", "0.02.16.099 PM", [Step("date", "%I.%M.%S.%f %p")], "12:02:16.099000"),
        ("AcquisitionTime", "12.02.16.099 AM", [Step("date", "%I.%M.%S.%f %p")], "00:02:16.099000"),
        ("AcquisitionDateTime", "2025-01-14T09_12_03Z", [], "2025-01-14T09:12:03+00:00"),
        ("AcquisitionDateTime", "2025-01-14_101245", [], "2025-01-14T10:12:45"),
        ("AcquisitionDateTime", "20250114091203", [Step("utc")], "2025-01-14T09:12:03+00:00"),
        ("AcquisitionTime", "091203", [Step("utc")], "09:12:03+00:00"),
    ],
)
def test_dates_and_times_become_iso(key: str, raw: str, steps: list[Step], value: str) -> None:
    assert cleaned(key, raw, *steps) == (value, None)


@pytest.mark.parametrize(
    ("key", "raw", "steps", "flaw"),
    [
        ("AcquisitionDate", "20250231", [], "an impossible date"),
        ("AcquisitionDate", "00000000", [], "an impossible date"),
        ("PatientBirthDate", "07/03/1961", [], "not a date"),
        ("AcquisitionTime", "256199", [], "an impossible time"),
        ("AcquisitionDateTime", "tomorrow", [], "not a date with a time"),
        ("AcquisitionDate", "20250114", [Step("date", "%d-%m-%Y")], "not in the declared format"),
        ("PatientName", "M\ufffdller", [], "not readable in its character set"),
    ],
)
def test_what_can_t_be_its_key_s_form_keeps_the_raw_text_and_a_flaw(
    key: str, raw: str, steps: list[Any], flaw: str
) -> None:
    assert cleaned(key, raw, *steps) == (raw, flaw)
