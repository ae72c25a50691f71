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

    `file` is the spool file; `digest` is the SHA-256 of its bytes in hex; `keys` are the order's, `said` what the image
    says about itself, both DICOM keywords. `replaces` is the id of the receipt that a person's correction takes the
    place of. `name` is the export's path below the camera's folder; `modality` and `context` (`Primary`, …) are the
    profile's; `decided` is when it was given to its order, the same at every try; `uploads` is
    how often it was uploaded before and came back, so that a platform which refused it does not take it for that one.
    """

    file: str
    digest: str
    size: int
    entry: str
    eye: str
    taken: datetime | None
    keys: tuple[tuple[str, str], ...]
    replaces: str | None = None
    camera: str = ""
    name: str = ""
    site: str | None = None
    said: tuple[tuple[str, str], ...] = ()
    modality: str = "OP"
    context: str = "Unknown"
    decided: datetime | None = None
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The platform holds our bytes and says where they are."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The platform holds our bytes; whether they are on our order it says later, or never.

    `sent` is the SHA-256 of what left, which a stamp makes another one than the export's. `reference` is the name by
    which the platform will speak of the image.
    """

    sent: str
    reference: str
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a platform said later about one image. `text` is the whole message; it may hold PHI."""

    id: str
    reference: str
    succeeded: bool
    order: str | None
    patient: str | None
    receipt: str | None  # the platform's own id of the image
    at: str
    text: str


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


Answer = Confirmed | Uploaded | Refused | Withdrawn | Postponed | Damaged


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
    sent: str | None = None  # SHA-256 of what left, where an answer said so
    reference: str | None = None  # the platform's name for the image
