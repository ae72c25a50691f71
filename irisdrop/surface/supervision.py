"""Tells systemd how we are: ready, alive, stopping (sd_notify(3)). Without systemd every word goes nowhere."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable


def notify(text: str) -> None:
    """Send one datagram to the socket that systemd named, if it did."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.sendall(text.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear that we are alive: half of its limit; None where it does not ask."""
    limit, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(limit) / 2e6 if limit.isdecimal() and process == str(os.getpid()) else None


def keep_watched(alive: Callable[[], bool], stop: threading.Event) -> threading.Thread | None:
    """Say that we live for as long as `alive` says so; when it hangs or says no, systemd starts us again."""
    every = watchdog_seconds()
    if every is None:
        return None

    def beat() -> None:
        while not stop.wait(every):
            if alive():
                notify("WATCHDOG=1")

    thread = threading.Thread(target=beat, name="watchdog", daemon=True)
    thread.start()
    return thread
