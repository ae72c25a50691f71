"""How far a camera's clock is off, estimated from when its images arrived: shown to people, never used to correct."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import median
from typing import Final

from irisdrop.matching.capture import MOMENT, Situation, capture
from irisdrop.vocabulary.images import ImageFile

ALIKE: Final = timedelta(minutes=3)  # images exported at once differ by less in how late they are
APART: Final = timedelta(minutes=20)  # and come over a longer time than this, unlike a batch
FEWEST: Final = 4
LOOKS: Final = (6, 24)  # the newest few show a clock that jumped, more of them one that always drifts
WORTH_TELLING: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Passage:
    """When an image arrived, and how long after its own stamp; negative where the clock is ahead."""

    arrived: datetime
    late: timedelta


def passages(images: Iterable[ImageFile], zone: tzinfo) -> list[Passage]:
    """Those of the images that came in live and carry a moment, not a day alone; the newest first."""
    found = []
    for image in images:
        taken = capture([r for r in image.readings if r.flaw is None], Situation(zone)) if image.live else None
        if taken is not None and taken.end - taken.begin <= MOMENT:
            found.append(Passage(image.arrived, image.arrived - taken.begin))
    return sorted(found, key=lambda passage: passage.arrived, reverse=True)


def drift(newest_first: Sequence[Passage]) -> timedelta | None:
    """What would have to be added to the camera's stamps; None where nothing can be said.

    Exports that come at different times and are all late by the same are late by the clock. A batch comes at one
    time, and its images are late by different times.
    """
    for look in LOOKS:
        newest = newest_first[:look]
        alike = _densest(newest)
        if len(alike) < max(FEWEST, (len(newest) + 1) // 2):
            continue
        arrivals = [passage.arrived for passage in alike]
        if max(arrivals) - min(arrivals) >= APART:
            return timedelta(seconds=median(passage.late.total_seconds() for passage in alike))
    return None


def setting(correction: timedelta) -> str:
    """A correction as the configuration's `clock:` takes it, in whole minutes."""
    minutes = round(correction.total_seconds() / 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 and minutes else f"{minutes}m"


def _densest(passages_: Sequence[Passage]) -> list[Passage]:
    """The most that are late by the same; of equally many, those that are the least late."""
    ordered = sorted(passages_, key=lambda passage: passage.late)
    best: list[Passage] = []
    for first, passage in enumerate(ordered):
        alike = [other for other in ordered[first:] if other.late - passage.late <= ALIKE]
        if len(alike) > len(best):
            best = alike
    return best
