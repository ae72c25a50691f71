"""One bad file costs that file: the others are delivered as if it were not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rig.nursery import wait_until
from rig.poison import CUSTOM, KINDS, poison

LATE = 4.5  # seconds more than usual; who waited for a parser that hangs would be five seconds late


def usual(site: Any) -> float:
    """Seconds that two images take on this machine now, with nothing beside them; the longest of three tries."""
    took = []
    for _ in range(3):
        begun = time.monotonic()
        assert site.wait_delivered(site.drop(2), 30)
        took.append(time.monotonic() - begun)
    return max(took)


@pytest.fixture
def poisoned(site: Any, tmp_path: Path) -> Any:
    """A running site whose parsers can't stand some files."""
    custom = tmp_path / "custom"
    custom.mkdir()
    (custom / "sitecustomize.py").write_text(CUSTOM)
    site.env |= {"PYTHONPATH": str(custom), "POISON": str(Path(__file__).parent)}
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    return site


def put(site: Any, kind: str) -> str:
    """Write a poisonous image, which must end in quarantine; its digest."""
    path, content = site.camera._name(), poison(site.camera.rng, kind)
    path.write_bytes(content)
    return str(site.camera._complete(path, content, frozenset({"UNREADABLE"}), delivered=False).digest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_breaks_its_parser_delays_no_other(poisoned: Any, kind: str) -> None:
    """Several that hang, crash or eat memory, and good ones among them."""
    late = usual(poisoned) + LATE
    for _ in range(3):
        put(poisoned, kind)
        begun = time.monotonic()
        assert poisoned.wait_delivered(poisoned.drop(2), 30)
        assert time.monotonic() - begun < late
    poisoned.settled()


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """A file that is written to for ever."""
    stop = threading.Event()

    def grow() -> None:
        with path.open("wb", buffering=0) as file:
            file.write(b"\xff\xd8\xff\xfe\xff\x00")
            while not stop.wait(0.02):
                file.write(bytes(64))

    thread = threading.Thread(target=grow)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_a_file_that_never_settles_delays_no_other(site: Any) -> None:
    """And is itself neither taken nor forgotten while it grows."""
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    late, path = usual(site) + LATE, site.camera._name()
    with growing(path):
        for _ in range(3):
            begun = time.monotonic()
            assert site.wait_delivered(site.drop(2), 30)
            assert time.monotonic() - begun < late
        assert [row["state"] for row in site.rows() if row["path"].endswith(path.name.encode())] == ["SEEN"]
    assert wait_until(
        lambda: any(row["reason"] == "UNREADABLE" and row["path"].endswith(path.name.encode()) for row in site.rows()),
        30,
    )
    site.settled()
