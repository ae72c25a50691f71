"""File names by a template: DICOM keywords, IRIS's field names, and a few words of ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from pathlib import PurePosixPath
from typing import Final

from irisdrop.vocabulary.deliveries import Parcel
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.keys import KEYS

TOKEN: Final = re.compile(r"\{([^{}]*)\}")
IRIS_EYES: Final[dict[str, str]] = {"R": "OD", "L": "OS", "B": "OU"}
# IRIS's name → DICOM keyword.
IRIS_FIELDS: Final[dict[str, str]] = {
    "PatientLocalId": "PatientID",
    "PatientDob": "PatientBirthDate",
    "PatientBirthGender": "PatientSex",
    "OrderLocalId": "AccessionNumber",
    "StudyInstanceUniqueId": "StudyInstanceUID",
    "EncounterNumber": "AdmissionID",
    "CameraLocalId": "DeviceSerialNumber",
}
# Names that Windows gives to devices, whatever their extension.
RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class NoValue(Exception):
    """The order or the image lacks what the template asks for; the text names the token."""


OURS: Final[dict[str, Callable[[Parcel, tzinfo], str]]] = {
    "ImageLaterality": lambda parcel, _: parcel.eye,
    "Laterality": lambda parcel, _: IRIS_EYES.get(parcel.eye, "U"),
    "PatientLastName": lambda parcel, _: _name(parcel, 0),
    "PatientFirstName": lambda parcel, _: _name(parcel, 1),
    "SiteLocalId": lambda parcel, _: parcel.site or "",
    "Taken": lambda parcel, zone: _taken(parcel, zone, "%Y%m%dT%H%M%S"),
    "TakenDate": lambda parcel, zone: _taken(parcel, zone, "%Y%m%d"),
    "camera": lambda parcel, _: parcel.camera,
    "context": lambda parcel, _: parcel.context,
    "digest": lambda parcel, _: parcel.digest[:16],
    "name": lambda parcel, _: PurePosixPath(parcel.name).name,
    "stem": lambda parcel, _: PurePosixPath(parcel.name).stem,
    "ext": lambda parcel, _: PurePosixPath(parcel.name).suffix.lower(),
}
TOKENS: Final = frozenset({*OURS, *IRIS_FIELDS, *KEYS})


def checked_template(text: str) -> str:
    """The template itself; raises Foreseen where it names what is not known, or leads out of the folder."""
    unknown = [token for token in TOKEN.findall(text) if token not in TOKENS]
    if unknown:
        raise Foreseen(
            "TEMPLATE", f"`{{{unknown[0]}}}` is no token of a template", f"use of {', '.join(sorted(TOKENS))}."
        )
    parts = text.split("/")
    if "\\" in text or ":" in text or not all(part.strip(" .") for part in parts) or "{" not in text:
        raise Foreseen("TEMPLATE", "the template is no path below the folder", "write {PatientID}/{digest}{ext}.")
    return text


def filled(template: str, parcel: Parcel, zone: tzinfo) -> PurePosixPath:
    """The path below the folder that a template gives to an image; raises NoValue. Names are fit for Windows too."""
    return PurePosixPath(*(_part(part, parcel, zone) for part in template.split("/")))


def _part(part: str, parcel: Parcel, zone: tzinfo) -> str:
    def value(found: re.Match[str]) -> str:
        token = found[1]
        text = OURS[token](parcel, zone) if token in OURS else _key(parcel, IRIS_FIELDS.get(token, token))
        if not text and token != "ext":
            raise NoValue(f"the order has no {token}, which the template asks for")
        return re.sub(r"[^\w.@+=-]+", "_", text)

    name = TOKEN.sub(value, part).strip(" .")
    name = f"_{name}" if RESERVED.fullmatch(name) else name
    while len(name.encode()) > 200:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{ending}" if len(stem) > 1 else name[:-1]
    return name or "_"


def _key(parcel: Parcel, key: str) -> str:
    """The order's word, else the image's own."""
    return dict(parcel.said).get(key, "") if key not in dict(parcel.keys) else dict(parcel.keys)[key]


def _name(parcel: Parcel, index: int) -> str:
    parts = dict(parcel.keys).get("PatientName", "").split("^")
    return parts[index] if index < len(parts) else ""


def _taken(parcel: Parcel, zone: tzinfo, form: str) -> str:
    return parcel.taken.astimezone(zone).strftime(form) if parcel.taken else ""
