"""One camera's folder, from the first sign of a file until its bytes are ours."""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from irisdrop.arrival.distance import Distance
from irisdrop.arrival.firststart import FirstStart
from irisdrop.arrival.ground import Ground, Presence
from irisdrop.arrival.intake import Intake
from irisdrop.arrival.mode import Way
from irisdrop.arrival.reception import Reception
from irisdrop.arrival.scan import Batch, Found, News, Scan, below, differs, within
from irisdrop.arrival.settling import Pending
from irisdrop.arrival.sidecars import Sidecars
from irisdrop.arrival.supervision import Supervision
from irisdrop.arrival.system import fingerprint, reachable
from irisdrop.profiles.config import CameraSettings
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import JOURNAL, Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.known import SIFT, Fingerprint, Standing
from irisdrop.record.spool import Spool
from irisdrop.record.text import packed
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import place

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 2.0  # seconds until a folder that is missing, or not yet known to be watched, is looked at again
LONGEST_REST: Final = 5.0  # and until a watcher that died, or a folder that went away without an event, is noticed
STARTED_OVER: Final = 5.0  # seconds from a failure of the watching to the next scan
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
        self._first = FirstStart(camera, journal, clock)
        self._distance = Distance(camera.name, self._root)
        self._ground = Ground(camera.name, self._root, journal, conditions, self._distance)
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
        self._reception = Reception(
            self._intake,
            profile,
            self._ground,
            conditions,
            clock,
            self._woken,
            self._supervision.missed,
            self._distance,
        )
        self._tend_at = 0.0
        self._scan_at = 0.0
        self._unseen: frozenset[str] = frozenset()  # folders of which the last scan did not see all
        self._watched = False  # one whole scan is done and nothing interrupted the watching since
        self._interrupted = False  # it was, while a scan was under way
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
        return len(self._reception.settling)

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
            self._distance.close()
            self._reception.close()

    def once(self) -> None:
        """Scan, then wait until all that is there is settled, given up, or held back by a cause that stays."""
        self._begin(threading.Event())
        try:
            self._turn()
            while self._present and any(
                not self._reception.held_back(pending) for pending in self._reception.settling.all()
            ):
                self._clock.wait(self._woken, self._seconds_to_wait())
                self._woken.clear()
                self._turn()
        finally:
            self._supervision.close()
            self._distance.close()
            self._reception.close()

    # ------------------------------------------------------------------ turns

    def _begin(self, stop: threading.Event) -> None:
        self._stop = stop
        self._reception.stopped = self._distance.stopped = stop.is_set
        self._scan_at = 0.0
        try:
            self._clear_locked()
        except Exception as error:  # noqa: BLE001 - a thread that ends here would never watch
            log.error("beginning to watch %s failed: %s", self.camera.name, place(error))
            self._conditions.note_failure(self.camera.name, error)

    def _clear_locked(self) -> None:
        for subject in self._conditions.subjects("FILE_LOCKED"):
            if self.camera.name in (subject, self._camera_of(int(subject)) if subject.isdigit() else None):
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
            log.error("watching %s failed: %s", self.camera.name, place(error))
            self._start_over(error)

    def _start_over(self, error: Exception) -> None:
        self._reception.forget()
        self._watched = False
        self._scan_at = self._clock.monotonic() + STARTED_OVER
        self._conditions.note_failure(self.camera.name, error)

    def _turn(self) -> None:
        self._reception.take_in_outcomes()
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
        self._reception.look_at_due(profile)
        if profile.companions_of("x.x") and self._clock.monotonic() >= self._tend_at:
            self._tend_at = self._clock.monotonic() + LONGEST_WAIT
            self._sidecars.tend()

    def _note_gap(self) -> None:
        """What appeared while the machine slept did not appear while we watched."""
        now = self._clock.now()
        if self._attended is not None and (now - self._attended).total_seconds() > GAP:
            self._watched = False
            self._interrupted = True
            self._scan_at = 0.0
        self._attended = now

    def _seconds_to_wait(self) -> float:
        now = self._clock.monotonic()
        nearest = min(self._scan_at, self._reception.settling.next() or self._scan_at)
        rest = LONGEST_REST if self._supervision.mode.way is Way.EVENTS else LONGEST_WAIT
        if self._profile().companions_of("x.x"):
            rest = min(rest, LONGEST_WAIT)
        return max(0.0, min(nearest - now, rest))

    # ------------------------------------------------------------------ hints

    def _attend(self, profile: DeviceProfile) -> None:
        """Look where events point to."""
        self._note_gap()  # within a scan too: one of a share may take most of the time
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
            for pending in self._reception.settling.in_folder(folder):
                self._reception.settling.schedule(pending, self._clock.monotonic())
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
        self._reception.lose(folder, gone)
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
        scan = Scan(self._root, self.camera.name, self._journal.known, profile.takes, self._distance)
        self._catching_up, catching_up = False, self._catching_up
        self._interrupted = False
        lost: list[Batch] = []
        for batch in scan.walk():
            if batch.gone:
                lost.append(batch)
            self._take_up(batch.found, expected=catching_up)
            if self._stop.is_set():
                return
            self._reception.take_in_outcomes()
            self._attend(profile)
            self._reception.look_at_due(profile)
        if not self._ground.judge(scan):
            self._watched = False
            return
        for batch in (*lost, *scan.lost_folders()):
            self._reception.lose(batch.folder, batch.gone)
        self._follow_unsettled()
        self._first.end(self._conditions)
        self._watched, self._unseen = not self._interrupted, frozenset({*scan.unreadable, *scan.hidden})
        self.scans += 1

    def _scan_below(self, profile: DeviceProfile, folder: str) -> None:
        """A folder that has just appeared: what was put into it before it was watched."""
        scan = Scan(self._root, self.camera.name, self._journal.known, profile.takes, self._distance)
        for batch in scan.walk(folder):
            self._take_up(batch.found, announced=True)

    def _follow_unsettled(self) -> None:
        """Images that wait in the journal and in nobody's memory: released by a person, or their path is gone."""
        for path in self._journal.unsettled(self.camera.name):
            folder, base = self._parts(path)
            if not base or self._reception.settling.get(folder, base) is not None:
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
            known = self._reception.settling.get(item.folder, item.base)
            if known is not None:
                known.announced = known.announced or announced
                if announced or known.fingerprint != item.fingerprint:
                    self._reception.alive(known, item.fingerprint)
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
        for p in pending:
            self._reception.add(p)

    def _pending(self, item: Found, announced: bool) -> Pending:
        now = self._clock.monotonic()
        return Pending(
            folder=item.folder,
            base=item.base,
            fingerprint=item.fingerprint,
            arrived=self._clock.now(),
            # What a person adopts was there before.
            live=self._watched and item.news in (News.NEW, News.CHANGED) and not within(item.folder, self._unseen),
            seen=now,
            life=now,
            racy=item.news is News.RACY,
            # Only a new file is sure to have an event.
            announced=announced or item.news is not News.NEW,
        )
