"""A disk that is full, read-only or used up: told, nothing lost, and it goes on by itself when there is room again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.clinic import rows_of
from rig.nursery import ROOT, wait_until
from rig.small import MS_BIND, MS_RDONLY, MS_REMOUNT, fill, mount, small_disk, unmount

SIZE = 12 << 20


@pytest.fixture
def small(make_site: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """A site whose state folder has a disk of its own, of twelve megabytes."""
    with small_disk(tmp_path / "small", SIZE) as disk:
        site = make_site(state_folder=disk / "state")
        site.disk = disk
        yield site
        site.close()


def shown(site: Any) -> list[str]:
    """The codes that `irisdrop status` shows a person."""
    command = [sys.executable, "-m", "irisdrop", "--config", str(site.root / "irisdrop.yaml"), "status", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return [condition["code"] for condition in json.loads(found.stdout)["conditions"]] if found.returncode == 0 else []


def test_a_disk_that_fills_while_spooling_is_told_and_nothing_is_lost(small: Any) -> None:
    """The copy that did not fit is thrown away, the images wait in their folder."""
    small.begin()
    assert small.wait_delivered(small.drop(1), 30)
    ballast = fill(small.disk, 400_000)
    small.camera.rng.seed("large")
    for _ in range(6):
        big(small)
    assert wait_until(lambda: "DISK_FULL" in shown(small), 40, 0.2), small.conditions()
    assert not small.agent.ended()
    ballast.unlink()
    small.settled()
    assert wait_until(lambda: "DISK_FULL" not in shown(small), 20, 0.2)


def big(site: Any, size: int = 200_000) -> None:
    """One image of 200 kB, or of another size."""
    from rig.pictures import picture

    path = site.camera._name()
    content = picture(site.camera.rng, size)
    path.write_bytes(content)
    site.camera._complete(path, content)


def test_a_disk_without_a_single_byte_left_loses_nothing(small: Any) -> None:
    """Not even the journal can be written: the agent lives on, says so, and goes on when it can."""
    small.begin()
    assert small.wait_delivered(small.drop(1), 30)
    ballast = fill(small.disk, 0)
    small.drop(5)
    big(small)
    told = wait_until(lambda: "DISK_FULL" in shown(small), 30, 0.3)
    assert not small.agent.ended(), small.agent_log.read_text()[-2000:]
    ballast.unlink()
    small.settled()
    assert told, "a full disk was not told"


def test_an_agent_that_starts_on_a_full_disk_goes_on_when_there_is_room(small: Any) -> None:
    """Whoever starts it again and again, as a service manager does, needs no person."""
    small.begin()
    assert small.wait_delivered(small.drop(1), 30)
    small.agent.kill()
    ballast = fill(small.disk, 0)
    small.drop(3)
    small.begin()
    ended = small.agent.ended(6)
    assert not ended or small.agent.status == 1, small.agent_log.read_text()[-2000:]
    ballast.unlink()
    if ended:
        small.begin()
    small.settled()


def test_a_log_that_can_not_be_written_stops_nothing(small: Any, tmp_path: Path) -> None:
    """The log's own disk is full: images flow."""
    with small_disk(tmp_path / "logs", 65536) as logs:
        fill(logs, 0)
        small.env["LOGS_DIRECTORY"] = str(logs)
        small.begin()
        small.drop(4)
        small.settled()


def test_a_read_only_state_folder_is_a_foreseen_failure(small: Any) -> None:
    """Told in a sentence with a way out, not by a trace."""
    small.begin()
    assert small.wait_delivered(small.drop(1), 30)
    assert small.agent.stop() == 0
    mount(str(small.disk), small.disk, "none", MS_BIND)
    mount("none", small.disk, "none", MS_BIND | MS_REMOUNT | MS_RDONLY)
    small.open_agent(fresh=True)
    assert small.agent.ended(20)
    unmount(small.disk)
    assert small.agent.status == 1, small.agent_log.read_text()[-2000:]
    assert "Try:" in small.agent_log.read_text()
    small.drop(2)
    small.begin()
    small.settled()


@pytest.mark.timeout(200)
def test_a_spool_at_its_limit_lets_images_wait_in_their_folder(make_site: Callable[..., Any]) -> None:
    """The platform is away and the budget used up: visible, and over when the platform is back."""
    site = make_site(more="spool: {limit: 600KB, keep: 0s}\n")
    site.open_agent(fresh=True)
    for _ in range(6):
        big(site)
    assert wait_until(lambda: "SPOOL_FULL" in site.conditions(), 60, 0.1)
    spooled = sum(file.stat().st_size for file in (site.state / "spool").rglob("*") if len(file.name) == 64)
    assert spooled <= 600_000
    site.open_platform()
    site.settled(150)


@pytest.mark.timeout(300)
def test_copies_that_are_only_kept_never_hold_an_image_back(make_site: Callable[..., Any]) -> None:
    """A budget for two images and a week to keep each: ten come in one after the other, and nothing is sent twice."""
    site = make_site(more="spool: {limit: 500KB, keep: 7d}\n")
    site.begin()
    for _ in range(10):
        big(site)
    site.settled(150)
    assert len(site.receipts()) == 10
    assert "SPOOL_FULL" not in site.conditions()


@pytest.mark.timeout(300)
def test_a_reserve_that_is_reached_lets_images_wait_and_the_disk_never_fills(
    make_site: Callable[..., Any], tmp_path: Path
) -> None:
    """Without any setting, while the platform is away: a twentieth of the disk stays, and the journal has room."""
    whole = 192 << 20
    with small_disk(tmp_path / "small", whole) as disk:
        site = make_site(state_folder=disk / "state")
        site.open_agent(fresh=True)
        for _ in range(50):
            big(site, 4_000_000)
        told: list[str] = []  # kept as it was seen: one copy that ends gives the next one room, for a moment
        assert wait_until(lambda: bool(told.extend(site.conditions().get("SPOOL_FULL", [])) or told), 60, 0.1)
        (detail,) = told
        assert detail == "only the reserve of 9.6 MiB is left on the disk"
        room = os.statvfs(disk)
        assert room.f_bavail * room.f_frsize > whole // 40
        site.open_platform()
        site.settled(200)
        site.close()


@pytest.mark.timeout(200)
def test_a_spool_that_somebody_removes_is_made_anew_from_the_sources(site: Any) -> None:
    """While the agent runs, and images wait in it to be sent."""
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    site.platform.kill()
    waiting = site.drop(3)
    assert wait_until(lambda: [row["state"] for row in site.rows()].count("MATCHED") == 3, 30)
    shutil.rmtree(site.state / "spool")
    more = site.drop(2)
    site.open_platform()
    assert site.wait_delivered(waiting | more, 60), (site.conditions(), site.agent_log.read_text()[-2000:])
    site.settled()
    assert site.conditions() == {}


def test_a_link_to_what_can_not_be_read_delays_no_other(site: Any) -> None:
    """It is refused unread, and the others flow; `test_sectors` plays a bad sector on one file."""
    site.begin()
    (first,) = site.drop(1)
    assert site.wait_delivered({first}, 30)
    held = site.exports / "20260101_000001_R_09999.jpg"
    held.symlink_to("/proc/self/mem")
    assert site.wait_delivered(site.drop(3), 30)
    rows = rows_of(site.state / "journal.db", site.root / "look", "SELECT * FROM images WHERE digest IS NULL")
    assert [row["reason"] for row in rows] == ["NOT_A_PLAIN_FILE"]
