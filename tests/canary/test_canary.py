"""No patient gets out: names and numbers that can be found by grep go through every path of output, and none is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLINIC = Path(__file__).with_name("clinic.py")


def told(folder: Path, root: Path, *parts: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(CLINIC), str(folder), str(root), *parts],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
def test_no_patient_gets_out_by_any_of_some_four_hundred_paths(tmp_path: Path) -> None:
    """Standard output and error of commands, logs, conditions, audit, bundle, metrics, the reports of faults, Windows'
    event log, the tray icon, and what the page gives to others than the person who is shown it."""
    found = told(tmp_path, ROOT, "ordinary", "platform", "inside", "commands")
    assert found["leaks"] == []
    assert len(found["paths"]) > 300
    for part in (
        "page /images/1: title",
        "page /metrics",
        "page /live",
        "tray: tooltip",
        "event log of Windows: a fault",
    ):
        assert part in set(found["paths"]) - set(found["silent"])
    assert len(set(found["paths"]) - set(found["silent"])) >= 40, "what says nothing proves nothing"


PLANTED = {
    "a line of log": (
        "irisdrop/record/journal.py",
        'log.info("transition", extra={"fields": fields})',
        'log.info(f"transition of {image.readings}", extra={"fields": fields})',
    ),
    "an exception's text": (
        "irisdrop/vocabulary/faults.py",
        'return f"{type(error).__name__} at',
        'return f"{error} at',
    ),
    "a page's title": (
        "irisdrop/surface/page/templates/image.html",
        '{{ t("image_title", n=image.id) }}{% endblock %}',
        "{{ image.name }}{% endblock %}",
    ),
    "a condition's detail": (
        "irisdrop/housekeeping.py",
        'f"{waiting} images" if waiting',
        'f"{waiting} images such as {[i.name for i in self._journal.in_state(State.QUARANTINED)]}" if waiting',
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", list(PLANTED))
def test_one_careless_line_is_found(tmp_path: Path, where: str) -> None:
    file, line, careless = PLANTED[where]
    root = tmp_path / "root"
    for part in ("irisdrop", "rules", "service"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    text = (root / file).read_text("utf-8")
    assert line in text, "the line that was to be made careless is gone: choose another one"
    (root / file).write_text(text.replace(line, careless), "utf-8")
    parts = ("identifying",) if where == "an exception's text" else ("whole files",)
    assert told(tmp_path / "clinic", root, *parts)["leaks"] != []
