"""One agent per journal, by an operating system lock that dies with the process."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import IO

from irisdrop.record.system import lock
from irisdrop.vocabulary.faults import Foreseen

PATIENCE = 0.5  # seconds: a command that asks who runs here holds the lock for a moment


class Lease:
    """The right to run on a state folder; `holder` beside the lock names who has it."""

    def __init__(self, file: IO[bytes], holder: Path) -> None:
        self._file = file
        self._holder = holder

    @classmethod
    def take(cls, state: Path) -> Lease:
        """Take the lock; raises Foreseen that names the first instance where there is one."""
        state.mkdir(parents=True, exist_ok=True)
        holder = state / "agent.holder"
        file = (state / "agent.lock").open("a+b")
        if not _locked(file):
            file.close()
            raise Foreseen(
                "ALREADY_RUNNING",
                f"irisdrop already runs on {state}: {cls.holder(state) or 'another process'}.",
                "stop that one first (`irisdrop service stop`), or use another `state:` folder.",
            )
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        return cls(file, holder)

    @staticmethod
    def holder(state: Path) -> str | None:
        """Who runs on a state folder, or None where nobody does."""
        path = state / "agent.lock"
        if not path.exists():
            return None
        with path.open("a+b") as file:
            if lock(file):
                return None
        try:
            return (state / "agent.holder").read_text(encoding="utf-8").strip()
        except OSError:
            return "another process"

    def release(self) -> None:
        """Give the lock back."""
        self._holder.unlink(missing_ok=True)
        self._file.close()


def _locked(file: IO[bytes]) -> bool:
    until = time.monotonic() + PATIENCE
    while not lock(file):
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True
