"""Worklist entries as they travel: JSON objects of DICOM keywords, the same from HTTP, from a file and to HTTP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Final

from irisdrop.vocabulary.keys import DATE_KEYS, KEYS, canonical, laterality
from irisdrop.vocabulary.orders import Standing, WorklistEntry

START: Final = "ScheduledProcedureStepStartDateTime"
SEXES: Final[dict[str, str]] = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}
EYES: Final[dict[str, str]] = {"R": "R", "OD": "R", "L": "L", "OS": "L"}
COMPACT_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")


class EntryFault(Exception):
    """An entry that can't be read. The text names keys and never values; `id` is set where that much was readable."""

    def __init__(self, message: str, entry_id: str | None = None) -> None:
        super().__init__(message)
        self.id = entry_id


def parse_entry(wire: object, zone: tzinfo) -> WorklistEntry:
    """The entry that one JSON object describes; a start without offset is local to `zone`. Raises EntryFault."""
    if not isinstance(wire, Mapping):
        raise EntryFault("an entry is no object")
    entry_id = wire.get("id")
    if not isinstance(entry_id, str) or not entry_id:
        raise EntryFault("an entry has no id")
    try:
        return WorklistEntry(
            id=entry_id,
            keys=_keys(wire),
            start=_start(_text(wire, START), zone),
            site=_text(wire, "site"),
            single_eye=EYES.get((_text(wire, "SingleEyeOnly") or "").upper()),
        )
    except EntryFault as fault:
        raise EntryFault(f"entry {entry_id[:40]!r}: {fault}", entry_id) from None


def wire_entry(entry: WorklistEntry) -> dict[str, object]:
    """The JSON object of an entry; its start keeps the offset that it has."""
    wire: dict[str, object] = {"id": entry.id, **entry.keys}
    if entry.site is not None:
        wire["site"] = entry.site
    if entry.start is not None:
        wire[START] = entry.start.isoformat()
    if entry.single_eye is not None:
        wire["SingleEyeOnly"] = entry.single_eye
    return wire


def entry_id(site: str | None, order: str, patient: str, step: str = "") -> str:
    """A stable id for an order that has none of its own.

    The patient is part of it: an order number under two patients must reach the agent as two entries, which it
    refuses to choose between, and never as one that was overwritten.
    """
    text = "\x1f".join((site or "", order, patient, step))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def standing(why: object) -> Standing:
    """Why an entry was withdrawn; an unknown why is `completed`."""
    try:
        found = Standing(why) if isinstance(why, str) else Standing.COMPLETED
    except ValueError:
        return Standing.COMPLETED
    return Standing.COMPLETED if found is Standing.OPEN else found


def iso_date(text: str) -> str | None:
    """`YYYY-MM-DD` for an ISO or DICOM date; None where it is no date."""
    compact = COMPACT_DATE.fullmatch(text)
    try:
        return date.fromisoformat("-".join(compact.groups()) if compact else text).isoformat()
    except ValueError:
        return None


def _keys(wire: Mapping[str, object]) -> dict[str, str]:
    keys = {key: value for key in KEYS if (value := _text(wire, key)) is not None}
    for key in DATE_KEYS & keys.keys():
        day = iso_date(keys[key])
        if day is None:
            raise EntryFault(f"{key} is no date")
        keys[key] = day
    if "PatientSex" in keys:
        sex = SEXES.get(keys.pop("PatientSex").upper())
        if sex is not None:
            keys["PatientSex"] = sex
    if "ImageLaterality" in keys:
        keys["ImageLaterality"] = laterality(keys["ImageLaterality"])
    return keys


def _text(wire: Mapping[str, object], key: str) -> str | None:
    value = wire.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise EntryFault(f"{key} is no text")  # identifiers are strings for ever: 815 may have been 000815
    return canonical(value.strip().strip("\0")) or None


def _start(text: str | None, zone: tzinfo) -> datetime | None:
    if text is None:
        return None
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise EntryFault(f"{START} is no date-time") from None
    return start if start.tzinfo is not None else start.replace(tzinfo=zone)
