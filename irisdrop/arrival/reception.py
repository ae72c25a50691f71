"""Files that are waited for: looked at when due, given to a thread that reads, and what becomes of them then."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from irisdrop.arrival.distance import Answer, Distance
from irisdrop.arrival.ground import Ground
from irisdrop.arrival.hold import Hold
from irisdrop.arrival.intake import Intake
from irisdrop.arrival.ledger import Ledger
from irisdrop.arrival.scan import below
from irisdrop.arrival.settling import Pending, Settling, Verdict, next_look, next_try, verdict
from irisdrop.arrival.system import fingerprint, reachable
from irisdrop.arrival.take import (
    Changed,
    Gone,
    Incomplete,
    Locked,
    Outcome,
    SpoolFailed,
    SpoolFull,
    Stopped,
    Taken,
    Unreadable,
)
from irisdrop.arrival.takers import Takers
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.known import Fingerprint, signed
from irisdrop.vocabulary import faults
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import is_full, place

log = logging.getLogger(__name__)

RACY_AFTER: Final = 2.0  # seconds until what may have changed within its time stamp is read once more
MISSING_AGAIN: Final = 2.0  # seconds until what is missing is looked at again
AT_ONCE: Final = 500  # due files looked at before hints are attended to again
BROKEN_AFTER: Final = 60.0
TAKERS_WITHIN: Final = 3.0  # seconds for the readings that are under way to end
FULL: Final = frozenset(os.strerror(number) for number in faults.FULL)  # in the words of an outcome
COMPANION_LOOK: Final = 1.0  # seconds between looks for a `done` file: where no events come, nothing else tells


class Reception:
    """Everything between the first sign of a file and its bytes in the spool; for the lookout's thread alone.

    `missed` is called where a file appeared and no event told of it, `woken` set where a reading has ended.
    """

    def __init__(
        self,
        intake: Intake,
        profile: Callable[[], DeviceProfile],
        ground: Ground,
        conditions: Conditions,
        clock: Clock,
        woken: threading.Event,
        missed: Callable[[], None],
        distance: Distance,
    ) -> None:
        assert intake.sidecars is not None
        self.camera = intake.camera
        self.settling = Settling()
        self.stopped: Callable[[], bool] = lambda: False
        self._root = intake.root
        self._intake = intake
        self._sidecars = intake.sidecars
        self._profile = profile
        self._journal: Journal = intake.journal
        self._ground = ground
        self._conditions = conditions
        self._clock = clock
        self._woken = woken
        self._missed = missed
        self._distance = distance
        self._hold = Hold(conditions)
        self._takers = Takers(self.camera)
        self._ledger = Ledger(f"ledger {self.camera}", self._journal.share)
        self._untold: set[str] = set()  # subjects of conditions whose files are followed no longer
        self._outcomes: queue.SimpleQueue[tuple[Pending, Outcome | Exception]] = queue.SimpleQueue()

    def close(self) -> None:
        """Begin no reading more, and wait a little for what is under way."""
        self._takers.close(TAKERS_WITHIN)
        self._ledger.wait(TAKERS_WITHIN)

    def forget(self) -> None:
        """Whatever was known in memory may be half true now: the journal and a scan tell it anew."""
        self._untold.update(pending.condition for pending in self.settling.all() if pending.condition is not None)
        self.settling = Settling()

    def held_back(self, pending: Pending) -> bool:
        """Whether a file waits for a cause that may stay."""
        return not pending.taking and (pending.blocked > 0 or self._hold.holds(pending, self._clock.monotonic()))

    def add(self, pending: Pending) -> None:
        """Wait for a file."""
        self.settling.add(pending, pending.life + (RACY_AFTER if pending.racy else first_look(self._profile())))

    def alive(self, pending: Pending, seen: Fingerprint) -> None:
        """It shows a sign of life, and looks like this."""
        if pending.taking:
            pending.touched = True  # its reading goes on with the look that it began with
        else:
            self.settling.alive(pending, self._clock.monotonic(), first_look(self._profile()), seen)

    def lose(self, folder: str, bases: list[str]) -> None:
        """Paths that are no longer there. Removals that are true are noted; a share that went away is no removal."""
        if not bases or not self._ground.firm():
            return
        forgotten = []
        with self._journal.transaction():
            for base in bases:
                pending = self.settling.get(folder, base)
                if pending is None:
                    forgotten.append(base)
                elif not pending.taking and not self._there(folder, base):  # what is being read tells it itself
                    self._let_go(pending)
                    self._journal.vanish(self.camera, folder, base, below(self._root, folder, base))
            self._journal.known.forget(self.camera, folder, forgotten)

    def _there(self, folder: str, base: str) -> bool:
        """Whether it is back: a scan tells at its end what was gone in its midst."""
        try:
            os.lstat(reachable(below(self._root, folder, base)))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # the next look tells what is wrong
        return True

    def look_at_due(self, profile: DeviceProfile) -> None:
        """Look at what is due, as far as one turn goes."""
        while self._untold:  # here, for where it was forgotten nothing could be written, perhaps
            self._conditions.clear("FILE_LOCKED", next(iter(self._untold)))
            self._untold.pop()
        now = self._clock.monotonic()
        due = []
        for pending in self.settling.due(now, AT_ONCE):
            if self._hold.holds(pending, now):
                self.settling.schedule(pending, self._hold.until)
            else:
                due.append(pending)
        answers = self._distance.looks([below(self._root, pending.folder, pending.base) for pending in due])
        for pending, answer in zip(due, answers, strict=False):
            self._look(profile, pending, now, answer)
        self._hold.look(self.settling.all())

    def _look(self, profile: DeviceProfile, pending: Pending, now: float, answer: Answer) -> None:
        if isinstance(answer, FileNotFoundError | NotADirectoryError):
            self.settling.schedule(pending, now + MISSING_AGAIN)
            self.lose(pending.folder, [pending.base])
            return
        if isinstance(answer, OSError):
            self._hinder(pending, os.strerror(answer.errno or 0))
            return
        seen = fingerprint(answer)
        if seen != pending.fingerprint:
            self.alive(pending, seen)
            return
        judged = verdict(pending, now, profile.settle, profile.give_up, self._is_done(profile, pending))
        if judged is Verdict.WAIT:
            self.settling.schedule(pending, self._next_look(profile, pending, now))
        elif not self._sidecars.ready(pending, now):
            self.settling.schedule(pending, now + COMPANION_LOOK)
        else:
            self._send(pending, force=judged is Verdict.GIVE_UP)

    def _next_look(self, profile: DeviceProfile, pending: Pending, now: float) -> float:
        look = next_look(pending, now, profile.settle, profile.give_up)
        return look if profile.done is None else min(look, now + COMPANION_LOOK)

    def _is_done(self, profile: DeviceProfile, pending: Pending) -> bool | None:
        companion = profile.done_name(pending.base)
        if companion is None:
            return None
        try:
            status = Path(reachable(below(self._root, pending.folder, companion))).stat()
        except OSError:
            return False  # the image waits for it, and no other image does
        # One that is older than the image may have been left behind by the last of that name.
        path = below(self._root, pending.folder, pending.base)
        return signed(status.st_mtime_ns) >= pending.fingerprint.mtime_ns or not any(
            image.digest for image in self._journal.at_path(path)
        )

    def _send(self, pending: Pending, force: bool) -> None:
        """Give it to a thread that reads; what was written last goes first, so that a backlog delays no one who sits there
        now: of what a first scan finds, each seems newer than an image of today that came in its midst."""
        pending.taking = True

        def told(outcome: Outcome | Exception) -> None:
            self._outcomes.put((pending, outcome))
            self._woken.set()

        def job() -> None:
            self._intake.take(pending, force, self.stopped, self._ledger, told)

        archive = self._profile().unpacks(pending.base)
        self._takers.put(pending.fingerprint.size, -pending.fingerprint.mtime_ns / 1e9, job, archive=archive)

    def take_in_outcomes(self) -> None:
        """Conclude the readings that have ended."""
        while True:
            try:
                pending, outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return
            pending.taking = False
            if self.settling.get(pending.folder, pending.base) is pending:
                self._conclude(pending, outcome)

    def _conclude(self, pending: Pending, outcome: Outcome | Exception) -> None:
        now = self._clock.monotonic()
        profile = self._profile()
        if pending.condition is not None and not isinstance(outcome, Locked | Unreadable):
            self._conditions.clear("FILE_LOCKED", pending.condition)
            pending.condition = None
        match outcome:
            case Taken():
                self._settled(pending, outcome)
            case Incomplete():
                pending.incomplete = True
                self.settling.schedule(pending, self._next_look(profile, pending, now))
            case Changed():
                self.settling.alive(pending, now, first_look(profile))
            case Gone():
                self.settling.schedule(pending, now + MISSING_AGAIN)
                self.lose(pending.folder, [pending.base])
            case Locked(detail):
                self._hinder(pending, detail)
            case Unreadable(number):
                self._hinder(pending, os.strerror(number))
            case SpoolFailed(detail):
                self._hold_back(pending, "DISK_FULL" if detail in FULL else "STATE_UNWRITABLE", detail)
            case SpoolFull():
                size = pending.fingerprint.size
                self._hold_back(pending, "SPOOL_FULL", self._intake.spool.budget.words(size), size)
            case Exception():
                self._break(pending, outcome)
            case Stopped():
                pass
            case _:  # refused, and in the journal
                self._let_go(pending)

    def _settled(self, pending: Pending, taken: Taken) -> None:
        self._hold.taken(pending.fingerprint.size)
        if pending.live and not pending.announced:
            self._missed()
        now = self._clock.monotonic()
        if pending.touched:
            # It was written to while it was read, or its last event came late: the next look tells.
            pending.touched = False
            self.settling.alive(pending, now, first_look(self._profile()))
        elif taken.racy and not pending.racy:
            pending.racy = True
            self.settling.schedule(pending, now + RACY_AFTER)
        else:
            self._let_go(pending)

    def _let_go(self, pending: Pending) -> None:
        self.settling.drop(pending)
        if pending.condition is not None:
            self._conditions.clear("FILE_LOCKED", pending.condition)

    def _hinder(self, pending: Pending, detail: str) -> None:
        """It can't be opened now: told by its image's number, tried again, and nothing else waits for it."""
        now = self._clock.monotonic()
        if pending.condition is None:
            path = below(self._root, pending.folder, pending.base)
            images = self._journal.at_path(path)
            pending.condition = str(images[-1].id) if images else self.camera
        self._conditions.raise_("FILE_LOCKED", pending.condition, detail)
        pending.life = now  # somebody holds it: that is a sign of life
        self.settling.schedule(pending, next_try(pending, now))
        pending.blocked += 1

    def _hold_back(self, pending: Pending, code: str, detail: str, least: int = 0) -> None:
        """The spool does not take it: it waits in its folder, and with it all that would only be refused again."""
        self._hold.begin(code, detail, self._clock.monotonic(), least)
        self.settling.schedule(pending, self._hold.until)

    def _break(self, pending: Pending, error: Exception) -> None:
        if is_full(error):
            self._hold_back(pending, "DISK_FULL", "the journal can't be written")
            return
        log.error("taking a file of %s failed: %s", self.camera, place(error))
        self._conditions.raise_("STAGE_FAILED", f"{self.camera} taking", type(error).__name__)
        pending.blocked += 1
        self.settling.schedule(pending, self._clock.monotonic() + BROKEN_AFTER)


def first_look(profile: DeviceProfile) -> float:
    """Seconds from a sign of life to the next look: a companion may come before the quiet time is over."""
    return profile.settle if profile.done is None else min(profile.settle, COMPANION_LOOK)
