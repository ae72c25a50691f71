"""Clinic days against the real worklist mirror and the real decision; counts what became of each image.

    python tests/adversarial/suite.py --days 1000 --seed 7

Fails where one image reached a wrong patient, order or eye, where one was decided although its truth does not follow
from the data, where fewer than 97 % of the determinable ones were decided without a person, or where the right entry
is suggestion 1 for fewer than 95 % of the quarantined ones that have one on the worklist.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Final, Literal

HERE: Final = Path(__file__).resolve().parent
for place in (HERE, HERE.parent.parent):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from cameras import ROOMS  # noqa: E402
from clinic import SITE, Day, Export, day  # noqa: E402
from troubles import UNDETECTABLE  # noqa: E402

from irisdrop import suggest  # noqa: E402
from irisdrop.identity.identify import Identified, readings  # noqa: E402
from irisdrop.matching import match, twins, worklist  # noqa: E402
from irisdrop.matching.capture import Situation  # noqa: E402
from irisdrop.platforms import WorklistUnavailable  # noqa: E402
from irisdrop.profiles.config import Config, load_profiles, parse_config  # noqa: E402
from irisdrop.profiles.profile import DeviceProfile  # noqa: E402
from irisdrop.record.conditions import Conditions  # noqa: E402
from irisdrop.record.database import Database  # noqa: E402
from irisdrop.record.orders import Orders  # noqa: E402
from irisdrop.vocabulary.decisions import Decision, Matched, Unmatched  # noqa: E402
from irisdrop.vocabulary.images import ImageFile  # noqa: E402
from irisdrop.vocabulary.orders import Standing, WorklistChanges, WorklistEntry  # noqa: E402
from irisdrop.vocabulary.reasons import Code  # noqa: E402
from irisdrop.vocabulary.states import State  # noqa: E402

EVERY: Final = timedelta(minutes=1)
IDLE: Final = timedelta(minutes=10)  # between syncs while nothing happens
PATIENCE_LATE: Final = timedelta(days=7)


class DayClock:
    """The time of the day that is played."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def wait(self, event: Event, seconds: float) -> bool:  # noqa: ARG002
        return event.is_set()

    def move(self, now: datetime) -> None:
        """Go on to a later moment."""
        self._now = now


class Source:
    """The clinic's worklist: tells what was posted since a cursor, and nothing during the outage."""

    def __init__(self, played: Day, clock: DayClock) -> None:
        self._day = played
        self._clock = clock

    def changes(self, cursor: str | None) -> WorklistChanges:
        now = self._clock.now()
        away = self._day.outage
        if away is not None and away[0] <= now < away[1]:
            raise WorklistUnavailable("the source does not answer")
        told = [posting.told for posting in self._day.postings if posting.at <= now]
        new = told[int(cursor or "0") :]
        entries = tuple(one for one in new if isinstance(one, WorklistEntry))
        gone = tuple(one for one in new if not isinstance(one, WorklistEntry))
        return WorklistChanges(entries, gone, str(len(told)), full=False)

    def withdrawn(self, identifier: str) -> bool:
        """What the platform knows before the mirror: the order was cancelled or replaced."""
        return any(
            posting.at <= self._clock.now() and posting.told.id == identifier
            for posting in self._day.postings
            if not isinstance(posting.told, WorklistEntry) and posting.told.why is not Standing.COMPLETED
        )

    def close(self) -> None:
        """Nothing to let go of."""


Stage = Literal["waiting", "matched", "sent", "quarantined", "duplicate"]


@dataclass(slots=True)
class Course:
    """How far one image came."""

    export: Export
    image: ImageFile
    stage: Stage = "waiting"
    decision: Decision | None = None
    twin: Course | None = None

    @property
    def matched(self) -> Matched | None:
        """The match that it ended with, or that its twin did."""
        if self.stage == "duplicate":
            return None if self.twin is None else self.twin.matched
        found = self.decision
        return found if self.stage in ("matched", "sent") and isinstance(found, Matched) else None


@dataclass(frozen=True, slots=True)
class Clinic:
    """What is the same on every day: the configuration and the cameras' profiles."""

    config: Config
    profiles: dict[str, DeviceProfile]

    @classmethod
    def opened(cls, folder: Path) -> Clinic:
        """As IT staff would have configured it; `folder` is where the cameras would export to."""
        lines = [f"state: {folder / 'state'}", f"site: {{id: {SITE}, zone: America/New_York}}", "cameras:"]
        for room in ROOMS.values():
            profile = HERE / room.profile if room.profile.endswith(".yaml") else room.profile
            clock = f", clock: {room.late.total_seconds() / 3600:g}h" if room.late else ""
            lines.append(f"  - {{name: {room.name}, profile: {profile}, folder: {folder / room.name}{clock}}}")
        config = parse_config("\n".join(lines) + "\n", HERE / "irisdrop.yaml")
        return cls(config, dict(load_profiles(config)))


class Playing:
    """One day, decided as the agent would: each image as it comes, again after each sync, until patience ends."""

    def __init__(self, clinic: Clinic, played: Day, folder: Path) -> None:
        self._clinic = clinic
        self._day = played
        self._clock = DayClock(played.begin)
        self._database = Database(folder / "journal.db", self._clock)
        self.orders = Orders(self._database, self._clock)
        self._source = Source(played, self._clock)
        conditions = Conditions(self._database, self._clock)
        self._worklist = worklist.Worklist(self.orders, self._source, conditions, self._clock, 900.0)
        self._usable = False
        self.courses: list[Course] = []

    def play(self) -> list[Course]:
        """Every image's course, to its end."""
        arriving = iter(self._day.exports)
        coming = next(arriving, None)
        for moment in self._moments():
            while coming is not None and coming.arrived < moment:
                self._go_to(coming.arrived)
                self._arrive(coming)
                coming = next(arriving, None)
            self._go_to(moment)
            self._sync()
        return self.courses

    def close(self) -> None:
        """Close the mirror."""
        self._database.close()

    def suggested(self, course: Course) -> list[str]:
        """The entries that a person is shown for it, the likeliest first."""
        return [found.entry.id for found in suggest.suggested(course.image, self.orders, self._clinic.config)]

    def _moments(self) -> list[datetime]:
        """When the worklist is synced: each minute in which something happens, else now and then."""
        day_ = self._day
        times = [posting.at for posting in day_.postings] + [export.arrived for export in day_.exports]
        times += [export.sent for export in day_.exports] + list(day_.outage or ())
        minutes = {max(0, -((day_.begin - at) // EVERY)) for at in times}
        minutes |= set(range(0, (day_.end - day_.begin) // EVERY, IDLE // EVERY))
        return [day_.begin + number * EVERY for number in sorted(minutes | {n + 1 for n in minutes})]

    def _go_to(self, moment: datetime) -> None:
        for course in self.courses:
            if course.stage == "matched" and course.export.sent <= moment:
                self._clock.move(max(self._clock.now(), course.export.sent))
                self._send(course)
        self._clock.move(moment)

    # ------------------------------------------------------------------ what the agent does

    def _arrive(self, export: Export) -> None:
        profile = self._clinic.profiles[export.room]
        said = readings(profile, export.name, export.contents)
        assert isinstance(said, Identified), f"{export.room} could not be read: {said}"
        image = ImageFile(
            id=len(self.courses) + 1,
            version=1,
            state=State.IDENTIFIED,
            camera=export.room,
            path=f"/exports/{export.room}/{export.name}",
            name=export.name,
            digest=export.digest,
            size=1,
            arrived=export.arrived,
            live=export.live,
            readings=said.readings,
            profile=profile.digest,
            fresh_at=self.orders.fresh_seconds(),
        )
        course = Course(export, image)
        self.courses.append(course)
        self._decide(course)

    def _twin(self, course: Course) -> bool:
        same = [other for other in self.courses if other.image.digest == course.image.digest]
        found = twins.twin_of(course.image, course.image.readings, [other.image for other in same])
        if found is None:
            return False
        course.twin = next(other for other in same if other.image.id == found[0].id)
        if found[1]:
            self._set(course, "duplicate", State.DUPLICATE)
        else:
            course.decision = Unmatched(Code.CONFLICTING_KEYS, "the same bytes say something else", (), ())
            self._set(course, "quarantined", State.QUARANTINED)
        return True

    def _decision(self, course: Course) -> Decision:
        profile = self._clinic.profiles[course.export.room]
        found = worklist.gather(self.orders, course.image.readings, profile) if self._worklist.usable() else []
        camera = next(one for one in self._clinic.config.cameras if one.name == course.export.room)
        site = self._clinic.config.site
        situation = Situation(site.zone, course.image.arrived, course.image.live, camera.clock, site.id)
        return match.match(course.image.readings, profile, situation, found)

    def _decide(self, course: Course) -> None:
        if course.stage != "quarantined" and self._twin(course):
            return
        decision = self._decision(course)
        if course.stage == "quarantined" and not isinstance(decision, Matched):
            return
        course.decision = decision
        if isinstance(decision, Matched):
            self._set(course, "matched", State.MATCHED)
            return
        until = course.image.fresh_at + self._clinic.profiles[course.export.room].patience
        if decision.waits and (not self._worklist.usable() or self.orders.fresh_seconds() < until):
            self._set(course, "waiting", State.IDENTIFIED)
        else:
            self._set(course, "quarantined", State.QUARANTINED)

    def _set(self, course: Course, stage: Stage, state: State) -> None:
        course.stage = stage
        reason = course.decision.reason if isinstance(course.decision, Unmatched) else None
        course.image = replace(course.image, state=state, reason=reason)

    def _sync(self) -> None:
        changed = self._worklist.sync() or []
        for course in self.courses:
            if course.stage == "matched" and isinstance(course.decision, Matched):
                self._still_fits(course, course.decision.entry.id, changed)  # an image that is not sent yet
        usable = self._worklist.usable()
        fresh = self.orders.fresh_seconds()
        for course in self.courses:
            if course.stage == "waiting":
                over = course.image.fresh_at + self._clinic.profiles[course.export.room].patience <= fresh
                if changed or over or usable is not self._usable:
                    self._decide(course)
            elif course.stage == "quarantined" and changed and self._may_still_come(course):
                self._decide(course)
        self._usable = usable

    def _still_fits(self, course: Course, entry: str, changed: list[str]) -> None:
        known = self.orders.get(entry)
        if known is None or known.standing is not Standing.OPEN:
            self._decide(course)
        elif entry in changed:
            found = self._decision(course)
            if not isinstance(found, Matched) or found.entry.id != entry:
                self._decide(course)

    def _may_still_come(self, course: Course) -> bool:
        waits = isinstance(course.decision, Unmatched) and course.decision.waits
        return waits and self._worklist.usable() and self._clock.now() - course.image.arrived <= PATIENCE_LATE

    def _send(self, course: Course) -> None:
        assert isinstance(course.decision, Matched)
        if self._source.withdrawn(course.decision.entry.id):
            self.orders.withdraw(course.decision.entry.id, Standing.CANCELLED)
            self._decide(course)
        else:
            self._set(course, "sent", State.DELIVERED)


# ---------------------------------------------------------------------- counting


@dataclass(slots=True)
class Row:
    """One kind of trouble, counted."""

    images: int = 0
    determinable: int = 0
    decided: int = 0  # of the determinable, without a person and rightly
    wrong: int = 0  # another patient, order or eye than the truth
    guessed: int = 0  # decided although the truth does not follow from the data
    quarantined: int = 0
    answered: int = 0  # quarantined with a right answer on the worklist
    first: int = 0  # of those, the right entry is suggestion 1

    def __iadd__(self, other: Row) -> Row:
        for name in Row.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@dataclass(slots=True)
class Table:
    """All rows by kind and case, and a few examples of what went wrong, without their values."""

    days: int = 0
    people: int = 0
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def kinds(self) -> dict[str, Row]:
        """The rows of each kind together."""
        found: dict[str, Row] = {}
        for (kind, _), row in self.rows.items():
            found.setdefault(kind, Row())
            found[kind] += row
        return dict(sorted(found.items(), key=lambda pair: (pair[0] in UNDETECTABLE, pair[0] != "ordinary", pair[0])))

    def total(self) -> Row:
        """All kinds but the undetectable ones."""
        whole = Row()
        for kind, row in self.kinds().items():
            if kind not in UNDETECTABLE:
                whole += row
        return whole

    def failures(self) -> list[str]:
        """Which goals were missed, in words; none where all were reached."""
        whole = self.total()
        found = []
        if whole.wrong:
            found.append(f"{whole.wrong} images at a wrong patient, order or eye")
        if whole.guessed:
            found.append(f"{whole.guessed} images decided although their truth does not follow from the data")
        if share(whole.decided, whole.determinable) < 0.97:
            found.append(
                f"only {share(whole.decided, whole.determinable):.2%} of the determinable decided without a person"
            )
        if share(whole.first, whole.answered) < 0.95:
            found.append(f"only {share(whole.first, whole.answered):.2%} of the right entries are suggestion 1")
        return found


def share(part: int, whole: int) -> float:
    """A part of a whole; of nothing it is all."""
    return part / whole if whole else 1.0


def count(table: Table, played: Day, playing: Playing, examples: int = 20) -> None:
    """Add what became of a day's images."""
    table.days += 1
    table.people += played.people
    for course in playing.courses:
        export = course.export
        row = table.rows.setdefault((export.kind, export.case), Row())
        row.images += 1
        row.determinable += export.determinable
        trouble = _decided(row, course, played) if course.matched is not None else _left(row, course, playing)
        if isinstance(course.decision, Unmatched):
            table.reasons[(export.kind, export.case, course.decision.reason)] += 1
        if trouble and len(table.examples) < examples and export.kind not in UNDETECTABLE:
            words = course.decision.trace[-1] if course.decision is not None and course.decision.trace else ""
            reason = (
                f"{course.decision.reason} {course.decision.detail}" if isinstance(course.decision, Unmatched) else ""
            )
            table.examples.append(
                f"{played.seed} image {course.image.id} {export.room} {export.kind} / {export.case}: {trouble} {reason} {words}"
            )


def _decided(row: Row, course: Course, played: Day) -> str:
    matched, truth = course.matched, course.export.truth
    assert matched is not None
    if matched.entry.id != truth.order or matched.eye != truth.eye or played.owner[matched.entry.id] != truth.person:
        row.wrong += 1
        return "wrong"
    if not course.export.determinable:
        row.guessed += 1
        return "guessed"
    row.decided += 1
    return ""


def _left(row: Row, course: Course, playing: Playing) -> str:
    row.quarantined += 1
    trouble = "left to a person" if course.export.determinable else ""
    right = course.export.truth.order
    entry = None if right is None else playing.orders.get(right)
    if right is None or entry is None or entry.standing in (Standing.CANCELLED, Standing.REPLACED):
        return trouble
    row.answered += 1
    shown = playing.suggested(course)
    if shown[:1] == [right]:
        row.first += 1
        return trouble
    return f"{trouble} suggestion {shown.index(right) + 1 if right in shown else 'none'} of {len(shown)}".strip()


def run(seed: int, numbers: Iterable[int], folder: Path, examples: int = 20) -> Table:
    """Play days of a seed; `folder` takes their mirrors, one at a time."""
    clinic = Clinic.opened(folder)
    table = Table()
    for number in numbers:
        played = day(seed, number)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            playing = Playing(clinic, played, Path(place))
            try:
                playing.play()
                count(table, played, playing, examples)
            finally:
                playing.close()
    return table


def memory() -> Path | None:
    """A folder in memory where there is one: a mirror lives for a second, and each commit would wait for the disk."""
    place = Path("/dev/shm")
    return place if place.is_dir() else None


def markdown(table: Table, fine: bool = False) -> Iterator[str]:
    """The table, a line at a time."""
    whole = table.total()
    yield "| trouble | images | share | determinable | decided without a person | wrong | guessed | quarantined | right answer on the worklist | is suggestion 1 |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    images = sum(row.images for row in table.kinds().values())
    for kind, row in table.kinds().items():
        yield _line(kind, row, images)
        if fine:
            for (one, case), sub in sorted(table.rows.items()):
                if one == kind and case:
                    yield _line(f"… {case}", sub, images)
    yield _line("**all but the undetectable**", whole, images)


def _line(name: str, row: Row, images: int) -> str:
    decided = f"{row.decided} ({share(row.decided, row.determinable):.2%})" if row.determinable else "–"
    first = f"{row.first} ({share(row.first, row.answered):.1%})" if row.answered else "–"
    return (
        f"| {name} | {row.images} | {row.images / max(images, 1):.1%} | {row.determinable} | {decided} | {row.wrong} | "
        f"{row.guessed} | {row.quarantined} | {row.answered} | {first} |"
    )


def main() -> int:
    """Play, print, and say by the exit code whether the goals were reached."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--days", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--fine", action="store_true", help="a line for each case of each kind too")
    asked.add_argument("--examples", type=int, default=20)
    asked.add_argument("--folder", type=Path, default=memory(), help="where the mirrors are; best in memory")
    given = asked.parse_args()
    logging.getLogger("irisdrop").addHandler(logging.NullHandler())  # conditions of the mirror are no news here
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        table = run(given.seed, range(given.days), Path(folder), given.examples)
    print("\n".join(markdown(table, given.fine)))
    print(f"\n{table.days} days of seed {given.seed}, {table.people / max(table.days, 1):.0f} patients a day, ", end="")
    print(f"{time.monotonic() - begun:.0f} s")
    print("\n".join(table.examples))
    for missed in table.failures():
        print(f"MISSED: {missed}")
    return 1 if table.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
