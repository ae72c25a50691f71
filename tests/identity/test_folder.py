"""Keys from the folders below the camera's folder."""

from typing import Any

SUBJECT = r"folder: '(?:.*/)?(?P<PatientID>\d{3}-\d\d-\d{4}-\d)'"


def test_the_path_without_the_name_says_whose_it_is(one: Any, make: Any) -> None:
    found = one(SUBJECT, make.picture(), "2025/105-10-0989-3/8f14e45f.jpg")
    assert (found.value, found.source) == ("105-10-0989-3", "folder:PatientID")


def test_a_file_in_the_watched_folder_itself_has_an_empty_path(said: Any, make: Any) -> None:
    assert said(SUBJECT, make.picture(), "105-10-0989-3") == {}
    assert said(r"folder: '(?P<PatientID>.*)'", make.picture(), "a.jpg") == {}
