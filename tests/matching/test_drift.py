"""How far a camera's clock is off: exports that are all late by the same, at different times, are late by the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from irisdrop.matching.drift import Passage, drift, passages, setting
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.states import State

NOW = datetime(2025, 1, 14, 16, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def day(late: Callable[[int], timedelta], apart: timedelta = 15 * MINUTE, count: int = 20) -> list[Passage]:
    """Images that arrived `apart` from each other, the newest first, each late by `late` of its number."""
    return [Passage(NOW - number * apart, late(number)) for number in range(count)]


def seconds(number: int) -> timedelta:
    """What a prompt export takes."""
    return timedelta(seconds=5 + 7 * number % 40)


def test_a_clock_that_is_right_needs_no_correction() -> None:
    found = drift(day(seconds))
    assert found is not None
    assert abs(found) < MINUTE


@pytest.mark.parametrize("off", [47 * MINUTE, -60 * MINUTE, timedelta(days=4749)])
def test_a_clock_that_is_off_is_told_in_its_direction(off: timedelta) -> None:
    """Behind is added to its stamps, ahead taken away; so is a dead battery's."""
    found = drift(day(lambda number: off + seconds(number)))
    assert found is not None
    assert abs(found - off) < MINUTE


def test_some_late_exports_between_prompt_ones_change_nothing() -> None:
    found = drift(day(lambda number: seconds(number) + (number % 3 == 0) * 50 * MINUTE * (1 + number)))
    assert found is not None
    assert abs(found) < MINUTE


def test_a_batch_at_the_end_of_the_day_says_nothing() -> None:
    """It comes at one time, and its images are late by different times."""
    batch = day(lambda number: (5 + 12 * number) * MINUTE, apart=timedelta(seconds=2))
    assert drift(batch) is None
    one_exam = day(lambda _: 300 * MINUTE, apart=timedelta(seconds=2), count=6)
    assert drift(one_exam) is None


def test_a_clock_that_jumps_is_seen_within_a_few_images() -> None:
    jumped = day(lambda number: seconds(number) + (number < 5) * timedelta(days=4749))
    found = drift(jumped)
    assert found is not None
    assert found > timedelta(days=4748)


def test_a_few_images_say_nothing() -> None:
    assert drift(day(seconds, count=3)) is None
    assert drift([]) is None


@pytest.mark.parametrize(
    ("correction", "written"), [(47 * MINUTE, "47m"), (-3 * MINUTE, "-3m"), (timedelta(hours=-2), "-2h")]
)
def test_a_correction_is_written_as_the_configuration_takes_it(correction: timedelta, written: str) -> None:
    assert setting(correction) == written


def image(live: bool, key: str, value: str) -> ImageFile:
    reading = Reading(key, value, value, "exif:Exif.DateTimeOriginal")
    return ImageFile(1, 1, State.IDENTIFIED, "room-1", "/x", "x", "d", 1, NOW, live, (reading,))


def test_only_images_that_came_in_live_with_a_moment_count() -> None:
    """A day alone is no moment, and an older file that was found says nothing of the clock."""
    stamp = "2025-01-14T15:59:30"
    assert passages([image(True, "AcquisitionDateTime", stamp)], UTC) == [Passage(NOW, timedelta(seconds=30))]
    assert passages([image(False, "AcquisitionDateTime", stamp)], UTC) == []
    assert passages([image(True, "AcquisitionDate", "2025-01-14")], UTC) == []
