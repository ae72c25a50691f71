"""A camera's JPEG as a DICOM instance: the bitstream as it is, everything else from the order and the readings.

Ophthalmic Photography 8 Bit Image (PS3.3 A.41) for modality OP, VL Photographic Image (A.32.4) for others.
Every UID is derived, so that a retry makes the same instance, to the byte.
"""

from __future__ import annotations

import io
import struct
import uuid
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

from irisdrop.platforms.jpeg import Frame, NotJpeg, frame
from irisdrop.vocabulary.deliveries import Parcel
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

OPHTHALMIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
PHOTOGRAPHIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.4"
JPEG_SYNTAX: Final = "1.2.840.10008.1.2.4."
SYNTAXES: Final[dict[int, str]] = {0: JPEG_SYNTAX + "50", 1: JPEG_SYNTAX + "51", 3: JPEG_SYNTAX + "57"}
NAMESPACE: Final = uuid.UUID("5b0e3c0e-2f1c-5c43-9f9e-8a4c1a6d2b11")
# How many characters an element may have (PS3.5 §6.2); never cut: a cut number is another number.
LONGEST: Final[dict[str, int]] = {
    "PatientID": 64,
    "IssuerOfPatientID": 64,
    "AccessionNumber": 16,
    "AdmissionID": 64,
    "ScheduledProcedureStepID": 16,
    "RequestedProcedureID": 16,
    "DeviceSerialNumber": 64,
    "StationName": 16,
}


class Unfit(Exception):
    """The image can't go to this platform; trying again changes nothing. The text holds no PHI."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def derived(*parts: str) -> str:
    """A UID that the same parts give again (PS3.5 B.2: `2.25.` and a UUID)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, chr(31).join(parts)).int}"


def study_of(parcel: Parcel) -> str:
    """The order's study, or one derived from the order."""
    return dict(parcel.keys).get("StudyInstanceUID") or derived("study", parcel.site or "", parcel.entry)


def wrapped(parcel: Parcel, picture: bytes, zone: tzinfo, *, burned_in: bool) -> tuple[bytes, Dataset]:
    """The DICOM file of a JPEG, and its data set without the pixels. Raises Unfit where the bitstream or the order can't be put into one."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filewriter import dcmwrite

    header, syntax = _encapsulable(picture)
    ophthalmic = parcel.modality.startswith("OP")
    if ophthalmic and parcel.eye not in ("R", "L", "B"):
        raise Unfit(Code.EYE_UNKNOWN, "an ophthalmic photograph must say which eye it shows")
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = OPHTHALMIC if ophthalmic else PHOTOGRAPHIC
    made.SOPInstanceUID = derived("image", parcel.digest, parcel.entry, parcel.eye)
    _patient_and_order(made, parcel)
    _times(made, parcel, zone)
    _series(made, parcel)
    _picture(made, header, len(picture), burned_in=burned_in)
    (_ophthalmic if ophthalmic else _photographic)(made, parcel)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dcmwrite(buffer, made, enforce_file_format=True)
    return b"".join((buffer.getvalue(), *_encapsulated(picture))), made


def _encapsulated(picture: bytes) -> tuple[bytes, ...]:
    """Pixel Data, the last element of all, as one fragment (PS3.5 A.4); pydicom copies the picture six times for it."""
    odd = len(picture) % 2
    return (
        struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF),
        struct.pack("<HHII", 0xFFFE, 0xE000, 4, 0),  # the basic offset table: one frame, at its beginning
        struct.pack("<HHI", 0xFFFE, 0xE000, len(picture) + odd),
        *(picture, bytes(odd)),
        struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
    )


def _encapsulable(picture: bytes) -> tuple[Frame, str]:
    try:
        header = frame(picture)
    except NotJpeg as error:
        raise Unfit(Code.UNREADABLE, f"the JPEG can't be followed: {error}") from None
    if header.process not in SYNTAXES or header.bits != 8:
        # Progressive JPEG has no transfer syntax that is not retired, and is never decoded and coded anew here.
        raise Unfit(Code.REJECTED_BY_PLATFORM, "this kind of JPEG can't be put into DICOM as it is (progressive?)")
    if header.components not in (1, 3):
        raise Unfit(Code.REJECTED_BY_PLATFORM, f"a JPEG of {header.components} components can't be put into DICOM")
    return header, SYNTAXES[header.process]


def checked_keys(parcel: Parcel) -> Mapping[str, str]:
    """The order's keys and, for what it is silent about, the image's own; raises Unfit where one is too long."""
    keys = {**{key: value for key, value in parcel.said if key not in ORDERS}, **dict(parcel.keys)}
    for key, longest in LONGEST.items():
        if len(keys.get(key, "")) > longest or "\\" in keys.get(key, ""):
            raise Unfit(Code.REJECTED_BY_PLATFORM, f"{key} can't stand in DICOM: it has at most {longest} characters")
    return keys


# What only the order may say.
ORDERS: Final = frozenset(
    {
        *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
        *("StudyInstanceUID", "ScheduledProcedureStepID", "RequestedProcedureID", "AdmissionID"),
    }
)


def _patient_and_order(made: Dataset, parcel: Parcel) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    keys = checked_keys(parcel)
    made.PatientID = keys.get("PatientID", "")
    made.PatientName = keys.get("PatientName", "")
    made.PatientBirthDate = keys.get("PatientBirthDate", "").replace("-", "")
    made.PatientSex = keys.get("PatientSex", "")
    made.AccessionNumber = keys.get("AccessionNumber", "")
    for key in ("IssuerOfPatientID", "AdmissionID"):
        if key in keys:
            setattr(made, key, keys[key])
    made.StudyInstanceUID = study_of(parcel)
    made.StudyID = ""
    made.ReferringPhysicianName = ""
    request = Dataset()
    for key in ("ScheduledProcedureStepID", "RequestedProcedureID"):
        if key in keys:
            setattr(request, key, keys[key])
    if len(request):
        made.RequestAttributesSequence = Sequence([request])


def _times(made: Dataset, parcel: Parcel, zone: tzinfo) -> None:
    """Acquisition with its offset, as exactly as the image says: a date alone gets no time of day."""
    if parcel.taken is None:
        raise Unfit(Code.REJECTED_BY_PLATFORM, "nothing says when the image was taken")
    local = parcel.taken.astimezone(zone)
    whole = has_time_of_day(parcel)
    offset = local.strftime("%z")[:5]
    made.TimezoneOffsetFromUTC = offset
    made.AcquisitionDateTime = local.strftime("%Y%m%d%H%M%S" if whole else "%Y%m%d") + offset
    made.StudyDate = made.ContentDate = made.AcquisitionDate = local.strftime("%Y%m%d")
    made.StudyTime = made.ContentTime = _time(local, whole=whole)
    if whole:
        made.AcquisitionTime = made.ContentTime


def has_time_of_day(parcel: Parcel) -> bool:
    """Whether the capture time is more than a date: arrival stands in only where the image has no date at all."""
    said = dict(parcel.said)
    return "AcquisitionDate" not in said or "AcquisitionTime" in said or "AcquisitionDateTime" in said


def _time(local: datetime, *, whole: bool) -> str:
    return local.strftime("%H%M%S") if whole else ""


def _series(made: Dataset, parcel: Parcel) -> None:
    keys = checked_keys(parcel)
    made.Modality = "OP" if parcel.modality.startswith("OP") else "XC"
    made.SeriesInstanceUID = derived("series", made.StudyInstanceUID, parcel.camera, made.ContentDate)
    made.SeriesNumber = 1
    made.Manufacturer = ""
    for key in ("DeviceSerialNumber", "StationName"):
        if key in keys:
            setattr(made, key, keys[key])
    number = keys.get("InstanceNumber", "").strip()
    # Type 1: where the image has no number of its own, one that stays the same at a retry.
    made.InstanceNumber = int(number[:9]) if number.isascii() and number.isdecimal() else int(parcel.digest[:6], 16)
    if parcel.eye in ("R", "L", "B"):
        made.ImageLaterality = parcel.eye


def _picture(made: Dataset, header: Frame, length: int, *, burned_in: bool) -> None:
    made.SamplesPerPixel = header.components
    made.PhotometricInterpretation = (
        "MONOCHROME2" if header.components == 1 else "RGB" if header.rgb else "YBR_FULL_422"
    )
    if header.components == 3:
        made.PlanarConfiguration = 0
    else:
        made.PresentationLUTShape = "IDENTITY"
    made.Rows, made.Columns = header.rows, header.columns
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    made.BurnedInAnnotation = "YES" if burned_in else "NO"
    made.PatientOrientation = None
    if header.process != 3:
        made.LossyImageCompression = "01"
        ratio = header.rows * header.columns * header.components / length
        made.LossyImageCompressionRatio = f"{max(ratio, 0.01):.2f}"
        made.LossyImageCompressionMethod = "ISO_10918_1"
    else:
        made.LossyImageCompression = "00"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _ophthalmic(made: Dataset, parcel: Parcel) -> None:
    """What PS3.3 A.41 asks for beyond the picture; what nobody told stays empty where it may."""
    from pydicom.sequence import Sequence

    made.ImageType = ["ORIGINAL", "PRIMARY"]
    made.NumberOfFrames = 1
    made.FrameIncrementPointer = 0x00181065  # of one frame; dciodvfy asks for it all the same
    made.FrameTimeVector = [0]
    made.AnatomicRegionSequence = Sequence([_code("5665001", "SCT", "Retina")])
    made.AcquisitionDeviceTypeCodeSequence = Sequence([_code("409898007", "SCT", "Fundus Camera")])
    for empty in (
        *("IlluminationTypeCodeSequence", "LightPathFilterTypeStackCodeSequence"),
        *("ImagePathFilterTypeStackCodeSequence", "LensesCodeSequence", "RefractiveStateSequence"),
    ):
        setattr(made, empty, Sequence([]))
    made.DetectorType = ""
    made.PatientEyeMovementCommanded = ""
    made.EmmetropicMagnification = None
    made.IntraOcularPressure = None
    made.HorizontalFieldOfView = None
    made.PupilDilated = ""
    made.SynchronizationFrameOfReferenceUID = derived("synchronization", parcel.camera)
    made.SynchronizationTrigger = "NO TRIGGER"
    made.AcquisitionTimeSynchronized = "N"


def _photographic(made: Dataset, _: Parcel) -> None:
    from pydicom.sequence import Sequence

    made.ImageType = ["ORIGINAL", "PRIMARY"]
    made.AcquisitionContextSequence = Sequence([])
