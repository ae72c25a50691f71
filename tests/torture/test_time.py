"""Clocks that jump, and files that claim to be of another time: settling counts quiet time, and believes no clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rig.clinic import ZONE
from rig.pictures import picture

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def drop(site: Any, mtime: float | None = None) -> str:
    """One image of yesterday, so that a clock that is a day late does not have it from the future; its digest."""
    before = site.camera._name()
    day = (datetime.now(ZONE) - timedelta(days=1)).strftime("%Y%m%d")
    path = before.with_name(day + before.name[8:])
    content = picture(site.camera.rng, 20_000)
    path.write_bytes(content)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return str(site.camera._complete(path, content).digest)


@pytest.mark.parametrize("jumps", [["+1d", "+0"], ["-1d", "+0"], ["+1h", "-1h", "+0"]], ids=["day", "back", "summer"])
def test_a_clock_that_jumps_loses_nothing_and_stops_nothing(
    make_site: Callable[..., Any], tmp_path: Path, jumps: list[str]
) -> None:
    """A day forward and back, a day back and forward, an hour as in spring and autumn."""
    site = make_site(within="30d")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    site.env |= {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    site.begin()
    assert site.wait_delivered({drop(site)}, 30)
    for jump in jumps:
        offset.write_text(jump)
        assert site.wait_delivered({drop(site), drop(site)}, 30), f"nothing flows after {jump}"
    site.settled()


@pytest.mark.parametrize("mtime", [1.33e9, 4e9, 0.0, 2.0**33], ids=["2012", "2096", "1970", "2242"])
def test_a_file_that_claims_another_time_is_delivered(make_site: Callable[..., Any], mtime: float) -> None:
    """It appeared while the agent watched, so it is new, whatever it says."""
    site = make_site(within="30d")
    site.begin()
    assert site.wait_delivered({drop(site)}, 30)
    assert site.wait_delivered({drop(site, mtime)}, 30)
    site.settled()


def test_an_old_time_is_no_sign_of_being_complete(make_site: Callable[..., Any]) -> None:
    """A copying program sets the source's time first and writes later: half a file of 2012 is half a file."""
    site = make_site(give_up="30s")
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    path, content = site.camera._name(), picture(site.camera.rng, 50_000)
    with path.open("wb", buffering=0) as file:
        for begin in range(0, len(content), len(content) // 5):
            file.write(content[begin : begin + len(content) // 5])
            os.utime(path, (1.33e9, 1.33e9))
            time.sleep(0.3)  # the pause of a slow writer is what is tried here
    site.camera._complete(path, content)
    site.settled()
    assert not [row for row in site.rows() if row["reason"] == "UNREADABLE"]
