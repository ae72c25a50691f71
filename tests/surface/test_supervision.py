"""What systemd hears, by a socket of the test's own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from irisdrop.surface.supervision import keep_watched, notify, watchdog_seconds


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def test_ready_and_stopping_are_told(systemd: socket.socket) -> None:
    notify("READY=1")
    assert systemd.recv(100) == b"READY=1"


def test_an_abstract_socket_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0irisdrop-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@irisdrop-test-{os.getpid()}")
        notify("STOPPING=1")
        assert listener.recv(100) == b"STOPPING=1"


def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notify("READY=1")
    assert keep_watched(lambda: True, threading.Event()) is None


def test_it_beats_while_every_stage_lives_and_no_longer(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_seconds() == 0.02
    lives, asked, stop = [True, True, False], threading.Event(), threading.Event()

    def alive() -> bool:
        if not lives:
            asked.set()
            return False
        return lives.pop(0)

    thread = keep_watched(alive, stop)
    assert thread is not None
    assert [systemd.recv(100), systemd.recv(100)] == [b"WATCHDOG=1"] * 2
    assert asked.wait(60)
    stop.set()
    thread.join(60)
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_the_watchdog_of_another_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_seconds() is None
