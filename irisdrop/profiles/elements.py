"""Names of Exif tags and DICOM elements: a misspelt one would silently read nothing for years."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from irisdrop.profiles.places import Document, Place

GROUPS: Final = ("0th", "1st", "Exif", "GPS", "Interop", "MakerNote")

# The tags that can hold words or times (Exif 3.0, tables 4 to 8); others are accepted if none of these comes near.
TAGS: Final[tuple[str, ...]] = (
    "ImageDescription",
    "DocumentName",
    "Make",
    "Model",
    "Software",
    "DateTime",
    "Artist",
    "HostComputer",
    "Copyright",
    "ImageID",
    "ImageTitle",
    "Photographer",
    "ImageUniqueID",
    "DateTimeOriginal",
    "DateTimeDigitized",
    "OffsetTime",
    "OffsetTimeOriginal",
    "OffsetTimeDigitized",
    "SubSecTime",
    "SubSecTimeOriginal",
    "SubSecTimeDigitized",
    "UserComment",
    "MakerNote",
    "CameraOwnerName",
    "BodySerialNumber",
    "SerialNumber",
    "CameraSerialNumber",
    "LensSerialNumber",
    "LensMake",
    "LensModel",
    "RelatedSoundFile",
    "XPTitle",
    "XPComment",
    "XPAuthor",
    "XPKeywords",
    "XPSubject",
    "PageName",
    "PageNumber",
    "TargetPrinter",
    "ImageHistory",
    "ImageNumber",
    "SecurityClassification",
    "GPSDateStamp",
    "GPSTimeStamp",
)

# What an ophthalmic image says about itself (PS3.3 A.41); anything else is looked up in the whole dictionary.
KEYWORDS: Final[frozenset[str]] = frozenset(
    """PatientID IssuerOfPatientID PatientName PatientBirthDate PatientSex OtherPatientIDs PatientComments
    AccessionNumber StudyInstanceUID StudyID StudyDate StudyTime SeriesInstanceUID SeriesDate SeriesTime SeriesNumber
    ScheduledProcedureStepID RequestedProcedureID AdmissionID RequestAttributesSequence ImageLaterality Laterality
    AcquisitionDateTime AcquisitionDate AcquisitionTime ContentDate ContentTime DeviceSerialNumber StationName Modality
    Manufacturer ManufacturerModelName SOPClassUID SOPInstanceUID InstanceNumber InstitutionName ImageComments
    StudyDescription SeriesDescription ProtocolName AnatomicRegionSequence ImageType ContentDescription
    IssuerOfPatientIDQualifiersSequence OtherPatientIDsSequence ReferencedStudySequence PatientEyeMovementCommanded
    HorizontalFieldOfView PerformedProcedureStepID PerformedProcedureStepStartDate ReferringPhysicianName
    OperatorsName FrameLaterality DetectorID AcquisitionDeviceTypeCodeSequence DateOfSecondaryCapture
    TimeOfSecondaryCapture InstanceCreationDate InstanceCreationTime""".split()  # noqa: SIM905 - sixty words, not sixty lines
)

STEP: Final = (
    r"(?:[A-Z][A-Za-z0-9]*|\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)|\([0-9A-Fa-f]{4},xx[0-9A-Fa-f]{2},[^(),]{1,64}\))"
)
PATH: Final = rf"(?:{STEP}\[\d{{1,3}}\]\.)*{STEP}"


def check_exif(found: Document, place: Place, name: str) -> None:
    """A tag, alone or with its group; a near miss of a known one is a fault."""
    group, dot, tag = name.rpartition(".")
    if dot and group not in GROUPS:
        near = get_close_matches(group, (*GROUPS, "Image", "EXIF"), 1, 0.4)
        meant = {"Image": "0th", "EXIF": "Exif"}.get(near[0], near[0]) if near else ""
        found.fault(
            "WRONG_VALUE",
            place,
            f"`{group}` is no group of Exif tags",
            f"one of {', '.join(GROUPS)}",
            meant and f"{meant}.{tag}",
        )
    elif re.fullmatch(r"0x[0-9A-Fa-f]{1,4}", tag):
        return
    elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ]*", tag):
        found.fault(
            "WRONG_VALUE", place, f"`{name}` is no Exif tag", "a name such as ImageDescription or Exif.UserComment"
        )
    elif tag not in TAGS and group != "MakerNote":
        near = get_close_matches(tag.lower(), {one.lower(): one for one in TAGS}, 1, 0.85)
        if near:
            meant = next(one for one in TAGS if one.lower() == near[0])
            found.fault("WRONG_VALUE", place, f"`{name}` is no Exif tag", "a name such as ImageDescription", meant)


def check_dicom(found: Document, place: Place, name: str) -> None:
    """A keyword, a tag, or a path through sequences; every keyword is looked up."""
    if not re.fullmatch(PATH, name):
        found.fault(
            "WRONG_VALUE",
            place,
            f"`{name}` is no DICOM element",
            'PatientID, "(0010,0020)", or Sequence[0].Keyword',
            swapped(name),
        )
        return
    for keyword in re.findall(r"(?<![\w(,])[A-Z][A-Za-z0-9]*(?=\[|\.|$)", re.sub(r"\([^)]*\)", "", name)):
        if keyword not in KEYWORDS:
            check_keyword(found, place, keyword)


def swapped(name: str) -> str:
    """A tag without its brackets is the most frequent slip."""
    bare = re.fullmatch(r"\(?([0-9A-Fa-f]{4})[,: ]*([0-9A-Fa-f]{4})\)?", name.strip())
    return f'"({bare[1].lower()},{bare[2].lower()})"' if bare else ""


def check_keyword(found: Document, place: Place, keyword: str) -> None:
    """A keyword that is not among the usual ones: only now is the dictionary worth its import."""
    from pydicom._dicom_dict import DicomDictionary

    known = {entry[4] for entry in DicomDictionary.values()}
    if keyword in known:
        return
    near = get_close_matches(keyword, sorted(KEYWORDS), 1, 0.7) or get_close_matches(keyword, sorted(known), 1, 0.8)
    found.fault("WRONG_VALUE", place, f"`{keyword}` is no DICOM keyword", "a keyword of PS3.6", near[0] if near else "")
