"""The smallest clinic: one camera's folder, one configuration, a platform with orders, and an agent that runs there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import requests

from irisdrop.agent import Agent
from irisdrop.profiles.config import load_config
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.orders import WorklistEntry

T = TypeVar("T")

# A camera whose names say patient and eye.
PROFILE = """\
irisdrop: 1
title: Camera of room 1
status: sampled
modality: OP
files: {take: ["*.jpg"]}
settle: 100ms
read:
  - filename: '(?P<PatientID>\\d+)_(?P<ImageLaterality>[RL])\\.jpg'
match: [PatientID]
within: any
examples:
  - {file: 000815_R.jpg, gives: {PatientID: 000815}}
  - {file: 000815_X.jpg, refuses: NO_KEYS}
"""


@contextmanager
def platform_with(folder: Path, patients: Iterable[str]) -> Iterator[ReferencePlatform]:
    """A platform that has an order of now for each patient: `E` and the number."""
    with ReferencePlatform(folder) as running:
        now = datetime.now(UTC)
        running.worklist.put([WorklistEntry(f"E{patient}", {"PatientID": patient}, now) for patient in patients])
        yield running


def configured(folder: Path, url: str, profile: str = "topcon-nw400", *, camera: str = "", more: str = "") -> Path:
    """A configuration with one camera, whose `exports` folder is there; `camera` are further settings of it, `more` are
    further lines."""
    (folder / "exports").mkdir()
    path = folder / "irisdrop.yaml"
    path.write_text(
        f"state: state\n{more}platform: {{kind: http, url: '{url}'}}\n"
        "worklist: {from: platform, every: 1s}\n"
        f"cameras:\n  - {{name: room-1, profile: {profile}, folder: exports{camera}}}\n"
    )
    return path


@contextmanager
def agent_at(folder: Path) -> Iterator[Agent]:
    """An agent at work."""
    stop = threading.Event()
    with Agent(load_config(folder / "irisdrop.yaml")) as agent:
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        try:
            yield agent
        finally:
            stop.set()
            thread.join(60)


def until(condition: Callable[[], T], seconds: float = 90) -> T:
    """What `condition` gives once it is true; fail where it does not come to that."""
    end, never = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        never.wait(0.1)
    return found


def receipts(platform: ReferencePlatform) -> list[dict[str, Any]]:
    """Every receipt that was ever given, in their order."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = requests.get(f"{platform.url}/receipts", params={"cursor": cursor}, timeout=30).json()
        if not answer["receipts"]:
            return found
        found += answer["receipts"]
        cursor = answer["cursor"]
