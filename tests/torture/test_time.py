"""Clocks that jump, and files that claim to be of another time: settling counts quiet time, and believes no clock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rig.clinic import ZONE
from rig.nursery import wait_until
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
    site.env |= faked(offset)
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


STAMPED = """\
irisdrop: 1
title: A camera that stamps its files
status: sampled
modality: OP
files: {take: ["*.jpg"]}
settle: 80ms
read:
  - filename: '(?P<PatientID>[^_]+)_(?P<ImageLaterality>[RL])_(?P<AcquisitionDateTime>.+)\\.jpg'
match: [PatientID]
within: 45m
patience: 0s
examples:
  - {file: 000001_R_2026-10-25T02.30.00.jpg, gives: {PatientID: "000001", AcquisitionDateTime: "2026-10-25T02:30:00"}}
  - {file: nothing.jpg, refuses: NO_KEYS}
"""


class Night:
    """A site in the night in which the clocks change; its agent's clock is libfaketime's, and runs over the change."""

    def __init__(self, site: Any, offset: Path, zone: str, change: datetime) -> None:
        self.site, self.offset, self.zone, self.change = site, offset, zone, change
        site.env |= faked(offset) | {"TZ": zone}
        (site.root / "camera.yaml").write_text(STAMPED)
        config = site.root / "irisdrop.yaml"
        config.write_text(config.read_text().replace("zone: Europe/Berlin", f"zone: {zone}"))

    def orders(self, *starts: tuple[str, float]) -> None:
        """Orders by patient, due so many minutes after the change."""
        entries = [
            {
                "id": f"E-{patient}-{minutes:g}",
                "PatientID": patient,
                "ScheduledProcedureStepStartDateTime": (self.change + timedelta(minutes=minutes)).isoformat(),
            }
            for patient, minutes in starts
        ]
        (self.site.root / "orders.json").write_text(json.dumps({"entries": entries}))

    def set_clock(self, seconds: float) -> None:
        """Let it be so many seconds after the change now."""
        ahead = self.change.timestamp() + seconds - time.time()
        self.offset.write_text(f"{ahead:+.0f}")

    def run_over_the_change(self) -> None:
        """From two seconds before the change to one after it."""
        self.set_clock(-2)
        ahead = float(self.offset.read_text())
        assert wait_until(lambda: time.time() + ahead > self.change.timestamp() + 1, 30, 0.1)

    def export(self, patient: str, stamp: str) -> str:
        """One image, stamped in its name (colons are no letters of file names everywhere); its digest."""
        name = f"{patient}_R_{stamp[:19].replace(':', '.')}{stamp[19:].replace(':', '')}.jpg"
        path, content = self.site.exports / name, picture(self.site.camera.rng, 5000)
        path.write_bytes(content)
        return str(self.site.camera._complete(path, content).digest)

    def told(self) -> dict[str, tuple[str, str | None]]:
        """State and reason, and where there is one the order, of every image, by its digest."""
        return {row["digest"]: (row["state"], row["reason"] or row["entry"]) for row in self.site.rows()}

    def taken(self, digest: str) -> datetime:
        """What the platform was told."""
        bodies = [json.loads(row["body"]) for row in self.site.receipts() if row["digest"] == digest]
        return datetime.fromisoformat(bodies[-1]["AcquisitionDateTime"])

    def wait(self, wanted: dict[str, tuple[str, str | None]]) -> None:
        """Until every image has come to this end."""
        assert wait_until(lambda: self.told() == wanted, 60, 0.1), (self.told(), wanted)


def faked(offset: Path) -> dict[str, str]:
    """What makes a process read its wall clock with an offset that a file holds."""
    return {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


AUTUMN = [
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
]
SPRING = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "change"), AUTUMN, ids=["Berlin", "New York"])
def test_over_the_hour_that_comes_twice_no_hour_is_chosen(
    make_site: Callable[..., Any], tmp_path: Path, zone: str, change: datetime
) -> None:
    """The same stamp before and after the change: each fits its order, and where both orders fit, none is guessed."""
    night = Night(make_site(), tmp_path / "offset", zone, change)
    night.orders(("000001", -30), ("000002", 30), ("000003", -30), ("000003", 30), ("000004", 30), ("000005", -30))
    night.set_clock(-90)
    night.site.begin()
    local, hour = ZoneInfo(zone), timedelta(hours=1)
    twice = (change - timedelta(minutes=30)).astimezone(local)
    stamp = twice.replace(tzinfo=None).isoformat()
    assert stamp == (change + timedelta(minutes=30)).astimezone(local).replace(tzinfo=None).isoformat()
    first = night.export("000001", stamp)
    wanted: dict[str, tuple[str, str | None]] = {first: ("DELIVERED", "E-000001--30")}
    night.wait(wanted)
    night.run_over_the_change()
    wanted[second := night.export("000002", stamp)] = ("DELIVERED", "E-000002-30")
    wanted[night.export("000003", stamp)] = ("QUARANTINED", "AMBIGUOUS")
    later = (change + timedelta(minutes=30)).astimezone(local)
    wanted[named := night.export("000004", later.isoformat())] = ("DELIVERED", "E-000004-30")
    wanted[night.export("000005", later.isoformat())] = ("QUARANTINED", "NO_WORKLIST_ENTRY")
    night.wait(wanted)
    assert night.taken(first) == night.taken(second) == change - hour / 2  # the first moment that the stamp can mean
    assert night.taken(named) == change + hour / 2
    assert night.site.agent.stop() == 0


@pytest.mark.parametrize(("zone", "change"), SPRING, ids=["Berlin", "New York"])
def test_a_stamp_in_the_hour_that_is_left_out_goes_to_a_person(
    make_site: Callable[..., Any], tmp_path: Path, zone: str, change: datetime
) -> None:
    """Before and after the change all is well; between them lies an hour that no clock of the clinic showed."""
    night = Night(make_site(), tmp_path / "offset", zone, change)
    night.orders(*[(f"00000{number}", 0) for number in range(1, 5)])
    night.set_clock(-90)
    night.site.begin()
    local, minute = ZoneInfo(zone), timedelta(minutes=1)
    before, after = ((change + way * minute).astimezone(local).replace(tzinfo=None) for way in (-1, 1))
    assert after - before == timedelta(hours=1, minutes=2)
    wanted: dict[str, tuple[str, str | None]] = {}
    wanted[first := night.export("000001", before.isoformat())] = ("DELIVERED", "E-000001-0")
    night.wait(wanted)
    night.run_over_the_change()
    wanted[second := night.export("000002", after.isoformat())] = ("DELIVERED", "E-000002-0")
    wanted[night.export("000003", (before + 31 * minute).isoformat())] = ("QUARANTINED", "CLOCK_IMPLAUSIBLE")
    summer = (change + minute).astimezone(local)
    wanted[fourth := night.export("000004", summer.isoformat())] = ("DELIVERED", "E-000004-0")
    night.wait(wanted)
    assert [night.taken(one) - change for one in (first, second, fourth)] == [-minute, minute, minute]
    assert night.site.agent.stop() == 0


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
