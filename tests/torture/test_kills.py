"""The short run of the harness, and the proof that it sees what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).with_name("torture.py")


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One run of the harness as a process of its own, which forks and so must not be ours."""
    command = [sys.executable, str(TORTURE), "--folder", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def last(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The counts of the last line."""
    found = re.fullmatch(
        r"(\d+) runs, (\d+) kills, lost (\d+), duplicated (\d+), wrong (\d+)", done.stdout.strip().splitlines()[-1]
    )
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(zip(("runs", "kills", "lost", "duplicated", "wrong"), map(int, found.groups()), strict=True))


@pytest.mark.timeout(600)
def test_three_hundred_kills_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    """At marks and at times, of the agent and of the platform, while a camera goes on."""
    done = run(tmp_path, "--kills", "300", "--seed", "ci")
    counts = last(done)
    assert done.returncode == 0, done.stdout[-4000:]
    assert counts["kills"] >= 300 and counts["runs"] >= 12


@pytest.mark.timeout(600)
def test_a_journal_damaged_between_two_lives_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    """Deleted, cut, spoilt, emptied: what it knew comes back from the spool, the folders and the platform."""
    done = run(tmp_path, "--kills", "100", "--seed", "ci-damage", "--damage")
    assert done.returncode == 0, done.stdout[-4000:]
    assert last(done)["kills"] >= 100


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("bug", "seen"),
    [("acknowledge", "lost"), ("mtime", "wrong"), ("unasked", "duplicated")],
    ids=["acknowledged before the commit", "mtime trusted", "sent without asking"],
)
def test_a_bug_that_was_put_in_is_found(tmp_path: Path, bug: str, seen: str) -> None:
    """The harness is worth something: it sees each of these, and calls it what it is."""
    done = run(tmp_path, "--kills", "400", "--seed", "bug", "--plant", bug, "--stop")
    assert done.returncode != 0
    assert last(done)[seen] > 0, done.stdout[-4000:]
