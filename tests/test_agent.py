"""The agent as a process against the reference platform: the whole job, killed in the middle and stopped in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_site import configured, platform_with, receipts, until

from irisdrop.agent import Agent
from irisdrop.profiles.config import load_config
from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.faults import Foreseen

ROOT = Path(__file__).parents[1]
PATIENTS = [f"{number:06}" for number in range(100)]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ReferencePlatform]:
    with platform_with(tmp_path / "platform", PATIENTS) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, platform: ReferencePlatform) -> Path:
    return configured(tmp_path, platform.url)


class Process:
    """`irisdrop run`, started and ended by its pid."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.running = subprocess.Popen(
            [sys.executable, "-m", "irisdrop", "--config", str(config), "run"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals) -> float:
        begin = time.monotonic()
        self.running.send_signal(number)
        self.running.communicate(timeout=60)
        return time.monotonic() - begin


def command(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irisdrop", "--config", str(config), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
    )


def counts(config: Path) -> dict[str, int]:
    done = command(config, "status", "--json")
    return {} if done.returncode else json.loads(done.stdout)["counts"]


def write(folder: Path, patient: str, eye: str, number: int, content: bytes) -> None:
    """As a camera does: under another name, then renamed."""
    target = folder / f"{datetime.now(UTC):%Y%m%d}_{patient}_{eye}_{number:04}.JPG"
    aside = target.with_suffix(".part")
    aside.write_bytes(content)
    aside.rename(target)


def drop(config: Path, count: int) -> dict[str, tuple[str, str]]:
    """So many exports at once; the order and eye of each, by digest."""
    import hashlib

    picture = draw(5, "R", b"")
    meant = {}
    for number in range(count):
        content = picture + number.to_bytes(4, "big")  # bytes after the end of a JPEG are normal
        patient, eye = PATIENTS[number % len(PATIENTS)], "RL"[number % 2]
        write(config.parent / "exports", patient, eye, number, content)
        meant[hashlib.sha256(content).hexdigest()] = (f"E{patient}", eye)
    return meant


@pytest.mark.timeout(300)
def test_two_thousand_files_at_once_and_a_kill_in_the_middle_are_each_delivered_once(
    config: Path, platform: ReferencePlatform
) -> None:
    agent = Process(config)
    until(lambda: counts(config).get("seen") == 0)
    meant = drop(config, 2000)
    until(lambda: counts(config).get("delivered", 0) > 100, 120)
    agent.end(signal.SIGKILL)
    assert counts(config)["delivered"] < 2000
    agent = Process(config)
    until(lambda: counts(config).get("delivered") == 2000, 180)
    agent.end(signal.SIGTERM)
    told = receipts(platform)
    assert {receipt["digest"]: (receipt["entry"], receipt["ImageLaterality"]) for receipt in told} == meant
    assert len(told) == len(meant)
    assert sum(counts(config).values()) == 2000


def test_it_stops_in_order_within_five_seconds(config: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        took: list[float] = []
        while len(took) < 3 and (not took or took[-1] >= 5):  # the machine does other things too
            agent = Process(config)
            until(lambda: "agent: running" in command(config, "status").stdout)
            took.append(agent.end(number))
            assert agent.running.returncode == 0
        assert min(took) < 5


def test_a_second_agent_is_refused_by_the_name_of_the_first(config: Path) -> None:
    agent = Process(config)
    until(lambda: "agent: running" in command(config, "status").stdout)
    second = command(config, "run")
    assert second.returncode == 1
    assert f"process {agent.running.pid}" in second.stderr
    assert "Try:" in second.stderr
    agent.end(signal.SIGTERM)


def test_once_carries_what_is_there_as_far_as_it_goes(config: Path, platform: ReferencePlatform) -> None:
    meant = drop(config, 3)
    write(config.parent / "exports", "999999", "R", 77, draw(6, "R", b""))
    done = command(config, "run", "--once")
    assert done.returncode == 0, done.stderr
    found = counts(config)
    assert (found["delivered"], found["identified"]) == (3, 1)
    assert len(receipts(platform)) == len(meant)


def test_every_state_that_an_image_went_through_can_be_told(config: Path) -> None:
    drop(config, 1)
    command(config, "run", "--once")
    shown = json.loads(command(config, "quarantine", "show", "1", "--json").stdout)
    states = [step["after"] for step in shown["history"]]
    assert states == ["SEEN", "SETTLED", "IDENTIFIED", "MATCHED", "UPLOADED", "DELIVERED"]
    assert all(step["who"] == "irisdrop" and step["why"] and step["at"] for step in shown["history"])


def test_a_journal_that_is_damaged_while_it_runs_ends_the_agent_for_a_start_that_rebuilds_it(config: Path) -> None:
    drop(config, 1)
    command(config, "run", "--once")
    with Agent(load_config(config)) as agent:
        ended: list[Foreseen] = []

        def run() -> None:
            try:
                agent.run(threading.Event())
            except Foreseen as failure:
                ended.append(failure)

        running = threading.Thread(target=run)
        running.start()
        agent.journal.database.on_damage()
        running.join(30)
        assert [failure.code for failure in ended] == ["JOURNAL_DAMAGED"]
        assert agent.journal.meta("clean") == "no"


def test_it_is_not_alive_for_as_long_as_nobody_can_write_in_its_journal(config: Path) -> None:
    """Who only asks waits for no commit, so an answer to a question would hide a disk that hangs."""
    with Agent(load_config(config)) as agent:
        held, go, told = threading.Event(), threading.Event(), []

        def hang() -> None:
            with agent.journal.transaction():
                held.set()
                go.wait(60)

        hanging = threading.Thread(target=hang)
        asking = threading.Thread(target=lambda: told.append(agent.alive()))
        hanging.start()
        assert held.wait(30)
        asking.start()
        asking.join(1)
        assert told == []
        assert agent.journal.in_state() == []  # the page still shows what there is
        go.set()
        asking.join(60)
        hanging.join(60)
        assert told == [True]


def test_systemd_hears_that_it_lives_for_as_long_as_it_runs(config: Path, tmp_path: Path) -> None:
    """A stage that had nothing to do and ended was taken for a dead one: systemd killed the agent every 90 seconds."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        running = subprocess.Popen(
            [sys.executable, "-m", "irisdrop", "--config", str(config), "run"],
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"},
            stderr=subprocess.PIPE,
        )
        heard = [systemd.recv(100) for _ in range(20)]
        running.terminate()
        while heard[-1] != b"STOPPING=1":
            heard.append(systemd.recv(100))
        assert running.wait(60) == 0
        heard.remove(b"READY=1")  # once; the page may take longer to start than the first beat
        assert heard[:-1] == [b"WATCHDOG=1"] * len(heard[:-1])
        assert running.stderr is not None
        running.stderr.close()


def test_orders_of_a_folder_that_is_named_no_more_are_open_no_more_and_a_corrected_zone_moves_the_others(
    tmp_path: Path,
) -> None:
    for folder, patient in (("old", "000815"), ("new", "000816")):
        (tmp_path / folder).mkdir()
        order = {"LocalId": f"A-{patient}", "ScheduledTime": "11/24/2026 09:00"}
        message = {"OrderControlCode": "NW", "Order": order, "Patient": {"LocalId": patient}}
        (tmp_path / folder / "order.json").write_text(json.dumps(message))

    def due(folder: str, zone: str) -> list[tuple[str, str]]:
        (tmp_path / "irisdrop.yaml").write_text(
            f"state: state\nsite: {{zone: {zone}}}\nplatform: {{kind: folder, path: sent}}\n"
            f"worklist: {{from: orders, path: {folder}}}\n"
            "cameras:\n  - {name: room-1, profile: topcon-nw400, folder: exports}\n"
        )
        with Agent(load_config(tmp_path / "irisdrop.yaml")) as agent:
            agent.once()
            entries = agent.orders.open_entries()
            return [(entry.keys["PatientID"], entry.start.isoformat()[:16]) for entry in entries if entry.start]

    assert due("old", "UTC") == [("000815", "2026-11-24T09:00")]
    assert due("new", "UTC") == [("000816", "2026-11-24T09:00")]
    assert due("new", "America/New_York") == [("000816", "2026-11-24T14:00")]
