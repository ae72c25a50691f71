"""Pictures of every kind that cameras write, and of the kinds that would hurt whoever opens them carelessly."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from irisdrop.reference.retina import draw
from irisdrop.surface.page.pictures import Picture, Pictures


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    opened = Pictures(seconds=4.0)
    yield opened
    opened.close()


def drawn(pictures: Pictures, file: Path, side: int = 176, frame: int = 0) -> tuple[Picture, Image.Image | None]:
    found = pictures.draw(file, side, frame)
    return found, Image.open(io.BytesIO(found.jpeg)) if found.jpeg else None


def dicom(path: Path, frames: list[bytes], size: tuple[int, int], syntax: Any, **more: Any) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    dataset.Columns, dataset.Rows = size
    dataset.NumberOfFrames = len(frames)
    dataset.SamplesPerPixel = more.pop("SamplesPerPixel", 3)
    dataset.PhotometricInterpretation = more.pop("PhotometricInterpretation", "RGB")
    dataset.BitsAllocated = dataset.BitsStored = more.pop("Bits", 8)
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsAllocated - 1, 0
    dataset.PlanarConfiguration = more.pop("Planar", 0)
    if syntax.is_encapsulated:
        dataset.PixelData = encapsulate(frames, has_bot=more.pop("table", True))
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = b"".join(frames)
    dataset.save_as(path, enforce_file_format=True)
    return path


def jpeg(colour: tuple[int, int, int], side: int = 200) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "JPEG", quality=95)
    return out.getvalue()


def near(one: Any, other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


def test_a_jpeg_is_drawn_small_and_large(pictures: Pictures, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(draw(3, "R"))
    for side in (176, 900):
        found, picture = drawn(pictures, file, side)
        assert picture is not None and max(picture.size) == side and found.frames == 1


def test_a_picture_stands_as_its_exif_says(pictures: Pictures, tmp_path: Path) -> None:
    file = tmp_path / "a"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (300, 100)).save(file, "JPEG", exif=exif)
    _, picture = drawn(pictures, file)
    assert picture is not None and picture.height > picture.width


RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


@pytest.mark.parametrize("table", [True, False])
def test_each_frame_of_an_encapsulated_dicom_is_drawn(pictures: Pictures, tmp_path: Path, table: bool) -> None:
    file = dicom(tmp_path / "d", [jpeg(c) for c in (RED, GREEN, BLUE)], (200, 200), JPEGBaseline8Bit, table=table)
    for frame, colour in enumerate((RED, GREEN, BLUE)):
        found, picture = drawn(pictures, file, frame=frame)
        assert picture is not None and found.frames == 3 and near(picture.getpixel((50, 50)), colour)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_each_frame_of_a_plain_dicom_is_drawn(pictures: Pictures, tmp_path: Path, syntax: Any) -> None:
    file = dicom(tmp_path / "d", [bytes(c) * 400 for c in (RED, GREEN)], (20, 20), syntax)
    for frame, colour in enumerate((RED, GREEN)):
        _, picture = drawn(pictures, file, frame=frame)
        assert picture is not None and near(picture.getpixel((5, 5)), colour)


def test_colours_by_plane_and_grey_of_sixteen_bits_are_drawn(pictures: Pictures, tmp_path: Path) -> None:
    planes = bytes([250]) * 400 + bytes([10]) * 800
    _, picture = drawn(pictures, dicom(tmp_path / "p", [planes], (20, 20), ExplicitVRLittleEndian, Planar=1))
    assert picture is not None and near(picture.getpixel((5, 5)), RED)
    grey = struct.pack("<400H", *([100] * 200 + [4000] * 200))
    more = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Bits": 16}
    _, picture = drawn(pictures, dicom(tmp_path / "g", [grey], (20, 20), ExplicitVRLittleEndian, **more))
    assert picture is not None
    assert picture.getpixel((5, 2)) < (20, 20, 20) and picture.getpixel((5, 17)) > (230, 230, 230)


# ---------------------------------------------------------------------- what would hurt


def huge_jpeg(width: int, height: int) -> bytes:
    """A JPEG that says it has so many pixels; its decoder would find none of them."""
    small = jpeg(RED, 64)
    at = small.index(b"\xff\xc0")
    return small[: at + 5] + struct.pack(">HH", height, width) + small[at + 9 :]


def test_five_hundred_megapixels_are_refused_before_they_are_decoded(pictures: Pictures, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(huge_jpeg(25_000, 20_000))
    began = time.monotonic()
    assert drawn(pictures, file)[0].why == "large"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("progressive", [False, True])
def test_the_largest_picture_that_is_shown_stays_in_bounds(tmp_path: Path, progressive: bool) -> None:
    """196 megapixels that are really there: drawn at an eighth where the format allows it, given up where it does not."""
    file = tmp_path / "a"
    Image.new("L", (14_000, 14_000), 90).save(file, "JPEG", quality=50, progressive=progressive)
    pictures = Pictures(seconds=6.0 if progressive else 30.0)
    try:
        began = time.monotonic()
        found = drawn(pictures, file)[0]
        assert time.monotonic() - began < 300
        assert found.jpeg if not progressive else found.why in ("", "large", "damaged", "slow")
    finally:
        pictures.close()


def test_a_png_that_unpacks_to_a_gigabyte_is_bounded(pictures: Pictures, tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" * 14_000 * 3 + b"\0") for _ in range(14_000)) + packer.flush()
    file = tmp_path / "a"
    head = struct.pack(">IIBBBBB", 14_000, 14_000, 8, 2, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    found = drawn(pictures, file)[0]
    assert found.why in ("large", "slow", "") and len(found.jpeg) < 1 << 20


def test_a_dicom_of_a_gigabyte_gives_one_frame_and_no_more_is_read(pictures: Pictures, tmp_path: Path) -> None:
    frame = bytes(RED) * (512 * 512)
    file = dicom(tmp_path / "d", [frame], (512, 512), ExplicitVRLittleEndian)
    text = file.read_bytes()
    count = (1 << 30) // len(frame)
    # The same header, said to have more than a thousand frames; the rest of the file is a hole.
    at = text.index(b"\x28\x00\x08\x00IS")
    length = struct.unpack("<H", text[at + 6 : at + 8])[0]
    number = str(count).encode().ljust(4)
    text = text[: at + 6] + struct.pack("<H", len(number)) + number + text[at + 8 + length :]
    pixels = text.index(b"\xe0\x7f\x10\x00OB\0\0")
    text = text[: pixels + 8] + struct.pack("<I", count * len(frame)) + text[pixels + 12 :]
    with file.open("wb") as out:
        out.write(text)
        out.truncate(len(text) - len(frame) + count * len(frame))
    began = time.monotonic()
    for asked in (0, count - 1, count + 5):
        found, picture = drawn(pictures, file, frame=asked)
        assert picture is not None and found.frames == count
    assert time.monotonic() - began < 30


def test_a_frame_that_is_not_there_is_told(pictures: Pictures, tmp_path: Path) -> None:
    file = dicom(tmp_path / "d", [bytes(RED) * 100], (20, 20), ExplicitVRLittleEndian)
    assert drawn(pictures, file)[0].why == "damaged"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"no picture at all", b"\0" * 128 + b"DICM" + b"\xff" * 400])
def test_what_is_no_picture_is_told(pictures: Pictures, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(content)
    assert drawn(pictures, file)[0].why in ("damaged", "none")


def test_a_child_that_is_killed_is_replaced(pictures: Pictures, tmp_path: Path) -> None:
    import os
    import signal

    file = tmp_path / "a"
    file.write_bytes(jpeg(RED))
    assert drawn(pictures, file)[1] is not None
    for pid in pictures.pids():
        os.kill(pid, signal.SIGKILL)
    drawn(pictures, file, 100)
    assert drawn(pictures, file, 101)[1] is not None


def test_a_file_that_hangs_its_decoder_costs_its_time_and_nothing_else(tmp_path: Path) -> None:
    import os

    pictures = Pictures(seconds=1.0)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_bytes(jpeg(RED))
    try:
        began = time.monotonic()
        assert drawn(pictures, tmp_path / "pipe")[0].why == "slow"
        assert time.monotonic() - began < 30
        assert drawn(pictures, tmp_path / "a")[1] is not None
    finally:
        pictures.close()
    assert pictures.pids() == ()


def test_a_picture_is_drawn_once(pictures: Pictures, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(jpeg(RED))
    first = drawn(pictures, file)[0]
    file.unlink()
    assert drawn(pictures, file)[0] is first
