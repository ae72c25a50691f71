"""What an export says about itself, or why it can't."""

import logging
from pathlib import Path
from typing import Any

import pytest

from irisdrop.identity.contents import Contents
from irisdrop.identity.identify import Export, identify, readings
from irisdrop.identity.sandbox import Parsers
from irisdrop.vocabulary.reasons import Code

NAME = r"filename: '(?P<PatientID>\d+)\.jpg'"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.UNREADABLE),
        (b"\xff\xd8", Code.UNREADABLE),
        (b"\xff\xd8\xff\xe0", Code.UNREADABLE),
        (bytes(100_000), Code.UNREADABLE),
        (b"Dear colleague, the pictures follow.\n", Code.NOT_AN_IMAGE),
        (b"<?xml version='1.0'?><x/>", Code.NOT_AN_IMAGE),
        (b"%PDF-1.4\n%%EOF\n", Code.NOT_AN_IMAGE),
        (b"PK\x03\x04" + bytes(40), Code.NOT_AN_IMAGE),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", Code.NOT_AN_IMAGE),
    ],
)
def test_the_content_decides_and_never_the_name(read: Any, content: bytes, code: Code) -> None:
    assert read(NAME, content, "000815.jpg").code is code


def test_a_half_copied_jpeg_is_unreadable_wherever_it_was_cut(read: Any, make: Any) -> None:
    whole = make.picture(exif={"0th": {0x010E: b"x"}, "1st": {}, "thumbnail": make.picture()}, progressive=True)
    for end in range(2, len(whole) - 2, 61):
        assert read(NAME, whole[:end], "000815.jpg").code is Code.UNREADABLE, end
    assert read(NAME, whole, "000815.jpg").readings


def test_bytes_after_the_end_of_a_jpeg_are_normal(read: Any, make: Any) -> None:
    assert read(NAME, make.picture() + b"camera's own data" * 100, "000815.jpg").readings


def test_every_reading_is_kept_and_nothing_is_decided_between_them(said: Any, make: Any) -> None:
    rules = NAME + "\nfolder: '(?P<PatientID>.*)'\nexif: {ImageDescription: PatientID}"
    found = said(rules, make.picture(exif={"0th": {0x010E: b"3"}}), "2/1.jpg")
    assert found == {"PatientID": ["1", "2", "3"]}


def test_the_same_export_gives_the_same_answer(read: Any, make: Any) -> None:
    content = make.picture(exif={"0th": {0x010E: b"3"}})
    rules = NAME + "\nexif: {ImageDescription: PatientID}"
    assert read(rules, content, "1.jpg") == read(rules, content, "1.jpg")


def test_a_rule_that_fails_is_a_fault_of_the_profile_and_never_no_keys(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from irisdrop.identity import extractors

    def broken(*_: Any) -> Any:
        raise KeyError("000815")

    monkeypatch.setitem(extractors.EXTRACTORS, "filename", extractors.Extractor(broken))
    found = readings(make.profile(NAME), "000815.jpg", Contents("jpeg"))
    assert found.code is Code.PROFILE_FAULT  # type: ignore[union-attr]
    assert "000815" not in found.detail  # type: ignore[union-attr]


def test_a_part_that_can_t_be_read_is_unreadable_whatever_the_name_says(make: Any) -> None:
    found = readings(make.profile(NAME), "000815.jpg", Contents("jpeg", failed={"exif": "it is cut off"}))
    assert found.code is Code.UNREADABLE  # type: ignore[union-attr]


def test_a_pipe_is_no_plain_file(tmp_path: Path, make: Any, parsers: Parsers) -> None:
    import os

    os.mkfifo(tmp_path / "000815.jpg")
    found = identify(make.profile(NAME), Export(tmp_path / "000815.jpg", "000815.jpg"), parsers)
    assert found.code is Code.NOT_A_PLAIN_FILE  # type: ignore[union-attr]


def test_nothing_of_a_patient_is_logged(read: Any, make: Any, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    with caplog.at_level(logging.DEBUG):
        read(NAME + "\nexif: {Artist: PatientName}", make.picture(exif={"0th": {0x013B: b"Doe"}})[:-9], "000815.jpg")
    assert "Doe" not in caplog.text
    assert capfd.readouterr() == ("", "")
