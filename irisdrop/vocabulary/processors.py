"""On how many of the machine's processors the agent runs."""

from __future__ import annotations

import contextlib
import os
import sys

_before: frozenset[int] = frozenset()  # those that it had; none where it has them still


def keep_to_one() -> None:
    """Let all threads that are begun from now on run on one processor, where the system can be told so (Linux).

    Python lets one of them work at a time. On several processors each short call to the system hands that right to a thread
    on another one, which has to be woken for it: with small files that took more time than the work itself
    (tests/bench/README.md). And the camera's own software has the others to itself. The last one is chosen: interrupts, and
    what is bound by hand, sit on the first.
    """
    global _before
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            before = frozenset(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {max(before)})
            _before = _before or before


def free(process: int) -> None:
    """Let a child of ours run on any of those that we had: what hangs in it must not take ours."""
    if sys.platform == "linux" and _before:
        with contextlib.suppress(OSError):  # it may have ended
            os.sched_setaffinity(process, _before)
