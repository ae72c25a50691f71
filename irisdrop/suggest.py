"""Suggestions for one quarantined image, from the worklist as it is known now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from irisdrop.matching.capture import MOMENT, Situation, capture
from irisdrop.matching.suggestions import Suggestion, suggestions
from irisdrop.profiles.config import Config
from irisdrop.record.orders import LOOKUP_KEYS, Orders
from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import ImageFile

AROUND = timedelta(hours=36)


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
    taken = capture(sound, Situation(config.site.zone, image.arrived, image.live))
    when = taken or Capture(image.arrived, image.arrived + MOMENT, "arrival")
    entries = {entry.id: entry for entry in orders.between(when.begin - AROUND, when.end + AROUND)}
    pairs = [(r.key, r.value) for r in sound if r.key in LOOKUP_KEYS]
    entries |= {entry.id: entry for entry in orders.find(pairs)}
    return suggestions(sound, when, entries.values())
