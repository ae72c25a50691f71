"""A good profile to spoil, and what its faults look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from irisdrop.profiles.profile import parse_profile
from irisdrop.vocabulary.faults import Fault, FaultyFile

GOOD = """\
irisdrop: 1
title: Camera of room 2
status: sampled
modality: OP
files: {take: ["*.jpg"]}
read:
  - filename: '(?P<PatientID>.+)_(?P<ImageLaterality>[RL])\\.jpg'
match: [PatientID]
examples:
  - {file: 000815_R.jpg, gives: {PatientID: 000815}}
  - {file: 000815_X.jpg, refuses: NO_KEYS}
"""


@pytest.fixture
def good() -> str:
    """A profile without fault."""
    return GOOD


@pytest.fixture
def spoilt() -> Callable[[str, str], str]:
    """The good profile with one of its texts replaced."""

    def replaced(old: str, new: str) -> str:
        assert GOOD.count(old) == 1, old
        return GOOD.replace(old, new)

    return replaced


@pytest.fixture
def faults() -> Callable[[str], tuple[Fault, ...]]:
    """All faults of a profile's text; none where it is accepted."""

    def of(text: str) -> tuple[Fault, ...]:
        try:
            parse_profile(text, "camera.yaml")
        except FaultyFile as error:
            return error.faults
        return ()

    return of
