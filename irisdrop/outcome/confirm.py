"""UPLOADED → DELIVERED: what a platform says later about the images that it holds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from irisdrop.platforms import Confirmations, ConfirmationsUnavailable, Platform
from irisdrop.record.attempts import Attempts
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal, StaleImage
from irisdrop.record.orders import Orders
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.deliveries import Attempt, Receipt, Said
from irisdrop.vocabulary.faults import Foreseen, place
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

log = logging.getLogger(__name__)

WAIT = 2.0  # seconds for one look at the queue: stopping waits for it
PAUSE = 30.0  # seconds before a queue that failed is opened again
QUEUE = "confirmations"


class Confirmer:
    """One thread that listens to the platform, where it says something later, and acts on what it said."""

    def __init__(
        self, journal: Journal, orders: Orders, platform: Platform, conditions: Conditions, clock: Clock
    ) -> None:
        self._journal = journal
        self._orders = orders
        self._platform = platform
        self._conditions = conditions
        self._clock = clock
        self._attempts = Attempts(journal, clock)
        self._listening: Confirmations | None = None
        self._silent = False

    def run(self, stop: threading.Event) -> None:
        """Listen until told to stop; ends at once where the platform says nothing later."""
        while not stop.is_set():
            try:
                well = self.turn(WAIT)
            except Exception as error:  # noqa: BLE001 - told as a Condition, and tried again
                log.error("confirming failed: %s", place(error))
                self._conditions.note_failure("confirming", error)
                well = False
            if self._silent:
                return
            if not well:
                self._clock.wait(stop, PAUSE)
        self._forget()

    def turn(self, wait: float) -> bool:
        """Take what the platform has said, and act on it; False where it can't be heard now."""
        well = self._listen(wait)
        for state, hear in ((State.UPLOADED, self._settle), (State.DELIVERED, self._compare)):
            for image, attempt, said in self._attempts.said_of(state):
                try:
                    with self._journal.transaction():
                        hear(image, attempt, said)
                except StaleImage as stale:
                    log.info("%s", stale)
        return well

    def _listen(self, wait: float) -> bool:
        try:
            if self._listening is None:
                self._listening = self._platform.confirmations()
            if self._listening is None:
                self._silent = True
                return True
            while self._listening.receive(self._attempts.keep_said, wait):
                wait = 0.0
        except (ConfirmationsUnavailable, Foreseen) as error:
            self._conditions.raise_("RECEIPTS_UNREACHABLE", QUEUE, str(error))
            self._forget()
            return False
        self._conditions.clear("RECEIPTS_UNREACHABLE", QUEUE)
        self._tell_overdue(self._listening.within)
        return True

    def _forget(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _tell_overdue(self, within: float) -> None:
        late = self._attempts.unconfirmed(self._clock.now() - timedelta(seconds=within))
        if late:
            self._conditions.raise_("RECEIPT_OVERDUE", QUEUE, f"{late} images")
        else:
            self._conditions.clear("RECEIPT_OVERDUE", QUEUE)

    # ------------------------------------------------------------------ one image

    def _settle(self, image: ImageFile, attempt: Attempt, said: Said) -> None:
        self._attempts.settle_said(said)
        entry = self._orders.get(attempt.entry)
        wrong = self._differing(attempt, said)
        if wrong:
            detail = f"the receipt names another {' and '.join(wrong)}"
            self._journal.refuse(image, Code.RECEIPT_MISMATCH, detail)
            self._conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
        elif not said.succeeded:
            self._journal.refuse(image, Code.REJECTED_BY_PLATFORM, "the platform could not file it")
            self._conditions.raise_("RECEIPT_FAILED", f"image {image.id}")
        elif entry is None or not said.patient or not said.order:
            # Its word must name order and patient, else it says nothing about where the image is.
            self._journal.refuse(image, Code.RECEIPT_MISMATCH, "the receipt names no order or no patient")
            self._conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
        else:
            self._attempts.confirm(image, _receipt(attempt, said), f"receipt {said.receipt or said.id}")
        log.info("image %s %.8s: the platform spoke of it", image.id, image.digest)

    def _compare(self, image: ImageFile, attempt: Attempt, said: Said) -> None:
        """What it says of an image that it confirmed already: nothing is moved by it, and a contradiction is told."""
        before = self._attempts.said_before(said)
        self._attempts.settle_said(said)
        wrong = self._differing(attempt, said, before)
        subject = f"image {image.id}"
        if wrong:
            detail = f"a later receipt names another {' and '.join(wrong)}"
            self._journal.contradict(image, Code.RECEIPT_MISMATCH, detail)
            self._conditions.raise_("RECEIPT_ALARM", subject, detail)
        elif not said.succeeded:
            detail = "after its receipt the platform said that it could not file it"
            self._journal.contradict(image, Code.REJECTED_BY_PLATFORM, detail)
            self._conditions.raise_("RECEIPT_FAILED", subject, detail)

    def _differing(self, attempt: Attempt, said: Said, before: Sequence[Said] = ()) -> list[str]:
        """The keys of which it names another value than the order has, and than it named `before`: an order that was
        given to another patient since may be told by either number."""
        entry = self._orders.get(attempt.entry)
        keys = {} if entry is None else entry.keys
        named = (
            ("PatientID", said.patient, {keys.get("PatientID"), *(one.patient for one in before)}),
            ("AccessionNumber", said.order, {keys.get("AccessionNumber"), *(one.order for one in before)}),
        )
        return [name for name, theirs, known in named if theirs and known - {None, ""} and theirs not in known]


def _receipt(attempt: Attempt, said: Said) -> Receipt:
    return Receipt(
        id=said.receipt or said.id,
        digest=attempt.sent or "",
        entry=attempt.entry,
        eye=attempt.eye,
        at=said.at,
        accession_number=said.order,
        patient_id=said.patient,
    )
