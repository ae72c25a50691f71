"""What only several images together show: a number that flickers, and an exam with one eye's pictures only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
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


def flickers(images: Iterable[ImageFile], zone: tzinfo) -> list[Flicker]:
    """Where an identifier of one camera's images changes and changes back within seconds."""
    timed = [(when, image) for image in images if (when := _moment(image, zone)) is not None]
    timed.sort(key=lambda pair: (pair[0], pair[1].id))
    return [found for key in (*IDENTITY_KEYS, "PatientName") for found in _flickers_of(key, timed)]


def one_eyed(images: Iterable[ImageFile], entries: Mapping[str, WorklistEntry], now: datetime) -> list[OneEye]:
    """Exams that are over, whose patient can still be called back, and that show one eye only."""
    held = sorted((i for i in images if i.entry in entries and i.state in WITH_ORDER), key=lambda i: i.entry or "")
    found = []
    for identifier, group in groupby(held, key=lambda image: image.entry or ""):
        exam = sorted(group, key=lambda image: (image.arrived, image.id))
        eyes = {image.eye for image in exam}
        entry, age = entries[identifier], now - exam[-1].arrived
        if entry.single_eye is not None or entry.standing is not Standing.OPEN or not EXAM_OVER <= age <= CALLED_BACK:
            continue
        if eyes in ({"R"}, {"L"}):
            found.append(OneEye(exam[-1].id, identifier, eyes.pop() or ""))
    return found


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
