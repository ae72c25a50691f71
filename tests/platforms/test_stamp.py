"""Stamping: outside the Exif segment not a byte changes, and inside it nothing moves."""

from __future__ import annotations

import io
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import exifread
import piexif
import pytest
from PIL import Image

from irisdrop.platforms.jpeg import segments
from irisdrop.platforms.stamp import TAGS, Tag, Unstampable, read, stamped, tag_of
from irisdrop.vocabulary.faults import Foreseen

ID = "000815"
DESCRIPTION = tag_of("ImageDescription")


def picture(mode: str = "RGB", **more: object) -> bytes:
    """A JPEG of noise."""
    random.seed(3)
    image = Image.frombytes(mode, (64, 48), random.randbytes(64 * 48 * len(mode)))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **more)
    return buffer.getvalue()


def with_exif(size: int = 500, **more: object) -> bytes:
    """A JPEG with thumbnail, MakerNote, GPS and sub-IFD."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12), 7).save(thumbnail, "JPEG")
    exif = piexif.dump(
        {
            "0th": {piexif.ImageIFD.Make: "Topcon", piexif.ImageIFD.Model: "TRC-NW400", piexif.ImageIFD.Software: "1"},
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: "2025:01:14 09:31:00",
                piexif.ExifIFD.MakerNote: bytes(range(256)) * (size // 256) + b"tail",
            },
            "GPS": {piexif.GPSIFD.GPSMapDatum: "WGS-84"},
            "1st": {piexif.ImageIFD.Compression: 6},
            "thumbnail": thumbnail.getvalue(),
        }
    )
    return picture(exif=exif, **more)


def pair(**more: object) -> bytes:
    """Two pictures in one file (MPO), as a stereo camera writes them."""
    left, right = (Image.open(io.BytesIO(picture(comment=side))) for side in (b"left", b"right"))
    buffer = io.BytesIO()
    left.save(buffer, "MPO", save_all=True, append_images=[right], **more)
    return buffer.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    """One marker segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def inserted(data: bytes, *parts: bytes) -> bytes:
    """A JPEG with segments right behind its begin."""
    return data[:2] + b"".join(parts) + data[2:]


def plain_tiff(order: str, entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """A TIFF block with one IFD."""
    rows = b"".join(struct.pack(f"{order}HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    mark = b"II" if order == "<" else b"MM"
    return struct.pack(f"{order}2sHIH", mark, 42, 8, len(entries)) + rows + struct.pack(f"{order}I", 0)


XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
MPF = segment(0xE2, b"MPF\0" + plain_tiff(">", [(0xB000, 7, 4, b"0100")]))
ORIENTATION = [(0x0112, 3, 1, b"\x01\0\0\0")]


def exif_segment(order: str, entries: list[tuple[int, int, int, bytes]], padding: int = 0) -> bytes:
    """An Exif segment with one IFD and some bytes behind it."""
    return segment(0xE1, b"Exif\0\0" + plain_tiff(order, entries) + bytes(padding))


CORPUS: dict[str, Callable[[], bytes]] = {
    "no Exif, JFIF first": picture,
    "no Exif, no JFIF": lambda: picture()[:2] + picture()[20:],
    "no Exif, a comment": lambda: picture(comment=b"made by nobody"),
    "Exif with thumbnail and MakerNote": with_exif,
    "JFIF first, then Exif": lambda: inserted(with_exif(), segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")),
    "XMP before Exif": lambda: inserted(with_exif(), XMP),
    "XMP alone": lambda: inserted(picture(), XMP),
    "two pictures behind Exif": lambda: pair(exif=piexif.dump({"0th": {piexif.ImageIFD.Make: "Topcon"}})),
    "two pictures without Exif": lambda: pair(),
    "little endian": lambda: inserted(picture(), exif_segment("<", ORIENTATION)),
    "big endian": lambda: inserted(picture(), exif_segment(">", [(0x0112, 3, 1, b"\0\x01\0\0")])),
    "an odd number of bytes": lambda: inserted(picture(), exif_segment("<", ORIENTATION, 3)),
    "a short tag of its own": lambda: inserted(picture(), exif_segment("<", [(0x010E, 2, 4, b"abc\0")])),
    "fill bytes before a marker": lambda: picture()[:2] + b"\xff\xff" + exif_segment("<", ORIENTATION) + picture()[2:],
    "CMYK": lambda: picture("CMYK"),
    "grey": lambda: picture("L"),
    "progressive": lambda: picture(progressive=True),
    "4:4:4": lambda: picture(subsampling=0),
    "a profile in two segments": lambda: picture(icc_profile=bytes(70_000)),
    "bytes behind the end": lambda: with_exif() + b"trailer of the camera" * 10,
    "nearly full": lambda: inserted(picture(), exif_segment("<", ORIENTATION, 65_300)),
}


def parts(data: bytes) -> list[bytes]:
    """Every segment but Exif, and everything from the scan on."""
    found = segments(data)
    kept = [data[one.begin : one.end] for one in found if data[one.content : one.content + 4] != b"Exif"]
    return [*kept, data[found[-1].end :]]


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("tag", ["ImageDescription", "XPComment", "UserComment"])
def test_a_stamped_jpeg_differs_in_the_exif_segment_alone(name: str, tag: str) -> None:
    original = CORPUS[name]()
    made = stamped(original, tag_of(tag), ID)
    assert parts(made) == parts(original)
    assert read(made, tag_of(tag)) == ID
    assert Image.open(io.BytesIO(made)).tobytes() == Image.open(io.BytesIO(original)).tobytes()


@pytest.mark.parametrize("name", CORPUS)
def test_stamping_again_gives_another_value_and_keeps_the_rest(name: str) -> None:
    if name == "nearly full":
        return
    once = stamped(CORPUS[name](), DESCRIPTION, ID)
    twice = stamped(once, DESCRIPTION, "000816-a-longer-one")
    assert read(twice, DESCRIPTION) == "000816-a-longer-one"
    assert parts(twice) == parts(once)


@pytest.mark.parametrize("tag", list(TAGS))
def test_what_stood_in_the_segment_stands_there_still(tag: str) -> None:
    original = with_exif()
    made = stamped(original, tag_of(tag), ID)
    before, after = piexif.load(original), piexif.load(made)
    assert after["Exif"][piexif.ExifIFD.MakerNote] == before["Exif"][piexif.ExifIFD.MakerNote]
    assert (after["thumbnail"], after["GPS"], after["1st"]) == (before["thumbnail"], before["GPS"], before["1st"])
    for part in ("0th", "Exif"):
        kept = {number: value for number, value in after[part].items() if number != tag_of(tag).number}
        same = {number: value for number, value in before[part].items() if number != tag_of(tag).number}
        assert kept.keys() == same.keys()
        assert {k: v for k, v in kept.items() if k != 0x8769} == {k: v for k, v in same.items() if k != 0x8769}
    block = made[made.index(b"Exif\0\0") + 6 :]
    old = original[original.index(b"Exif\0\0") + 6 :]
    length = struct.unpack(">H", original[original.index(b"Exif\0\0") - 2 : original.index(b"Exif\0\0")])[0] - 8
    assert block[8:length] == old[8:length]  # all but the pointer to IFD0


@pytest.mark.parametrize("name", CORPUS)
def test_other_programs_read_the_stamp_and_the_makernote(name: str, tmp_path: Path) -> None:
    path = tmp_path / "stamped.jpg"
    path.write_bytes(stamped(CORPUS[name](), DESCRIPTION, ID))
    if name != "fill bytes before a marker":  # which exifread 3.5 does not follow, stamped or not
        with path.open("rb") as file:
            assert str(exifread.process_file(file, details=False)["Image ImageDescription"]) == ID
    told = subprocess.run(
        ["exiftool", "-s3", "-ImageDescription", str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == ID
    assert Image.open(path).getexif()[0x010E] == ID


@pytest.mark.parametrize(
    "data",
    [
        inserted(picture(), exif_segment("<", ORIENTATION, 65_480)),
        inserted(picture(), exif_segment("<", ORIENTATION), exif_segment("<", ORIENTATION)),
        inserted(picture(), MPF, exif_segment("<", ORIENTATION)),
        inserted(picture(), segment(0xE1, b"Exif\0\0II*\0\xff\xff\0\0")),
        inserted(picture(), segment(0xE1, b"Exif\0\0")),
        inserted(picture(), exif_segment("<", ORIENTATION * 2)),
        picture()[:50],
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=["full", "two", "behind MPF", "IFD outside", "empty", "tag twice", "cut", "no JPEG"],
)
def test_where_it_would_lose_anything_it_is_refused(data: bytes) -> None:
    with pytest.raises(Unstampable):
        stamped(data, DESCRIPTION, ID)


@pytest.mark.parametrize("text", ["", "a\nb", "Ünicode"])
def test_what_a_tag_cant_hold_is_refused(text: str) -> None:
    with pytest.raises(Unstampable):
        stamped(picture(), DESCRIPTION, text)
    assert read(stamped(picture(), tag_of("XPComment"), "Ünicode"), tag_of("XPComment")) == "Ünicode"


@pytest.mark.parametrize("name", [name for name in CORPUS if name.startswith("two pictures")])
def test_the_second_picture_is_found_where_it_is_now(name: str) -> None:
    original, made = CORPUS[name](), stamped(CORPUS[name](), DESCRIPTION, ID)
    frames = []
    for data in (original, made):
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.n_frames) == ("MPO", 2)
        image.seek(1)
        frames.append(image.tobytes())
    assert frames[0] == frames[1]


def test_no_spoilt_file_does_worse_than_be_refused() -> None:
    chance = random.Random(7)
    base = with_exif()
    for _ in range(3000):
        data = bytearray(base)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(2, min(len(data), 900))] = chance.randrange(256)
        try:
            made = stamped(bytes(data), DESCRIPTION, ID)
        except Unstampable:
            continue
        assert parts(made) == parts(bytes(data))


def test_a_tag_has_a_name_or_is_a_fault_with_those_that_are_known() -> None:
    assert tag_of("exif.usercomment") == Tag(0x9286, True, "comment")
    with pytest.raises(Foreseen) as caught:
        tag_of("PatientID")
    assert "0th.ImageDescription" in caught.value.remedy
