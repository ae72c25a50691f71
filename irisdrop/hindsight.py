"""What an edited profile would have made of past images: told after it is in use, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta
from typing import Final

from irisdrop.identity.sandbox import Parsers, ParsersClosed
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.replay import Change, Replay, Replayed
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import place

log = logging.getLogger(__name__)

LONGEST: Final = 60.0  # seconds for one profile; what was not looked at by then is told
BREATH: Final = 0.002  # seconds after every few images, in which the stages have the interpreter to themselves
EVERY: Final = 20  # images
LOOK: Final = 60.0  # seconds between looks at what was told long enough
TOLD: Final[dict[str, timedelta]] = {"PROFILE_CHANGES": timedelta(days=1), "PROFILE_MOVES": timedelta(days=7)}
NAMED: Final = 5  # images in a condition's detail


class Hindsight:
    """Replays the profiles in `edited` (camera → profile, shared with whoever puts them there); `woken` says there is
    one. An edit that comes while an earlier one is replayed takes its place."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        orders: Orders,
        spool: Spool,
        conditions: Conditions,
        clock: Clock,
        edited: dict[str, DeviceProfile],
    ) -> None:
        self._config = config
        self._journal = journal
        self._orders = orders
        self._spool = spool
        self._conditions = conditions
        self._clock = clock
        self._edited = edited
        self.woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Replay until told to stop."""
        while not stop.is_set():
            self.woken.clear()
            self.turn(stop)
            if not stop.is_set():
                self._clock.wait(self.woken, LOOK)

    def turn(self, stop: threading.Event) -> None:
        """Replay what was edited, and forget what was told long enough."""
        for camera, profile in list(self._edited.items()):
            self._look_back(camera, profile, stop)
        self._conditions.forget(TOLD)

    def _look_back(self, camera: str, profile: DeviceProfile, stop: threading.Event) -> None:
        try:
            found = self.replayed(camera, profile, stop)
            if stop.is_set():
                return  # it is still in `edited`, for the stages that follow
            if self._edited.get(camera) is profile:
                self.tell(camera, found)
            self._conditions.clear("STAGE_FAILED", "hindsight")
        except ParsersClosed:
            return
        except Exception as error:  # noqa: BLE001 - told as a Condition; nothing waits for this
            log.error("replaying the profile of %s failed: %s", camera, place(error))
            self._conditions.note_failure("hindsight", error)
        if self._edited.get(camera) is profile:
            del self._edited[camera]

    def replayed(self, camera: str, profile: DeviceProfile, stop: threading.Event) -> Replayed:
        """What the page and `irisdrop replay` find too, within `LONGEST`."""
        until = self._clock.monotonic() + LONGEST

        def enough(looked_at: int) -> bool:
            if looked_at % EVERY == 0:
                stop.wait(BREATH)
            over = self._clock.monotonic() > until or self._edited.get(camera) is not profile
            return over or stop.is_set()

        with Parsers() as parsers:
            replay = Replay(profile, self._config, self._journal, self._orders, self._spool, parsers)
            return replay.run([camera], enough=enough)

    def tell(self, camera: str, found: Replayed) -> None:
        """Into the log, and as conditions where the edit decides otherwise."""
        log.info("the edited profile of %s, on past images: %s", camera, summary(found))
        self._tell("PROFILE_CHANGES", camera, summary(found) if found.changed else "")
        self._tell("PROFILE_MOVES", camera, moved(found) if found.dangerous else "")

    def _tell(self, code: str, camera: str, detail: str) -> None:
        self._conditions.clear(code, camera)  # told anew, so that it is shown for its whole time
        if detail:
            self._conditions.raise_(code, camera, detail)


def summary(found: Replayed) -> str:
    """How many of how many, for a person."""
    counts = Counter(one.change for one in found.changed)
    told = [f"{counts[change]} {change}" for change in Change if counts[change]]
    looked = f"of {found.looked_at} looked at" + ("" if found.whole else ", not all in the time there is")
    gone = f", {found.unreadable} could not be read again" if found.unreadable else ""
    return f"{', '.join(told) or 'nothing would change'} ({looked}{gone})"


def moved(found: Replayed) -> str:
    """Which images would go elsewhere."""
    numbers = ", ".join(str(one.image) for one in found.dangerous[:NAMED])
    return f"image {numbers}" + (f" and {len(found.dangerous) - NAMED} more" if len(found.dangerous) > NAMED else "")
