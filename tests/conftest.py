"""What every test shares."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.attempts import Attempts
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Arrival, Journal
from irisdrop.record.known import Fingerprint
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Origin, Spool
from irisdrop.vocabulary.decisions import Matched
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry
from irisdrop.vocabulary.states import Event

sys.path.append(str(Path(__file__).parent))  # where what several tests share is found

MORNING = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)

PROFILE = """\
irisdrop: 1
title: Camera of room 2
status: sampled
modality: OP
files: {take: ["*.jpg"]}
read:
  - filename: '(?P<PatientID>.+)_(?P<ImageLaterality>[RLXB])\\.jpg'
  - exif:
      AccessionNumber: AccessionNumber
      StudyInstanceUID: StudyInstanceUID
      PatientName: PatientName
      PatientBirthDate: PatientBirthDate
      PatientSex: PatientSex
match: [PatientID]
examples:
  - {file: 000815_R.jpg, gives: {PatientID: "000815"}}
  - {file: 000815.jpg, refuses: NO_KEYS}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that may take longest begin first, so that no worker stands idle while the last of them ends."""

    def longest(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return -float(mark.args[0]) if mark is not None else 0.0

    items.sort(key=longest)


@pytest.fixture(autouse=True)
def home_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds, or writes to, the state or configuration of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in ("IRISDROP_CONFIG", "IRISDROP_TOKEN", "IRISDROP_MARKS"):
        monkeypatch.delenv(name, raising=False)


class FakeClock:
    """Stands still until it is moved; waiting moves it."""

    def __init__(self) -> None:
        self.wall = MORNING
        self.running = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.running

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.advance(seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += timedelta(seconds=seconds)
        self.running += seconds

    def set(self, wall: datetime) -> None:
        """Set the wall clock, as a person or NTP does; no time passes."""
        self.wall = wall


@pytest.fixture
def clock() -> FakeClock:
    """A clock that is set by the test, at half past nine of a Tuesday."""
    return FakeClock()


class Records:
    """One state folder with all that is kept in it, and short ways to fill it."""

    def __init__(self, folder: Path, clock: Any) -> None:
        self.exports, self.state, self.clock = folder / "exports", folder / "state", clock
        self.exports.mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)
        self.open()

    def open(self, journal: Journal | None = None) -> None:
        """Open everything, as a start does."""
        self.journal = journal or Journal.open(self.state / "journal.db", self.clock)
        self.conditions = Conditions(self.journal.database, self.clock)
        self.orders = Orders(self.journal.database, self.clock)
        self.attempts = Attempts(self.journal, self.clock)
        self.spool = Spool(self.state / "spool")

    def close(self) -> None:
        self.journal.close()

    def entry(self, number: str = "E1", start: datetime | None = MORNING, **keys: Any) -> WorklistEntry:
        """An order of patient 000815 unless `keys` say otherwise; site, single_eye and standing are fields."""
        fields = {name: keys.pop(name) for name in ("site", "single_eye", "standing") if name in keys}
        return WorklistEntry(number, {"PatientID": "000815"} | keys, start, **fields)

    def sync(self, *entries: WorklistEntry, full: bool = True, **more: Any) -> list[str]:
        """One answer of a worklist source."""
        return self.orders.apply(WorklistChanges(entries, more.pop("withdrawn", ()), "c1", full, **more))

    def arrival(self, name: str = "000815_R.jpg", camera: str = "room-2") -> Arrival:
        folder, _, base = name.rpartition("/")
        return Arrival(camera, folder, base, str(self.exports / name), Fingerprint(1, 2, 3, 4))

    def settled(self, name: str = "000815_R.jpg", content: bytes = b"picture", **more: Any) -> ImageFile:
        """An export that lies in its folder and in the spool."""
        arrival = self.arrival(name, more.pop("camera", "room-2"))
        Path(arrival.path).parent.mkdir(parents=True, exist_ok=True)
        Path(arrival.path).write_bytes(content)
        copy = self.spool.receive()
        copy.write(content)
        now = more.get("arrived", self.clock.now())
        digest = self.spool.keep(copy, Origin(arrival.camera, arrival.path, arrival.name, now, live=True))
        image = self.journal.settle(
            arrival, digest, len(content), **({"arrived": now, "live": True, "racy": False} | more)
        )
        assert image is not None
        return image

    def identified(self, *readings: Reading, **more: Any) -> ImageFile:
        return self.journal.identify(self.settled(**more), readings, "a" * 64, "read")

    def matched(self, entry: WorklistEntry | None = None, eye: str = "R", **more: Any) -> ImageFile:
        """An image with its order, which is put on the worklist where it is not there."""
        entry = entry or self.entry()
        if self.orders.get(entry.id) is None:
            self.sync(entry, full=False)
        decision = Matched(entry, eye, None, (), ("PatientID",), (), ())
        return self.journal.decide(self.identified(**more), decision, event=Event.MATCH, why="matched by PatientID")


@pytest.fixture
def records(tmp_path: Path, clock: FakeClock) -> Iterator[Records]:
    """The records of one state folder, by the clock of the test."""
    opened = Records(tmp_path, clock)
    yield opened
    opened.close()


@pytest.fixture
def read() -> Callable[..., tuple[Reading, ...]]:
    """Makes readings: `read(PatientID="000815")`, or `read(("PatientID", "000815", "exif:0th.X"), …)`."""

    def made(*triples: tuple[str, str, str], **values: str) -> tuple[Reading, ...]:
        named: Iterable[tuple[str, str, str]] = ((key, value, f"filename:{key}") for key, value in values.items())
        return tuple(Reading(key, value, value, source) for key, value, source in (*triples, *named))

    return made


@pytest.fixture
def profile() -> Callable[..., DeviceProfile]:
    """Makes profiles of one small camera: `profile(match="[AccessionNumber, PatientID]", within="24h")`."""

    def made(text: str = PROFILE, *, match: str | None = None, more: str = "", **fields: Any) -> DeviceProfile:
        text = text.replace("match: [PatientID]", f"match: {match}") if match else text
        found = parse_profile(text + more, "camera.yaml")
        return replace(found, **fields) if fields else found

    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody trusts yet, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:  # type: ignore[misc]
    """In CI a skipped test is a failed one: what was not run was not shown."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; CI runs every test"
    return report
