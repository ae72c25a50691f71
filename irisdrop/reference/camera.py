"""Simulated cameras: what they write, under which names, in which form, by the patterns of the shipped profiles."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from irisdrop.reference.clinic import Patient
from irisdrop.reference.retina import draw
from irisdrop.vocabulary.orders import WorklistEntry

OP: Final = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
JPEG_BASELINE: Final = "1.2.840.10008.1.2.4.50"
SIDES: Final = {"R": "right", "L": "left", "X": "other"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture that was taken: of whom, which eye, when, the how-manieth of its camera."""

    patient: Patient
    eye: str
    taken: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of camera: its profile, who built it, and the name it gives to a shot."""

    profile: str
    maker: str
    product: str
    name: Callable[[Shot], str]
    plain_id: bool = False


def _topcon(shot: Shot) -> str:
    return f"{shot.taken:%Y%m%d}_{shot.patient.id}_{shot.eye}_{shot.number:03}.JPG"


def _canon(shot: Shot) -> str:
    return f"{shot.taken:%Y-%m-%d}/{shot.patient.id}_{shot.taken:%Y%m%d%H%M%S}_{shot.eye}_{shot.number:03}.jpg"


def _eidon(shot: Shot) -> str:
    utc = f"{shot.taken.astimezone(UTC):%Y-%m-%dT%H_%M_%SZ}"
    head = f"{shot.patient.id}-{shot.patient.family}_{shot.patient.given}-"
    return (
        f"{head}-{utc}-eidon_20005-{SIDES[shot.eye]}-{shot.number}-visible-{utc}-{shot.taken:%Y-%m-%d_%H%M%S}-image.jpg"
    )


def _optos(shot: Shot) -> str:
    return f"{shot.patient.id}-{shot.taken:%Y%m%d}@{shot.taken:%H%M%S}-{shot.eye}{shot.number}-S.jpg"


def _dicom(shot: Shot) -> str:
    return f"OP{shot.number:06}.dcm"


# The name of a room → the camera that stands in it.
CAMERAS: Final[dict[str, Model]] = {
    "room-1": Model("topcon-nw400", "TOPCON", "TRC-NW400", _topcon),
    "room-2": Model("canon-cr2", "Canon", "CR-2", _canon),
    "room-3": Model("icare-eidon", "CenterVue", "EIDON", _eidon, plain_id=True),
    "room-4": Model("optos-daytona", "Optos", "Daytona", _optos),
    "room-5": Model("dicom-op", "Optomed", "Aurora", _dicom),
}


def seed_of(*parts: object) -> int:
    """A number that stands for these words, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8])


def jpeg(model: Model, shot: Shot, seed: int) -> bytes:
    """The picture as this camera writes it, with the Exif of a camera: who built it, and when it was taken."""
    import piexif

    tags = {
        "0th": {
            piexif.ImageIFD.Make: model.maker,
            piexif.ImageIFD.Model: model.product,
            piexif.ImageIFD.Software: "simulated",
        },
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: f"{shot.taken:%Y:%m:%d %H:%M:%S}",
            piexif.ExifIFD.BodySerialNumber: "20005",
        },
    }
    return draw(seed, shot.eye, piexif.dump(tags))


@dataclass(frozen=True, slots=True)
class Header:
    """What a DICOM camera writes beside the picture; each may be made wrong, to see what becomes of it."""

    order: WorklistEntry | None
    born: str | None = None
    laterality: str | None = None  # (0020,0060), beside or instead of (0020,0062)
    image_laterality: bool = True
    own_study: bool = False


def dicom(model: Model, shot: Shot, header: Header, seed: int) -> bytes:
    """An Ophthalmic Photography 8 Bit object with its JPEG encapsulated as it is."""
    from pydicom import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = OP
    dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{seed}"
    dataset.file_meta.TransferSyntaxUID = JPEG_BASELINE
    _identify(dataset, shot, header, seed)
    dataset.Manufacturer, dataset.ManufacturerModelName, dataset.DeviceSerialNumber = (
        model.maker,
        model.product,
        "20005",
    )
    _describe_pixels(dataset)
    dataset.PixelData = encapsulate([draw(seed, shot.eye)])
    dataset["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _identify(dataset: object, shot: Shot, header: Header, seed: int) -> None:
    order = header.order.keys if header.order is not None else {}
    values: dict[str, str | int] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": OP,
        "SOPInstanceUID": f"2.25.{seed}",
        "StudyInstanceUID": f"2.25.{seed + 1}"
        if header.own_study
        else order.get("StudyInstanceUID", f"2.25.{seed + 1}"),
        "SeriesInstanceUID": f"2.25.{seed + 2}",
        "Modality": "OP",
        "PatientID": shot.patient.id,
        "PatientName": shot.patient.name,
        "PatientBirthDate": (header.born or shot.patient.born.isoformat()).replace("-", ""),
        "PatientSex": shot.patient.sex,
        "AccessionNumber": order.get("AccessionNumber", ""),
        "AcquisitionDateTime": f"{shot.taken:%Y%m%d%H%M%S}",
        "ContentDate": f"{shot.taken:%Y%m%d}",
        "ContentTime": f"{shot.taken:%H%M%S}",
        "InstanceNumber": shot.number,
    }
    if header.image_laterality:
        values["ImageLaterality"] = shot.eye
    if header.laterality is not None:
        values["Laterality"] = header.laterality
    for keyword, value in values.items():
        setattr(dataset, keyword, value)


def _describe_pixels(dataset: object) -> None:
    from irisdrop.reference.retina import SIDE

    values = {"Rows": SIDE, "Columns": SIDE, "SamplesPerPixel": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    words = {"PixelRepresentation": 0, "PlanarConfiguration": 0, "PhotometricInterpretation": "YBR_FULL_422"}
    more = {"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1", "BurnedInAnnotation": "NO"}
    for keyword, value in (*values.items(), *words.items(), *more.items()):
        setattr(dataset, keyword, value)
