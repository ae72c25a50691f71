"""Keys from Exif tags."""

import struct
from typing import Any

import pytest

from irisdrop.vocabulary.reasons import Code

DESCRIPTION = r"exif: {ImageDescription: 'MRN=(?P<PatientID>\d+)'}"
COMMENT = "exif: {UserComment: PatientID}"
TAKEN = "exif: {DateTimeOriginal: AcquisitionDateTime}"


def zeroth(tag: int, value: Any) -> dict[str, Any]:
    return {"0th": {tag: value}}


def test_a_pattern_is_for_the_whole_value(one: Any, read: Any, make: Any) -> None:
    found = one(DESCRIPTION, make.picture(exif=zeroth(0x010E, b"MRN=000815")))
    assert (found.value, found.raw, found.source) == ("000815", "000815", "exif:0th.ImageDescription")
    assert read(DESCRIPTION, make.picture(exif=zeroth(0x010E, b"x MRN=000815"))).readings == ()


def test_a_file_without_exif_says_nothing(read: Any, make: Any) -> None:
    assert read(DESCRIPTION, make.picture()).readings == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_container_is_read(said: Any, make: Any, kind: str) -> None:
    assert said(DESCRIPTION, make.picture(kind, exif=zeroth(0x010E, b"MRN=000815"))) == {"PatientID": ["000815"]}


@pytest.mark.parametrize(
    "stored",
    [
        b"ASCII\0\0\0M\xc3\xbcller",
        b"ASCII\0\0\0M\xfcller",
        b"UNICODE\0" + "Müller".encode("utf-16-le"),
        b"UNICODE\0" + "Müller".encode("utf-16-be"),
        b"UNICODE\0" + b"\xff\xfe" + "Müller".encode("utf-16-le"),
        b"UNICODE\0" + b"\xfe\xff" + "Müller".encode("utf-16-be"),
        b"\0\0\0\0\0\0\0\0M\xc3\xbcller\0\0\0",
        "Müller".encode(),
    ],
)
def test_a_user_comment_is_read_in_its_own_code(said: Any, make: Any, stored: bytes) -> None:
    assert said(COMMENT, make.picture(exif={"Exif": {0x9286: stored}})) == {"PatientID": ["Müller"]}


def test_a_japanese_user_comment_is_read(said: Any, make: Any) -> None:
    stored = b"JIS\0\0\0\0\0" + "山田".encode("iso2022_jp")
    assert said(COMMENT, make.picture(exif={"Exif": {0x9286: stored}})) == {"PatientID": ["山田"]}


def test_a_user_comment_without_latin_letters_takes_the_order_of_its_block(said: Any, make: Any) -> None:
    for order in "<>":
        text = "東京".encode("utf-16-le" if order == "<" else "utf-16-be")
        inner = struct.pack(order + "HHHII", 1, 0x9286, 7, 8 + len(text), 26 + 18) + bytes(4) + b"UNICODE\0" + text
        block = make.tiff_block([(0x8769, 4, 1, struct.pack(order + "I", 26))], order) + inner
        assert said(COMMENT, make.with_exif_block(block)) == {"PatientID": ["東京"]}


def test_a_long_user_comment_is_not_passed_over(said: Any, make: Any) -> None:
    """exifread leaves out values of a thousand bytes and more."""
    stored = b"ASCII\0\0\0" + b" " * 4000 + b"000815"
    assert said(COMMENT, make.picture(exif={"Exif": {0x9286: stored}})) == {"PatientID": ["000815"]}


def test_xp_tags_are_utf_16(said: Any, make: Any) -> None:
    stored = tuple("Müller 東京\0".encode("utf-16-le"))
    assert said("exif: {XPComment: PatientID}", make.picture(exif=zeroth(0x9C9C, stored))) == {
        "PatientID": ["Müller 東京"]
    }


def test_a_date_time_takes_its_offset_with_it(one: Any, make: Any) -> None:
    exif = {"Exif": {0x9003: b"2025:01:14 10:12:45", 0x9011: b"+01:00"}}
    assert one(TAKEN, make.picture(exif=exif)).value == "2025-01-14T10:12:45+01:00"


def test_a_date_time_without_offset_stays_without(one: Any, make: Any) -> None:
    assert one(TAKEN, make.picture(exif={"Exif": {0x9003: b"2025:01:14 10:12:45"}})).value == "2025-01-14T10:12:45"
    blank = {"Exif": {0x9003: b"2025:01:14 10:12:45", 0x9011: b"   :  "}}
    assert one(TAKEN, make.picture(exif=blank)).value == "2025-01-14T10:12:45"


@pytest.mark.parametrize("nothing", [b"0000:00:00 00:00:00", b"    :  :     :  :  ", b""])
def test_a_date_of_zeros_or_blanks_is_absent_and_no_flaw(read: Any, make: Any, nothing: bytes) -> None:
    assert read(TAKEN, make.picture(exif={"Exif": {0x9003: nothing}})).readings == ()


def test_the_same_tag_in_two_directories_is_two_readings(read: Any, make: Any) -> None:
    exif = {"0th": {0x9003: b"x"}, "Exif": {0x9003: b"2025:01:14 10:12:45"}}
    exif["0th"] = {0x010E: b"A1"}
    found = read("exif: {ImageDescription: PatientID, Exif.ImageDescription: AccessionNumber}", make.picture(exif=exif))
    assert [(one.key, one.source) for one in found.readings] == [("PatientID", "exif:0th.ImageDescription")]


def test_the_thumbnail_says_nothing_about_the_picture(read: Any, make: Any) -> None:
    thumbnail = make.picture()
    exif = {"0th": {}, "1st": {0x010E: b"MRN=999"}, "thumbnail": thumbnail}
    assert read(DESCRIPTION, make.picture(exif=exif)).readings == ()


def test_exif_behind_a_large_other_segment_is_found(said: Any, make: Any) -> None:
    """exifread looks at the first four thousand bytes and answers with nothing."""
    whole = make.picture(exif=zeroth(0x010E, b"MRN=000815"))
    profile = b"\xff\xe2" + struct.pack(">H", 60000) + bytes(59998)
    assert said(DESCRIPTION, whole[:2] + profile * 3 + whole[2:]) == {"PatientID": ["000815"]}


def test_a_serial_number_has_two_names(said: Any, make: Any) -> None:
    content = make.picture(exif={"Exif": {0xA431: b"S-9"}})
    for name in ("SerialNumber", "BodySerialNumber", "Exif.BodySerialNumber"):
        assert said(f"exif: {{{name}: DeviceSerialNumber}}", content) == {"DeviceSerialNumber": ["S-9"]}


def test_trailing_blanks_and_nuls_are_no_part_of_a_value(one: Any, make: Any) -> None:
    assert (
        one("exif: {ImageDescription: PatientID}", make.picture(exif=zeroth(0x010E, b"  000815  \0\0"))).value
        == "000815"
    )


def test_latin_1_in_an_ascii_tag_is_read(one: Any, make: Any) -> None:
    assert one("exif: {Artist: PatientName}", make.picture(exif=zeroth(0x013B, b"M\xfcller"))).value == "Müller"


def test_a_damaged_exif_block_is_unreadable_and_never_no_keys(read: Any, make: Any) -> None:
    cut = make.tiff_block([(0x010E, 2, 10, b"MRN=000815")])[:-4]
    found = read(DESCRIPTION, make.with_exif_block(cut))
    assert found.code is Code.UNREADABLE
    assert "Exif" in found.detail


def test_a_damaged_exif_block_does_not_matter_where_no_exif_is_read(read: Any, make: Any) -> None:
    found = read("filename: '(?P<PatientID>a)\\.jpg'", make.with_exif_block(b"rubbish"))
    assert [one.value for one in found.readings] == ["a"]


def test_maker_notes_are_read_where_asked_for(said: Any, make: Any) -> None:
    note = struct.pack("<HHHII", 1, 0x000C, 4, 1, 815) + bytes(4)
    inner = struct.pack("<HHHII", 1, 0x927C, 7, len(note), 44 + 18) + bytes(4) + note
    block = make.tiff_block([(0x010F, 2, 6, b"Canon\0"), (0x8769, 4, 1, struct.pack("<I", 44))]) + inner
    found = said("exif: {MakerNote.SerialNumber: DeviceSerialNumber}", make.with_exif_block(block))
    assert found == {"DeviceSerialNumber": ["815"]}
