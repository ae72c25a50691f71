"""All that a file holds, for those who write a profile for it."""

from pathlib import Path
from typing import Any

from irisdrop.identity.contents import Wanted
from irisdrop.identity.sandbox import Parsers


def test_every_exif_tag_is_shown(tmp_path: Path, make: Any, parsers: Parsers) -> None:
    path = tmp_path / "a.jpg"
    exif = {"0th": {0x010E: b"MRN=000815"}, "Exif": {0x9286: b"ASCII\0\0\0Anna"}, "GPS": {0x1D: b"2025:01:14"}}
    path.write_bytes(make.picture(exif=exif))
    found = {(tag.directory, tag.name): tag.text for tag in parsers.read(path, Wanted(everything=True)).exif}
    assert found == {
        ("0th", "ImageDescription"): "MRN=000815",
        ("Exif", "UserComment"): "Anna",
        ("GPS", "GPSDateStamp"): "2025:01:14",
    }


def test_every_dicom_element_is_shown(tmp_path: Path, make: Any, parsers: Parsers) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(make.dicom(PatientID="000815"))
    found = {element.asked: element.values for element in parsers.read(path, Wanted(everything=True)).dicom}
    assert found["PatientID"] == ("000815",)
    assert "PixelData" not in found
