"""A share that goes and comes: nothing is taken for removed, nothing is sent again, and what came meanwhile is found.

The closest thing to a share that every machine can mount: a folder bound over the empty mount point, in a name space of
mounts of our own. A real Samba share is mounted in `tests/live`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.nursery import wait_until
from rig.small import MS_BIND, mount, small_disk, unmount


class Share:
    """A folder that can be mounted at a site's export folder."""

    def __init__(self, real: Path, point: Path) -> None:
        self.real, self.point, self.there = real, point, False
        real.mkdir()

    def come(self) -> None:
        """Mount it."""
        mount(str(self.real), self.point, "none", MS_BIND)
        self.there = True

    def go(self) -> None:
        """Unmount it, whoever uses it: the mount point is left, and empty."""
        unmount(self.point)
        self.there = False


@pytest.fixture(params=["auto", "poll"])
def shared(
    make_site: Callable[..., Any], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Any, Share]]:
    """A site whose camera writes to a share; with events, and without."""
    site = make_site(after=f"after: {{leave: true}}, watch: {request.param}")
    with small_disk(tmp_path / "server", 64 << 20) as server:  # another device, as a share's is
        share = Share(server / "share", site.exports)
        yield site, share
        site.close()
        if share.there:
            share.go()


def test_a_share_that_is_gone_and_back_sends_nothing_again(shared: tuple[Any, Share]) -> None:
    """Gone in the middle, its empty mount point in its place, back with what was written meanwhile."""
    site, share = shared
    share.come()
    site.begin()
    assert site.wait_delivered(site.drop(4), 30)
    share.go()
    assert wait_until(lambda: "FOLDER_MISSING" in site.conditions(), 30, 0.1)
    share.come()
    assert site.wait_delivered(site.drop(2), 30)
    site.settled()
    assert "FOLDER_MISSING" not in site.conditions()
    assert not [row for row in site.rows() if row["state"] in ("VANISHED", "DUPLICATE")]


def test_a_share_that_comes_back_with_other_times_sends_nothing_again(shared: tuple[Any, Share]) -> None:
    """Mounted with another clock or another server's rounding."""
    site, share = shared
    share.come()
    site.begin()
    assert site.wait_delivered(site.drop(4), 30)
    share.go()
    for file in share.real.rglob("*.jpg"):
        os.utime(file, (time.time() - 7200, time.time() - 7200))
    share.come()
    assert site.wait_delivered(site.drop(1), 30)
    site.settled()
    assert len(site.receipts()) == 5


def test_a_share_that_is_not_there_at_the_start_is_waited_for(shared: tuple[Any, Share]) -> None:
    """The service starts before the network does."""
    site, share = shared
    site.exports.rmdir()
    site.begin()
    assert wait_until(lambda: "FOLDER_MISSING" in site.conditions(), 30, 0.1)
    site.exports.mkdir()
    share.come()
    assert site.wait_delivered(site.drop(3), 30)
    site.settled()
    assert "FOLDER_MISSING" not in site.conditions()


def test_an_agent_that_starts_on_an_empty_mount_point_forgets_nothing(shared: tuple[Any, Share]) -> None:
    """Restarted while the share is away: what was known is known when it is back."""
    site, share = shared
    share.come()
    site.begin()
    assert site.wait_delivered(site.drop(4), 30)
    assert site.agent.stop() == 0
    share.go()
    site.begin()
    assert wait_until(lambda: "FOLDER_MISSING" in site.conditions(), 30, 0.1)
    share.come()
    assert site.wait_delivered(site.drop(1), 30)
    site.settled()
    assert not [row for row in site.rows() if row["state"] in ("VANISHED", "DUPLICATE")]
