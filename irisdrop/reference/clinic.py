"""A clinic that does not exist: its patients, and the orders of one day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from irisdrop.vocabulary.orders import WorklistEntry

SITE: Final = "S1"
FAMILIES: Final = (
    *("Abendroth", "Birkwald", "Castellane", "Dunmore", "Eskildsen", "Fairhollow", "Grünfink", "Halloway", "Isenbrand"),
    *(
        "Jantzen",
        "Kestrel",
        "Lindqvist",
        "Morgenthal",
        "Nightingale",
        "Oakenshaw",
        "Pellworm",
        "Quarrington",
        "Rosendal",
    ),
    *("Saint-Clair", "Thistlewood", "Underhill", "Valmont", "Winterbourne", "Yarrow", "Zellweger"),
)
GIVEN: Final[dict[str, tuple[str, ...]]] = {
    "F": ("Anna", "Beatriz", "Chiyo", "Dorothea", "Elif", "Françoise", "Greta", "Hana", "Ingrid", "Jo-Ann"),
    "M": ("Anton", "Bilal", "Cosmo", "Dmitri", "Emil", "Farid", "Gustav", "Henri", "Jean-Luc", "Kofi"),
}


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody invented. `id` may begin with zeros; they are part of it."""

    id: str
    family: str
    given: str
    born: date
    sex: str

    @property
    def name(self) -> str:
        """The name as DICOM writes it."""
        return f"{self.family}^{self.given}"


@dataclass(frozen=True, slots=True)
class Visit:
    """A patient and what was ordered: nothing, one thing, or more."""

    patient: Patient
    entries: tuple[WorklistEntry, ...]


class Clinic:
    """Patients and orders around `now`, the same for the same seed. `zone` is that of clocks on its walls."""

    def __init__(self, seed: int, now: datetime, zone: tzinfo) -> None:
        self.seed = seed
        self.now = now.astimezone(zone)
        self.zone = zone
        self._chance = random.Random(seed)
        self._numbers = _numbers(self._chance)
        self.visits: list[Visit] = []

    @property
    def patients(self) -> tuple[Patient, ...]:
        """Everybody who has come, with an order or without."""
        return tuple(visit.patient for visit in self.visits)

    @property
    def entries(self) -> tuple[WorklistEntry, ...]:
        """Every order that was made."""
        return tuple(entry for visit in self.visits for entry in visit.entries)

    def visit(self, orders: int = 1, *, plain_id: bool = False) -> Visit:
        """One more patient, with so many orders. `plain_id`: of digits alone, as some cameras need it."""
        patient = self._patient(plain_id)
        visit = Visit(patient, tuple(self._order(patient) for _ in range(orders)))
        self.visits.append(visit)
        return visit

    def _patient(self, plain_id: bool) -> Patient:
        number, chance = next(self._numbers), self._chance
        sex = chance.choice("FM")
        return Patient(
            id=f"{number:06}" if plain_id or chance.random() < 0.7 else f"MRN_{number // 10}-{number % 10}",
            family=chance.choice(FAMILIES),
            given=chance.choice(GIVEN[sex]),
            born=date(1930, 1, 1) + timedelta(days=chance.randrange(25_000)),
            sex=sex,
        )

    def _order(self, patient: Patient) -> WorklistEntry:
        number = next(self._numbers)
        start = (self.now + timedelta(minutes=self._chance.randrange(-90, 90))).replace(second=0, microsecond=0)
        keys = {
            "PatientID": patient.id,
            "PatientName": patient.name,
            "PatientBirthDate": patient.born.isoformat(),
            "PatientSex": patient.sex,
            "AccessionNumber": f"A{number:07}",
            "StudyInstanceUID": f"2.25.{self.seed % 10**6 + 1}{number:07}",
            "Modality": "OP",
        }
        return WorklistEntry(f"{SITE}-{number:07}", keys, start, SITE)


def _numbers(chance: random.Random) -> Iterator[int]:
    """Numbers that never come twice; the first are small, so that they are written with leading zeros."""
    number = chance.randrange(100, 900)
    while True:
        yield number
        number += chance.randrange(1, 40)
