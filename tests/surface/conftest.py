"""A small site whose agent is a real process, beside a reference platform in ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.orders import WorklistEntry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def within(seconds: float, wanted: Callable[[], Any]) -> Any:
    """What `wanted` gives as soon as it is true."""
    until = time.monotonic() + seconds
    while True:
        found = wanted()
        if found or time.monotonic() > until:
            assert found, f"not within {seconds} s"
            return found
        time.sleep(0.05)


@dataclass
class Site:
    """A configuration, and the commands that are run on it."""

    root: Path
    port: int
    platform: ReferencePlatform
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    free_port = staticmethod(free_port)
    within = staticmethod(within)

    @property
    def config(self) -> Path:
        return self.root / "irisdrop.yaml"

    def start(self, *command: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "irisdrop", "--config", str(self.config), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | more.pop("env", {}),
            **more,
        )
        self.running.append(process)
        return process

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*command)
        out, err = process.communicate(timeout=60)
        self.running.remove(process)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def agent(self) -> subprocess.Popen[str]:
        """A running agent whose page answers."""
        process = self.start("run")
        within(60, self.serves)
        return process

    def serves(self) -> bool:
        return self.listens(self.port)

    @staticmethod
    def listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def status(self) -> Any:
        told = self.run("status", "--json")
        # An agent that has only just been started has no journal yet.
        return json.loads(told.stdout) if told.returncode == 0 else {"conditions": [], "counts": Counter()}

    def stop(self, process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.running.remove(process)
        return process.returncode

    def order(self, number: str, name: str = "Muster^Anna") -> None:
        entry = WorklistEntry(f"E-{number}", {"PatientID": number, "PatientName": name}, datetime.now(UTC))
        self.platform.worklist.put([entry])

    def export(self, name: str, eye: str = "R") -> None:
        """One image that the camera writes at once."""
        draft = self.root / f"draft-{name}"
        draft.write_bytes(draw(len(name), eye))
        draft.replace(self.root / "exports" / name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "exports").mkdir()
    where = ("127.0.0.1", free_port())
    with ReferencePlatform(tmp_path / "platform", where) as platform:
        made = Site(tmp_path, free_port(), platform)
        made.config.write_text(
            "state: state\n"
            f'platform: {{kind: http, url: "http://127.0.0.1:{where[1]}/v1"}}\n'
            "worklist: {from: platform, every: 1s}\n"
            "cameras: [{name: room-2, profile: topcon-nw400, folder: exports}]\n"
            f"page: {{port: {made.port}}}\n"
        )
        yield made
        for process in made.running:
            process.kill()
            process.communicate(timeout=30)
