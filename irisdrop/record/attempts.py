"""Tries to deliver: committed before the first byte leaves, so that a crash leaves a question and not a gap."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from irisdrop.record.audit import MINOR, SERIOUS, SUCCESS, Kind
from irisdrop.record.conditions import Conditions
from irisdrop.record.course import Course
from irisdrop.record.database import Database
from irisdrop.record.doubt import doubtful
from irisdrop.record.images import image as as_image
from irisdrop.record.journal import AGENT, Journal, StaleImage
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.deliveries import Attempt, Receipt, Said, Uploaded
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

ONCE_MORE: Final = "\x1f"  # in `receipts.id`, before a number: the platform had given this id to something else already


class Attempts:
    """The attempts and receipts of all images."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._db: Database = journal.database
        self._clock = clock

    def due(self, limit: int, busy: frozenset[int] = frozenset()) -> list[ImageFile]:
        """MATCHED images that may be sent now, the newest exam first, without those in `busy`."""
        now = stamp(self._clock.now())
        rows = self._db.rows(
            "SELECT * FROM images WHERE state = ? AND (not_before IS NULL OR not_before <= ?) "
            "AND (next_try IS NULL OR next_try <= ?) ORDER BY recency DESC LIMIT ?",
            (State.MATCHED, now, now, limit + len(busy)),
        )
        return [image for image in map(as_image, rows) if image.id not in busy][:limit]

    def next_due(self, busy: frozenset[int] = frozenset()) -> datetime | None:
        """When the next MATCHED image may be sent, without those in `busy`; None where there is none."""
        marks = ",".join("?" * len(busy))
        row = self._db.row(
            "SELECT count(*) AS n, min(max(coalesce(not_before, ''), coalesce(next_try, ''))) AS at FROM images "
            f"WHERE state = ? AND id NOT IN ({marks})",
            (State.MATCHED, *busy),
        )
        if row is None or row["n"] == 0:
            return None
        return moment(row["at"]) if row["at"] else self._clock.now()

    def begin(self, image: ImageFile) -> Attempt:
        """Open an attempt, in a commit that checks the image's version and its order; raises StaleImage."""
        with self._db.transaction():
            now = self._journal.get(image.id)
            if now.version != image.version or now.state is not State.MATCHED or now.entry is None or now.eye is None:
                raise StaleImage(f"image {image.id} changed before it was sent")
            if self.open_attempt(image.id) is not None:
                raise StaleImage(f"image {image.id} is being sent already")
            if self._journal.order_unsure(image.id):
                raise StaleImage(f"the order of image {image.id} was withdrawn or changed")
            if self.in_doubt(image):
                raise StaleImage(f"the order or eye of image {image.id} is not the one that was decided")
            return self._open(now)

    def in_doubt(self, image: ImageFile) -> bool:
        """Whether an image's order or eye is no longer the one that was decided: see `record.doubt`."""
        return bool(doubtful(self._db, [image]))

    def begin_due(
        self, limit: int, busy: frozenset[int], size: int
    ) -> tuple[list[tuple[ImageFile, Attempt]], list[ImageFile]]:
        """Open an attempt for each of the first `limit` due images of together at most `size` bytes, but for one, in
        one commit; and the images that could not be begun: left open by a failure of ours, or with an order that is
        withdrawn, changed or not the one that was decided."""
        with self._db.transaction():
            due = _within(size, self.due(limit, busy))
            if not due:
                return [], []
            held = self._open_of(due) | self._journal.orders_unsure(due) | doubtful(self._db, due)
            begun = [(image, self._open(image)) for image in due if image.id not in held]
            return begun, [image for image in due if image.id in held]

    def _open_of(self, images: list[ImageFile]) -> set[int]:
        marks = ",".join("?" * len(images))
        numbers = tuple(image.id for image in images)
        rows = self._db.rows(f"SELECT image FROM attempts WHERE ended IS NULL AND image IN ({marks})", numbers)
        return {row["image"] for row in rows}

    def _open(self, image: ImageFile) -> Attempt:
        assert image.entry is not None and image.eye is not None
        began = self._clock.now()
        number = self._db.execute(
            "INSERT INTO attempts (image, entry, eye, began) VALUES (?, ?, ?, ?)",
            (image.id, image.entry, image.eye, stamp(began)),
        ).lastrowid
        assert number is not None
        self._journal.audit.write(
            Kind.BEGIN, "E", AGENT, image=image.id, digest=image.digest, entry=image.entry, detail="deliver"
        )
        return Attempt(number, image.id, image.entry, image.eye, began)

    def end(
        self, attempt: Attempt, outcome: str, next_try: datetime | None = None, image: ImageFile | None = None
    ) -> None:
        """Close an attempt; call it inside the transaction that moves the image."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE attempts SET ended = ?, outcome = ?, next_try = ? WHERE id = ?",
                (stamp(self._clock.now()), outcome, None if next_try is None else stamp(next_try), attempt.id),
            )
            told, word = _told(outcome)
            digest = (image or self._journal.get(attempt.image)).digest
            self._journal.audit.write(
                *(Kind.TRANSFERRED, "E", AGENT),
                outcome=told,
                image=attempt.image,
                digest=digest,
                entry=attempt.entry,
                detail=word,
            )

    def open_attempt(self, image: int) -> Attempt | None:
        """The attempt of an image that has no outcome yet."""
        row = self._db.row("SELECT * FROM attempts WHERE image = ? AND ended IS NULL", (image,))
        return None if row is None else _attempt(row)

    def left_open(self) -> list[Attempt]:
        """Attempts that a crash cut off: the platform is asked before anything is sent again."""
        return [_attempt(row) for row in self._db.rows("SELECT * FROM attempts WHERE ended IS NULL ORDER BY id")]

    def of(self, image: int) -> list[Attempt]:
        """Every attempt of an image, oldest first."""
        return [_attempt(row) for row in self._db.rows("SELECT * FROM attempts WHERE image = ? ORDER BY id", (image,))]

    def confirm(self, image: ImageFile, receipt: Receipt, why: str) -> ImageFile:
        """MATCHED → UPLOADED → DELIVERED with the receipt, in one commit.

        A receipt that the platform gave to another image already, for other bytes, another order or eye, is kept beside
        that one, and RECEIPT_ALARM is raised for both: one of the two says nothing about its image.
        """
        with self._db.transaction():
            others = self._given_to(image, receipt)
            course = Course(image)
            if image.state is State.MATCHED:
                course.step(Event.UPLOAD, AGENT, "the platform holds the bytes")
            kept = self._keep(image, receipt)
            changes: dict[str, Any] = {"receipt": kept, "next_try": None, "ask_first": 0, "replaces": None}
            done = self._journal.move(course, Event.CONFIRM, AGENT, why, **changes)
            for other in others:
                self._alarm(self._journal.get(other), done.id)
                self._alarm(done, other)
            return done

    def _given_to(self, image: ImageFile, receipt: Receipt) -> list[int]:
        """The other images that have a receipt of this id which says another thing."""
        rows = self._db.rows(
            "SELECT DISTINCT image FROM receipts WHERE (id = ? OR (id > ? AND id < ?)) AND image <> ? "
            "AND (digest <> ? OR entry <> ? OR eye <> ?)",
            (
                *(receipt.id, receipt.id + ONCE_MORE, receipt.id + chr(ord(ONCE_MORE) + 1)),
                *(image.id, receipt.digest, receipt.entry, receipt.eye),
            ),
        )
        return [row["image"] for row in rows]

    def _keep(self, image: ImageFile, receipt: Receipt) -> str:
        """Write a receipt down, and over none of what another one proves; returns its key in the table."""
        proves = (image.id, receipt.digest, receipt.entry, receipt.eye)
        key, number = receipt.id, 1
        while row := self._db.row("SELECT image, digest, entry, eye FROM receipts WHERE id = ?", (key,)):
            if tuple(row) == proves:
                return key
            number += 1
            key = f"{receipt.id}{ONCE_MORE}{number}"
        self._db.execute(
            "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)", (key, *proves, receipt.at, receipt.replaces)
        )
        return key

    def _alarm(self, image: ImageFile, other: int) -> None:
        detail = f"the platform gave its receipt to image {other} as well"
        self._journal.contradict(image, Code.RECEIPT_MISMATCH, detail)
        Conditions(self._db, self._clock).raise_("RECEIPT_ALARM", f"image {image.id}", detail)

    def upload(self, image: ImageFile, attempt: Attempt, answer: Uploaded) -> ImageFile:
        """MATCHED → UPLOADED, with the digest that left and the platform's name for it; ends the attempt."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE attempts SET sent = ?, reference = ? WHERE id = ?", (answer.sent, answer.reference, attempt.id)
            )
            self.end(attempt, "uploaded")
            return self._journal.move(image, Event.UPLOAD, AGENT, answer.detail, next_try=None, ask_first=0, tries=0)

    def uploads(self, image: int) -> int:
        """How often an image has been UPLOADED."""
        row = self._db.row("SELECT count(*) AS n FROM attempts WHERE image = ? AND sent IS NOT NULL", (image,))
        assert row is not None
        return int(row["n"])

    def keep_said(self, said: Said) -> bool:
        """Keep what the platform said later; the same message again changes nothing. True where the image is ours."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (
                    *(said.id, said.reference, int(said.succeeded), said.order, said.patient),
                    *(said.receipt, said.at, said.text, stamp(self._clock.now())),
                ),
            )
            return self.knows(said.reference)

    def knows(self, reference: str) -> bool:
        """Whether the platform's name for an image is one of ours."""
        return self._db.row("SELECT 1 FROM attempts WHERE reference = ?", (reference,)) is not None

    def said_of(self, state: State) -> list[tuple[ImageFile, Attempt, Said]]:
        """Images in a state of whose last attempt the platform has spoken since, and nobody acted on it yet."""
        rows = self._db.rows(
            "SELECT s.*, a.id AS attempt, i.id AS image FROM said s JOIN attempts a ON a.reference = s.reference "
            "JOIN images i ON i.id = a.image WHERE s.settled = 0 AND i.state = ? "
            "AND a.id = (SELECT max(id) FROM attempts WHERE image = i.id) ORDER BY s.came",
            (state,),
        )
        return [(self._journal.get(row["image"]), self._get(row["attempt"]), _said(row)) for row in rows]

    def said_before(self, said: Said) -> list[Said]:
        """What the platform said of the same image before, and was acted on."""
        rows = self._db.rows("SELECT * FROM said WHERE reference = ? AND settled = 1", (said.reference,))
        return [_said(row) for row in rows if row["id"] != said.id]

    def settle_said(self, said: Said) -> None:
        """Note that a message has been acted on; call it inside the transaction that moves the image."""
        with self._db.transaction():
            self._db.execute("UPDATE said SET settled = 1 WHERE id = ?", (said.id,))

    def unconfirmed(self, before: datetime) -> int:
        """How many images have been UPLOADED since before a time."""
        row = self._db.row(
            "SELECT count(*) AS n FROM images WHERE state = ? AND changed < ?", (State.UPLOADED, stamp(before))
        )
        assert row is not None
        return int(row["n"])

    def _get(self, number: int) -> Attempt:
        row = self._db.row("SELECT * FROM attempts WHERE id = ?", (number,))
        assert row is not None
        return _attempt(row)

    def receipt(self, image: int) -> Receipt | None:
        """The receipt by which an image counts as delivered."""
        row = self._db.row("SELECT r.* FROM receipts r JOIN images i ON i.receipt = r.id WHERE i.id = ?", (image,))
        if row is None:
            return None
        given = row["id"].partition(ONCE_MORE)[0]
        return Receipt(given, row["digest"], row["entry"], row["eye"], row["at"], replaces=row["replaces"])

    def ask_for_all(self) -> None:
        """Any image may be further than the journal knows: the platform is asked before it is sent."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE images SET ask_first = 1 WHERE state IN (?, ?, ?, ?)",
                (State.SETTLED, State.IDENTIFIED, State.MATCHED, State.QUARANTINED),
            )

    def clear_waits(self, undo_until: datetime | None = None) -> None:
        """The platform may be back: nothing waits for its back-off any longer, nor for `undo` beyond a time."""
        with self._db.transaction():
            if undo_until is not None:
                self._db.execute(
                    "UPDATE images SET not_before = ? WHERE state = ? AND not_before > ?",
                    (stamp(undo_until), State.MATCHED, stamp(undo_until)),
                )
            self._db.execute(
                "UPDATE images SET next_try = NULL WHERE state = ? AND next_try IS NOT NULL", (State.MATCHED,)
            )


def _within(size: int, images: list[ImageFile]) -> list[ImageFile]:
    sums = accumulate(image.size or 0 for image in images)
    return [image for image, sum_ in zip(images, sums, strict=True) if image is images[0] or sum_ <= size]


def _told(outcome: str) -> tuple[int, str]:
    """Outcome and word for the audit trail; other words than these may quote the platform."""
    if outcome in ("delivered", "uploaded"):
        return SUCCESS, outcome
    return (SERIOUS, outcome) if outcome in set(Code) else (MINOR, "not delivered yet")


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        row["id"],
        row["image"],
        row["entry"],
        row["eye"],
        moment(row["began"]),
        moment(row["ended"]) if row["ended"] else None,
        row["outcome"],
        moment(row["next_try"]) if row["next_try"] else None,
        row["sent"],
        row["reference"],
    )


def _said(row: sqlite3.Row) -> Said:
    return Said(
        *(row["id"], row["reference"], bool(row["succeeded"]), row["order"], row["patient"]),
        *(row["receipt"], row["at"], row["text"]),
    )
