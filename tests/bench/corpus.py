"""Files and folders to measure with: generated, with no patient in them."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from irisdrop.vocabulary.deliveries import Parcel

PATIENTS = 200


def picture(padding: int) -> bytes:
    """A small JPEG with Exif, and so many bytes after its end: they are read, hashed and sent like any other."""
    import piexif
    from PIL import Image

    exif = piexif.dump({"0th": {piexif.ImageIFD.Make: "simulated"}})
    made = io.BytesIO()
    Image.new("RGB", (200, 200), (200, 80, 30)).save(made, "JPEG", exif=exif)
    return made.getvalue() + os.urandom(padding)


def export(folder: Path, count: int, size: int, first: int = 0, days_ago: int = 0) -> list[Path]:
    """So many exports of a Topcon NW400, each with bytes of its own."""
    body, day = picture(size), datetime.now(UTC) - timedelta(days=days_ago)
    files = []
    for number in range(first, first + count):
        name = f"{day:%Y%m%d}_{number % PATIENTS:06}_{'RL'[number % 2]}_{number:05}.JPG"
        path = folder / name
        path.write_bytes(body + number.to_bytes(4, "big"))
        files.append(path)
    return files


def many_small(folder: Path, count: int, a_folder: int = 500) -> None:
    """So many tiny files in sub-folders, as years of exports lie there."""
    for number in range(count):
        below = folder / f"{number // a_folder:05}"
        if number % a_folder == 0:
            below.mkdir(parents=True)
        (below / f"20200101_{number:06}_R_{number:06}.JPG").write_bytes(b"x")


def photograph(folder: Path, number: int, size: int) -> Parcel:
    """An ophthalmic photograph of so many bytes as a camera writes it, ready to be sent to its order."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    made.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.7.2", "1.2.826.0.1.3680043.8.498.7.3"
    made.PatientID, made.AccessionNumber, made.Modality, made.ImageLaterality = "000815", "A-1", "OP", "R"
    made.Rows = made.Columns = int(size**0.5)
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = os.urandom(made.Rows * made.Columns // 2 * 2)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / f"{number:05}.dcm"
    made.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    keys = (("AccessionNumber", "A-1"), ("PatientID", "000815"))
    return Parcel(
        str(path), hashlib.sha256(content).hexdigest(), len(content), "E1", "R", datetime.now(UTC), keys, name=path.name
    )
