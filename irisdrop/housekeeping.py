"""What is done once a minute: the spool's old files, delivered sources, and the conditions that only counting finds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from irisdrop.alarms import Alarms
from irisdrop.clearance import Clearance
from irisdrop.matching.drift import WORTH_TELLING, drift, passages, setting
from irisdrop.matching.series import CALLED_BACK, EXAM_OVER, WITH_ORDER, TooFew, flickers, one_eyed, too_few
from irisdrop.platforms import silent
from irisdrop.profiles.config import CameraSettings, Config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import Conditions
from irisdrop.record.copies import Copies
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.overview import Overview
from irisdrop.record.retention import Retention
from irisdrop.record.spool import Spool
from irisdrop.record.text import moment
from irisdrop.restoration import Restoration
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import ENDED, State

NONE: Final[Mapping[str, DeviceProfile]] = MappingProxyType({})
NEWEST: Final = 1000  # images of a camera, for what is seen within minutes: how late they come, a number that flickers
PATIENCE: Final = 30.0  # seconds for what looks into a camera's folder, until the rest goes on without it
LONGEST_LOOK: Final = timedelta(hours=1)  # between looks where nothing is new, and at a spool of which nothing may go
EYES: Final = {"R": "the right eye", "L": "the left eye"}


class Housekeeping:
    """Looks after what nobody waits for."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        spool: Spool,
        conditions: Conditions,
        clock: Clock,
        profiles: Mapping[str, DeviceProfile] = NONE,
    ) -> None:
        self._config = config
        self._profiles = profiles
        self._journal = journal
        self._orders = Orders(journal.database, clock, config.worklist.stale)
        self._spool = spool
        self._copies = Copies(journal.database)
        self._retention = Retention(journal.database)
        self._restoration = Restoration(journal, spool, conditions, clock)
        self._clearance = Clearance(journal, clock, profiles)
        self._alarms = Alarms(journal, conditions, clock, timedelta(seconds=config.late))
        self._conditions = conditions
        self._clock = clock
        self._looked = self._nothing_before = self._counted = self._count_again = datetime.min.replace(tzinfo=UTC)
        self._counted_of = -1
        self._aside_now: dict[str, threading.Thread] = {}
        self.woken = threading.Event()  # set where an image waits because the spool has no room
        spool.budget.on_short = self.woken.set

    def turn(self) -> None:
        """Everything once."""
        self._count()
        self.tell_rebuilt()
        self._alarms.turn()
        self._aside("restoration", self._restoration.turn)
        self.clear_spool()
        self._retention.forget(self._clock.now() - timedelta(seconds=self._config.journal.keep))
        for camera in self._config.cameras:
            if not camera.after.leave:
                self._aside(f"clearance {camera.name}", partial(self._clearance.clear, camera))

    def _aside(self, name: str, act: Callable[[], None]) -> None:
        """Do what looks into a camera's folder, which may be a share that hangs: then the rest is done without it, and it is
        not begun once more."""
        running = self._aside_now.get(name)
        if running is not None and running.is_alive():
            return
        failed: list[Exception] = []

        def work() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                failed.append(error)

        thread = self._aside_now[name] = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if failed:
            raise failed[0]

    def _count(self) -> None:
        """What only counting finds: a day's images are thousands, so not again where nothing was committed and no exam
        has come to its end."""
        version, now = self._journal.database.version(), self._clock.now()
        if version == self._counted_of and self._counted <= now < self._count_again:
            return
        self.tell_counts()
        self.tell_clocks()
        self.tell_series()
        over = max((timedelta(seconds=one.exam.over) for one in self._profiles.values()), default=EXAM_OVER)
        going_on = Overview(self._journal.database).arrived_since(now - over, 1)
        self._counted_of, self._counted = version, now
        self._count_again = now if going_on else now + LONGEST_LOOK

    def tell_counts(self) -> None:
        """The conditions that follow from the journal's counts."""
        by_camera = self._journal.counts_by_camera()
        waiting = sum(counts.get(State.QUARANTINED, 0) for counts in by_camera.values())
        self._tell("QUARANTINE_WAITING", "quarantine", f"{waiting} images" if waiting else "")
        configured = {camera.name for camera in self._config.cameras}
        for camera, counts in by_camera.items():
            on_the_way = sum(n for state, n in counts.items() if state not in ENDED)
            gone = camera not in configured and on_the_way
            self._tell("CAMERA_UNCONFIGURED", camera, f"{on_the_way} images" if gone else "")

    def tell_clocks(self) -> None:
        """Which cameras' clocks are off, with the setting that would correct each; nothing corrects by itself."""
        for camera in self._config.cameras:
            of_it = self._newest(camera)
            wanted = drift(passages(of_it, self._config.site.zone))
            if wanted is None and of_it:
                continue  # nothing can be said now; what was found before stands
            off = wanted is not None and abs(wanted - camera.clock) >= WORTH_TELLING
            self._tell("CLOCK_DRIFT", camera.name, _clock_detail(wanted) if off and wanted is not None else "")

    def tell_series(self) -> None:
        """What only several images together show: a number that flickers, one eye's pictures only."""
        flickering = {}
        for camera in self._config.cameras:
            for found in flickers(self._newest(camera), self._config.site.zone):
                odd = ", ".join(str(number) for number in found.odd)
                words = f"{found.key} of image {odd} differs from images {found.before} and {found.after} around it"
                flickering[f"image {found.odd[0]}"] = words
        self._tell_all("IDENTITY_FLICKERS", flickering)
        self._tell_exams()

    def _tell_exams(self) -> None:
        """Of every order whose exam is over all images count, however many came since."""
        now = self._clock.now()
        expected = {camera: profile.expect for camera, profile in self._profiles.items() if profile.expect}
        one_eye: dict[str, str] = {}
        missing: dict[str, str] = {}
        overview = Overview(self._journal.database)
        over = {camera: timedelta(seconds=profile.exam.over) for camera, profile in self._profiles.items()}
        soonest = min(over.values(), default=EXAM_OVER)
        for images in overview.exams(now - CALLED_BACK, now - soonest, WITH_ORDER, one_eye=not expected):
            entries = {
                name: entry for name in {i.entry for i in images if i.entry} if (entry := self._orders.get(name))
            }
            one_eye |= {
                f"image {found.image}": f"{EYES[found.eye]} alone" for found in one_eyed(images, entries, now, over)
            }
            missing |= _missing(too_few(images, entries, expected, now, over))
        self._tell_all("ONE_EYE_ONLY", one_eye)
        self._tell_all("FIELDS_MISSING", missing)

    def tell_rebuilt(self) -> None:
        """That the journal was rebuilt is told for `late`: whoever has not looked by then finds it in the audit trail."""
        rebuilt = self._journal.meta("rebuilt")
        if rebuilt is None or self._clock.now() - moment(rebuilt) < timedelta(seconds=self._config.late):
            return
        self._conditions.clear("JOURNAL_REBUILT", "journal")
        self._journal.drop_meta("rebuilt")  # after it: as long as this stands, every start tells it again

    def _newest(self, camera: CameraSettings) -> list[ImageFile]:
        since = self._clock.now() - timedelta(days=1)
        return Overview(self._journal.database).newest_of(camera.name, since, NEWEST)

    def _tell_all(self, code: str, details: dict[str, str]) -> None:
        for subject in self._conditions.subjects(code):
            if subject not in details:
                self._conditions.clear(code, subject)
        for subject, detail in details.items():
            self._conditions.raise_(code, subject, detail)

    def _tell(self, code: str, subject: str, detail: str) -> None:
        if detail:
            self._conditions.raise_(code, subject, detail)
        else:
            self._conditions.clear(code, subject)

    def clear_spool(self) -> None:
        """Bytes go `keep` after every image that they belong to has ended; before it only where room is needed."""
        self._clear_ended()
        self._make_room()
        if self._spool.budget.sufficient():
            self._conditions.clear("SPOOL_FULL", "spool")

    def _clear_ended(self) -> None:
        now = self._clock.now()
        if self._looked <= now <= self._nothing_before:
            return  # a spool of a busy week is thousands of files: not each minute for nothing
        soonest = now + min(LONGEST_LOOK, self._keep, self._keep_uploaded or self._keep)  # what ends from now on
        for digest in list(self._spool.digests()):
            goes = self._goes(digest)
            if goes is None:
                continue
            if goes >= now:
                soonest = min(soonest, goes)
                continue
            with self._journal.transaction():
                # Once more where nobody can settle the same bytes, or take an image back, before they are gone.
                if (goes := self._goes(digest)) is not None and goes < now:
                    self._spool.drop(digest)
        self._looked, self._nothing_before = now, soonest

    def _make_room(self) -> None:
        """Where the spool's budget is used up, confirmed copies go, the oldest first."""
        budget = self._spool.budget
        for digest in self._oldest_confirmed() if budget.lacking() else ():
            with self._journal.transaction():
                if self._copies.confirmed_at(digest) is not None:
                    self._spool.drop(digest)
            if not budget.lacking():
                return

    def _oldest_confirmed(self) -> list[str]:
        found = [(at, digest) for digest in self._spool.digests() if (at := self._copies.confirmed_at(digest))]
        return [digest for _, digest in sorted(found)]

    def _goes(self, digest: str) -> datetime | None:
        """After when bytes may go, as all is now; None: never."""
        times = [self._over(image) for image in self._journal.with_digest(digest)]
        known = [time for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None

    def _over(self, image: ImageFile) -> datetime | None:
        keep = self._keep_uploaded if image.state is State.UPLOADED else self._keep if image.state in ENDED else None
        if image.state is State.DELIVERED and self._journal.contradicted(image.id):
            return None  # the platform may not have it after all
        return None if keep is None else self._journal.since(image.id) + keep

    @property
    def _keep(self) -> timedelta:
        return timedelta(seconds=self._config.spool.keep)

    @property
    def _keep_uploaded(self) -> timedelta | None:
        """By the site's own choice alone: nobody ever says that such an image is on its order."""
        keep = self._config.spool.uploaded if silent(self._config) else None
        return None if keep is None else timedelta(seconds=keep)


def _missing(found: list[TooFew]) -> dict[str, str]:
    told: dict[str, str] = {}
    for one in found:
        words = f"{one.held} of {one.expected} pictures of {EYES[one.eye]}"
        subject = f"image {one.image}"
        told[subject] = f"{told[subject]}, {words}" if subject in told else words
    return told


def _clock_detail(wanted: timedelta) -> str:
    side = "behind" if wanted > timedelta(0) else "ahead"
    if abs(wanted) > timedelta(days=30):
        return f"its stamps are {abs(wanted).days} days {side}: its battery may be dead"
    return f"its stamps are {setting(abs(wanted))} {side}; `clock: {setting(wanted)}` at this camera corrects them"
