"""Keeps the event source alive, and knows whether it can be relied on."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import Final

from irisdrop.arrival.mode import Mode, Way, first_mode, probe
from irisdrop.arrival.system import watches_left
from irisdrop.arrival.watch import Hints, Watch
from irisdrop.profiles.config import CameraSettings
from irisdrop.record.conditions import Conditions
from irisdrop.vocabulary.clock import Clock

log = logging.getLogger(__name__)

PROBE_WAIT: Final = 2.0  # seconds
MOST_MISSED: Final = 3  # scans that found what no event had told, in a row
ARM_AGAIN: Final = 1.0
COUNT_AGAIN: Final = 60.0  # seconds between looks at whether the system has watches left, where no folder came
LIMIT_AGAIN: Final = (
    60.0  # seconds until a folder for which there were none is tried again: doubled where it is in vain,
)
LONGEST_LIMIT: Final = 960.0  # up to this, because to try takes watches from others for a moment
NONE_LEFT: Final = "the system lets no more folders be watched (fs.inotify.max_user_watches, max_user_instances)"
RESTART_SHOWN: Final = 3600.0


class Supervision:
    """One folder's watch: armed, probed, armed again when it dies, given up for polling when it is deaf."""

    def __init__(
        self, camera: CameraSettings, root: str, conditions: Conditions, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._camera = camera
        self._root = root
        self._conditions = conditions
        self._clock = clock
        self._watch = Watch(root, wake)
        self._chosen: Mode | None = None
        self._probed: float | None = None
        self._missed = 0
        self._arm_at = 0.0
        self._count_at = 0.0
        self._again_at: float | None = None  # polled for want of watches, and to be tried again then
        self._again = LIMIT_AGAIN
        self._armed_on = ""
        self._restarted: float | None = None
        conditions.clear("WATCHER_RESTARTED", camera.name)

    @property
    def mode(self) -> Mode:
        """How the folder is watched now, and why."""
        return self._chosen or Mode(Way.POLL, "it is not there")

    def tend(self, takes: Callable[[str], bool], identity: str) -> bool:
        """Arm what is to be armed and look after it; True where a scan must make up for a gap.

        `identity` of the folder: events keep coming from one that was renamed or mounted over.
        """
        if self._chosen is None:
            self._choose(first_mode(self._camera.watch, self._camera.folder))
        if self.mode.way is Way.POLL:
            return self._try_again(takes, identity)
        if self._watch.armed and self._watch.sound() and identity == self._armed_on:
            self._prove()
            self._forget_restart()
            return self._count()
        self._armed_on = identity
        return self._arm(takes)

    def drain(self) -> Hints:
        """The hints that came."""
        hints = self._watch.drain()
        if hints.files or hints.folders:
            self._missed = 0
        if hints.folders:
            self._count_at = 0.0
        return hints

    def missed(self) -> None:
        """A scan found a new file that no event had told of."""
        if self.mode.way is Way.POLL or self._camera.watch == "events" or not self._watch.armed:
            return
        self._missed += 1
        self._watch.disarm()
        if self._missed >= MOST_MISSED:
            self._choose(Mode(Way.POLL, "events stay out"))

    def rest(self) -> None:
        """The folder is not there."""
        self._watch.disarm()
        self._chosen = self._again_at = None

    def close(self) -> None:
        """Stop."""
        self._watch.disarm()

    def _arm(self, takes: Callable[[str], bool]) -> bool:
        now = self._clock.monotonic()
        if now < self._arm_at:
            return False
        self._arm_at = now + ARM_AGAIN
        again = self._watch.armed
        try:
            self._watch.arm()
        except OSError as error:
            if self._camera.watch != "events":
                self._refused(error)
            return False
        if again:
            log.warning("watching %s had stopped and was started again", self._camera.name)
            self._conditions.raise_("WATCHER_RESTARTED", self._camera.name)
            self._restarted = now
        if self.mode.way is Way.UNPROVEN:
            self._begin_proof(takes)
        return True

    def _begin_proof(self, takes: Callable[[str], bool]) -> None:
        self._probed = None
        if takes(".irisdrop-0123456789abcdef.probe"):
            self._choose(Mode(Way.UNPROVEN, "the profile takes every file, so events can't be tried with one of ours"))
        elif probe(self._root) is None:
            self._choose(Mode(Way.UNPROVEN, "we may not write there, so events can't be tried with a file of ours"))
        else:
            self._probed = self._clock.monotonic()

    def _prove(self) -> None:
        if self.mode.way is not Way.UNPROVEN:
            return
        if self._watch.heard:
            self._choose(Mode(Way.EVENTS, "an event came"))
        elif self._probed is not None and self._clock.monotonic() - self._probed >= PROBE_WAIT:
            self._watch.disarm()
            self._choose(Mode(Way.POLL, "no event came for a file of our own"))

    def _count(self) -> bool:
        """Sub-folders that can't be watched are left out without a word: then all of it is polled, from now on."""
        now = self._clock.monotonic()
        if now < self._count_at or self._camera.watch == "events":
            return False
        self._count_at = now + COUNT_AGAIN
        if watches_left(self._root):
            return False
        self._watch.disarm()
        self._none_left()
        return True

    def _refused(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EMFILE):
            self._none_left()
        else:
            why = f"the system does not let it be watched: {os.strerror(error.errno or 0)}"
            self._choose(Mode(Way.POLL, why))

    def _none_left(self) -> None:
        self._again_at = self._clock.monotonic() + LIMIT_AGAIN
        self._again = LIMIT_AGAIN
        self._choose(Mode(Way.POLL, NONE_LEFT))

    def _try_again(self, takes: Callable[[str], bool], identity: str) -> bool:
        """Whether a folder that was polled for want of watches can be watched, all of it, by now; nothing is said where
        it still can't."""
        now = self._clock.monotonic()
        if self._again_at is None or now < self._again_at:
            return False
        self._again_at = now + self._again
        if not watches_left(self._root) or not self._armed_whole():
            return False
        self._again_at, self._arm_at, self._armed_on = None, now + ARM_AGAIN, identity
        self._choose(first_mode(self._camera.watch, self._camera.folder))
        self._begin_proof(takes)
        return True

    def _armed_whole(self) -> bool:
        self._again = min(2 * self._again, LONGEST_LIMIT)
        try:
            self._watch.arm()
        except OSError:
            return False
        if watches_left(self._root):
            return True
        self._watch.disarm()  # some of its sub-folders were left out
        return False

    def _forget_restart(self) -> None:
        if self._restarted is not None and self._clock.monotonic() - self._restarted > RESTART_SHOWN:
            self._restarted = None
            self._conditions.clear("WATCHER_RESTARTED", self._camera.name)

    def _choose(self, mode: Mode) -> None:
        self._chosen = mode
        if mode.way is Way.EVENTS or (mode.way is Way.UNPROVEN and mode.why.startswith("no event")):
            self._conditions.clear("FOLDER_POLLED", self._camera.name)
        else:
            self._conditions.raise_("FOLDER_POLLED", self._camera.name, mode.why)
