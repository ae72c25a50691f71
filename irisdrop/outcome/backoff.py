"""When to try again: exponential with full jitter, so that a room of agents doesn't knock in step."""

from __future__ import annotations

import random

FIRST = 1.0  # seconds
LONGEST = 300.0
GATE_LONGEST = 30.0  # while the platform as a whole is away, one image knocks at most this seldom


def delay(tries: int, rng: random.Random, longest: float = LONGEST, asked: float | None = None) -> float:
    """Seconds until the next try after `tries` failed ones; never sooner than the platform `asked` for."""
    drawn = rng.uniform(0, min(longest, FIRST * 2 ** min(tries, 16)))
    return drawn if asked is None else asked + drawn * 0.1
