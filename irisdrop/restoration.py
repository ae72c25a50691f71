"""Images whose copy can't be read back, and whose file has gone: tried again until disk or folder has their bytes.

Nothing else waits for them. Who looks into the quarantine finds what to do at each; the disk is told as one Condition.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from irisdrop.record.conditions import Conditions
from irisdrop.record.copies import LOST
from irisdrop.record.journal import AGENT, Journal, StaleImage
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import place
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event

log = logging.getLogger(__name__)

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST: Final = 60  # minutes between tries: a disk that dies takes seconds to refuse one page
CLEARED: Final = ("reason", "detail", "entry", "eye", "not_before")
WHOLE: Final = "its bytes can be read again; whoever decided where it belongs does so once more"


class Restoration:
    """Looks after lost copies, once a minute at first, then less and less often."""

    def __init__(self, journal: Journal, spool: Spool, conditions: Conditions, clock: Clock) -> None:
        self._journal = journal
        self._spool = spool
        self._conditions = conditions
        self._clock = clock
        self._tries: dict[int, tuple[int, datetime]] = {}  # of an image: how often it was tried, and when next

    def turn(self) -> None:
        """Try what is due, and tell how many are left."""
        lost = [image for image in self._journal.quarantined_for(Code.UNREADABLE, EVER) if image.detail == LOST]
        left = [image for image in lost if not self._tried(image)]
        # Also of those that are on their way: one that is lost again at once is tried as seldom as if it had stayed so.
        forgotten, still = self._clock.now() - timedelta(minutes=2 * LONGEST), {image.id for image in left}
        self._tries = {number: one for number, one in self._tries.items() if number in still or one[1] > forgotten}
        if left:
            self._conditions.raise_("SPOOL_UNREADABLE", "spool", f"{len(left)} images")
        else:
            self._conditions.clear("SPOOL_UNREADABLE", "spool")

    def _tried(self, image: ImageFile) -> bool:
        """Whether an image is on its way again."""
        now = self._clock.now()
        count, when = self._tries.get(image.id, (0, now))
        if now < when <= now + timedelta(minutes=LONGEST):  # not where the clock was set back
            return False
        self._tries[image.id] = count + 1, now + timedelta(minutes=min(LONGEST, 2**count) - 0.5)
        try:
            if not (self._spool.sound(image.digest or "") or self._spool.mend(image.digest or "")):
                return False
            self._go_on(image)
        except StaleImage:
            return False  # a person was quicker
        except OSError as error:
            log.info("the copy of image %d can't be mended now: %s", image.id, place(error))
            return False
        return True

    def _go_on(self, image: ImageFile) -> None:
        """To be read and decided anew; where a person has decided, or the platform contradicted, a person does again."""
        with self._journal.transaction():
            if image.assigned_by is not None or image.replaces is not None or self._journal.mismatched(image.id):
                self._journal.note(image, detail=WHOLE)
            else:
                self._journal.move(image, Event.RELEASE, AGENT, "its bytes can be read again", **dict.fromkeys(CLEARED))
