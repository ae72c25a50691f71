"""Exit codes and error texts; a start that costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from irisdrop import __version__
from irisdrop.surface.cli import COMMANDS

ROOT = Path(__file__).parents[2]


def irisdrop(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irisdrop", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_version_is_told_without_loading_what_it_does_not_need() -> None:
    """Compared with a bare Python in the same run: at most five times its start (0.3 s is the limit of issue 2)."""
    bare = min(_seconds([sys.executable, "-c", "pass"]) for _ in range(5))
    ours = min(_seconds([sys.executable, "-m", "irisdrop", "--version"]) for _ in range(5))
    assert ours < max(0.3, 5 * bare)
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "irisdrop", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert __version__ in loaded.stdout
    for heavy in ("pydantic", "pydicom", "PIL", "requests", "rich", "yaml", "watchdog"):
        assert f" {heavy}\n" not in loaded.stderr


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begin


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_says_what_it_is_for(name: str) -> None:
    done = irisdrop(name, "--help")
    assert done.returncode == 0
    assert "Usage: irisdrop" in done.stdout


def test_a_foreseen_failure_says_what_to_try_and_is_exit_code_1(tmp_path: Path) -> None:
    done = irisdrop("--config", str(tmp_path / "none.yaml"), "status")
    assert done.returncode == 1
    assert "There is no configuration" in done.stderr
    assert "\nTry: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_usage_error_is_exit_code_2() -> None:
    done = irisdrop("explain")
    assert done.returncode == 2
    assert "Usage: irisdrop explain" in done.stderr
    assert irisdrop("no-such-command").returncode == 2


def test_a_fault_of_ours_is_exit_code_3_and_its_report_holds_no_values(tmp_path: Path) -> None:
    script = (
        "import irisdrop.surface.cli as c, irisdrop.surface.commands.status as s\n"
        "def broken(*_): raise RuntimeError('Muster^Anna')\n"
        "s.records = broken\n"
        "c.main(['status'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    (report,) = tmp_path.glob("irisdrop-report-*.txt")
    assert str(report) in done.stderr
    for text in (done.stdout, done.stderr, report.read_text()):
        assert "Muster" not in text
    assert "status.py" in report.read_text()
    assert "RuntimeError" in report.read_text()
