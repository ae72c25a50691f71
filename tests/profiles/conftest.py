"""A good profile to spoil, and what its faults look like."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from irisdrop.profiles.profile import parse_profile

sys.path.insert(0, str(Path(__file__).parent))

from spoilt import Faults, faults_of

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
def faults() -> Faults:
    """All faults of a profile's text; none where it is accepted."""
    return faults_of(lambda text: parse_profile(text, "camera.yaml"))
