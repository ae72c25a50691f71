"""What the worklist says: one scheduled procedure step of one order of one patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

OF_AN_ORDER: Final = ("StudyInstanceUID", "AccessionNumber", "ScheduledProcedureStepID", "RequestedProcedureID")


class Standing(StrEnum):
    """Whether an entry may still receive images, and if not, why."""

    OPEN = "open"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One scheduled procedure step. `id` is opaque, stable, and never used again.

    `keys` holds DICOM keywords in the form of `Reading.value`; `start` is aware (ScheduledProcedureStepStartDateTime
    in the site's zone where the source gave no offset) or None where the source gives none. `single_eye` is R, L, or
    None where both are expected or nothing is said.
    """

    id: str
    keys: Mapping[str, str]
    start: datetime | None = None
    site: str | None = None
    single_eye: str | None = None
    standing: Standing = Standing.OPEN


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An entry that is no longer open, and why; an unknown why is `completed`."""

    id: str
    why: Standing


@dataclass(frozen=True, slots=True)
class WorklistChanges:
    """One answer of a worklist source: what is new or changed since a cursor, or everything where `full`.

    `faults` are rows that could not be read, in words without PHI; a source that can't be trusted to be whole raises
    instead of answering.
    """

    entries: tuple[WorklistEntry, ...]
    withdrawn: tuple[Withdrawal, ...]
    cursor: str | None
    full: bool
    faults: tuple[str, ...] = ()


def given_on(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Whether two entries of one site, by their keys, are one order that was given to another patient.

    The same study, by its UID, with the same numbers says so, and each patient's own number. Neither is enough alone:
    an AccessionNumber may be used again, and some source may give every order the same UID.
    """
    told = all(keys.get(key) for keys in (before, now) for key in ("StudyInstanceUID", "AccessionNumber", "PatientID"))
    same = all(before.get(key) == now.get(key) for key in OF_AN_ORDER)
    return told and same and before["PatientID"] != now["PatientID"]
