"""Profiles, pictures and DICOM files of invented people."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import piexif
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from irisdrop.identity.identify import Export, Identified, Refusal, identify
from irisdrop.identity.sandbox import Parsers
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.vocabulary.images import Reading

HEAD = """irisdrop: 1
title: A camera of the tests
status: sampled
modality: OP
files: {take: ["*"]}
"""


def profile_of(read: str, clean: str = "") -> DeviceProfile:
    """A profile that reads by `read` (YAML, one rule a line); the examples are of no interest here."""
    rules = "".join(f"  - {rule.strip()}\n" for rule in read.strip().splitlines())
    named = "  - filename: 'n(?P<PatientID>never)'\n"
    text = (
        f"{HEAD}read:\n{rules}{named}"
        + (f"clean: {clean}\n" if clean else "")
        + "match: [PatientID]\nexamples:\n"
        + "  - {file: nnever, gives: {PatientID: never}}\n  - {file: x, refuses: NO_KEYS}\n"
    )
    return parse_profile(text, "test.yaml")


@pytest.fixture(scope="session")
def parsers() -> Iterator[Parsers]:
    with Parsers(seconds=20.0) as found:
        yield found


Read = Callable[..., Identified | Refusal]


@pytest.fixture
def read(parsers: Parsers, tmp_path: Path) -> Read:
    """What bytes, or a file, of a name say by some rules."""

    def reading(rules: str, content: bytes | Path, name: str = "a.jpg", clean: str = "") -> Identified | Refusal:
        path = content if isinstance(content, Path) else tmp_path / "export"
        if isinstance(content, bytes):
            path.write_bytes(content)
        return identify(profile_of(rules, clean), Export(path, name), parsers)

    return reading


def values(found: Identified | Refusal) -> dict[str, list[str]]:
    """Every value by key, in order."""
    assert isinstance(found, Identified), found
    by_key: dict[str, list[str]] = {}
    for one in found.readings:
        by_key.setdefault(one.key, []).append(one.value)
    return by_key


def only(found: Identified | Refusal) -> Reading:
    """The one reading."""
    assert isinstance(found, Identified), found
    assert len(found.readings) == 1, found
    return found.readings[0]


def picture(kind: str = "JPEG", exif: Mapping[str, Any] | None = None, **options: Any) -> bytes:
    """A small picture as Pillow writes it, with Exif as piexif spells it."""
    image = Image.effect_noise((48, 40), 60).convert("RGB")
    if exif is not None:
        options["exif"] = piexif.dump(dict(exif))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_exif_block(block: bytes) -> bytes:
    """A JPEG whose Exif segment holds exactly this block."""
    segment = b"Exif\0\0" + block
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + picture()[2:]


def tiff_block(entries: list[tuple[int, int, int, bytes]], order: str = "<") -> bytes:
    """A TIFF block of one directory; values longer than four bytes follow it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    behind = 8 + 2 + 12 * len(entries) + 4
    rows, tail = b"", b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            inline, tail = struct.pack(order + "I", behind + len(tail)), tail + value
        else:
            inline = value.ljust(4, b"\0")
        rows += struct.pack(order + "HHI", tag, kind, count) + inline
    return mark + struct.pack(order + "IH", 8, len(entries)) + rows + bytes(4) + tail


def dicom_dataset(**elements: Any) -> Dataset:
    """An ophthalmic photograph of 8 × 8 pixels with further elements."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["irisdrop"])
    dataset.Modality = "OP"
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(range(64))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def dicom_file(dataset: Dataset | None = None, syntax: str = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """A DICOM file with preamble and file meta information."""
    dataset = dataset if dataset is not None else dicom_dataset(**elements)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers above, for tests that can't import this file."""
    return SimpleNamespace(
        profile=profile_of,
        picture=picture,
        with_exif_block=with_exif_block,
        tiff_block=tiff_block,
        dataset=dicom_dataset,
        dicom=dicom_file,
    )


@pytest.fixture
def said(read: Read) -> Callable[..., dict[str, list[str]]]:
    """Every value by key, in the order of the readings."""
    return lambda *given, **named: values(read(*given, **named))


@pytest.fixture
def one(read: Read) -> Callable[..., Reading]:
    """The one reading that there is."""
    return lambda *given, **named: only(read(*given, **named))
