"""On how many of the machine's processors the agent runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

_before: frozenset[int] = frozenset()  # those that it had; none where it has them still

# Linux alone has these two; elsewhere the system chooses by itself.
_get: Final[Callable[[int], set[int]] | None] = getattr(os, "sched_getaffinity", None)
_set: Final[Callable[[int, Iterable[int]], Any] | None] = getattr(os, "sched_setaffinity", None)


def keep_to_one() -> None:
    """Let all threads that are begun from now on run on one processor, where the system can be told so (Linux).

    Python lets one of them work at a time. On several processors each short call to the system hands that right to a thread
    on another one, which has to be woken for it: with small files that took more time than the work itself
    (tests/bench/README.md). And the camera's own software has the others to itself. The last one is chosen: interrupts, and
    what is bound by hand, sit on the first.
    """
    global _before
    if _get is not None and _set is not None:
        with contextlib.suppress(OSError):
            before = frozenset(_get(0))
            _set(0, {max(before)})
            _before = _before or before


def free(process: int) -> None:
    """Let a child of ours run on any of those that we had: what hangs in it must not take ours."""
    if _set is not None and _before:
        with contextlib.suppress(OSError):  # it may have ended
            _set(process, _before)
