"""Places where a test may kill the process: at every commit, fsync and rename.

Off, a mark costs one comparison. On (`IRISDROP_MARKS=PATTERN:N`), the N-th passing of a mark whose name begins with
PATTERN ends the process by SIGKILL, as a power cut would: nothing is flushed, nothing is cleaned up.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


def _killer(setting: str) -> Callable[[str], None]:
    pattern, _, count = setting.rpartition(":")
    left = int(count)
    guard = threading.Lock()

    def passing(name: str) -> None:
        nonlocal left
        if not name.startswith(pattern):
            return
        with guard:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    return passing


_passing: Callable[[str], None] | None = (
    _killer(os.environ["IRISDROP_MARKS"]) if "IRISDROP_MARKS" in os.environ else None
)


def mark(name: str) -> None:
    """Say that the place `name` is passed."""
    if _passing is not None:
        _passing(name)
