"""The audit trail: who did what to which image, chained by hashes so that a changed or missing record shows.

Records are named after the messages of DICOM PS3.15 A.5.3 and hold no name, number or date of a patient: an image is
named by its id and digest, an order by its opaque id.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from irisdrop.record.database import Database
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.states import Event

GENESIS: Final = "0" * 64
PAGE: Final = 1000


class Kind(StrEnum):
    """The messages of PS3.15 A.5.3 that we write, by the meaning of their event code."""

    APPLICATION = "Application Activity"
    LOG_USED = "Audit Log Used"
    BEGIN = "Begin Transferring DICOM Instances"
    IMPORT = "Data Import"
    ACCESS = "DICOM Instances Accessed"
    TRANSFERRED = "DICOM Instances Transferred"
    QUERY = "Query"
    ALERT = "Security Alert"


# PS3.16 CID 400, coding scheme DCM
CODES: Final[dict[Kind, str]] = {
    Kind.APPLICATION: "110100",
    Kind.LOG_USED: "110101",
    Kind.BEGIN: "110102",
    Kind.ACCESS: "110103",
    Kind.TRANSFERRED: "110104",
    Kind.IMPORT: "110107",
    Kind.QUERY: "110112",
    Kind.ALERT: "110113",
}

# What each transition tells, and the action (Create, Read, Update, Delete, Execute). The others tell nothing that is
# done to an image by a person or to the outside; they are in its history.
OF_TRANSITION: Final[dict[Event, tuple[Kind, str]]] = {
    Event.SETTLE: (Kind.IMPORT, "C"),
    Event.RELEASE: (Kind.ACCESS, "U"),
    Event.RELOOK: (Kind.ACCESS, "U"),
    Event.ASSIGN: (Kind.ACCESS, "U"),
    Event.UNDO: (Kind.ACCESS, "U"),
    Event.RECALL: (Kind.ACCESS, "U"),
    Event.DISCARD: (Kind.ACCESS, "D"),
}

SUCCESS, MINOR, SERIOUS = 0, 4, 8  # EventOutcomeIndicator


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One record; `before` is the hash of the one before it, `hash` that of all its other values."""

    number: int
    at: str
    kind: str
    action: str
    outcome: int
    who: str
    image: int | None
    digest: str | None
    entry: str | None
    detail: str
    before: str
    hash: str = ""

    def hashed(self) -> str:
        """The hash that its values give."""
        return hashlib.sha256(json.dumps(_unhashed(self), separators=(",", ":")).encode()).hexdigest()


# Not `asdict`, which copies every value: two of these are made for each record.
_unhashed: Final = attrgetter(*(field.name for field in fields(AuditRecord) if field.name != "hash"))


@dataclass(frozen=True, slots=True)
class Head:
    """The last record: what must be told elsewhere so that a cut tail can be proven."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: `wrong` names the first record that is not as it was written, None where all are."""

    head: Head
    wrong: int | None
    why: str


class Audit:
    """The trail of one journal; it lives in the same file, so a record and what it tells of are one commit."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def write(
        self,
        kind: Kind,
        action: str,
        who: str,
        *,
        outcome: int = SUCCESS,
        image: int | None = None,
        digest: str | None = None,
        entry: str | None = None,
        detail: str = "",
    ) -> None:
        """Append one record; inside a transaction it is part of that commit. `detail` without PHI."""
        with self._db.transaction():
            at = stamp(self._clock.now())
            self._db.gather(self._append, (at, kind.value, action, outcome, who, image, digest, entry, detail))

    def _append(self, told: list[tuple[Any, ...]]) -> None:
        """Chain what a commit tells to the last record: another process may have written it a moment ago."""
        head = self.head()
        number, before, rows = head.number, head.hash, []
        for values in told:
            number += 1
            record = AuditRecord(*(number, *values, before))
            before = record.hashed()
            rows.append((*_unhashed(record), before))
        self._db.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", rows)

    def head(self) -> Head:
        """The last record's number and hash; number 0 where there is none."""
        row = self._db.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        return Head(0, GENESIS) if row is None else Head(row["number"], row["hash"])

    def records(self, beyond: int = 0) -> Iterator[AuditRecord]:
        """Every record after number `beyond`, in order."""
        while True:
            rows = self._db.rows("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?", (beyond, PAGE))
            if not rows:
                return
            for row in rows:
                yield _record(row)
            beyond = rows[-1]["number"]

    def verify(self, told: Head | None = None) -> Verdict:
        """Recompute the whole chain; `told` is a head that was kept elsewhere, by which a cut tail shows too."""
        last = Head(0, GENESIS)
        for record in self.records():
            if record.number != last.number + 1:
                return Verdict(last, last.number + 1, "is missing")
            if record.before != last.hash:
                return Verdict(last, record.number, "does not follow from the one before it")
            if record.hashed() != record.hash:
                return Verdict(last, record.number, "was changed")
            last = Head(record.number, record.hash)
            if told is not None and told.number == last.number and told.hash != last.hash:
                return Verdict(last, last.number, "is not the one that was told (the trail was written anew)")
        if told is not None and told.number > last.number:
            return Verdict(last, last.number + 1, f"is missing: the tail up to {told.number} was cut")
        return Verdict(last, None, "")


def _record(row: sqlite3.Row) -> AuditRecord:
    return AuditRecord(*(row[field.name] for field in fields(AuditRecord)))
