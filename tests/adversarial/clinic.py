"""A clinic's day, made from a seed: patients, the worklist as it changes, what the cameras export, and the truth.

It knows nothing of how irisdrop decides. Each export carries its truth (patient, order, eye), the kind of trouble that
it stands for, and whether that truth is *determinable*.

**Determinable** is what follows from the data by the rules of the design, for an observer who reads the export by its
camera's profile and knows the worklist as it is told until the image's patience ends. All of these must hold:

1. What the export says of identity (number, order number, study, name, birth date, sex) is, up to spelling habits of a
   name, what the right order says; two sources never differ; a study UID that nobody scheduled says nothing.
2. At this site exactly one order that is open fits: by those values, by the eye and modality that it asks for, and by
   the camera's stamp (with the configured `clock:`) within a day of its start. No completed order fits too, unless the
   export names the order itself. The order is not withdrawn before the image is sent.
3. The number belongs, or belonged, to nobody else, unless the export also carries a birth date or a name that is not
   theirs; the order number stands under one patient.
4. The eye is a declared token: right, left, or both.
5. The stamp is a time that can be right: not after arrival by more than an hour, not older than thirty days; and no
   other order of the patient fits the moment of arrival but not the stamp.

So two open orders of one patient with nothing that tells them apart are not determinable, nor is a number with an
error, whoever it resembles. An image without an order at all has no right answer: it must never be matched. Two kinds
can't be detected by anybody from what is known when the image is sent, and are counted apart: a number typed that is
another scheduled patient's, where nothing else is read; and an order that is written afterwards, while another one of
the patient's is open and fits.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from cameras import ROOMS, ZONE, Room, Said

from irisdrop.identity.contents import Contents
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistEntry

SITE: Final = "S1"
MINUTE: Final = timedelta(minutes=1)
WINDOW: Final = timedelta(hours=24)

FAMILIES: Final = (
    "Adler", "Almeida", "Bauer", "Becker", "Bennett", "Bianchi", "Bishop", "Castro", "Chaplin", "Dahl", "Delgado",
    "Eriksson", "Farkas", "Fischer", "Fontaine", "Gallo", "Grant", "Haddad", "Hartmann", "Horvat", "Ibrahim",
    "Ivanov", "Jensen", "Kaplan", "Keller", "Kowalski", "Krüger", "Lambert", "Lindqvist", "Löwe", "Marsh", "Medina",
    "Moreau", "Nakamura", "Novak", "O'Brien", "Okafor", "Ortega", "Pereira", "Petrov", "Quinn", "Ramirez", "Richter",
    "Romano", "Sato", "Schäfer", "Silva", "Sørensen", "Stein", "Suarez", "Tanaka", "Toth", "Ulrich", "Vargas",
    "Vogel", "Walsh", "Wagner", "Yilmaz", "Zeller", "Zimmermann",
)  # fmt: skip
WOMEN: Final = (
    "Alice", "Beatriz", "Clara", "Diana", "Elena", "Fatima", "Greta", "Hannah", "Irene", "Julia", "Katharina", "Lena",
    "Margit", "Nadia", "Olivia", "Petra", "Renée", "Sofia", "Theresa", "Ursula", "Vera", "Wilma", "Yasmin", "Zoë",
)  # fmt: skip
MEN: Final = (
    "Adam", "Bruno", "Carlos", "David", "Emil", "Felix", "Gustav", "Hector", "Igor", "José", "Karl", "Leo", "Martin",
    "Nils", "Oscar", "Pablo", "Quentin", "Robert", "Stefan", "Tomás", "Urban", "Victor", "Walter", "Xavier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One invented patient."""

    key: int
    number: str
    family: str
    given: str
    birth: str
    sex: str


@dataclass(frozen=True, slots=True)
class Truth:
    """Whose picture it is: the person, the order that it was taken for (None: there is none for it), and its eye."""

    person: int
    order: str | None
    eye: str


@dataclass(frozen=True, slots=True)
class Export:
    """One file that a camera wrote. `digest` stands for its bytes; `sent` is when the platform takes it at the earliest."""

    room: str
    name: str
    contents: Contents
    digest: str
    arrived: datetime
    live: bool
    sent: datetime
    kind: str
    case: str
    truth: Truth
    determinable: bool


@dataclass(frozen=True, slots=True)
class Posting:
    """What the worklist's source tells from a moment on: an entry, new or changed, or that one is withdrawn."""

    at: datetime
    told: WorklistEntry | Withdrawal


@dataclass(frozen=True, slots=True)
class Day:
    """A whole day. `outage` is when the worklist's source does not answer; `owner` tells whose each entry is."""

    seed: str
    begin: datetime
    end: datetime
    exports: tuple[Export, ...]
    postings: tuple[Posting, ...]
    outage: tuple[datetime, datetime] | None
    owner: Mapping[str, int]
    people: int


class Making:
    """A day while it is made; the scenes of `troubles` call its methods."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.date = date(2024, 1, 1) + timedelta(days=self.chance.randrange(730))
        self.begin = self.at(time(6, 30))
        self.exports: list[Export] = []
        self.postings: list[Posting] = []
        self.owner: dict[str, int] = {}
        self.numbers: set[str] = set()
        self.people: list[Person] = []
        self.style = self.chance.choice(("zeros", "zeros", "eight", "letter", "hyphens"))
        self.late: list[datetime] = []  # postings that come late on purpose, which an outage may hold up further
        self._counter = self.chance.randrange(1, 700)
        self._families = self.chance.sample(FAMILIES, len(FAMILIES))

    # ------------------------------------------------------------------ people and orders

    def at(self, clock: time) -> datetime:
        """A time of this day at the clinic."""
        return datetime.combine(self.date, clock, ZONE)

    def slot(self) -> datetime:
        """The start of an appointment."""
        return self.at(time(8, 30)) + self.chance.randrange(84) * 5 * MINUTE

    def number(self) -> str:
        """A patient's number that nobody has or had."""
        draw = self.chance.randrange
        while True:
            number = {
                "zeros": f"{draw(1, 99999):06d}",
                "eight": f"{draw(10**7, 10**8)}",
                "letter": f"{self.chance.choice('OLSB')}{draw(10**5):05d}{draw(2)}",
                "hyphens": f"{draw(100, 999)}-{draw(10, 99)}-{draw(10000):04d}-{draw(10)}",
            }[self.style]
            if number not in self.numbers:
                return number

    def person(self, **fixed: str) -> Person:
        """A new patient; what is not given is drawn."""
        sex = fixed.get("sex", self.chance.choice("MF"))
        born = date(1935, 1, 1) + timedelta(days=self.chance.randrange(25000))
        drawn = {
            "number": self.number(),
            "family": self._families[len(self.people) % len(self._families)],
            "given": self.chance.choice(WOMEN if sex == "F" else MEN),
            "birth": born.isoformat(),
        }
        person = Person(len(self.people), **{**drawn, "sex": sex, **fixed})
        self.people.append(person)
        self.numbers.add(person.number)
        return person

    def order(self, person: Person, start: datetime, told: datetime | None = None, **more: Any) -> WorklistEntry:
        """An order that the source tells from `told` on (default: before the day begins)."""
        keys = {
            "PatientID": person.number,
            "PatientName": f"{person.family}^{person.given}",
            "PatientBirthDate": person.birth,
            "PatientSex": person.sex,
            "AccessionNumber": more.pop("accession", f"A{self.chance.randrange(10**8):08d}"),
            "StudyInstanceUID": self.study() if self.chance.random() < 0.6 else "",
            "Modality": more.pop("modality", self.chance.choice(("OP", ""))),
        }
        site = more.pop("site", self.chance.choice((SITE, SITE, None)))
        identifier = f"{self.chance.randrange(16**12):012x}"
        entry = WorklistEntry(identifier, {k: v for k, v in keys.items() if v}, start, site, **more)
        self.owner[identifier] = person.key
        self.tell(told or self.begin - timedelta(hours=1), entry)
        return entry

    def tell(self, at: datetime, told: WorklistEntry | Withdrawal) -> None:
        """The source says so from `at` on."""
        self.postings.append(Posting(at, told))

    def withdraw(self, at: datetime, entry: WorklistEntry, why: Standing) -> None:
        """An order is no longer open."""
        self.tell(at, Withdrawal(entry.id, why))

    def past(self, person: Person) -> WorklistEntry:
        """An order of long ago, completed."""
        entry = self.order(person, self.begin - timedelta(days=self.chance.randrange(200, 1500)))
        self.withdraw(self.begin - timedelta(minutes=50), entry, Standing.COMPLETED)
        return entry

    def study(self) -> str:
        """A study UID that nobody else has."""
        return f"2.25.{self.chance.randrange(10**36)}"

    # ------------------------------------------------------------------ rooms and images

    def room(self, *reading: str) -> Room:
        """Any camera that reads at least one of `reading` (or any at all) and can write this clinic's numbers."""
        fitting = [
            room
            for room in ROOMS.values()
            if (not reading or room.reads & set(reading))
            and not room.late
            and not (room.write.__name__ == "eidon" and self.style == "hyphens")
        ]
        return self.chance.choice(fitting)

    def number_room(self) -> Room:
        """A camera whose exports carry nothing of the patient but a number."""
        return self.chance.choice([room for room in ROOMS.values() if room.number_only and not room.late])

    def said(self, room: Room, person: Person, order: WorklistEntry | None, eye: str, taken: datetime) -> Said:
        """What the camera would write if nothing went wrong; its clock is a minute or two off, as clocks are."""
        shown = taken.astimezone(UTC) - room.late + self.chance.uniform(-90, 90) * timedelta(seconds=1)
        keys = order.keys if order is not None else {}
        fed = order is not None and self.chance.random() < 0.5  # the camera has the order from its own worklist
        return Said(
            person.number,
            person.family,
            person.given,
            person.birth,
            person.sex,
            eye,
            shown.astimezone(ZONE).replace(tzinfo=None, microsecond=0),
            accession=keys.get("AccessionNumber", "") if fed else "",
            study=keys.get("StudyInstanceUID", "") if fed else self.study(),
        )

    def image(
        self,
        kind: str,
        case: str,
        room: Room,
        person: Person,
        order: WorklistEntry | None,
        shown: str,
        taken: datetime,
        *,
        determinable: bool,
        arrived: datetime | None = None,
        sent: datetime | None = None,
        digest: str | None = None,
        live: bool = True,
        **otherwise: Any,
    ) -> Export:
        """One picture of the eye `shown`; `otherwise` is what the camera says instead of what it should."""
        self._counter = self._counter % 999 + 1
        said = replace(self.said(room, person, order, shown, taken), **otherwise)
        name, contents = room.write(said, self._counter)
        arrived = arrived or taken + self.chance.uniform(2, 20) * timedelta(seconds=1)
        export = Export(
            room=room.name,
            name=name,
            contents=contents,
            digest=digest or f"{self.chance.randrange(16**16):016x}",
            arrived=arrived,
            live=live,
            sent=sent or arrived + self.chance.uniform(20, 60) * timedelta(seconds=1),
            kind=kind,
            case=case,
            truth=Truth(person.key, None if order is None else order.id, shown),
            determinable=determinable,
        )
        self.exports.append(export)
        return export

    def exam(
        self,
        kind: str,
        case: str,
        room: Room,
        person: Person,
        order: WorklistEntry | None,
        begin: datetime,
        eyes: str = "RL",
        **more: Any,
    ) -> list[Export]:
        """One picture for each letter of `eyes`, half a minute or more apart."""
        taken, made = begin, []
        for eye in eyes:
            made.append(self.image(kind, case, room, person, order, eye, taken, **more))
            taken += self.chance.uniform(25, 80) * timedelta(seconds=1)
        return made

    def whole(self) -> Day:
        """The day as it was made."""
        return Day(
            self.seed,
            self.begin,
            self.at(time(23, 0)) + timedelta(hours=4),
            tuple(sorted(self.exports, key=lambda export: export.arrived)),
            tuple(sorted(self.postings, key=lambda posting: posting.at)),
            self._outage(),
            self.owner,
            len(self.people),
        )

    def _outage(self) -> tuple[datetime, datetime] | None:
        """On some days the source is away for a while, but not while it would have to tell of a change.

        What can be known would depend on the second in which it went away; orders that are late anyway only get later.
        """
        if self.chance.random() < 0.5:
            return None
        changes = [posting.at for posting in self.postings if posting.at not in self.late]
        for _ in range(20):
            begin = self.at(time(8, 30)) + self.chance.randrange(400) * MINUTE
            end = begin + self.chance.randrange(20, 60) * MINUTE
            if not any(begin - 3 * MINUTE < at < end + 3 * MINUTE for at in changes):
                return begin, end
        return None


def day(seed: int, number: int) -> Day:
    """The day of that number in the clinic of that seed; the same always."""
    from troubles import KINDS

    making = Making(f"{seed}/{number}")
    for scene in KINDS.values():
        scene(making)
    return making.whole()
