"""What only several images together show: a number that flickers, and an exam that lacks an eye or a field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from types import MappingProxyType
from typing import Final

from irisdrop.matching.capture import MOMENT, Situation, capture
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.keys import IDENTITY_KEYS
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.states import State

LONGEST: Final = timedelta(seconds=60)  # nobody seats another patient, and the first one again, in less
SHORTEST: Final = timedelta(seconds=4)  # nobody takes three pictures in less: it is a batch that was exported at once
EXAM_OVER: Final = timedelta(minutes=10)  # since its last image; until then the other eye may still come
CALLED_BACK: Final = timedelta(hours=8)  # later the patient has gone home
NONE: Final[Mapping[str, timedelta]] = MappingProxyType({})
WITH_ORDER: Final = (State.MATCHED, State.UPLOADED, State.DELIVERED)


@dataclass(frozen=True, slots=True)
class Flicker:
    """Images between two others of one camera that say something else of `key` than both of those."""

    key: str
    before: int
    odd: tuple[int, ...]
    after: int


@dataclass(frozen=True, slots=True)
class OneEye:
    """An exam that shows `eye` alone, though its order asks for both; `image` is its last."""

    image: int
    entry: str
    eye: str


@dataclass(frozen=True, slots=True)
class TooFew:
    """An exam that holds fewer pictures of `eye` by one camera than expected; `image` is that camera's last."""

    image: int
    entry: str
    eye: str
    held: int
    expected: int


def flickers(images: Iterable[ImageFile], zone: tzinfo) -> list[Flicker]:
    """Where an identifier of one camera's images changes and changes back within seconds."""
    timed = [(when, image) for image in images if (when := _moment(image, zone)) is not None]
    timed.sort(key=lambda pair: (pair[0], pair[1].id))
    return [found for key in (*IDENTITY_KEYS, "PatientName") for found in _flickers_of(key, timed)]


def one_eyed(
    images: Iterable[ImageFile],
    entries: Mapping[str, WorklistEntry],
    now: datetime,
    over: Mapping[str, timedelta] = NONE,
) -> list[OneEye]:
    """Exams that are over, whose patient can still be called back, and that show one eye only; `over` says of each camera
    how long after its last image an exam is over."""
    found = []
    for entry, exam in _over(images, entries, now, over):
        eyes = {image.eye for image in exam}
        if entry.single_eye is None and eyes in ({"R"}, {"L"}):
            found.append(OneEye(exam[-1].id, entry.id, eyes.pop() or ""))
    return found


def too_few(
    images: Iterable[ImageFile],
    entries: Mapping[str, WorklistEntry],
    expected: Mapping[str, int],
    now: datetime,
    over: Mapping[str, timedelta] = NONE,
) -> list[TooFew]:
    """Exams that are over, whose patient can still be called back, with fewer pictures of an eye than `expected`
    (camera → pictures of each eye).

    An eye without any picture is `one_eyed`'s to tell. Where the platform finds the eye nothing can be counted.
    """
    found = []
    for entry, exam in _over(images, entries, now, over):
        for camera, wanted in sorted(expected.items()):
            of_it = [image for image in exam if image.camera == camera]
            if any(image.eye not in ("R", "L", "B") for image in of_it):
                continue
            for eye in ("R", "L"):
                held = sum(image.eye in (eye, "B") for image in of_it)
                if 0 < held < wanted and entry.single_eye in (None, eye):
                    found.append(TooFew(of_it[-1].id, entry.id, eye, held, wanted))
    return found


def _over(
    images: Iterable[ImageFile], entries: Mapping[str, WorklistEntry], now: datetime, over: Mapping[str, timedelta]
) -> Iterator[tuple[WorklistEntry, list[ImageFile]]]:
    """Each open order whose exam is over and whose patient can still be called back, with its images as they came."""
    held = sorted((i for i in images if i.entry in entries and i.state in WITH_ORDER), key=lambda i: i.entry or "")
    for identifier, group in groupby(held, key=lambda image: image.entry or ""):
        exam = sorted(group, key=lambda image: (image.arrived, image.id))
        entry = entries[identifier]
        if (
            entry.standing is Standing.OPEN
            and over.get(exam[-1].camera, EXAM_OVER) <= now - exam[-1].arrived <= CALLED_BACK
        ):
            yield entry, exam


def _flickers_of(key: str, timed: Sequence[tuple[datetime, ImageFile]]) -> list[Flicker]:
    said = [(when, image.id, value) for when, image in timed if (value := _value(image, key)) is not None]
    runs = [list(run) for _, run in groupby(said, key=lambda one: one[2])]
    return [
        Flicker(key, left[-1][1], tuple(number for _, number, _ in odd), right[0][1])
        for left, odd, right in zip(runs, runs[1:], runs[2:], strict=False)
        if left[0][2] == right[0][2] and SHORTEST <= right[0][0] - left[-1][0] <= LONGEST
    ]


def _value(image: ImageFile, key: str) -> str | None:
    return next((r.value for r in image.readings if r.key == key and r.flaw is None), None)


def _moment(image: ImageFile, zone: tzinfo) -> datetime | None:
    taken = capture([r for r in image.readings if r.flaw is None], Situation(zone))
    if taken is not None and taken.end - taken.begin <= MOMENT:
        return taken.begin
    return image.arrived if image.live else None
