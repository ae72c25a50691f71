"""Limits on Windows: time is kept by the parent alone; memory is not limited yet (it would take a job object)."""

from __future__ import annotations

import subprocess
from typing import Any


def limit_memory(most: int) -> None:
    """Nothing yet: the parent's time limit also bounds how much memory can be filled."""


def limit_time(seconds: float) -> None:
    """Nothing: the parent ends us."""


def quietly() -> dict[str, Any]:
    """How to start the child without a window, and apart from our console's Ctrl-C."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return {"creationflags": flags}
