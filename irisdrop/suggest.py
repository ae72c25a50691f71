"""Suggestions for one quarantined image, from the worklist as it is known now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from irisdrop.matching.capture import MOMENT, Situation, capture, implausible
from irisdrop.matching.suggestions import Suggestion, suggestions
from irisdrop.profiles.config import Config
from irisdrop.record.orders import LOOKUP_KEYS, Orders
from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.names import folded
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code

AROUND = timedelta(hours=36)
OLDEST = 30 * 86400.0  # seconds; a stamp that is older at arrival is a clock's that was reset


def suggestions_for(image: ImageFile, orders: Orders, config: Config) -> list[dict[str, Any]]:
    """The likeliest orders of an image as plain values, the likeliest first."""
    return [
        {
            "entry": found.entry.id,
            "start": None if found.entry.start is None else found.entry.start.isoformat(),
            "why": list(found.why),
        }
        for found in suggested(image, orders, config)
    ]


def suggested(image: ImageFile, orders: Orders, config: Config) -> list[Suggestion]:
    """The likeliest orders among those that share a value with the image or are due around the time it was taken."""
    sound = [reading for reading in image.readings if reading.flaw is None]
    clock = next((camera.clock for camera in config.cameras if camera.name == image.camera), timedelta(0))
    situation = Situation(config.site.zone, image.arrived, image.live, clock, config.site.id)
    doubted = image.reason is Code.CLOCK_IMPLAUSIBLE
    when = likely_moment(sound, situation, doubted) or _arrival(image.arrived)
    entries = {entry.id: entry for entry in orders.between(when.begin - AROUND, when.end + AROUND)}
    if image.live:  # where the camera's clock is wrong, the order is due about now all the same
        entries |= {entry.id: entry for entry in orders.between(image.arrived - AROUND, image.arrived + AROUND)}
    pairs = [(r.key, r.value) for r in sound if r.key in LOOKUP_KEYS]
    entries |= {entry.id: entry for entry in orders.find(pairs)}
    numbers = {r.value for r in sound if r.key == "PatientID"}
    merged = {entry.id: entry for entry in orders.renumbered(numbers)}
    merged |= {entry.id: entry for entry in _renumbered(numbers, entries.values())}
    return suggestions(sound, when, (entries | merged).values(), name=image.name, renumbered=merged)


def _renumbered(numbers: Collection[str], entries: Collection[WorklistEntry]) -> list[WorklistEntry]:
    """Orders under another number of people who had one of `numbers` at an earlier order: by name and birth date."""
    former = {_person(entry) for entry in entries if entry.keys.get("PatientID") in numbers} - {None}
    return [entry for entry in entries if _person(entry) in former and entry.keys.get("PatientID") not in numbers]


def _person(entry: WorklistEntry) -> tuple[str, str] | None:
    name, born = entry.keys.get("PatientName"), entry.keys.get("PatientBirthDate")
    return (folded(name), born) if name and born else None


def likely_moment(sound: Sequence[Reading], situation: Situation, doubted: bool) -> Capture | None:
    """When the image was most likely taken: an image that came in live was taken shortly before.

    So arrival stands in for a stamp that can't be right or was `doubted`, and for the hour where the stamp is a day
    alone.
    """
    taken = capture(sound, situation)
    if taken is None or situation.arrived is None or not situation.live:
        return taken
    on_that_day = taken.end - taken.begin > timedelta(hours=1) and taken.begin <= situation.arrived < taken.end
    if on_that_day or doubted or implausible(taken, situation, OLDEST):
        return _arrival(situation.arrived)
    return taken


def _arrival(moment: datetime) -> Capture:
    return Capture(moment, moment + MOMENT, "arrival")
