"""On how many of the machine's processors the agent runs: on one while files are small, else on all (Linux).

Python lets one thread work at a time. On several processors each short call to the system hands that right to a thread on
another one, which has to be woken for it: with small files that took more time than the work itself. Large ones are copied,
hashed and sent in long calls that need no such right, and on one processor stand in each other's way. Measured on two, in
files a second (tests/bench): 46 kB 465 on one, 330 on both; 2 MB 122 on one, 157 on both.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final

LARGE: Final = 512 << 10  # bytes of the files that came last, in the mean
SMALL: Final = LARGE // 2
THREADS: Final = Path("/proc/self/task")
WEIGHT: Final = 1 / 8  # of the newest file in that mean

# Linux alone has these two; elsewhere the system chooses by itself.
_get: Final[Callable[[int], set[int]] | None] = getattr(os, "sched_getaffinity", None)
_set: Final[Callable[[int, Iterable[int]], Any] | None] = getattr(os, "sched_setaffinity", None)

_all: frozenset[int] = frozenset()  # those that we were given; none before `keep_to_one`, and where it can't be told
_mean = 0.0
_one = False
_lock: Final = threading.Lock()


def keep_to_one() -> None:
    """Run on one processor until large files come. The last one: interrupts, and what is bound by hand, sit on the first."""
    global _all
    if _get is not None and not _all:
        with contextlib.suppress(OSError):
            _all = frozenset(_get(0))
            _spread(True)


def suit(size: int) -> None:
    """A file of so many bytes comes: move to where the last few are taken fastest."""
    global _mean
    if not _all:
        return
    with _lock:
        _mean += (size - _mean) * WEIGHT
        one = _mean < (LARGE if _one else SMALL)
        if one != _one:
            _spread(one)


def free(process: int) -> None:
    """Let a child of ours run on any of those that we had: what hangs in it must not take ours."""
    if _all:
        _move(process, _all)


def _spread(one: bool) -> None:
    global _one
    _one = one
    with contextlib.suppress(OSError):  # a system that shows nobody its threads
        for thread in THREADS.iterdir():  # one that begins meanwhile is where the one is that began it
            _move(int(thread.name), {max(_all)} if one else _all)


def _move(thread: int, where: Collection[int]) -> None:
    if _set is not None:
        with contextlib.suppress(OSError):  # it may have ended, or we may not
            _set(thread, where)
