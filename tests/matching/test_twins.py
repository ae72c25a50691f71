"""The same bytes again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from irisdrop.matching.twins import twin_of
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.states import State

Read = Callable[..., tuple[Reading, ...]]


def image(number: int, state: State, readings: tuple[Reading, ...] = (), **more: Any) -> ImageFile:
    fields = {"profile": "p" * 64, "digest": "d" * 64, "size": 1, "live": True} | more
    return ImageFile(
        number, 1, state, "room-2", "/x", "x", arrived=datetime(2025, 1, 14, tzinfo=UTC), readings=readings, **fields
    )


@pytest.fixture
def said(read: Read) -> tuple[Reading, ...]:
    return read(PatientID="000815", ImageLaterality="R", AcquisitionDate="2025-01-14")


@pytest.mark.parametrize("state", ["IDENTIFIED", "MATCHED", "UPLOADED", "DELIVERED", "QUARANTINED", "DUPLICATE"])
def test_an_earlier_image_that_says_the_same_makes_a_duplicate(said: tuple[Reading, ...], state: str) -> None:
    first, second = image(1, State(state), said), image(2, State.IDENTIFIED, said)
    assert twin_of(second, said, [first, second]) == (first, True)


def test_patient_order_and_eye_are_compared_and_neither_time_nor_place(read: Read, said: tuple[Reading, ...]) -> None:
    other = read(("PatientID", "000815", "exif:0th.X"), ("ImageLaterality", "R", "exif:0th.Y"), InstanceNumber="9")
    first = image(1, State.DELIVERED, said)
    assert twin_of(image(2, State.IDENTIFIED, other), other, [first]) == (first, True)


@pytest.mark.parametrize("key", ["PatientID", "ImageLaterality", "AccessionNumber", "PatientBirthDate"])
def test_one_that_says_something_else_is_a_conflict(read: Read, said: tuple[Reading, ...], key: str) -> None:
    other = tuple(reading for reading in said if reading.key != key) + read(**{key: "L"})
    first = image(1, State.DELIVERED, said)
    assert twin_of(image(2, State.IDENTIFIED, other), other, [first]) == (first, False)


@pytest.mark.parametrize("state", ["DISCARDED", "VANISHED", "SEEN", "SETTLED"])
def test_what_was_thrown_away_or_never_read_is_no_twin(said: tuple[Reading, ...], state: str) -> None:
    assert twin_of(image(2, State.IDENTIFIED, said), said, [image(1, State(state), said)]) is None


def test_one_that_was_refused_unread_says_nothing_and_so_nothing_else(said: tuple[Reading, ...]) -> None:
    """A faulty profile refused the first; the same picture, exported again when it was mended, is no conflict."""
    assert twin_of(image(2, State.IDENTIFIED, said), said, [image(1, State.QUARANTINED, profile=None)]) is None


def test_a_later_one_counts_once_it_has_an_order(said: tuple[Reading, ...]) -> None:
    """The first was released and is read again: the second went its way meanwhile."""
    first = image(1, State.IDENTIFIED, said)
    for state in (State.MATCHED, State.DELIVERED):
        assert twin_of(first, said, [first, image(2, state, said)]) == (image(2, state, said), True)
    for state in (State.IDENTIFIED, State.DUPLICATE, State.QUARANTINED):
        assert twin_of(first, said, [first, image(2, state, said)]) is None


def test_of_several_the_one_that_says_the_same_decides(read: Read, said: tuple[Reading, ...]) -> None:
    other, same = image(1, State.QUARANTINED, read(PatientID="1")), image(2, State.DELIVERED, said)
    assert twin_of(image(3, State.IDENTIFIED, said), said, [other, same]) == (same, True)
