"""What the page looks into and acts upon: the records through a connection of its own, so that no page ever holds a
lock that the agent waits for."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from irisdrop.desk import objections_of, open_desk, profile_of
from irisdrop.explain import prove
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.contradictions import Objection
from irisdrop.matching.suggestions import Suggestion
from irisdrop.outcome.quarantine import Quarantine
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.attempts import Attempts
from irisdrop.record.audit import Kind
from irisdrop.record.conditions import Conditions
from irisdrop.record.database import Database
from irisdrop.record.journal import PAUSED, Journal, StaleImage
from irisdrop.record.orders import Orders
from irisdrop.record.overview import Changes, Overview
from irisdrop.record.spool import Spool
from irisdrop.recovery import JOURNAL
from irisdrop.replay import Replay, Replayed
from irisdrop.suggest import suggested
from irisdrop.surface.exams import Exam, exams_of, eye_of
from irisdrop.surface.page.choice import Choice, StaleOrder
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.conditions import Condition, Severity
from irisdrop.vocabulary.faults import FaultyFile, Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

ON_THE_WAY: Final = (State.SEEN, State.SETTLED, State.IDENTIFIED, State.MATCHED, State.UPLOADED)
EDITED: Final = "the edited profile"
STANDS: Final = timedelta(seconds=10)  # until what follows from the time alone is seen: that a camera is silent
SILENT: Final = timedelta(minutes=45)  # no image although somebody is due: worth a look at the camera
MOST: Final = 20_000  # quarantined images that are looked at

Seen = list[tuple[int, int]]  # image and the version of it that the person saw


@dataclass(frozen=True, slots=True)
class Standing:
    """How all is, in one look: what the header of every page and the tray icon show."""

    face: str  # well, working, person, broken
    exams: int
    on_the_way: int
    conditions: tuple[Condition, ...]
    last_image: datetime | None
    synced: datetime | None
    paused_by: str
    silent: tuple[str, ...]


class Office:
    """The records of one state folder; safe for the threads of one process."""

    def __init__(
        self,
        configured: Callable[[], Config],
        clock: Clock,
        spool: Spool,
        profiles: Callable[[], Mapping[str, DeviceProfile]],
        wake: Callable[[], None] = lambda: None,
        sync: Callable[[], None] | None = None,
        agents: Database | None = None,
    ) -> None:
        """`agents`: the connection of an agent in this process, whose commits are told at once."""
        self._configured = configured
        config = configured()
        self.clock = clock
        self.spool = spool
        self.profiles = profiles
        self.wake = wake
        self.sync = sync
        self.journal = Journal.open(config.state / JOURNAL, clock)
        database = self.journal.database
        self.overview = Overview(database)
        self.orders = Orders(database, clock, config.worklist.stale)
        self.conditions = Conditions(database, clock, lambda: agents is not None and agents.refused)
        self._writers = (database,) if agents is None else (database, agents)
        self.attempts = Attempts(self.journal, clock)
        self._changes = Changes(config.state / JOURNAL, clock)
        self._lock = threading.Lock()
        self._replaying = threading.Lock()
        self._quarantine: tuple[int, list[Exam]] = (-1, [])
        self._standing: tuple[int, Config, datetime, Standing] | None = None

    def close(self) -> None:
        """Close our connections."""
        self.journal.close()
        self._changes.close()

    @property
    def config(self) -> Config:
        """The configuration as it is now: it may be edited while we run."""
        return self._configured()

    @property
    def desk(self) -> Quarantine:
        """Where a person's decisions are made."""
        return open_desk(
            self.config, self.journal, self.orders, self.spool, self.clock, lambda name: self.profiles().get(name)
        )

    # ------------------------------------------------------------------ looking

    def version(self) -> int:
        """Another number than before where anything changed."""
        return self._changes.version()

    def quarantine(self) -> list[Exam]:
        """What waits for a person, by exam, the newest first."""
        version = self.version()
        with self._lock:
            known, exams = self._quarantine
            if known != version:
                exams = exams_of(self.overview.newest_in(State.QUARANTINED, MOST), self.profiles())
                self._quarantine = (version, exams)
            return exams

    def listen(self, tell: Callable[[], object]) -> None:
        """Call `tell` after every commit of this process; those of others are seen by `version` alone."""
        for writer in self._writers:
            writer.listen(tell)

    def leave(self, tell: Callable[[], object]) -> None:
        """Call it no more."""
        for writer in self._writers:
            writer.leave(tell)

    def known_standing(self) -> Standing | None:
        """How all is where that was seen just now and nothing changed since, else None; waits for nothing."""
        known = self._standing
        if known is None:
            return None
        version, config, at, found = known
        fresh = timedelta(0) <= self.clock.now() - at < STANDS and config is self.config
        return found if fresh and version == self.version() else None

    def standing(self) -> Standing:
        """How all is, of which every page and the tray icon ask again and again."""
        if (known := self.known_standing()) is not None:
            return known
        version, config, at = self.version(), self.config, self.clock.now()
        found = self._look()
        self._standing = (version, config, at, found)
        return found

    def _look(self) -> Standing:
        counts = self.journal.counts()
        conditions = tuple(self.conditions.active())
        exams = len(self.quarantine()) if counts[State.QUARANTINED] else 0
        on_the_way = sum(counts[state] for state in ON_THE_WAY)
        face = "well"
        if any(condition.severity is Severity.ERROR for condition in conditions):
            face = "broken"
        elif exams:
            face = "person"
        elif on_the_way:
            face = "working"
        last = [self.overview.last_arrival(camera.name) for camera in self.config.cameras]
        return Standing(
            face,
            exams,
            on_the_way,
            conditions,
            max((at for at in last if at is not None), default=None),
            self.orders.synced(),
            self.journal.meta(PAUSED) or "",
            tuple(self._silent()),
        )

    def image(self, number: int) -> ImageFile | None:
        """An image by its number; None where there is none."""
        try:
            return self.journal.get(number)
        except (KeyError, OverflowError):
            return None

    def suggestions(self, image: ImageFile) -> list[Suggestion]:
        """Who an image may belong to."""
        return suggested(image, self.orders, self.config)

    def objections(self, image: ImageFile, entry: WorklistEntry, eye: str | None = None) -> list[Objection]:
        """What an image says against an order, for the eye that a person named or else the one it says."""
        said = eye or eye_of(image)
        shown = "U" if said == "?" else said
        profile = profile_of(image.camera, self.profiles().get, self.journal)
        mismatched = self.journal.mismatched(image.id)
        return objections_of(image, entry, shown, profile, self.config, mismatched=mismatched)

    def today(self) -> datetime:
        """When today began, where the cameras stand."""
        local = self.clock.now().astimezone(self.config.site.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0)

    def room(self) -> tuple[int, int]:
        """Free and all bytes of the disk that holds journal and spool."""
        usage = shutil.disk_usage(self.config.state)
        return usage.free, usage.total

    def _silent(self) -> list[str]:
        """Cameras from which nothing came for long although patients were due meanwhile."""
        now = self.clock.now()
        due = self.orders.between(now - SILENT, now, limit=50)
        waiting = {entry.id for entry in due} - set(self.overview.on_orders([entry.id for entry in due]))
        if not waiting:
            return []
        found = []
        for camera in self.config.cameras:
            last = self.overview.last_arrival(camera.name)
            if last is not None and self.today() <= last < now - SILENT:
                found.append(camera.name)
        return found

    # ------------------------------------------------------------------ acting

    def assign(
        self, seen: Seen, choice: Choice, eyes: Mapping[int, str], by: str, despite: frozenset[Code]
    ) -> list[ImageFile]:
        """Give every seen image to the order as it was shown, all of them or none; raises StaleImage, StaleOrder, Foreseen."""
        with self.journal.transaction():
            self.check(seen)
            self.check_order(choice)
            done = [
                self.desk.assign(number, choice.entry, by=by, eye=eyes.get(number) or None, despite=sorted(despite))
                for number, _ in seen
            ]
        self.wake()
        return done

    def release(self, seen: Seen, by: str) -> list[ImageFile]:
        """Let irisdrop read and decide every seen image again, all of them or none."""
        with self.journal.transaction():
            self.check(seen)
            done = [self.desk.release(number, by=by) for number, _ in seen]
        self.wake()
        return done

    def discard(self, seen: Seen, by: str, why: str) -> list[ImageFile]:
        """Never deliver the seen images, all of them or none."""
        with self.journal.transaction():
            self.check(seen)
            return [self.desk.discard(number, by=by, why=why) for number, _ in seen]

    def undo(self, seen: Seen, by: str) -> list[ImageFile]:
        """Take the last act on the seen images back, all of them or none."""
        with self.journal.transaction():
            self.check(seen)
            return [self.desk.undo(number, by=by) for number, _ in seen]

    def recall(self, seen: Seen, by: str, why: str) -> list[ImageFile]:
        """Take delivered images back."""
        with self.journal.transaction():
            self.check(seen)
            return [self.desk.recall(number, by=by, why=why) for number, _ in seen]

    def pause(self, by: str) -> None:
        """Send nothing until somebody resumes; images are still taken."""
        with self.journal.transaction():
            self.journal.set_meta(PAUSED, by)
            self.conditions.raise_("PAUSED", "delivery")
            self._audit(by, "delivery paused")

    def resume(self, by: str) -> None:
        """Send again."""
        with self.journal.transaction():
            self.journal.set_meta(PAUSED, "")
            self.conditions.clear("PAUSED", "delivery")
            self._audit(by, "delivery resumed")
        self.wake()

    def entered(self, by: str) -> None:
        """Note who opened the page."""
        self._audit(by, "the local page was opened")

    def looked_at(self, number: int, by: str) -> None:
        """Note who opened an image; raises KeyError where there is none."""
        image = self.journal.get(number)
        self.journal.audit.write(
            Kind.ACCESS, "R", by, image=image.id, digest=image.digest, entry=image.entry, detail="page"
        )

    def _audit(self, by: str, detail: str) -> None:
        self.journal.audit.write(Kind.APPLICATION, "E", by, detail=detail)

    # ------------------------------------------------------------------ trying

    def replay(self, camera: str, text: str) -> Replayed:
        """Which past decisions an edited profile would change; nothing is written. Raises FaultyFile, Foreseen."""
        profile = parse_profile(text, EDITED)
        faults = tuple(prove(profile))
        if faults:
            raise FaultyFile(faults)
        if not self._replaying.acquire(blocking=False):
            raise Foreseen("REPLAYING", "Another edited profile is being tried just now.", "a moment later.")
        try:
            with Parsers() as parsers:
                return Replay(profile, self.config, self.journal, self.orders, self.spool, parsers).run([camera])
        finally:
            self._replaying.release()

    def check(self, seen: Seen) -> None:
        """A page that shows what is no more can't act; raises StaleImage."""
        for number, version in seen:
            try:
                now = self.journal.get(number)
            except KeyError:
                raise StaleImage(f"there is no image {number}") from None
            if now.version != version:
                raise StaleImage(f"image {number} changed since it was looked at")

    def check_order(self, choice: Choice) -> None:
        """An order can't be chosen that was shown as something else; raises StaleOrder."""
        entry = self.orders.get(choice.entry)
        if entry is None or Choice.of(entry) != choice:
            raise StaleOrder
