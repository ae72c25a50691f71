"""What the simulated cameras will export, when, and what must become of each: the ordinary and the trouble."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from itertools import count, cycle
from typing import Final, Literal

from irisdrop.reference.camera import CAMERAS, Header, Shot, dicom, jpeg, seed_of
from irisdrop.reference.clinic import Clinic, Patient, Visit
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code

End = Literal["delivered", "quarantined", "duplicate", "waiting"]
Pace = Literal["slow", "burst", "renamed"]

SETTLING: Final = 8.0  # seconds that the agent may need after the last export: quiet time, decision, upload
APART: Final = 6.0  # seconds that a name must have been at rest before the camera uses it again
TROUBLE_EVERY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Export:
    """One file that a camera writes, and the end that it must come to.

    `path` is below the camera's folder, with `/`. `pace`: written slowly in pieces, at once among others, or under a
    name that is not taken and then renamed. `content` makes the bytes, the same each time.
    """

    at: float
    camera: str
    profile: str
    path: str
    story: str
    end: End
    content: Callable[[], bytes] = field(repr=False, compare=False)
    entry: str | None = None
    eye: str | None = None
    reason: Code | None = None
    pace: Pace = "slow"


@dataclass(frozen=True, slots=True)
class LateOrder:
    """An order that comes to the worklist when its image has been waiting for a while."""

    at: float
    entry: WorklistEntry


@dataclass(frozen=True, slots=True)
class Plan:
    """Exports in the order of their time; `orders` that are open from the beginning, and those that come late."""

    exports: tuple[Export, ...]
    orders: tuple[WorklistEntry, ...]
    late: tuple[LateOrder, ...]


def plan(
    clinic: Clinic, seconds: float, *, patience: float = 4 * 3600, give_up: float = 60.0, trouble: bool = True
) -> Plan:
    """Exports for so many seconds, at least one of each trouble in them.

    `patience` and `give_up` are those of the profiles: where they end within the time, an image that nobody ordered
    and one that was never finished must be in quarantine at the end, else they still wait.
    """
    schedule = _Schedule(clinic, max(4.0, seconds - SETTLING), seconds, patience, give_up)
    schedule.ordinary()
    if trouble:
        for number in range(1 + int(seconds // TROUBLE_EVERY)):
            schedule.trouble(number * TROUBLE_EVERY)
    exports = tuple(sorted(schedule.exports, key=lambda export: export.at))
    late = {order.entry.id for order in schedule.late}
    return Plan(exports, tuple(entry for entry in clinic.entries if entry.id not in late), tuple(schedule.late))


class _Schedule:
    """A plan while it is made."""

    def __init__(self, clinic: Clinic, last: float, seconds: float, patience: float, give_up: float) -> None:
        self.exports: list[Export] = []
        self.late: list[LateOrder] = []
        self._clinic = clinic
        self._last, self._seconds = last, seconds
        self._patience, self._give_up = patience, give_up
        self._chance = random.Random(clinic.seed)
        self._numbers = {room: count(1) for room in CAMERAS}

    # Parts

    def shot(self, room: str, patient: Patient, eye: str, at: float, days: float = 0.0) -> Shot:
        """The next picture of a camera, taken when it is exported, or so many days from then."""
        now = self._clinic.now  # in its zone, where an hour later need not be another hour on the wall
        taken = (now.astimezone(UTC) + timedelta(seconds=at, days=days)).astimezone(now.tzinfo)
        return Shot(patient, eye, taken.replace(microsecond=0), next(self._numbers[room]))

    def add(self, room: str, at: float, shot: Shot, story: str, end: End, **more: object) -> Export:
        """Export one picture with whatever `more` says about it."""
        model = CAMERAS[room]
        header = more.pop("header", None)
        spoil = more.pop("spoil", bytes)
        path = more.pop("path", None) or model.name(shot)
        # A camera that uses a name again writes another picture: the time is part of what a picture is drawn from.
        seed = seed_of(self._clinic.seed, room, path, shot.number, at)

        def content() -> bytes:
            made = dicom(model, shot, header, seed) if isinstance(header, Header) else jpeg(model, shot, seed)
            return bytes(spoil(made))  # type: ignore[operator]

        export = Export(at, room, model.profile, str(path), story, end, content, **more)  # type: ignore[arg-type]
        self.exports.append(export)
        return export

    def taken(self, room: str, at: float, visit: Visit, eye: str, story: str = "ordinary", **more: object) -> Export:
        """A picture that must reach the one order of its patient."""
        (order,) = visit.entries
        if CAMERAS[room].profile == "dicom-op" and "header" not in more:
            more["header"] = Header(order)
        shot = self.shot(room, visit.patient, eye, at)
        return self.add(room, at, shot, story, "delivered", entry=order.id, eye=eye, **more)

    def visit(self, room: str, orders: int = 1) -> Visit:
        """A patient whom this camera can name."""
        return self._clinic.visit(orders, plain_id=CAMERAS[room].plain_id)

    # What happens

    def ordinary(self) -> None:
        """Patients one after another, both eyes each, from room to room; now and then a burst of one patient."""
        rooms, paces = cycle(CAMERAS), cycle(("slow", "renamed", "burst"))
        at = 0.3
        while at < self._last:
            room, pace = next(rooms), next(paces)
            visit = self.visit(room)
            eyes = "RLRLRL" if pace == "burst" and self._chance.random() < 0.6 else "RL"
            for number, eye in enumerate(eyes):
                moment = at if pace == "burst" else min(self._last, at + 0.6 * number)
                self.taken(room, moment, visit, eye, pace=pace)
            at += self._chance.uniform(0.7, 1.6)

    def trouble(self, begin: float) -> None:
        """Each trouble once, spread over what is left of the time."""
        troubles = list(self._troubles())
        span = max(0.5, min(self._last - begin, TROUBLE_EVERY) - 1.0)
        for number, act in enumerate(troubles):
            act(min(self._last, begin + 0.5 + span * number / len(troubles)))

    def _troubles(self) -> Iterator[Callable[[float], None]]:
        # The first ones need time to come to their end.
        yield self.reused_name
        yield self.never_finished
        yield self.late_order
        yield self.unknown_patient
        yield self.same_bytes_twice
        yield self.no_image
        yield self.unknown_eye_token
        yield self.no_eye
        yield self.another_birth_date
        yield self.two_eyes_in_one_header
        yield self.clock_reset
        yield self.two_orders
        yield self.retake
        yield self.eye_of_the_series
        yield self.study_of_the_cameras_own

    def retake(self, at: float) -> None:
        """The first picture was blurred; both are wanted."""
        visit = self.visit("room-1")
        self.taken("room-1", at, visit, "R", "taken for the first time")
        self.taken("room-1", min(self._last, at + 1.0), visit, "R", "a retake")

    def reused_name(self, at: float) -> None:
        """The counter went round: another picture under a name that was there before. Both must arrive."""
        later = at + APART
        if later > self._last:
            return
        visit = self.visit("room-1")
        first = self.taken("room-1", at, visit, "L", "a name that will be used again", pace="burst")
        self.taken("room-1", later, visit, "L", "the name is used again", path=first.path, pace="burst")

    def same_bytes_twice(self, at: float) -> None:
        """The camera exports one picture twice, under two names."""
        visit = self.visit("room-1")
        first = self.taken("room-1", at, visit, "R", "will be exported twice")
        again = self.shot("room-1", visit.patient, "R", at)
        later = min(self._last, at + 2.5)
        self.exports.append(
            Export(
                later,
                "room-1",
                first.profile,
                CAMERAS["room-1"].name(again),
                "exported twice",
                "duplicate",
                first.content,
                first.entry,
                "R",
            )
        )

    def late_order(self, at: float) -> None:
        """The patient is examined before anybody orders it."""
        visit = self.visit("room-2")
        self.taken("room-2", at, visit, "R", "the order comes late")
        self.late.append(LateOrder(min(self._last, at + max(3.0, self._seconds * 0.3)), visit.entries[0]))

    def unknown_patient(self, at: float) -> None:
        """Nobody ordered anything for this patient."""
        visit = self.visit("room-4", orders=0)
        shot = self.shot("room-4", visit.patient, "L", at)
        self._ends(at, self._patience, "room-4", shot, "a patient whom nobody ordered", Code.NO_WORKLIST_ENTRY)

    def never_finished(self, at: float) -> None:
        """The export stopped half-way."""
        visit = self.visit("room-1")
        shot = self.shot("room-1", visit.patient, "R", at)
        self._ends(
            at,
            self._give_up,
            "room-1",
            shot,
            "never finished",
            Code.UNREADABLE,
            spoil=lambda made: made[: len(made) // 2],
        )

    def _ends(self, at: float, after: float, room: str, shot: Shot, story: str, reason: Code, **more: object) -> None:
        over = at + after + SETTLING / 2 < self._seconds
        end: End = "quarantined" if over else "waiting"
        self.add(room, at, shot, story, end, reason=reason if over else None, **more)

    def no_image(self, at: float) -> None:
        """A text under the name of a picture."""
        shot = self.shot("room-1", self.visit("room-1").patient, "L", at)
        text = b"Export report: no picture here.\r\n" * 40
        self.add("room-1", at, shot, "no image", "quarantined", reason=Code.NOT_AN_IMAGE, spoil=lambda _: text)

    def unknown_eye_token(self, at: float) -> None:
        """`X` is neither eye: the name says nothing that can be trusted."""
        shot = self.shot("room-1", self.visit("room-1").patient, "X", at)
        self.add("room-1", at, shot, "an eye that is none", "quarantined", reason=Code.NO_KEYS)

    def no_eye(self, at: float) -> None:
        """A DICOM object without any laterality."""
        self._refused(at, "no eye in the header", Code.EYE_UNKNOWN, image_laterality=False)

    def another_birth_date(self, at: float) -> None:
        """The order's number with somebody else's date of birth."""
        self._refused(at, "a birth date that is not the order's", Code.PATIENT_MISMATCH, born="1999-12-31")

    def two_eyes_in_one_header(self, at: float) -> None:
        """The image says R, its series says L."""
        self._refused(at, "right eye and left eye in one header", Code.CONFLICTING_KEYS, laterality="L")

    def _refused(self, at: float, story: str, reason: Code, **header: object) -> None:
        visit = self.visit("room-5")
        shot = self.shot("room-5", visit.patient, "R", at)
        wrong = Header(visit.entries[0], **header)  # type: ignore[arg-type]
        self.add("room-5", at, shot, story, "quarantined", reason=reason, header=wrong)

    def clock_reset(self, at: float) -> None:
        """The camera's battery was empty, and it lives in another year."""
        shot = self.shot("room-4", self.visit("room-4").patient, "R", at, days=-3000)
        self.add("room-4", at, shot, "the camera's clock was reset", "quarantined", reason=Code.CLOCK_IMPLAUSIBLE)

    def two_orders(self, at: float) -> None:
        """One patient with two open orders, and a picture that names the patient alone."""
        shot = self.shot("room-2", self.visit("room-2", orders=2).patient, "L", at)
        self.add("room-2", at, shot, "two orders fit", "quarantined", reason=Code.AMBIGUOUS)

    def eye_of_the_series(self, at: float) -> None:
        """Only (0020,0060) says the eye."""
        visit = self.visit("room-5")
        header = Header(visit.entries[0], laterality="L", image_laterality=False)
        self.taken("room-5", at, visit, "L", "the eye stands in the series", header=header)

    def study_of_the_cameras_own(self, at: float) -> None:
        """A study number that no order carries says nothing; the order's number decides."""
        visit = self.visit("room-5")
        self.taken(
            "room-5", at, visit, "R", "a study number of its own", header=Header(visit.entries[0], own_study=True)
        )
