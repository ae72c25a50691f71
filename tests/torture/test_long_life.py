"""Weeks of images in a minute: the agent neither grows nor gathers handles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rig.nursery import wait_until
from soak import Year, handles, memory

STEP = 500


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


@pytest.mark.timeout(400)
def test_a_few_days_of_the_long_run(tmp_path: Path) -> None:
    """So that `soak.py`, which is too slow for each change, stays fit to be run: all is delivered once, also over a restart."""
    year = Year(tmp_path, days=4, patients=5, pictures=4, seed="1")
    year.go()
    assert len(year.digests) == 80
    assert year.measures
    assert year.findings == []
