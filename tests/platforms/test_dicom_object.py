"""A JPEG as a DICOM instance, byte for byte what pydicom would write."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate, generate_frames

from irisdrop.platforms.dicom_object import wrapped
from irisdrop.vocabulary.deliveries import Parcel


def photograph(mode: str, tail: int) -> bytes:
    """A small JPEG, and some bytes after its end."""
    made = io.BytesIO()
    Image.new(mode, (64, 48), 90).save(made, "JPEG")
    return made.getvalue() + b"\x01" * tail


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("modality", ["OP", "XC"])
@pytest.mark.parametrize("tail", [0, 1, 2])
def test_the_picture_stands_in_its_instance_as_pydicom_would_put_it_there(mode: str, modality: str, tail: int) -> None:
    picture = photograph(mode, tail)
    digest, at = hashlib.sha256(picture).hexdigest(), datetime(2025, 1, 14, 14, 31, 5, tzinfo=UTC)
    keys = (("PatientID", "000815"), ("PatientName", "Müller^Jürgen"))
    parcel = Parcel("unused", digest, len(picture), "E1", "R", at, keys, name="IMG_1.JPG", modality=modality)
    raw, made = wrapped(parcel, picture, ZoneInfo("UTC"), burned_in=True)
    made.PixelData = encapsulate([picture])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    theirs = io.BytesIO()
    dcmwrite(theirs, made, enforce_file_format=True)
    assert raw == theirs.getvalue()
    (frame,) = generate_frames(dcmread(io.BytesIO(raw)).PixelData, number_of_frames=1)
    assert frame == picture + b"\0" * (len(picture) % 2)
