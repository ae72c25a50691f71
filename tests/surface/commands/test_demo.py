"""The demo adds up, and every end is the planned one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_demo_adds_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "irisdrop", "demo", "--seconds", "20", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["exported"] > 40
    assert found["exported"] == sum(found[end] for end in ("delivered", "quarantined", "waiting", "duplicates"))
    assert found["quarantined"] == len(found["quarantine"]) >= 8
    assert all(item["reason"] == item["planned"] for item in found["quarantine"])
    assert found["duplicates"] == 1
    assert list(tmp_path.iterdir()) == []
