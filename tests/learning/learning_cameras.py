"""Exports of every camera whose naming is public, of people who don't exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from irisdrop.learning.spans import Person

DAY = datetime(2025, 1, 14, 10, 12, 45)  # noqa: DTZ001 - a camera's clock has no zone


@dataclass(frozen=True)
class Patient:
    """One invented patient."""

    number: str
    last: str
    first: str
    born: str

    @property
    def person(self) -> Person:
        """What the worklist says."""
        return Person(
            {"PatientID": self.number, "PatientName": f"{self.last}^{self.first}", "PatientBirthDate": self.born}
        )


TRAINING = (
    Patient("000815", "Keller", "Berta", "1961-03-07"),
    Patient("410273", "Brown", "Mary", "1948-12-31"),
    Patient("A12-7", "Saint-Clair", "Jean-Luc", "1975-08-25"),
    Patient("P2000001", "Lopes", "Ana", "1990-11-19"),
    Patient("000816", "Horak", "Iva", "1983-05-28"),
)
OTHERS = (
    Patient("001004", "Van Dyke", "Lena", "1955-04-17"),
    Patient("105-10-0989-3", "Rossi", "Ugo", "1969-02-03"),
    Patient("MRN_77", "de Souza", "Maria", "1972-10-30"),
    Patient("99", "Ross", "Odile", "2001-01-02"),
)


@dataclass(frozen=True)
class Shot:
    """One picture: of whom, which eye, when, and its number on that day."""

    patient: Patient
    right: bool
    taken: datetime
    number: int

    def eye(self, right: str = "R", left: str = "L") -> str:
        """The word for the eye."""
        return right if self.right else left

    @property
    def day(self) -> str:
        return f"{self.taken:%Y%m%d}"

    @property
    def stamp(self) -> str:
        return f"{self.taken:%Y%m%d%H%M%S}"

    @property
    def utc(self) -> str:
        return f"{self.taken:%Y-%m-%dT%H_%M_%SZ}"


def eidon(s: Shot) -> str:
    p = s.patient
    return (
        f"{p.number}-{p.last}_{p.first}--{s.utc}-eidon_20005-{s.eye('right', 'left')}-{(0, 11)[s.number % 2]}-"
        f"{('visible', 'infrared')[s.number % 2]}-{s.utc}-{s.taken:%Y-%m-%d_%H%M%S}-image.jpg"
    )


def eidon_old(s: Shot) -> str:
    p = s.patient
    return f"{p.number}_{p.last}-{p.first}-{s.utc}-eidon_20129-{s.eye('right', 'left')}-0-af-{s.utc}--image.jpg"


def remidio(s: Shot) -> str:
    p = s.patient
    hour = f"{s.taken.hour % 12}.{s.taken:%M.%S}.270_{'PM' if s.taken.hour > 11 else 'AM'}"
    name = f"{p.first}_{p.last}".replace(" ", "_")
    return f"{name}_{p.number}_{s.taken:%d-%m-%Y}/fop/{hour}.jpg"


def remidio_zip(s: Shot) -> str:
    return f"{s.patient.number}_{s.taken:%d-%m-%Y}_3.00.00.859_PM.zip!{remidio(s)}"


def canon_cr2(s: Shot) -> str:
    when = s.day if s.number % 3 == 0 else s.stamp
    return f"{s.patient.number}_{when}_{s.eye()}{'' if s.number % 3 == 0 else f'_{s.number:03}'}.jpg"


# camera → (how it names an export, whether the name says the eye)
CAMERAS: dict[str, tuple[Callable[[Shot], str], bool]] = {
    "topcon-nw400": (lambda s: f"{s.day}_{s.patient.number}_{s.eye()}_{s.number:03}.JPG", True),
    "canon-cr2": (canon_cr2, True),
    "canon-oct": (
        lambda s: f"{s.patient.number}_{s.day}_{s.taken:%H%M%S}_OCTA_{s.eye()}_{s.number:03}.jpg",
        True,
    ),
    "icare-eidon": (eidon, True),
    "icare-eidon-2018": (eidon_old, True),
    "optos-daytona": (lambda s: f"{s.patient.number}-{s.taken:%Y%m%d@%H%M%S}-{s.eye()}{s.number}-S.jpg", True),
    "essilor-retina550": (
        lambda s: f"{s.patient.last.upper()} {s.patient.first}-id-{s.patient.number}-_{s.eye('OD', 'OS')}.jpg",
        True,
    ),
    "essilor-retina550-fr": (
        lambda s: f"{s.patient.last.upper()} {s.patient.first}-id-{s.patient.number}-_{s.eye('OD', 'OG')}.jpg",
        True,
    ),
    "nidek-navis-ex": (lambda s: f"{s.patient.number}_{s.stamp}_{s.number}_CO_x.jpg", False),
    "nidek-rnm": (lambda s: f"{s.patient.number}_{s.stamp}_{s.number}.jpg", False),
    "ion-slit-lamp": (
        lambda s: f"{s.patient.number}_{s.eye('0D', 'OS')}_{s.day}_{s.number}.{s.number:02}.e.jpg",
        True,
    ),
    "remidio": (remidio, False),
    "remidio-zip": (remidio_zip, False),
    "phelcom-eyer": (
        lambda s: f"{s.patient.number}/{s.stamp}_{s.eye('OD', 'OS')}_Color_1.2.826.0.1.{s.number}{s.stamp}.jpg",
        True,
    ),
    "heidelberg-spectralis": (lambda s: f"{s.patient.number}_{s.stamp}_OCT_{s.number}.jpg", False),
    "optovue-ivue": (
        lambda s: (
            f"{s.patient.last}_{s.patient.first}__{s.patient.number}_Retina_Map_{s.eye('OD', 'OS')}_{s.taken:%Y-%m-%d}.jpg"
        ),
        True,
    ),
    "oti-slo": (lambda s: f"{s.patient.number}-{s.day}-{s.number}.jpg", False),
    "topcon-aladdin": (
        lambda s: f"{s.patient.last}_{s.patient.first}_{'_'.join(reversed(s.patient.born.split('-')))}.jpg".replace(
            " ", "-"
        ),
        False,
    ),
    "topcon-triton": (lambda s: f"OCT_3D_{s.patient.number}_{s.stamp}_{s.number}.jpg", False),
    "zeiss-cirrus": (
        lambda s: f"CZ_5000_Report_{s.patient.number}_Macular_Cube_{s.eye('OD', 'OS')}_{s.stamp}_x.jpg",
        True,
    ),
    "subject-folder": (
        lambda s: f"{s.patient.number}/{abs(hash((s.patient.number, s.number, s.right))):032x}_{s.eye('OD', 'OS')}.jpg",
        True,
    ),
}


def shots(patients: tuple[Patient, ...], each: int = 2) -> list[Shot]:
    """Both eyes of every patient, a few times, on different days."""
    return [
        Shot(
            patient,
            right,
            DAY + timedelta(days=3 * at, minutes=7 * at + number, hours=at * 2 % 7),
            number + 2 * right + 1,
        )
        for at, patient in enumerate(patients)
        for number in range(each)
        for right in (True, False)
    ]
