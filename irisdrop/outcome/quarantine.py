"""What a person decides about an image: each act checks the version that the person saw, and is one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from irisdrop.record.attempts import Attempts
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State


class Contradiction(Protocol):
    """One thing that speaks against giving an image to an order."""

    @property
    def code(self) -> Code: ...
    @property
    def words(self) -> str: ...


Objections = Callable[[ImageFile, WorklistEntry, str], Sequence[Contradiction]]
Unpacks = Callable[[ImageFile], bool]


class Quarantine:
    """Assign, release, discard, undo and recall. `objections` says what an image says against an order for an eye,
    `unpacks` whether it is a whole archive, kept because it could not be opened.

    `version`, where given, is that of the image that the person saw: Foreseen where it changed since.
    """

    def __init__(
        self,
        journal: Journal,
        orders: Orders,
        spool: Spool,
        clock: Clock,
        objections: Objections,
        undo: float,
        unpacks: Unpacks = lambda _: False,
    ) -> None:
        self._journal = journal
        self._orders = orders
        self._spool = spool
        self._clock = clock
        self._objections = objections
        self._unpacks = unpacks
        self._undo = timedelta(seconds=undo)
        self._attempts = Attempts(journal, clock)

    def assign(
        self,
        number: int,
        entry: str,
        *,
        by: str,
        eye: str | None = None,
        despite: Sequence[Code] = (),
        why: str = "",
        version: int | None = None,
    ) -> ImageFile:
        """QUARANTINED → MATCHED with a person's order and eye; not sent before `undo` is over.

        Every check is made again in the commit. Raises Foreseen for each one that `despite` does not name.
        """
        with self._journal.transaction():
            image = self._in(number, version, State.QUARANTINED)
            order = self._assignable(image, entry)
            # Never the eye of an earlier assignment: that may be what was taken back.
            chosen = eye or _eye_read(image)
            if chosen is None:
                raise Foreseen(
                    "EYE_NEEDED", f"Image {number} does not say which eye it shows.", "add --eye R or --eye L."
                )
            against = list(self._objections(image, order, chosen))
            _overruled(number, against, despite)
            words = f"assigned to an order by {by}" + (f": {why}" if why else "")
            words += "".join(f"; despite {objection.code} ({objection.words})" for objection in against)
            return self._journal.move(
                image,
                Event.ASSIGN,
                by,
                words,
                entry=entry,
                eye=chosen,
                assigned_by=by,
                despite=",".join(sorted({str(objection.code) for objection in against})) or None,
                not_before=stamp(self._clock.now() + self._undo),
                next_try=None,
                tries=0,
                taken=stamp(image.taken or image.arrived),
            )

    def release(self, number: int, *, by: str, why: str = "released", version: int | None = None) -> ImageFile:
        """Back to the start, to be read and decided again; one that was never spooled, or is an archive that still lies in
        its folder, is looked at again there."""
        lies_there = self._lies_there(number)  # read before anybody waits for us
        with self._journal.transaction():
            image = self._in(number, version, State.QUARANTINED)
            if image.reason is Code.RECEIPT_MISMATCH or self._journal.mismatched(number):
                raise Foreseen(
                    "NOT_RELEASABLE",
                    f"The platform confirmed image {number} for another order, patient or eye.",
                    "call the platform's integration administrator; then discard the image or assign it.",
                )
            cleared = dict.fromkeys(("reason", "detail", "entry", "eye", "assigned_by", "not_before", "replaces"))
            if image.digest is None or not self._spool.holds(image.digest):
                return self._journal.move(image, Event.RELOOK, by, why, digest=None, size=None, **cleared)
            if image.digest == lies_there:  # still ours as well, should it be gone before it is looked at
                return self._journal.move(image, Event.RELOOK, by, why, **cleared)
            return self._journal.move(image, Event.RELEASE, by, why, **cleared)

    def discard(self, number: int, *, by: str, why: str, version: int | None = None) -> ImageFile:
        """It will never be delivered; the bytes stay in the spool for `keep`."""
        with self._journal.transaction():
            return self._journal.move(self._in(number, version, State.QUARANTINED), Event.DISCARD, by, why)

    def undo(self, number: int, *, by: str, version: int | None = None) -> ImageFile:
        """Take back an assignment that has not been sent, or a discard."""
        with self._journal.transaction():
            image = self._in(number, version, State.MATCHED, State.DISCARDED)
            if image.state is State.MATCHED and image.assigned_by is None:
                raise Foreseen(
                    "NOT_ASSIGNED", f"Image {number} was matched by irisdrop itself.", "wait for its receipt."
                )
            if self._attempts.open_attempt(number) is not None:
                raise Foreseen(
                    "BEING_SENT", f"Image {number} is being sent right now.", "recall it when it is delivered."
                )
            reason = image.reason or Code.NO_WORKLIST_ENTRY
            cleared = dict.fromkeys(("entry", "eye", "assigned_by", "not_before", "next_try"))
            return self._journal.move(image, Event.UNDO, by, "taken back", reason=reason, **cleared)

    def recall(self, number: int, *, by: str, why: str, version: int | None = None) -> ImageFile:
        """DELIVERED → QUARANTINED: the next assignment replaces the receipt (`If-Match`)."""
        with self._journal.transaction():
            image = self._in(number, version, State.DELIVERED)
            receipt = self._attempts.receipt(number)
            return self._journal.move(
                image,
                Event.RECALL,
                by,
                why,
                reason=Code.ASSIGNED_ELSEWHERE,
                detail="recalled by a person; the platform holds it on the former order",
                replaces=None if receipt is None else receipt.id,
                assigned_by=None,
            )

    def _in(self, number: int, version: int | None, *states: State) -> ImageFile:
        try:
            image = self._journal.get(number)
        except KeyError:
            raise Foreseen("NO_SUCH_IMAGE", f"There is no image {number}.", "`irisdrop quarantine list`.") from None
        if image.state not in states:
            raise Foreseen(
                "WRONG_STATE",
                f"Image {number} is {image.state}, so this can't be done.",
                f"this needs an image that is {' or '.join(states)}.",
            )
        if version is not None and version != image.version:
            raise Foreseen("CHANGED", f"Image {number} changed since you looked at it.", "look at it again.")
        return image

    def _lies_there(self, number: int) -> str | None:
        """The digest of an archive where it still lies in its folder; another file may have its name and size by now."""
        try:
            image = self._journal.get(number)
            file = Path(image.path)
            if not self._unpacks(image) or not file.is_file() or file.stat().st_size != image.size:
                return None
            with file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except (KeyError, OSError):
            return None

    def _assignable(self, image: ImageFile, entry: str) -> WorklistEntry:
        if self._unpacks(image):
            raise Foreseen(
                "AN_ARCHIVE",
                f"Image {image.id} is an archive and no picture.",
                "export its pictures again, or discard it.",
            )
        if image.digest is None or not self._spool.holds(image.digest):
            raise Foreseen("NO_BYTES", f"Image {image.id} was never spooled.", "release it or export it again.")
        order = self._orders.get(entry)
        if order is None:
            raise Foreseen("NO_SUCH_ENTRY", "There is no such order on the worklist.", "`irisdrop worklist show`.")
        if order.standing in (Standing.CANCELLED, Standing.REPLACED):
            raise Foreseen(
                "ORDER_WITHDRAWN", f"That order was {order.standing}.", "choose an open one: `irisdrop worklist show`."
            )
        return order


def _eye_read(image: ImageFile) -> str | None:
    eyes = {r.value for r in image.readings if r.key == "ImageLaterality" and r.value in ("R", "L", "B")}
    return eyes.pop() if len(eyes) == 1 else None


def _overruled(number: int, against: Sequence[Contradiction], despite: Sequence[Code]) -> None:
    standing = [objection for objection in against if objection.code not in despite]
    if standing:
        codes = " ".join(f"--despite {code}" for code in sorted({str(objection.code) for objection in standing}))
        raise Foreseen(
            "CONTRADICTED",
            f"Image {number} contradicts that order: " + "; ".join(objection.words for objection in standing) + ".",
            f"choose another order, or if you are sure: {codes}.",
        )
