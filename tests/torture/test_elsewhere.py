"""A short run of the kills with each kind of platform that people have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["folder", "dicomweb", "dimse", "iris"])
def test_no_kill_loses_or_doubles_an_image_on_its_way_to(kind: str) -> None:
    harness = str(Path(__file__).with_name("elsewhere.py"))
    done = subprocess.run(
        [sys.executable, harness, kind, "--kills", "15"], capture_output=True, text=True, timeout=220, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) kills, \d+ images, 0 findings", done.stdout)
    assert found and int(found[1]) >= 15, done.stdout
