"""Where the cameras of these tests are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from learning_cameras import CAMERAS


@pytest.fixture(params=sorted(CAMERAS))
def camera(request: pytest.FixtureRequest) -> str:
    """Each camera by its name."""
    return str(request.param)
