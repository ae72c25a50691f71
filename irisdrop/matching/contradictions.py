"""What an image says against itself, and against an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from irisdrop.matching.capture import days, instants
from irisdrop.matching.names import names_agree
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.keys import IDENTITY_KEYS
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code


@dataclass(frozen=True, slots=True)
class Objection:
    """One fact that speaks against an order, in words without the values themselves."""

    code: Code
    words: str


def conflict(readings: Sequence[Reading], zone: tzinfo) -> str | None:
    """The first two readings that can't both be true, by their sources; None where the image agrees with itself."""
    for key in dict.fromkeys(reading.key for reading in readings):
        same = [reading for reading in readings if reading.key == key and reading.flaw is None]
        if key == "ImageLaterality":
            same = _lateralities(same)
        for other in same[1:]:
            if not _equal(key, same[0].value, other.value, zone):
                return f"{key} differs between {same[0].source} and {other.source}"
    return _stamps_conflict(readings, zone)


def eye(readings: Sequence[Reading]) -> str:
    """R, L, B, or U where no reading knows; call it only where there is no conflict."""
    known = _lateralities([r for r in readings if r.key == "ImageLaterality"])
    return known[0].value if known else "U"


def objections(
    readings: Sequence[Reading],
    entry: WorklistEntry,
    *,
    agree: Iterable[str] = (),
    modality: str | None = None,
    passed_over: frozenset[str] = frozenset(),
    shown: str | None = None,
) -> list[Objection]:
    """Everything that the image says against an order; `passed_over` are keys whose value points to nobody.

    Identity always agrees: each of PatientID (with issuer), AccessionNumber, StudyInstanceUID and PatientBirthDate
    that both sides have must be equal, whichever key decided. `shown` is the eye that a person says it shows. An order
    for one eye says so always; the ImageLaterality that it carries counts where it is to agree.
    """
    agree = frozenset(agree)
    found = [
        Objection(Code.PATIENT_MISMATCH, f"{reading.key} of {reading.source} is not the order's")
        for reading in readings
        if reading.key in {*IDENTITY_KEYS, "IssuerOfPatientID", *agree} - passed_over - {"ImageLaterality", "Modality"}
        and _differs(reading, entry)
    ]
    shown = shown or eye(readings)
    carried = entry.keys.get("ImageLaterality") if "ImageLaterality" in agree else None
    if any(one in ("R", "L") and shown not in (one, "U") for one in (entry.single_eye, carried)):
        found.append(Objection(Code.NO_WORKLIST_ENTRY, "the order is for the other eye only"))
    taken_as = next((r.value for r in readings if r.key == "Modality"), modality)
    wanted = entry.keys.get("Modality")
    if wanted and taken_as and wanted != taken_as:
        found.append(Objection(Code.NO_WORKLIST_ENTRY, f"the order asks for {wanted}, the image is {taken_as}"))
    return found


def same_patient(one: WorklistEntry, other: WorklistEntry) -> bool:
    """Whether two entries are of one person, by number, issuer and birth date as far as both have them."""
    return all(
        one.keys[key] == other.keys[key]
        for key in ("PatientID", "IssuerOfPatientID", "PatientBirthDate")
        if one.keys.get(key) and other.keys.get(key)
    )


def _differs(reading: Reading, entry: WorklistEntry) -> bool:
    wanted = entry.keys.get(reading.key)
    if not wanted or reading.flaw is not None:
        return False
    if reading.key == "PatientName":
        return not names_agree(reading.value, wanted)
    if reading.key == "PatientSex" and "O" in (reading.value, wanted):
        return False  # DICOM's O is "other or not told": it contradicts nothing
    return reading.value != wanted


def _lateralities(readings: Sequence[Reading]) -> list[Reading]:
    known = [reading for reading in readings if reading.value in ("R", "L", "B")]
    # (0020,0062) says what this image shows; (0020,0060) says it of the series, so B of the image wins.
    both = any(r.value == "B" and r.source == "dicom:(0020,0062)" for r in known)
    return [r for r in known if not (both and r.source == "dicom:(0020,0060)")]


def _equal(key: str, one: str, other: str, zone: tzinfo) -> bool:
    if key == "PatientName":
        return names_agree(one, other)
    if key == "AcquisitionDateTime":
        moments = [datetime.fromisoformat(stamp) for stamp in (one, other)]
        if not all(moment.microsecond for moment in moments):  # one of the two says no more than the second
            moments = [moment.replace(microsecond=0) for moment in moments]
        return bool(instants(moments[0], zone) & instants(moments[1], zone))
    return one == other


def _stamps_conflict(readings: Sequence[Reading], zone: tzinfo) -> str | None:
    sound = [reading for reading in readings if reading.flaw is None]
    for stamped in (reading for reading in sound if reading.key == "AcquisitionDateTime"):
        for day in (reading for reading in sound if reading.key == "AcquisitionDate"):
            if day.value not in days(stamped.value, zone):
                return f"the day of {stamped.source} is not that of {day.source}"
    return None
