"""Whether a format's own end is there: whole files end, every truncation of them does not."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.data.data_manager import DATA_ROOT

from irisdrop.arrival.ending import ended


def has_ended(content: bytes) -> bool:
    return ended(io.BytesIO(content), len(content))


def picture(kind: str, **options: object) -> bytes:
    image = Image.effect_noise((160, 120), 80).convert("RGB")
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


MAKERS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: picture("JPEG", quality=90),
    "progressive jpeg": lambda: picture("JPEG", quality=30, progressive=True),
    "jpeg of low quality": lambda: picture("JPEG", quality=1),
    "png": lambda: picture("PNG"),
    "tiff in strips": lambda: picture("TIFF"),
    "tiff with lzw": lambda: picture("TIFF", compression="tiff_lzw"),
    "webp": lambda: picture("WEBP"),
    "bmp": lambda: picture("BMP"),
    "jpeg 2000": lambda: picture("JPEG2000"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_whole_file_has_ended(kind: str) -> None:
    assert has_ended(MAKERS[kind]())


@pytest.mark.parametrize("kind", MAKERS)
def test_bytes_after_the_end_are_normal(kind: str) -> None:
    assert has_ended(MAKERS[kind]() + b"\0" * 513)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_has_not_ended(kind: str, part: float) -> None:
    whole = MAKERS[kind]()
    assert not has_ended(whole[: int(len(whole) * part)])


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_preallocated_file_has_not_ended(kind: str) -> None:
    """Copy programs reserve the whole size first: it reads as zeros."""
    whole = MAKERS[kind]()
    half = len(whole) // 2
    assert not has_ended(whole[:half] + bytes(len(whole) - half))


def with_thumbnail() -> bytes:
    thumbnail = MAKERS["jpeg of low quality"]()
    exif = b"Exif\0\0" + thumbnail
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + MAKERS["jpeg"]()[2:]


def test_the_end_of_an_embedded_thumbnail_does_not_count() -> None:
    whole = with_thumbnail()
    thumbnail_end = whole.index(b"\xff\xd9") + 2
    assert not has_ended(whole[:thumbnail_end])
    assert not has_ended(whole[:-2])
    assert has_ended(whole)


def test_a_long_trailer_does_not_hide_the_end() -> None:
    assert has_ended(MAKERS["jpeg"]() + b"\x01" * 300_000)


def test_the_end_across_two_reads_is_found() -> None:
    whole = MAKERS["jpeg"]()
    begin = whole.index(b"\xff\xda")
    length = struct.unpack(">H", whole[begin + 2 : begin + 4])[0]
    head = whole[: begin + 2 + length]
    filled = head + b"\x55" * (1024 * 1024 - 1) + b"\xff\xd9" + b"\x01" * 200_000
    assert has_ended(filled)


@pytest.mark.parametrize("content", [b"", b"hello, world", b"<xml/>", bytes(1000), b"PK\x03\x04" + bytes(50)])
def test_what_is_no_known_format_counts_as_ended(content: bytes) -> None:
    assert has_ended(content)


DICOM = sorted((Path(DATA_ROOT)).rglob("*.dcm"))
# Cut in the middle, or pictures (with rows) whose pixels were taken out.
INCOMPLETE = {
    "MR_truncated.dcm",
    "rtplan_truncated.dcm",
    "chrJapMulti.dcm",
    "chrJapMultiExplicitIR6.dcm",
    "chrKoreanMulti.dcm",
}


@pytest.mark.parametrize("path", DICOM, ids=lambda path: path.name)
def test_every_whole_dicom_file_has_ended_and_no_other(path: Path) -> None:
    assert has_ended(path.read_bytes()) is (path.name not in INCOMPLETE)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_dicom_file_has_not_ended(name: str, part: float) -> None:
    """pydicom reads such a file without a word (pydicom#1799)."""
    path = get_testdata_file(name)
    assert path is not None
    whole = Path(path).read_bytes()
    assert not has_ended(whole[: int(len(whole) * part)])


def test_a_dicom_picture_without_its_pixels_has_not_ended() -> None:
    """Cut exactly between two elements, every length fits."""
    path = get_testdata_file("CT_small.dcm")
    assert path is not None
    whole = Path(path).read_bytes()
    assert not has_ended(whole[: whole.rindex(b"\xe0\x7f\x10\x00")])


def test_ten_megabytes_are_judged_in_milliseconds() -> None:
    whole = MAKERS["jpeg"]()
    large = whole[:-2] + b"\x55" * 10_000_000 + b"\xff\xd9"
    begin = time.thread_time()
    for _ in range(10):
        assert has_ended(large)
    assert (time.thread_time() - begin) / 10 < 0.05


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"\0\0\0\x18ftypheic", b"BM"]
)
@settings(max_examples=200, deadline=2000)
@given(rest=st.binary(max_size=600))
def test_hostile_bytes_neither_raise_nor_hang(head: bytes, rest: bytes) -> None:
    has_ended(head + rest)


@settings(max_examples=200, deadline=2000)
@given(rest=st.binary(max_size=600))
def test_hostile_dicom_neither_raises_nor_hangs(rest: bytes) -> None:
    has_ended(bytes(128) + b"DICM" + rest)
    has_ended(b"\x08\x00\x05\x00" + rest)


def test_a_tiff_directory_that_points_to_itself_is_left_alone() -> None:
    assert has_ended(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0")


def test_deep_sequences_of_undefined_length_do_not_exhaust_the_stack() -> None:
    deep = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    assert not has_ended(bytes(128) + b"DICM" + deep)
