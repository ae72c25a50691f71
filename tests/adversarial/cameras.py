"""How the clinic's cameras write down what they were told: names, Exif tags and DICOM elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from irisdrop.identity.contents import Contents, Element, Tag

ZONE: Final = ZoneInfo("America/New_York")


class Told(Protocol):
    """Whoever has a number and a birth date."""

    @property
    def number(self) -> str: ...
    @property
    def birth(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Said:
    """What a camera was told, typed or from its own worklist, and what its clock says (local, without offset).

    `eye` is R, L or B, written in the camera's way, or any other token, written as it is. `more` holds DICOM elements
    or Exif tags that say something else than the rest; `typed` is a number in the name that differs from the camera's.
    """

    number: str
    family: str
    given: str
    birth: str
    sex: str
    eye: str
    stamp: datetime
    accession: str = ""
    study: str = ""
    typed: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Room:
    """One camera: its profile (of the shelf, or a file beside this one), what its profile reads, its clock's error."""

    name: str
    profile: str
    write: Callable[[Said, int], tuple[str, Contents]]
    reads: frozenset[str] = frozenset()
    late: timedelta = timedelta(0)  # how far its clock is behind; the configuration's `clock:` adds it

    @property
    def number_only(self) -> bool:
        """Whether an export carries nothing of the patient but a number."""
        return not self.reads


def topcon(said: Said, counter: int) -> tuple[str, Contents]:
    """`20250114_000815_R_012.JPG`: the day alone."""
    return f"{said.stamp:%Y%m%d}_{said.number}_{said.eye}_{counter:03d}.JPG", Contents("jpeg")


def canon(said: Said, counter: int) -> tuple[str, Contents]:
    """`000815_20250114101530_R_001.jpg`: only the day of the stamp is read."""
    return f"{said.number}_{said.stamp:%Y%m%d%H%M%S}_{said.eye}_{counter:03d}.jpg", Contents("jpeg")


def optos(said: Said, counter: int) -> tuple[str, Contents]:
    """`000805-20250114@090826-L1-S.jpg`."""
    return f"{said.number}-{said.stamp:%Y%m%d@%H%M%S}-{said.eye}{counter}-S.jpg", Contents("jpeg")


def eidon(said: Said, counter: int) -> tuple[str, Contents]:
    """The long name with the patient's name and the time in UTC."""
    utc = said.stamp.replace(tzinfo=ZONE).astimezone(UTC)
    eye = {"R": "right", "L": "left", "B": "both"}.get(said.eye, said.eye)
    name = (
        f"{said.number}-{said.family}_{said.given}--{utc:%Y-%m-%dT%H_%M_%S}Z-eidon_20005-{eye}-{counter % 5}-visible-"
        f"{utc:%Y-%m-%dT%H_%M_%S}Z-{said.stamp:%Y-%m-%d_%H%M%S}-image.jpg"
    )
    return name, Contents("jpeg")


def described(who: Told, eye: str) -> str:
    """The Exif description that room 4's workstation writes."""
    return f"MRN={who.number};DOB={who.birth.replace('-', '')};EYE={eye}"


def workstation(said: Said, counter: int) -> tuple[str, Contents]:
    """The number and the eye in the name, and again in Exif with the birth date (`room-4.yaml`)."""
    eye = {"B": "OU"}.get(said.eye, said.eye)
    tags = {"ImageDescription": described(said, eye), "DateTimeOriginal": f"{said.stamp:%Y:%m:%d %H:%M:%S}"} | dict(
        said.more
    )
    exif = tuple(Tag("0th" if name == "ImageDescription" else "Exif", name, text) for name, text in tags.items())
    return f"{said.typed or said.number}_{eye}_{counter:03d}.jpg", Contents("jpeg", exif=exif)


PLACES: Final = {
    "PatientID": "(0010,0020)",
    "IssuerOfPatientID": "(0010,0021)",
    "PatientName": "(0010,0010)",
    "PatientBirthDate": "(0010,0030)",
    "PatientSex": "(0010,0040)",
    "AccessionNumber": "(0008,0050)",
    "StudyInstanceUID": "(0020,000d)",
    "ImageLaterality": "(0020,0062)",
    "Laterality": "(0020,0060)",
    "AcquisitionDateTime": "(0008,002a)",
    "ContentDate": "(0008,0023)",
    "ContentTime": "(0008,0033)",
    "Modality": "(0008,0060)",
    "InstanceNumber": "(0020,0013)",
}


def dicom(said: Said, counter: int) -> tuple[str, Contents]:
    """An ophthalmic photograph with its whole header."""
    texts = {
        "PatientID": said.number,
        "PatientName": f"{said.family}^{said.given}",
        "PatientBirthDate": said.birth.replace("-", ""),
        "PatientSex": said.sex,
        "AccessionNumber": said.accession,
        "StudyInstanceUID": said.study,
        "ImageLaterality": said.eye,
        "AcquisitionDateTime": f"{said.stamp:%Y%m%d%H%M%S}",
        "ContentDate": f"{said.stamp:%Y%m%d}",
        "ContentTime": f"{said.stamp:%H%M%S}",
        "Modality": "OP",
        "InstanceNumber": str(counter),
    } | dict(said.more)
    elements = tuple(Element(name, PLACES[name], (text,)) for name, text in texts.items() if text)
    return f"IM{counter:06d}.dcm", Contents("dicom", dicom=elements)


ROOMS: Final[dict[str, Room]] = {
    room.name: room
    for room in (
        Room("room-1", "topcon-nw400", topcon),
        Room("room-2", "canon-cr2", canon),
        Room("room-3", "icare-eidon", eidon, frozenset({"name"})),
        Room("room-4", "room-4.yaml", workstation, frozenset({"birth"})),
        Room("room-5", "optos-daytona", optos),
        Room("room-6", "dicom-op", dicom, frozenset({"name", "birth", "order"})),
        Room("room-7", "optos-daytona", optos, late=timedelta(hours=51)),
    )
}
