"""The keys of a reading: DICOM keywords and nothing else (DICOM PS3.6)."""

from __future__ import annotations

import unicodedata
from typing import Final

KEYS: Final[tuple[str, ...]] = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyInstanceUID",
    "ScheduledProcedureStepID",
    "RequestedProcedureID",
    "AdmissionID",
    "ImageLaterality",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "DeviceSerialNumber",
    "StationName",
    "Modality",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
)

# Whoever carries one of these claims to know whose image it is: what both sides have must be equal.
IDENTITY_KEYS: Final[tuple[str, ...]] = (
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "PatientBirthDate",
)

# An image that carries none of these says nothing about whose it is: NO_KEYS.
DECIDING_KEYS: Final[tuple[str, ...]] = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "StudyInstanceUID",
    "ScheduledProcedureStepID",
    "RequestedProcedureID",
    "AdmissionID",
)

DATE_KEYS: Final[frozenset[str]] = frozenset({"PatientBirthDate", "AcquisitionDate"})

# OD/OS/OU, right/left are parsed at the border and never travel inside. A token that is not here is
# unknown (U), never "the other eye": four exports in the field read every non-R as left.
LATERALITY_TOKENS: Final[dict[str, str]] = {
    "R": "R",
    "RIGHT": "R",
    "OD": "R",
    "L": "L",
    "LEFT": "L",
    "OS": "L",
    "B": "B",
    "BOTH": "B",
    "OU": "B",
    "U": "U",
}


def canonical(text: str) -> str:
    """The one spelling of an identifier: NFC, so that a decomposed umlaut equals a composed one."""
    return unicodedata.normalize("NFC", text)


def laterality(token: str) -> str:
    """R, L, B or U for a token as cameras write it; U for whatever is not declared."""
    return LATERALITY_TOKENS.get(token.strip().upper(), "U")
