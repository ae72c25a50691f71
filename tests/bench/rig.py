"""An agent as a process with a sink, and what can be read of it from outside."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import requests

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


class Sink:
    """`sink.py` as a process."""

    def __init__(self, patients: int = 200) -> None:
        self._running = subprocess.Popen(
            [sys.executable, str(HERE / "sink.py"), "0", str(patients)], stdout=subprocess.PIPE, text=True
        )
        assert self._running.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._running.stdout.readline())}/v1"

    def first_byte(self, digest: str, seconds: float = 60) -> float:
        """When the first byte of an image came, by the monotonic clock; waits for it."""
        begin, pause = time.monotonic(), threading.Event()
        while (at := requests.get(f"{self.url.removesuffix('/v1')}/first/{digest}", timeout=10).json()) is None:
            if time.monotonic() - begin > seconds:
                raise TimeoutError
            pause.wait(0.05)
        return float(at)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.kill()
        self._running.wait()


class Agent:
    """`irisdrop run` on one camera, ended by SIGTERM when left."""

    def __init__(self, base: Path, url: str, *folders: Path, page: bool = True) -> None:
        base.mkdir(parents=True, exist_ok=True)
        self.base = base
        self.config = base / "irisdrop.yaml"
        cameras = [
            f"  - {{name: room-{number}, profile: topcon-nw400, folder: '{folder}'}}\n"
            for number, folder in enumerate(folders, 1)
        ]
        self.config.write_text(
            f"state: state\nplatform: {{kind: http, url: '{url}'}}\nworklist: {{from: platform, every: 60s}}\n"
            f"page: {{port: {free_port()}}}\ncameras:\n{''.join(cameras)}"
        )
        # Without the packages of the page, as a machine has it where nobody looks.
        self._begin = "" if page else "import sys; sys.modules['starlette'] = None; "

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._running = subprocess.Popen(
            [sys.executable, "-c", f"{self._begin}from irisdrop.surface.cli import main; main()", *self._words()],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.send_signal(signal.SIGTERM)
        self._running.wait(30)

    def _words(self) -> list[str]:
        return ["--config", str(self.config), "run"]

    @property
    def process(self) -> psutil.Process:
        """The agent's process; its children are the parsers."""
        return psutil.Process(self._running.pid)

    def tree(self) -> list[psutil.Process]:
        """The agent and its children."""
        return [self.process, *self.process.children(recursive=True)]

    def query(self, sql: str) -> list[Any]:
        """Rows of the journal, read from outside without holding it up."""
        journal = self.base / "state" / "journal.db"
        if not journal.exists():
            return []
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)) as connection:
            try:
                return connection.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []

    def count(self, state: str) -> int:
        """How many images are in a state."""
        found = self.query(f"SELECT count(*) FROM images WHERE state = '{state}'")
        return int(found[0][0]) if found else 0

    def until(self, condition: Callable[[], bool], seconds: float) -> float:
        """Seconds until `condition` holds."""
        begin, pause = time.monotonic(), threading.Event()
        while not condition():
            if time.monotonic() - begin > seconds:
                raise TimeoutError
            pause.wait(0.05)
        return time.monotonic() - begin

    def ready(self) -> bool:
        """Whether the first scan is done and the worklist synced."""
        return bool(self.query("SELECT 1 FROM cameras")) and bool(
            self.query("SELECT 1 FROM meta WHERE key = 'worklist.synced'")
        )


def free_port() -> int:
    """A port that nobody has now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(port: int, seconds: float = 30) -> None:
    """Wait until somebody listens on a port."""
    begin, pause = time.monotonic(), threading.Event()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() - begin > seconds:
                raise
            pause.wait(0.1)
