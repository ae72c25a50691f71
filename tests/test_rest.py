"""An agent that has nothing to do: it writes nothing, and hardly wakes up. The figures are in tests/bench/README.md."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_site import platform_with, until

from irisdrop.agent import Agent
from irisdrop.profiles.config import load_config
from irisdrop.record import conditions as module
from irisdrop.record.database import Database
from irisdrop.reference.retina import draw
from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.knock import knock
from irisdrop.surface.tray.line import Line
from irisdrop.surface.tray.tray import EVERY
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.states import State

CAMERAS = 5
WAKES = 12.0  # a second, page and tray included: 4.3 measured, 27 before anybody looked
QUESTIONS = 5.0  # a second that the journal is asked by an agent alone


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """Five cameras, each with one exported image."""
    patients = [f"{number:06}" for number in range(CAMERAS)]
    with platform_with(tmp_path / "platform", patients) as platform:
        cameras = []
        for number, patient in enumerate(patients):
            folder = tmp_path / f"exports-{number}"
            folder.mkdir()
            (folder / f"{datetime.now(UTC):%Y%m%d}_{patient}_R_0001.JPG").write_bytes(draw(number, "R", b""))
            cameras.append(f"  - {{name: room-{number}, profile: topcon-nw400, folder: '{folder}'}}\n")
        path = tmp_path / "irisdrop.yaml"
        path.write_text(
            f"state: state\nplatform: {{kind: http, url: '{platform.url}'}}\nworklist: {{from: platform, every: 60s}}\n"
            f"page: {{port: {free_port()}}}\ncameras:\n{''.join(cameras)}"
        )
        yield path


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Later(SystemClock):
    """The machine's, some minutes ahead."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def written(state: Path) -> dict[str, tuple[int, int]]:
    """When each file was last written, the one that SQLite shares in memory too."""
    files = [file for file in state.rglob("*") if file.is_file()]
    return {str(file.relative_to(state)): (file.stat().st_mtime_ns, file.stat().st_size) for file in files}


def a_minutes_turns(agent: Agent) -> None:
    """What every stage does by itself, and whoever looks at it."""
    agent.worklist.sync()
    for lookout in agent.lookouts:
        lookout.rescan()
        lookout._turn()
    agent.decider.turn()
    assert not agent.courier.deliver_next()
    agent.housekeeping.turn()
    agent.hindsight.turn(threading.Event())
    assert agent.conditions.active() == []


def test_the_minutes_of_an_idle_night_write_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the journal, nor to what SQLite keeps beside it, nor a page to see whether the disk takes one."""
    clock, tried = Later(), []
    monkeypatch.setattr(module, "page_refused", tried.append)
    with Agent(load_config(config), clock=clock) as agent:
        agent.once()
        until(lambda: agent.once() or len(agent.journal.in_state(State.DELIVERED)) == CAMERAS)
        a_minutes_turns(agent)
        before, pages = written(config.parent / "state"), len(tried)
        for _ in range(3):
            clock.ahead += 60
            a_minutes_turns(agent)
        assert written(config.parent / "state") == before
        assert len(tried) == pages <= 1
        for lookout in agent.lookouts:
            lookout._supervision.close()


def test_the_journal_of_an_agent_at_rest_is_hardly_asked_and_never_written(config: Path) -> None:
    said: list[str] = []
    stop, pause = threading.Event(), threading.Event()
    with Agent(load_config(config)) as agent:
        thread = threading.Thread(target=agent.run, args=(stop,))
        thread.start()
        until(lambda: len(agent.journal.in_state(State.DELIVERED)) == CAMERAS)
        pause.wait(6.0)  # until each stage has found that nothing is left
        for connection in (agent.journal.database._connection, agent.journal.database._asked):
            connection.set_trace_callback(said.append)
        pause.wait(10.0)
        told = list(said)
        stop.set()
        thread.join(60)
    assert len(told) / 10 < QUESTIONS, told
    assert not [sql for sql in told if not sql.lstrip().startswith(("SELECT", "PRAGMA data_version"))]


@dataclass
class Running:
    """`irisdrop run` as a process, seen from outside."""

    pid: int

    def wakes(self) -> int:
        """How often any of its threads had been asleep."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/status")
        return sum(int(re.findall(r"\nvoluntary_ctxt_switches:\s+(\d+)", task.read_text())[0]) for task in tasks)

    def bytes_written(self) -> int:
        return int(re.findall(r"\nwrite_bytes: (\d+)", Path(f"/proc/{self.pid}/io").read_text())[0])

    def rest(self, seconds: float) -> bool:
        """Whether nothing is written for so long."""
        before, pause = self.bytes_written(), threading.Event()
        pause.wait(seconds)
        return self.bytes_written() == before


@pytest.fixture
def running(config: Path) -> Iterator[Running]:
    agent = subprocess.Popen(
        [sys.executable, "-m", "irisdrop", "--config", str(config), "run"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Running(agent.pid)
    finally:
        agent.terminate()
        agent.wait(60)


@pytest.fixture
def looked_at(config: Path, running: Running) -> Iterator[Running]:
    """A tray icon looks at it, and a browser shows the page."""
    state, port = config.parent / "state", load_config(config).page.port
    line, stop = Line(state, port, "anna"), threading.Event()

    def look() -> None:
        while not stop.wait(EVERY):
            line.look()

    until(lambda: line.look().face == "well")
    connection = open_stream(state, port)
    looker = threading.Thread(target=look)
    looker.start()
    yield running
    stop.set()
    looker.join(30)
    with contextlib.suppress(OSError):
        connection.close()


def open_stream(state: Path, port: int) -> http.client.HTTPConnection:
    """As a browser that shows the page."""
    came = knock(port, secret_of(state), "page", "anna")
    host = {"Host": f"{came.host}:{port}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/enter?code={came.word}", headers=host)
    entered = connection.getresponse()
    entered.read()
    cookie = str(entered.headers["Set-Cookie"]).partition(";")[0]
    connection.request("GET", "/live", headers=host | {"Cookie": cookie})
    assert connection.getresponse().readline().startswith(b"retry")
    return connection


def delivered(config: Path) -> int:
    with contextlib.closing(Database.to_read(config.parent / "state" / "journal.db", SystemClock())) as journal:
        row = journal.row("SELECT count(*) AS n FROM images WHERE state = 'DELIVERED'")
        return 0 if row is None else int(row["n"])


@pytest.mark.timeout(240)
def test_an_agent_at_rest_that_is_looked_at_writes_nothing_and_hardly_wakes_up(
    looked_at: Running, config: Path
) -> None:
    """Five folders, the page and a tray icon. What follows from the time alone is asked for when it is time."""
    until(lambda: delivered(config) == CAMERAS)
    until(lambda: looked_at.rest(8.0), 120)
    begin, woken, bytes_before = time.monotonic(), looked_at.wakes(), looked_at.bytes_written()
    threading.Event().wait(12.0)
    assert looked_at.bytes_written() == bytes_before
    assert (looked_at.wakes() - woken) / (time.monotonic() - begin) < WAKES
