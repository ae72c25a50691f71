"""A disk that refuses one file, or this account's next page: told, no other image waits, and it goes on by itself."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig.faults import Faults
from rig.nursery import ROOT, wait_until


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """Rules by which a disk refuses."""
    return Faults(tmp_path)


@pytest.fixture
def spoilt(site: Any, faults: Faults) -> Any:
    """A site whose agent is on a disk that can be told to refuse."""
    site.env |= faults.environment
    return site


def large(site: Any, before: Callable[[str], None] = lambda _: None) -> Any:
    """One image of 300 kB, as the camera wrote it; `before` that, something is done with its digest."""
    from rig.pictures import picture

    path, content = site.camera._name(), picture(site.camera.rng, 300_000)
    before(hashlib.sha256(content).hexdigest())
    path.write_bytes(content)
    return site.camera._complete(path, content)


def state_of(site: Any, digest: str) -> list[str]:
    """The states of the images of a digest."""
    return [row["state"] for row in site.rows() if row["digest"] == digest]


def spooled(site: Any, digest: str) -> Path:
    """Where the spool keeps a digest."""
    return Path(site.state / "spool" / digest[:2] / digest)


def shown(site: Any) -> list[str]:
    """The codes that `irisdrop status` shows a person of the same account."""
    command = [sys.executable, "-m", "irisdrop", "--config", str(site.root / "irisdrop.yaml"), "status", "--json"]
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=60, env={**os.environ, **site.env}
    )
    return [condition["code"] for condition in json.loads(found.stdout)["conditions"]] if found.returncode == 0 else []


def test_an_export_with_a_bad_sector_is_told_delays_no_other_and_comes_when_it_can_be_read(
    spoilt: Any, faults: Faults
) -> None:
    """The system says EIO in the middle of one file, and of none beside it."""
    bad = large(spoilt)
    faults.unreadable(bad.path, 131_072)
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(5), 30)
    assert wait_until(lambda: spoilt.conditions().get("FILE_LOCKED") == ["Input/output error"], 30), spoilt.conditions()
    assert state_of(spoilt, bad.digest) == []
    assert list((spoilt.state / "spool" / "incoming").iterdir()) == []
    faults.none()
    assert spoilt.wait_delivered({bad.digest}, 60)
    spoilt.settled()
    assert "FILE_LOCKED" not in spoilt.conditions()


def test_a_spooled_copy_that_can_not_be_read_is_made_anew_from_its_source(spoilt: Any, faults: Faults) -> None:
    """A bad sector is in the bytes of one file: the next copy of them lies elsewhere."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    spoilt.platform.kill()
    bad = large(spoilt)
    assert wait_until(lambda: state_of(spoilt, bad.digest) == ["MATCHED"], 30)
    faults.unreadable(spooled(spoilt, bad.digest), 131_072)
    others = spoilt.drop(3)
    spoilt.open_platform()
    assert spoilt.wait_delivered({bad.digest, *others}, 60)
    faults.none()
    spoilt.settled()


def test_a_place_of_the_spool_that_can_never_be_read_delays_no_other_and_is_told(spoilt: Any, faults: Faults) -> None:
    """Every copy of one image that is made there is bad: it is not copied again and again without a word."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    bad = large(spoilt, lambda digest: faults.unreadable_place(spooled(spoilt, digest)))
    assert spoilt.wait_delivered(spoilt.drop(5), 30)
    assert wait_until(lambda: bool(spoilt.conditions()) or state_of(spoilt, bad.digest) == ["QUARANTINED"], 30)
    inodes = set()
    wait_until(lambda: inodes.add(spooled(spoilt, bad.digest).stat().st_ino), 5.0, 0.002)
    assert len(inodes) < 10, "it is copied again and again"
    faults.none()
    spoilt.settled()


@pytest.mark.timeout(300)
def test_a_spooled_copy_that_can_not_be_read_and_has_no_source_is_told_and_goes_on_without_a_person(
    spoilt: Any, faults: Faults
) -> None:
    """The others flow; it is never sent half, and comes when the disk reads its bytes again."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    spoilt.platform.kill()
    bad = large(spoilt)
    assert wait_until(lambda: state_of(spoilt, bad.digest) == ["MATCHED"], 30)
    faults.unreadable(spooled(spoilt, bad.digest), 131_072)
    bad.path.unlink()
    spoilt.open_platform()
    assert spoilt.wait_delivered(spoilt.drop(3), 30)
    assert wait_until(lambda: state_of(spoilt, bad.digest) == ["QUARANTINED"], 60)
    (row,) = [row for row in spoilt.rows() if row["digest"] == bad.digest]
    assert row["reason"] == "UNREADABLE" and "put it there again" in row["detail"]
    assert wait_until(lambda: spoilt.conditions().get("SPOOL_UNREADABLE") == ["1 images"], 90), spoilt.conditions()
    assert "SPOOL_UNREADABLE" in shown(spoilt)
    faults.none()
    assert spoilt.wait_delivered({bad.digest}, 150)
    assert wait_until(lambda: "SPOOL_UNREADABLE" not in spoilt.conditions(), 90)


@pytest.mark.parametrize("what", ["state", "spool", "journal"])
def test_a_used_up_quota_is_told_as_a_full_disk_and_is_over_when_there_is_room(
    spoilt: Any, faults: Faults, what: str
) -> None:
    """EDQUOT, to the copy and to the journal: nothing is lost, and no stage is called broken."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    # The journal's own, and what asks for a page without a name.
    journal = (spoilt.state / "journal.db", spoilt.state / "#")
    for place in {"state": (spoilt.state,), "spool": (spoilt.state / "spool",), "journal": journal}[what]:
        faults.no_room(place)
    for _ in range(3):
        large(spoilt)
    spoilt.drop(3)
    told = wait_until(lambda: "DISK_FULL" in shown(spoilt), 40, 0.3)
    log = spoilt.agent_log.read_text()
    assert told, (spoilt.conditions(), log[-2000:])
    assert not spoilt.agent.ended(), log[-2000:]
    assert "STAGE_FAILED" not in spoilt.conditions()
    faults.none()
    spoilt.settled()
    assert not {"DISK_FULL", "STAGE_FAILED"} & set(spoilt.conditions())


def test_an_agent_that_starts_on_a_used_up_quota_ends_with_a_way_out_and_needs_no_person(
    spoilt: Any, faults: Faults
) -> None:
    """As on a full disk: whoever starts it again and again gets it going when there is room."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    spoilt.agent.kill()
    faults.no_room(spoilt.state)
    spoilt.drop(3)
    spoilt.begin()
    ended = spoilt.agent.ended(6)
    assert not ended or (spoilt.agent.status == 1 and "Try:" in spoilt.agent_log.read_text())
    faults.none()
    if ended:
        spoilt.begin()
    spoilt.settled()


def test_a_disk_that_refuses_to_flush_takes_nothing_for_spooled(spoilt: Any, faults: Faults) -> None:
    """What could not be flushed may be gone tomorrow: it waits in its folder, and that is told."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    faults.no_flush(spoilt.state / "spool")
    waiting = spoilt.drop(2)
    assert wait_until(lambda: "STATE_UNWRITABLE" in spoilt.conditions(), 30), spoilt.conditions()
    assert not waiting & {row["digest"] for row in spoilt.rows()}
    faults.none()
    spoilt.settled()


def test_a_disk_that_becomes_read_only_is_told_and_everything_goes_on_when_it_can_be_written(
    spoilt: Any, faults: Faults
) -> None:
    """As a file system does that found itself damaged: not even the Condition can be noted, so it is seen by who looks."""
    spoilt.begin()
    assert spoilt.wait_delivered(spoilt.drop(1), 30)
    faults.read_only(spoilt.state)
    spoilt.drop(3)
    assert wait_until(lambda: "STATE_UNWRITABLE" in shown(spoilt), 30, 0.3)
    assert not spoilt.agent.ended(), spoilt.agent_log.read_text()[-2000:]
    faults.none()
    spoilt.settled()
    assert spoilt.conditions() == {}


def test_the_library_refuses_what_a_rule_names_and_nothing_else(faults: Faults, tmp_path: Path) -> None:
    """The rig itself: half of a file can be read, the other can't, and what is there may be written over."""
    for name in ("good", "bad", "full"):
        (tmp_path / name).write_bytes(bytes(200_000))
    faults.unreadable(tmp_path / "bad", 100_000)
    faults.no_room(tmp_path / "full")
    tried = subprocess.run(
        [sys.executable, "-c", TRIED, str(tmp_path)],
        env={**os.environ, **faults.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert tried.stdout.split() == ["200000", "100000", "EIO", "10", "EDQUOT", "EDQUOT"]


TRIED = """
import errno, os, sys
from pathlib import Path
root = Path(sys.argv[1])
def said(act):
    try:
        print(act())
    except OSError as error:
        print(errno.errorcode[error.errno])
said(lambda: len((root / "good").read_bytes()))
bad = (root / "bad").open("rb", buffering=0)
said(lambda: len(bad.read(200_000)))
said(lambda: len(bad.read(200_000)))
full = (root / "full").open("r+b", buffering=0)
said(lambda: full.write(bytes(10)))
full.seek(0, 2)
said(lambda: full.write(bytes(10)))
said(lambda: (root / "full2").write_bytes(b"x"))
"""
