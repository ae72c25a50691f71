"""Files that other programs made: each is read, or has its reason."""

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from irisdrop.identity.identify import Export, Identified, Refusal, identify
from irisdrop.identity.sandbox import Parsers
from irisdrop.vocabulary.reasons import Code

HEADER = """dicom: {PatientID: PatientID, PatientName: PatientName, PatientBirthDate: PatientBirthDate, StudyInstanceUID: StudyInstanceUID, "(0020,0062)": ImageLaterality, "(0020,0060)": ImageLaterality, AcquisitionDateTime: AcquisitionDateTime, ContentDate: AcquisitionDate, ContentTime: AcquisitionTime, "RequestAttributesSequence[0].ScheduledProcedureStepID": ScheduledProcedureStepID, "(0011,xx01,SOMEBODY)": AdmissionID}"""
TAGS = r"exif: {ImageDescription: 'MRN=(?P<PatientID>.+)', UserComment: PatientName, XPComment: StationName, DateTimeOriginal: AcquisitionDateTime, SerialNumber: DeviceSerialNumber}"
WRITTEN = {
    "PatientID": ["000815"],
    "PatientName": ["Müller 東京"],
    "StationName": ["Raum 2, Lübeck"],
    "AcquisitionDateTime": ["2025-01-14T10:12:45+01:00"],
    "DeviceSerialNumber": ["S-9"],
}

SHIPPED = sorted(path for path in (Path(pydicom.__file__).parent / "data").rglob("*") if path.is_file())
# Without a picture, cut off, or no DICOM at all: what pydicom itself says of them.
REASONED = {Code.NOT_AN_IMAGE, Code.UNREADABLE}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_file_that_pydicom_ships_is_read_or_has_its_reason(path: Path, make: Any, parsers: Parsers) -> None:
    found = identify(make.profile(HEADER), Export(path, path.name), parsers)
    oracle = _oracle(path)
    if isinstance(found, Refusal):
        assert found.code in REASONED
        assert oracle is None or "PixelData" not in oracle or "truncated" in path.name
        return
    assert oracle is not None
    said = [one.raw for one in found.readings if one.key == "PatientID"]
    assert said == ([str(oracle.PatientID)] if str(oracle.get("PatientID") or "") else [])


def _oracle(path: Path) -> Any:
    """What pydicom reads of a file by itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(path, force=path.suffix == ".dcm")
    except (pydicom.errors.InvalidDicomError, NotImplementedError, ValueError, OSError):
        return None


def made(tmp_path: Path, *commands: str) -> None:
    for command in commands:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A picture in every format by ImageMagick, libheif, libwebp and ffmpeg."""
    made(
        tmp_path,
        "convert -size 64x48 plasma:red-black im.jpg",
        "convert im.jpg -interlace Plane im-progressive.jpg",
        "convert im.jpg im.png",
        "convert im.jpg -interlace PNG im-interlaced.png",
        "convert im.jpg im.tif",
        "convert im.jpg -compress LZW -define tiff:endian=msb im-big.tif",
        "convert im.jpg im.webp",
        "cwebp -quiet -lossless im.png -o cwebp.webp",
        "heif-enc im.jpg -o libheif.heic",
        "heif-enc -A im.jpg -o libheif.avif",
        "ffmpeg -v error -y -i im.png ff.jpg",
        "ffmpeg -v error -y -i im.jpg ff.png",
        "ffmpeg -v error -y -i im.jpg ff.tiff",
    )
    return tmp_path


def test_pictures_by_other_programs_with_tags_by_exiftool_are_read(foreign: Path, make: Any, parsers: Parsers) -> None:
    made(
        foreign,
        "exiftool -q -q -overwrite_original -charset UTF8 -ImageDescription='MRN=000815' -EXIF:UserComment='Müller 東京'"
        " -XPComment='Raum 2, Lübeck' -DateTimeOriginal='2025:01:14 10:12:45' -OffsetTimeOriginal='+01:00'"
        " -SerialNumber=S-9 *",
    )
    files = sorted(foreign.iterdir())
    assert len(files) == 13
    for path in files:
        found = identify(make.profile(TAGS), Export(path, path.name), parsers)
        assert isinstance(found, Identified), (path.name, found)
        said: dict[str, list[str]] = {}
        for one in found.readings:
            said.setdefault(one.key, []).append(one.value)
        assert said == WRITTEN, path.name


def test_pictures_by_other_programs_are_whole_and_their_halves_are_not(
    foreign: Path, make: Any, parsers: Parsers
) -> None:
    for path in sorted(foreign.iterdir()):
        whole = path.read_bytes()
        assert isinstance(identify(make.profile(TAGS), Export(path, path.name), parsers), Identified), path.name
        for part in (0.3, 0.6, 0.9, 0.99):
            path.write_bytes(whole[: int(len(whole) * part)])
            found = identify(make.profile(TAGS), Export(path, path.name), parsers)
            assert isinstance(found, Refusal), (path.name, part)
            assert found.code is Code.UNREADABLE, (path.name, part)


def test_bmp_and_gif_are_pictures_without_tags(tmp_path: Path, make: Any, parsers: Parsers) -> None:
    made(tmp_path, "convert -size 64x48 plasma:red-black a.bmp", "convert a.bmp a.gif", "convert a.bmp BMP3:b.bmp")
    for path in sorted(tmp_path.iterdir()):
        assert identify(make.profile(TAGS), Export(path, path.name), parsers) == Identified(())


def test_dicom_by_dcmtk_is_read(tmp_path: Path, make: Any, parsers: Parsers) -> None:
    made(tmp_path, "convert -size 64x48 plasma:red-black a.jpg", "img2dcm -k PatientID=000815 a.jpg jpeg.dcm")
    made(tmp_path, "dcmdjpeg jpeg.dcm plain.dcm", "dcmconv +ti plain.dcm implicit.dcm", "dcmconv +tb plain.dcm big.dcm")
    made(tmp_path, "dcmconv +td plain.dcm deflated.dcm", "dcmconv -F plain.dcm bare.dcm")
    for path in sorted(tmp_path.glob("*.dcm")):
        found = identify(make.profile(HEADER), Export(path, path.name), parsers)
        assert isinstance(found, Identified), (path.name, found)
        assert [one.value for one in found.readings if one.key == "PatientID"] == ["000815"], path.name


def test_the_programs_that_these_tests_need_are_here() -> None:
    """Debian: imagemagick libheif-examples webp ffmpeg libimage-exiftool-perl dcmtk."""
    needed = ("convert", "heif-enc", "cwebp", "ffmpeg", "exiftool", "img2dcm", "dcmconv")
    assert [name for name in needed if shutil.which(name) is None] == []


mutations = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6
)
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mutated(whole: bytes, changes: list[tuple[float, bytes]]) -> bytes:
    found = bytearray(whole)
    for where, new in changes:
        at = int(where * len(found))
        found[at : at + len(new)] = new
    return bytes(found)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "DICOM"])
@RELAXED
@given(changes=mutations)
def test_no_damage_makes_identify_raise(kind: str, changes: list[tuple[float, bytes]], read: Any, make: Any) -> None:
    exif = {
        "0th": {0x010E: b"MRN=000815", 0x9C9C: tuple("Raum 2".encode("utf-16-le"))},
        "Exif": {0x9286: b"UNICODE\0" + "Müller".encode("utf-16-le"), 0x9003: b"2025:01:14 10:12:45"},
    }
    whole = make.dicom(PatientID="000815", PatientName="Muller^Anna") if kind == "DICOM" else make.picture(kind, exif)
    # Most damage to pixels shows nothing: half of it goes where the tags are.
    early = [(where / 8, new) for where, new in changes]
    for one in (changes, early):
        found = read(HEADER + "\n" + TAGS, mutated(whole, one), "a")
        assert isinstance(found, Identified | Refusal)
        assert not isinstance(found, Refusal) or found.code in REASONED
