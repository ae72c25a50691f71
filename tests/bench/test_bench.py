"""A path that has grown dearer shows in CI: the short bench, its ratios beside those of the stored table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("bench")  # one run serves all

HERE = Path(__file__).parent
TOLERANCE = 2.5  # a machine of CI is shared: only what is far off is a regression

STORED = json.loads((HERE / "table.json").read_text())
COMPARED = ("machine", "size", "small", "rescan", "decision")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The ratios of one short run, by row; the bench's own verdict on the goals is not asked."""
    table = tmp_path_factory.mktemp("bench") / "table.json"
    only = [word for part in COMPARED for word in ("--only", part)]
    done = subprocess.run(
        [sys.executable, str(HERE / "bench.py"), "--quick", *only, "--json", str(table)],
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert table.exists(), done.stderr
    return {row["name"]: row["ratio"] for row in json.loads(table.read_text())}


APART = ("100 ×", "20 ×", "one image", "Exif", "start")  # rows of parts that CI does not run
ROWS = [
    row
    for row in STORED["quick"]
    if row["beside"] and not row["name"].startswith(APART) and not row["name"].endswith("rclone copy")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_no_ratio_is_far_worse_than_in_the_stored_table(row: dict[str, object], measured: dict[str, float]) -> None:
    found, stored = measured[str(row["name"])], float(str(row["ratio"]))
    if row["at_least"]:
        assert found >= stored / TOLERANCE
    else:
        assert found <= max(stored, float(str(row["goal"]))) * TOLERANCE
