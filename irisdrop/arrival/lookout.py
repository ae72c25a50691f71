"""One camera's folder, from the first sign of a file until its bytes are ours."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from irisdrop.arrival.firststart import FirstStart
from irisdrop.arrival.ground import Ground, Presence
from irisdrop.arrival.hold import Hold
from irisdrop.arrival.intake import Intake
from irisdrop.arrival.mode import Way
from irisdrop.arrival.scan import Batch, Found, News, Scan, below, differs
from irisdrop.arrival.settling import Pending, Settling, Verdict, next_look, next_try, verdict
from irisdrop.arrival.sidecars import Sidecars
from irisdrop.arrival.supervision import Supervision
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
from irisdrop.profiles.config import CameraSettings
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import JOURNAL, Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.known import SIFT, Fingerprint, Standing
from irisdrop.record.spool import Spool
from irisdrop.record.text import packed
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import is_full

log = logging.getLogger(__name__)

RACY_AFTER: Final = 2.0
LONGEST_WAIT: Final = 2.0  # seconds until what is missing, or not yet known to be watched, is looked at again
LONGEST_REST: Final = 5.0  # and until a watcher that died, or a folder that went away without an event, is noticed
STARTED_OVER: Final = 5.0  # seconds from a failure of the watching to the next scan
AT_ONCE: Final = 500  # due files looked at before hints are attended to again
BROKEN_AFTER: Final = 60.0
TAKERS_WITHIN: Final = 3.0  # seconds for the readings that are under way to end
COMPANION_LOOK: Final = 1.0  # seconds between looks for a `done` file: where no events come, nothing else tells
GAP: Final = 60.0  # seconds without a look: the machine slept, or its clock was set


class Lookout:
    """Watches one camera: `run` on a thread of its own, or `once`.

    Everything that it remembers in memory can be lost at any moment: the journal has the rest, and a scan finds what
    is in neither.
    """

    def __init__(
        self,
        camera: CameraSettings,
        profile: Callable[[], DeviceProfile],
        journal: Journal,
        spool: Spool,
        conditions: Conditions,
        clock: Clock,
        largest: int,
        on_settled: Callable[[], None],
    ) -> None:
        self.camera = camera
        self._profile = profile
        self._journal = journal
        self._conditions = conditions
        self._clock = clock
        self._root = os.path.abspath(camera.folder)  # noqa: PTH100 - a link on the way stays as it is written
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._settling = Settling()
        self._outcomes: queue.SimpleQueue[tuple[Pending, Outcome | Exception]] = queue.SimpleQueue()
        self._takers = Takers(camera.name)
        self._first = FirstStart(camera, journal, clock)
        self._ground = Ground(camera.name, self._root, journal, conditions)
        self._supervision = Supervision(camera, self._root, conditions, clock, self._woken.set)
        self._sidecars = Sidecars(camera.name, self._root, journal, spool, clock, profile, on_settled)
        self._intake = Intake(
            camera.name,
            self._root,
            journal,
            spool,
            clock,
            largest,
            on_settled,
            self._first.asks_first,
            profile,
            self._sidecars,
        )
        self._tend_at = 0.0
        self._scan_at = 0.0
        self._hold = Hold(conditions)
        self._watched = False  # one whole scan is done and nothing interrupted the watching since
        self._catching_up = False  # the scan looks for what happened while no event could come
        self._present = True
        self.scans = 0  # whole ones
        self._attended: datetime | None = None

    # ------------------------------------------------------------------ for the agent

    def wake(self) -> None:
        """Look now; also to be called when `stop` was set."""
        self._woken.set()

    def rescan(self) -> None:
        """Scan at once (something was adopted, released, or configured)."""
        self._scan_at = 0.0
        self._woken.set()

    @property
    def watching(self) -> bool:
        """Whether a whole scan is done and nothing interrupted the watching since: what is new now, appears now."""
        return self._watched

    @property
    def pending(self) -> int:
        """How many files are being waited for."""
        return len(self._settling)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set and `wake` called; what fails is told and tried again."""
        self._begin(stop)
        try:
            while not stop.is_set():
                self._woken.clear()
                self._guarded_turn()
                self._clock.wait(self._woken, self._seconds_to_wait())
        finally:
            self._supervision.close()
            self._takers.close(TAKERS_WITHIN)

    def once(self) -> None:
        """Scan, then wait until all that is there is settled, given up, or held back by a cause that stays."""
        self._begin(threading.Event())
        try:
            self._turn()
            while self._present and any(not self._held_back(pending) for pending in self._settling.all()):
                self._clock.wait(self._woken, self._seconds_to_wait())
                self._woken.clear()
                self._turn()
        finally:
            self._supervision.close()
            self._takers.close(TAKERS_WITHIN)

    # ------------------------------------------------------------------ turns

    def _begin(self, stop: threading.Event) -> None:
        self._stop = stop
        self._scan_at = 0.0
        for subject in self._conditions.subjects("FILE_LOCKED"):
            if subject.isdigit() and self._camera_of(int(subject)) == self.camera.name:
                self._conditions.clear("FILE_LOCKED", subject)

    def _camera_of(self, number: int) -> str | None:
        try:
            return self._journal.get(number).camera
        except KeyError:
            return None

    def _guarded_turn(self) -> None:
        try:
            self._turn()
            self._conditions.clear("STAGE_FAILED", self.camera.name)
            self._conditions.clear("DISK_FULL", JOURNAL)
        except Exception as error:  # noqa: BLE001 - told as a Condition, and everything is looked at again
            # Whatever was known in memory may be half true now: the journal and a scan tell it anew.
            log.error("watching %s failed: %s", self.camera.name, _place(error))
            self._start_over(error)

    def _start_over(self, error: Exception) -> None:
        self._settling = Settling()
        self._watched = False
        self._scan_at = self._clock.monotonic() + STARTED_OVER
        self._conditions.note_failure(self.camera.name, error)

    def _turn(self) -> None:
        self._take_in_outcomes()
        self._note_gap()
        self._present = self._ground.look() is Presence.THERE
        if not self._present:
            self._supervision.rest()
            self._watched = False
            self._scan_at = self._clock.monotonic() + LONGEST_WAIT
            return
        profile = self._profile()
        if self._supervision.tend(profile.takes, self._ground.identity):
            self._scan_at, self._catching_up = 0.0, True
        self._attend(profile)
        if self._clock.monotonic() >= self._scan_at or self._catching_up:
            self._scan(profile)
        self._look_at_due(profile)
        self._hold.look(self._settling.all())
        if profile.sidecar_wait and self._clock.monotonic() >= self._tend_at:
            self._tend_at = self._clock.monotonic() + LONGEST_WAIT
            self._sidecars.tend()

    def _note_gap(self) -> None:
        """What appeared while the machine slept did not appear while we watched."""
        now = self._clock.now()
        if self._attended is not None and (now - self._attended).total_seconds() > GAP:
            self._watched = False
            self._scan_at = 0.0
        self._attended = now

    def _seconds_to_wait(self) -> float:
        now = self._clock.monotonic()
        nearest = min(self._scan_at, self._settling.next() or self._scan_at)
        rest = LONGEST_REST if self._supervision.mode.way is Way.EVENTS else LONGEST_WAIT
        if self._profile().sidecar_wait:
            rest = min(rest, LONGEST_WAIT)
        return max(0.0, min(nearest - now, rest))

    def _held_back(self, pending: Pending) -> bool:
        return not pending.taking and (pending.blocked > 0 or self._hold.holds(pending, self._clock.monotonic()))

    # ------------------------------------------------------------------ hints

    def _attend(self, profile: DeviceProfile) -> None:
        """Look where events point to."""
        self._attended = self._clock.now()
        hints = self._supervision.drain()
        if hints.lost:
            self._catching_up = True
        folders: defaultdict[str, list[str]] = defaultdict(list)
        companions: set[str] = set()
        for path in hints.files:
            folder, base = self._parts(path)
            if base and profile.takes(base):
                folders[folder].append(base)
            elif base and profile.done is not None:
                companions.add(folder)
        for folder, bases in folders.items():
            for begin in range(0, len(bases), SIFT):
                self._attend_to(folder, bases[begin : begin + SIFT])
        for folder in companions:
            for pending in self._settling.in_folder(folder):
                self._settling.schedule(pending, self._clock.monotonic())
        for path in hints.folders:
            if path.startswith(self._root + os.sep):
                self._scan_below(profile, path[len(self._root) + 1 :])

    def _attend_to(self, folder: str, bases: list[str]) -> None:
        known = self._journal.known.of(self.camera.name, folder).sift(bases)
        found, gone = [], []
        for base in bases:
            try:
                status = os.lstat(reachable(below(self._root, folder, base)))
            except (FileNotFoundError, NotADirectoryError):
                gone.append(base)
                continue
            except OSError:
                continue  # the next scan tells what is wrong
            remembered = known.get(packed(base))
            news = differs(status, remembered)
            # Somebody opened it for writing just now, so it is not left alone any longer, however old it is. That
            # it appeared just now is not said by that.
            if remembered is not None and remembered[4] == Standing.LEFT_ALONE:
                news = News.ADOPTED
            if news is not None:
                found.append(Found(folder, base, news, fingerprint(status)))
        self._lose(folder, gone)
        self._take_up(found, announced=True)

    def _parts(self, path: str) -> tuple[str, str]:
        """Folder below the camera's, and base name; empty for the root itself and what lies outside."""
        if not path.startswith(self._root + os.sep):
            return "", ""
        folder, _, base = path[len(self._root) + 1 :].rpartition(os.sep)
        return folder, base

    # ------------------------------------------------------------------ scans

    def _scan(self, profile: DeviceProfile) -> None:
        """Everything below the folder, compared with what is known; files that are ready meanwhile do not wait."""
        self._scan_at = self._clock.monotonic() + self._supervision.mode.rescan(self.camera.rescan)
        self._first.begin()
        scan = Scan(self._root, self.camera.name, self._journal.known, profile.takes)
        self._catching_up, catching_up = False, self._catching_up
        lost: list[Batch] = []
        for batch in scan.walk():
            if batch.gone:
                lost.append(batch)
            self._take_up(batch.found, expected=catching_up)
            if self._stop.is_set():
                return
            self._take_in_outcomes()
            self._attend(profile)
            self._look_at_due(profile)
        if not self._ground.judge(scan):
            self._watched = False
            return
        for batch in (*lost, *scan.lost_folders()):
            self._lose(batch.folder, batch.gone)
        self._follow_unsettled()
        self._first.end(self._conditions)
        self._watched = not scan.unreadable
        self.scans += 1

    def _scan_below(self, profile: DeviceProfile, folder: str) -> None:
        """A folder that has just appeared: what was put into it before it was watched."""
        scan = Scan(self._root, self.camera.name, self._journal.known, profile.takes)
        for batch in scan.walk(folder):
            self._take_up(batch.found, announced=True)

    def _follow_unsettled(self) -> None:
        """Images that wait in the journal and in nobody's memory: released by a person, or their path is gone."""
        for path in self._journal.unsettled(self.camera.name):
            folder, base = self._parts(path)
            if not base or self._settling.get(folder, base) is not None:
                continue
            try:
                seen = fingerprint(os.lstat(reachable(path)))
            except (FileNotFoundError, NotADirectoryError):
                self._journal.vanish(self.camera.name, folder, base, path)
                continue
            except OSError:
                continue
            self._follow([Found(folder, base, News.PENDING, seen)], announced=True)

    # ------------------------------------------------------------------ what was found

    def _take_up(self, found: Iterable[Found], *, announced: bool = False, expected: bool = False) -> None:
        """Note in the journal and follow whatever is new; one commit for all of it.

        `announced` by an event; `expected` where no event could come.
        """
        fresh: list[Found] = []
        old: defaultdict[str, list[tuple[str, Fingerprint, Standing]]] = defaultdict(list)
        for item in found:
            known = self._settling.get(item.folder, item.base)
            if known is not None:
                known.announced = known.announced or announced
                if announced or known.fingerprint != item.fingerprint:
                    self._alive(known, item.fingerprint)
            elif item.news is News.NOT_PLAIN:
                self._intake.refuse(self._pending(item, announced))
            elif self._is_old(item, announced):
                old[item.folder].append((item.base, item.fingerprint, Standing.LEFT_ALONE))
            else:
                fresh.append(item)
        for folder, files in old.items():
            self._journal.known.note(self.camera.name, folder, files)
        self._follow(fresh, announced or expected)

    def _is_old(self, item: Found, announced: bool) -> bool:
        if announced or item.news not in (News.NEW, News.AGED):
            return False
        return (item.news is News.AGED or self._first.begun) and self._first.is_old(item.fingerprint)

    def _follow(self, found: list[Found], announced: bool) -> None:
        pending = [self._pending(item, announced) for item in found]
        noted = [p for p, item in zip(pending, found, strict=True) if item.news not in (News.PENDING, News.RACY)]
        for live in (True, False):
            arrivals = [self._intake.arrival(p) for p in noted if p.live is live]
            if arrivals:
                self._journal.see(arrivals, live=live)
        quiet = _first_look(self._profile())
        for p in pending:
            self._settling.add(p, p.life + (RACY_AFTER if p.racy else quiet))

    def _pending(self, item: Found, announced: bool) -> Pending:
        now = self._clock.monotonic()
        return Pending(
            folder=item.folder,
            base=item.base,
            fingerprint=item.fingerprint,
            arrived=self._clock.now(),
            # What a person adopts was there before.
            live=self._watched and item.news in (News.NEW, News.CHANGED),
            seen=now,
            life=now,
            racy=item.news is News.RACY,
            # Only a new file is sure to have an event.
            announced=announced or item.news is not News.NEW,
        )

    def _alive(self, pending: Pending, seen: Fingerprint) -> None:
        if pending.taking:
            pending.touched = True  # its reading goes on with the look that it began with
        else:
            self._settling.alive(pending, self._clock.monotonic(), _first_look(self._profile()), seen)

    def _lose(self, folder: str, bases: list[str]) -> None:
        """Paths that are no longer there. Removals that are true are noted; a share that went away is no removal."""
        if not bases or not self._ground.firm():
            return
        forgotten = []
        with self._journal.transaction():
            for base in bases:
                pending = self._settling.get(folder, base)
                if pending is None:
                    forgotten.append(base)
                elif not pending.taking:  # what is being read tells it itself
                    self._let_go(pending)
                    self._journal.vanish(self.camera.name, folder, base, below(self._root, folder, base))
            self._journal.known.forget(self.camera.name, folder, forgotten)

    # ------------------------------------------------------------------ looks and takes

    def _look_at_due(self, profile: DeviceProfile) -> None:
        now = self._clock.monotonic()
        for pending in self._settling.due(now, AT_ONCE):
            if self._hold.holds(pending, now):
                self._settling.schedule(pending, self._hold.until)
            else:
                self._look(profile, pending, now)

    def _look(self, profile: DeviceProfile, pending: Pending, now: float) -> None:
        try:
            seen = fingerprint(os.lstat(reachable(below(self._root, pending.folder, pending.base))))
        except (FileNotFoundError, NotADirectoryError):
            self._settling.schedule(pending, now + LONGEST_WAIT)
            self._lose(pending.folder, [pending.base])
            return
        except OSError as error:
            self._hinder(pending, os.strerror(error.errno or 0))
            return
        if seen != pending.fingerprint:
            self._alive(pending, seen)
            return
        judged = verdict(pending, now, profile.settle, profile.give_up, self._is_done(profile, pending))
        if judged is Verdict.WAIT:
            self._settling.schedule(pending, self._next_look(profile, pending, now))
        elif not self._sidecars.ready(pending, now):
            self._settling.schedule(pending, now + COMPANION_LOOK)
        else:
            self._send(pending, force=judged is Verdict.GIVE_UP)

    def _next_look(self, profile: DeviceProfile, pending: Pending, now: float) -> float:
        look = next_look(pending, now, profile.settle, profile.give_up)
        return look if profile.done is None else min(look, now + COMPANION_LOOK)

    def _is_done(self, profile: DeviceProfile, pending: Pending) -> bool | None:
        companion = profile.done_name(pending.base)
        if companion is None:
            return None
        return Path(reachable(below(self._root, pending.folder, companion))).exists()

    def _send(self, pending: Pending, force: bool) -> None:
        """Give it to a thread that reads; newest first, so that a backlog delays no one who sits there now."""
        pending.taking = True

        def job() -> None:
            try:
                outcome: Outcome | Exception = self._intake.take(pending, force, self._stop.is_set)
            except Exception as error:  # noqa: BLE001 - goes to the lookout's thread, which tells it
                outcome = error
            self._outcomes.put((pending, outcome))
            self._woken.set()

        archive = self._profile().unpacks(pending.base)
        self._takers.put(pending.fingerprint.size, -pending.seen, job, archive=archive)

    def _take_in_outcomes(self) -> None:
        while True:
            try:
                pending, outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return
            pending.taking = False
            if self._settling.get(pending.folder, pending.base) is pending:
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
                self._settling.schedule(pending, self._next_look(profile, pending, now))
            case Changed():
                self._settling.alive(pending, now, _first_look(profile))
            case Gone():
                self._settling.schedule(pending, now + LONGEST_WAIT)
                self._lose(pending.folder, [pending.base])
            case Locked(detail):
                self._hinder(pending, detail)
            case Unreadable(number):
                self._hinder(pending, os.strerror(number))
            case SpoolFailed(detail):
                self._hold_back(pending, "DISK_FULL", detail)
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
            self._supervision.missed()
        now = self._clock.monotonic()
        if pending.touched:
            # It was written to while it was read, or its last event came late: the next look tells.
            pending.touched = False
            self._settling.alive(pending, now, _first_look(self._profile()))
        elif taken.racy and not pending.racy:
            pending.racy = True
            self._settling.schedule(pending, now + RACY_AFTER)
        else:
            self._let_go(pending)

    def _let_go(self, pending: Pending) -> None:
        self._settling.drop(pending)
        if pending.condition is not None:
            self._conditions.clear("FILE_LOCKED", pending.condition)

    def _hinder(self, pending: Pending, detail: str) -> None:
        """It can't be opened now: told by its image's number, tried again, and nothing else waits for it."""
        now = self._clock.monotonic()
        if pending.condition is None:
            path = below(self._root, pending.folder, pending.base)
            images = self._journal.at_path(path)
            pending.condition = str(images[-1].id) if images else self.camera.name
        self._conditions.raise_("FILE_LOCKED", pending.condition, detail)
        pending.life = now  # somebody holds it: that is a sign of life
        self._settling.schedule(pending, next_try(pending, now))
        pending.blocked += 1

    def _hold_back(self, pending: Pending, code: str, detail: str, least: int = 0) -> None:
        """The spool does not take it: it waits in its folder, and with it all that would only be refused again."""
        self._hold.begin(code, detail, self._clock.monotonic(), least)
        self._settling.schedule(pending, self._hold.until)

    def _break(self, pending: Pending, error: Exception) -> None:
        if is_full(error):
            self._hold_back(pending, "DISK_FULL", "the journal can't be written")
            return
        log.error("taking a file of %s failed: %s", self.camera.name, _place(error))
        self._conditions.raise_("STAGE_FAILED", f"{self.camera.name} taking", type(error).__name__)
        pending.blocked += 1
        self._settling.schedule(pending, self._clock.monotonic() + BROKEN_AFTER)


def _first_look(profile: DeviceProfile) -> float:
    """Seconds from a sign of life to the next look: a companion may come before the quiet time is over."""
    return profile.settle if profile.done is None else min(profile.settle, COMPANION_LOOK)


def _place(error: Exception) -> str:
    """What failed and where, without the message: it may name a file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "?"
    return f"{type(error).__name__} at {where}"
