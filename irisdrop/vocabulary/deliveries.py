"""Tries to deliver, what the platform confirmed, and the ends that a try can come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from irisdrop.vocabulary.reasons import Code


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the platform confirmed. `id` is the platform's own; `digest` is of the bytes that were sent."""

    id: str
    digest: str
    entry: str
    eye: str
    at: str
    accession_number: str | None = None
    patient_id: str | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One image on its way: the spooled bytes and what the platform must know about them.

    `file` is the spool file; `digest` is the SHA-256 of its bytes in hex; `keys` are DICOM keywords. `replaces` is
    the id of the receipt that a person's correction takes the place of.
    """

    file: str
    digest: str
    size: int
    entry: str
    eye: str
    taken: datetime | None
    keys: tuple[tuple[str, str], ...]
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The platform holds our bytes and says where they are."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform will not take this image; trying again changes nothing."""

    code: Code
    detail: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The order is no longer open there: the image must be decided again."""

    detail: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """Nothing is decided: try again, not before `wait` seconds where the platform said so.

    `condition` is the code of the Condition to raise; `halts` where no other image would fare better (401, 403).
    """

    detail: str
    wait: float | None = None
    condition: str | None = None
    halts: bool = False


@dataclass(frozen=True, slots=True)
class Damaged:
    """The bytes in the spool no longer have their digest; they were not sent."""

    detail: str


Answer = Confirmed | Refused | Withdrawn | Postponed | Damaged


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver an image; open while `ended` is None."""

    id: int
    image: int
    entry: str
    eye: str
    began: datetime
    ended: datetime | None = None
    outcome: str | None = None
    next_try: datetime | None = None
