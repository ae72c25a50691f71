"""A power cut at any moment: what was acknowledged is there afterwards. See `rig.power` for the layer and why."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rig import power
from rig.nursery import wait_until

KEPT = ("SETTLED", "IDENTIFIED", "MATCHED", "UPLOADED", "QUARANTINED")

RECOVER = """\
import sys
from pathlib import Path
from irisdrop.record.conditions import Conditions
from irisdrop.record.spool import Spool
from irisdrop.recovery import open_journal, recover
from irisdrop.vocabulary.clock import SystemClock
for state in map(Path, sys.argv[1:]):
    clock = SystemClock()
    journal = open_journal(state, clock)
    spool = Spool(state / "spool")
    spool.tidy()
    recover(journal, spool, Conditions(journal.database, clock))
    journal.close()
"""


@dataclass
class Recording:
    """A run that was written down, and what it wrote down."""

    calls: list[power.Call]
    root: Path


@dataclass
class Acknowledged:
    """The journal at the last commit that had returned."""

    rows: list[dict[str, Any]]
    attempts: int = 0


def record(make_site: Callable[..., Any], folder: Path, plant: str | None = None) -> Recording:
    """Let the agent deliver some images, and write down what it does to its state folder."""
    site = make_site()
    root = site.state
    custom = folder / "custom"
    site.env |= power.environment(power.build(folder), folder / "log", root, custom, plant)
    site.begin()
    rng = random.Random(7)
    for act in ("whole", "slow", "same_bytes", "stranger", "renamed", "nested", "whole", "nameless", "whole", "beside"):
        for pause in getattr(site.camera, act)():
            wait_until(lambda: False, min(pause, 0.05) + rng.uniform(0, 0.05))
    site.camera.cut_short()
    assert wait_until(
        lambda: len([row for row in site.rows() if row["state"] in ("DELIVERED", "QUARANTINED", "DUPLICATE")]) >= 11,
        60,
        0.1,
    )
    site.agent.kill()
    return Recording(power.calls(folder / "log"), root)


def acknowledged(disk: power.Disk, scratch: Path) -> Acknowledged:
    """What the program itself sees in its journal now."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        content = disk.live(name)
        if content is not None:
            (scratch / name).write_bytes(content)
    return read(scratch)


def read(state: Path) -> Acknowledged:
    """Images and attempts of a journal."""
    with contextlib.closing(sqlite3.connect(state / "journal.db")) as journal:
        journal.row_factory = sqlite3.Row
        try:
            rows = [dict(row) for row in journal.execute("SELECT * FROM images WHERE digest IS NOT NULL")]
            attempts = journal.execute("SELECT count(*) FROM attempts").fetchone()[0]
        except sqlite3.OperationalError:
            return Acknowledged([])
        return Acknowledged(rows, attempts)


def lost(state: Path, before: Acknowledged) -> list[str]:
    """What a recovered state folder no longer has of what was acknowledged."""
    after = read(state)
    have = {(row["path"], row["digest"]): row for row in after.rows}
    found = []
    for row in before.rows:
        now = have.get((row["path"], row["digest"]))
        name = f"image {row['id']} {row['state']}"
        if now is None:
            found.append(f"{name}: forgotten")
        elif now["version"] < row["version"]:
            found.append(f"{name}: put back to {now['state']}")
        spooled = state / "spool" / row["digest"][:2] / row["digest"]
        if row["state"] in KEPT and (
            not spooled.exists() or hashlib.sha256(spooled.read_bytes()).hexdigest() != row["digest"]
        ):
            found.append(f"{name}: its bytes are not in the spool")
    if after.attempts < before.attempts:
        found.append("an attempt is forgotten")
    if list(state.glob("*.damaged-*")):
        found.append("the journal was set aside")
    return found


def survey(recording: Recording, folder: Path, often: int, torn: bool) -> tuple[int, list[str]]:
    """Cut just before every `often`-th flush, rename and removal, and now and then between; recover from each, and
    compare with what had been acknowledged."""
    states: list[tuple[Path, Acknowledged, int]] = []
    disk, known, number = power.Disk(recording.root), Acknowledged([]), 0
    for index, call in enumerate(recording.calls):
        if call.op in "sru" or index % 97 == 0:
            number += 1
            if number % often == 0:
                states.append((folder / f"cut-{index}", known, index))
                disk.build(states[-1][0], random.Random(index) if torn else None)
        told = len(disk.marks)
        disk.take(call)
        if disk.marks[told:] == ["commit.after"]:  # its caller goes on: from now on it counts
            known = acknowledged(disk, folder / "look")
    recover([state for state, _, _ in states])
    found = [f"cut at call {index}: {line}" for state, before, index in states for line in lost(state, before)]
    for state, _, _ in states:
        shutil.rmtree(state)
    return len(states), found


def recover(states: list[Path]) -> None:
    """What the agent does before its first image, on each of these."""
    for begin in range(0, len(states), 50):
        command = [sys.executable, "-c", RECOVER, *map(str, states[begin : begin + 50])]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("torn", [False, True], ids=["strict", "torn"])
def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(
    make_site: Callable[..., Any], tmp_path: Path, torn: bool
) -> None:
    """Journal and spool, rebuilt from what was flushed alone, have every image whose settling was committed."""
    recording = record(make_site, tmp_path)
    number, found = survey(recording, tmp_path, 1, torn)
    assert number > 100
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("bug", ["fsync", "folder-fsync", "commit-fsync"])
def test_a_flush_that_is_left_out_is_found(make_site: Callable[..., Any], tmp_path: Path, bug: str) -> None:
    """The harness is worth something: it sees the bug that was put in."""
    recording = record(make_site, tmp_path, bug)
    _, found = survey(recording, tmp_path, 3, torn=False)
    assert found
