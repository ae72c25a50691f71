"""When to try again."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from irisdrop.outcome.backoff import FIRST, LONGEST, delay


@given(st.integers(0, 10_000), st.integers())
def test_it_grows_to_a_limit_and_no_further(tries: int, seed: int) -> None:
    assert 0 <= delay(tries, random.Random(seed)) <= min(LONGEST, FIRST * 2 ** min(tries, 16))


@given(st.integers(0, 10_000), st.integers(), st.floats(0, 86400))
def test_it_is_never_sooner_than_the_platform_asked(tries: int, seed: int, asked: float) -> None:
    assert asked <= delay(tries, random.Random(seed), asked=asked) <= asked + LONGEST * 0.1


def test_a_room_of_agents_does_not_knock_in_step() -> None:
    rng = random.Random(1)
    drawn = [delay(6, rng) for _ in range(1000)]
    assert len(set(drawn)) == 1000
    assert min(drawn) < 5
    assert max(drawn) > 59
    assert 28 < sum(drawn) / 1000 < 36  # the mean of full jitter is half of the span


def test_what_the_platform_asked_of_all_is_spread_too() -> None:
    rng = random.Random(1)
    assert len({delay(3, rng, asked=30.0) for _ in range(100)}) == 100
