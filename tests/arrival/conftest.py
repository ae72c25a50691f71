"""A camera's folder, a state folder, and a lookout on its own thread."""

from __future__ import annotations

import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from irisdrop.arrival.lookout import Lookout
from irisdrop.profiles.config import CameraSettings
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import State

PROFILE = """\
irisdrop: 1
title: Any camera
status: sampled
modality: OP
files: {take: ["*.jpg", "*.png", "*.dcm"], skip: ["._*", "*_thumb.jpg"]}
read:
  - filename: '(?P<PatientID>[^_]+)\\.(?:jpg|png|dcm)'
match: [PatientID]
examples:
  - {file: 4711.jpg, gives: {PatientID: "4711"}}
  - {file: a_b.jpg, refuses: NO_KEYS}
"""


def jpeg(seed: bytes = b"", size: int = 2000) -> bytes:
    """A JPEG in form, of about `size` bytes: header, a scan that no two seeds share, the end."""
    filling = (seed + b".") * (size // (len(seed) + 1) + 1)
    header = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    return header + b"\xff\xda\x00\x02" + filling[:size] + b"\xff\xd9"


def png(seed: bytes = b"") -> bytes:
    """A small PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", zlib.compress(seed)) + chunk(b"IEND", b"")


class Site:
    """One camera, watched by our own code on real files and a real journal."""

    def __init__(self, folder: Path) -> None:
        self.exports = folder / "exports"
        self.state = folder / "state"
        self.exports.mkdir()
        self.state.mkdir()
        self.clock = SystemClock()
        self.profile: DeviceProfile = replace(parse_profile(PROFILE, "any.yaml"), settle=0.05, give_up=0.6)
        self.camera = CameraSettings("room-2", "any", self.exports, rescan=0.3)
        self.largest = 1 << 31
        self.limit: int | None = None
        self.settled = threading.Event()
        self._threads: list[tuple[threading.Event, Lookout, threading.Thread]] = []
        self.open()

    def open(self) -> None:
        """Open the records, as a start does."""
        self.journal = Journal.open(self.state / "journal.db", self.clock)
        self.conditions = Conditions(self.journal.database, self.clock)
        self.spool = Spool(self.state / "spool", self.limit)

    def lookout(self) -> Lookout:
        return Lookout(
            self.camera,
            lambda: self.profile,
            self.journal,
            self.spool,
            self.conditions,
            self.clock,
            self.largest,
            self.settled.set,
        )

    def watch(self) -> Lookout:
        """Start a lookout and wait until its first scan is done."""
        lookout = self.lookout()
        stop = threading.Event()
        thread = threading.Thread(target=lookout.run, args=(stop,), daemon=True)
        self._threads.append((stop, lookout, thread))
        thread.start()
        return lookout

    def stop(self) -> None:
        """Stop every lookout."""
        while self._threads:
            stop, lookout, thread = self._threads.pop()
            stop.set()
            lookout.wake()
            thread.join(30)
            assert not thread.is_alive()

    def close(self) -> None:
        self.stop()
        self.journal.close()

    def drop(self, name: str, content: bytes) -> Path:
        """Write a file at once."""
        path = self.exports / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def images(self, *states: State) -> list[ImageFile]:
        return self.journal.in_state(*(states or tuple(State)))

    def wait(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until something is true; the looks between are short because nothing tells of every change."""
        until = time.monotonic() + seconds
        pause = threading.Event()
        while not true():
            assert time.monotonic() < until, "it did not come true in time"
            pause.wait(0.01)

    def wait_settled(self, count: int, seconds: float = 30.0) -> list[ImageFile]:
        self.wait(lambda: self.journal.counts()[State.SETTLED] >= count, seconds)
        return self.images(State.SETTLED)

    def told(self, code: str) -> list[str]:
        """Details of a condition's subjects that are raised, shown yet or not."""
        return self.conditions.subjects(code)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A watched camera's folder that nothing lies in yet."""
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes JPEGs."""
    return jpeg


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB that is really full when it is full."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "irisdrop-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
