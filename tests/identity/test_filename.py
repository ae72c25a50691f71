"""Keys from the file's name."""

import unicodedata
from typing import Any

NW400 = r"filename: '(?P<AcquisitionDate>\d{8})_(?P<PatientID>.+)_(?P<ImageLaterality>[RL])_(?P<InstanceNumber>\d{3,})\.jpe?g'"


def test_a_leading_zero_is_part_of_the_number(said: Any, make: Any) -> None:
    found = said(NW400, make.picture(), "20250114_000815_R_012.JPG")
    assert found == {
        "AcquisitionDate": ["2025-01-14"],
        "PatientID": ["000815"],
        "ImageLaterality": ["R"],
        "InstanceNumber": ["012"],
    }


def test_each_group_is_a_source_of_its_own(read: Any, make: Any) -> None:
    sources = {one.source for one in read(NW400, make.picture(), "20250114_000815_R_012.JPG").readings}
    keys = ("AcquisitionDate", "PatientID", "ImageLaterality", "InstanceNumber")
    assert sources == {f"filename:{key}" for key in keys}


def test_an_id_may_hold_the_separator(said: Any, make: Any) -> None:
    assert said(NW400, make.picture(), "20250114_A_12-7_L_999.jpg")["PatientID"] == ["A_12-7"]


def test_a_name_that_does_not_fit_says_nothing(said: Any, make: Any) -> None:
    assert said(NW400, make.picture(), "20250114_000815_X_012.JPG") == {}


def test_only_the_last_part_of_the_path_is_the_name(said: Any, make: Any) -> None:
    assert said(NW400, make.picture(), "1/2/20250114_000815_R_012.jpg")["PatientID"] == ["000815"]


def test_a_decomposed_name_gives_the_composed_value(said: Any, make: Any) -> None:
    name = unicodedata.normalize("NFD", "Müller_R.jpg")
    assert said(r"filename: '(?P<PatientID>.+)_R\.jpg'", make.picture(), name) == {"PatientID": ["Müller"]}


def test_an_impossible_date_is_kept_with_its_flaw(read: Any, make: Any) -> None:
    found = read(NW400, make.picture(), "20250231_000815_R_012.jpg").readings[0]
    assert (found.value, found.flaw) == ("20250231", "an impossible date")


def test_ross_is_no_left_eye(said: Any, make: Any) -> None:
    """The OS in ROSS was once filed as the left eye."""
    rule = r"filename: '(?P<PatientID>.+)_(?P<ImageLaterality>right|left|OD|OS)_(OD|OS)\.jpg'".replace(
        "(OD|OS)\\", "(?:OD|OS)\\"
    )
    assert said(rule, make.picture(), "ROSS_right_OD.jpg")["ImageLaterality"] == ["R"]
