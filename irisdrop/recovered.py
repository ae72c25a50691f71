"""Images whose bytes the spool had and the journal had not: what the platform has of them comes first."""

from __future__ import annotations

from irisdrop.platforms import Platform
from irisdrop.record.attempts import Attempts
from irisdrop.record.conditions import Conditions
from irisdrop.record.course import Course
from irisdrop.record.journal import AGENT, Journal
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.deliveries import Postponed, Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import Event

RECOVERY = "recovery"  # subject of what keeps recovered images from being asked about
PAUSE = 5.0  # seconds before a platform that can't say is asked again


class Recovered:
    """Asks the platform for recovered bytes, and believes its receipts."""

    def __init__(
        self, journal: Journal, attempts: Attempts, platform: Platform, conditions: Conditions, clock: Clock
    ) -> None:
        self._journal = journal
        self._attempts = attempts
        self._platform = platform
        self._conditions = conditions
        self._clock = clock
        self._ask_after = 0.0  # monotonic

    def ask(self, image: ImageFile) -> Receipt | Postponed | None:
        """What the platform has of recovered bytes; while it can't say, it is asked once in a while only."""
        now = self._clock.monotonic()
        if self._ask_after > now:
            return Postponed("asked a moment ago")
        assert image.digest is not None
        found = self._platform.find(image.digest)
        if isinstance(found, Postponed):
            self._ask_after = now + PAUSE
            self._conditions.raise_(found.condition or "PLATFORM_UNREACHABLE", RECOVERY, found.detail)
            return found
        for code in ("PLATFORM_UNREACHABLE", "PLATFORM_DENIED", "PLATFORM_STRANGE"):
            self._conditions.clear(code, RECOVERY)
        return found

    def deliver(self, image: ImageFile | Course, receipt: Receipt) -> None:
        """The platform holds these bytes from before the journal was lost."""
        why = "by the receipt that the platform has for these bytes"
        given = self._journal.move(image, Event.MATCH, AGENT, why, entry=receipt.entry, eye=receipt.eye)
        self._attempts.confirm(given, receipt, f"receipt {receipt.id}, found after the journal was rebuilt")


def agrees(image: ImageFile, receipt: Receipt) -> bool:
    """Whether an image says nothing against a receipt: another export of the same bytes may have earned it."""
    theirs = {
        "PatientID": receipt.patient_id,
        "AccessionNumber": receipt.accession_number,
        "ImageLaterality": receipt.eye,
    }
    return not any(
        theirs.get(reading.key) and reading.value not in (theirs[reading.key], "U") for reading in image.readings
    )
