"""Images that belong together: one patient's visit to one camera, as far as the images themselves say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from irisdrop.profiles.profile import DeviceProfile, ExamRule
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.names import folded
from irisdrop.vocabulary.states import State

DEFAULT = ExamRule()  # of a camera whose profile is not known
NONE: Final[Mapping[str, DeviceProfile]] = MappingProxyType({})
SAYS_WHOSE = ("PatientID", "IssuerOfPatientID", "AccessionNumber", "AdmissionID", "PatientName", "PatientBirthDate")


@dataclass(frozen=True, slots=True)
class Exam:
    """Images of one camera that say the same about whose they are, oldest first."""

    images: tuple[ImageFile, ...]

    @property
    def id(self) -> int:
        """The first image's number stands for the exam."""
        return self.images[0].id

    @property
    def camera(self) -> str:
        return self.images[0].camera

    @property
    def begin(self) -> datetime:
        return min(map(moment_of, self.images))

    @property
    def end(self) -> datetime:
        return max(map(moment_of, self.images))

    @property
    def seen(self) -> str:
        """Every image with its version: what a person acts on is what that person saw."""
        return " ".join(f"{image.id}:{image.version}" for image in self.images)

    def holds(self, number: int) -> bool:
        """Whether an image is one of these."""
        return any(image.id == number for image in self.images)


def moment_of(image: ImageFile) -> datetime:
    """When it was taken, else when it arrived; also where it says the day alone, which would be midnight."""
    return image.taken if image.taken is not None and says_hour(image) else image.arrived


def says_hour(image: ImageFile) -> bool:
    """Whether it says more than the day on which it was taken."""
    return any(r.key in ("AcquisitionDateTime", "AcquisitionTime") and r.flaw is None for r in image.readings)


def eye_of(image: ImageFile) -> str:
    """R, L, B, or ? where the image does not say."""
    if image.eye in ("R", "L", "B") and image.state is not State.QUARANTINED:
        return image.eye
    read = {r.value for r in image.readings if r.key == "ImageLaterality" and r.value in ("R", "L", "B")}
    return read.pop() if len(read) == 1 else "?"


def exams_of(images: Iterable[ImageFile], profiles: Mapping[str, DeviceProfile] = NONE) -> list[Exam]:
    """Exams by the profiles of their cameras, the newest first. An image that does not say whose it is stays alone: it may
    be anybody's."""
    groups: dict[tuple[object, ...], list[list[ImageFile]]] = {}
    for image in sorted(images, key=lambda one: (moment_of(one), one.id)):
        profile = profiles.get(image.camera)
        rule = profile.exam if profile else DEFAULT
        whose = _whose(image)
        key = (image.camera, *whose, *_said(image, rule.by)) if whose else (image.id,)
        runs = groups.setdefault(key, [])
        if runs and moment_of(image) - moment_of(runs[-1][-1]) <= timedelta(seconds=rule.pause):
            runs[-1].append(image)
        else:
            runs.append([image])
    found = [Exam(tuple(_in_order(run))) for runs in groups.values() for run in runs]
    return sorted(found, key=lambda exam: (exam.end, exam.id), reverse=True)


def _in_order(run: list[ImageFile]) -> list[ImageFile]:
    """As they were taken; where none says the hour they came all at once, and the camera's names count on."""
    return run if any(map(says_hour, run)) else sorted(run, key=lambda one: (one.name, one.id))


def _said(image: ImageFile, keys: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """What it says of some keys; nothing is a value too."""
    return tuple(tuple(sorted({r.value for r in image.readings if r.key == key})) for key in keys)


def _whose(image: ImageFile) -> tuple[object, ...]:
    if image.entry is not None:
        return ("entry", image.entry)
    said = {
        (r.key, folded(r.value) if r.key == "PatientName" else r.value) for r in image.readings if r.key in SAYS_WHOSE
    }
    return tuple(sorted(said))
