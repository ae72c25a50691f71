"""Weeks of images in a minute: the agent neither grows nor gathers handles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rig.nursery import wait_until

STEP = 500


def memory(pid: int) -> int:
    """Bytes that a process holds in memory and shares with nobody's file."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def handles(pid: int) -> int:
    """Files, sockets and pipes that it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.timeout(400)
def test_thousands_of_images_leave_memory_and_handles_flat(site: Any) -> None:
    """The first five hundred fill caches and pools; from then on nothing grows with what was delivered."""
    site.begin()
    taken: list[tuple[int, int]] = []
    for _ in range(5):
        digests: set[str] = set()
        for _ in range(STEP // 100):
            for _ in range(100):
                digests |= small(site)
        assert site.wait_delivered(digests, 120)
        wait_until(lambda: False, 1.0)
        taken.append((memory(site.agent.pid), handles(site.agent.pid)))
    (begun, open_then), (now, open_now) = taken[1], taken[-1]
    assert now < begun * 1.15 + (2 << 20), taken
    assert open_now <= open_then + 4, taken
    site.settled()


def small(site: Any) -> set[str]:
    """One image of a kilobyte."""
    from rig.pictures import picture

    path, content = site.camera._name(), picture(site.camera.rng, 900)
    path.write_bytes(content)
    return {site.camera._complete(path, content).digest}
