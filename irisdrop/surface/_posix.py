"""How the agent gives way, and stays small, on POSIX."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from typing import Final

assert sys.platform != "win32"  # which has none of this

NICE: Final = 5
IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}  # the number of the system call; libc has no name for it
IOPRIO_LOWEST: Final = (2 << 13) | 7  # IOPRIO_CLASS_BE, its last level: the idle class may wait for ever
M_ARENA_MAX: Final = -8  # malloc.h of the GNU C library
ARENAS: Final = 2


def give_way() -> None:
    """Let every other program go first, at the processor and at the disk; threads and children inherit it."""
    with contextlib.suppress(OSError):
        os.nice(NICE - os.nice(0) if os.nice(0) < NICE else 0)
    number = IOPRIO_SET.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        with contextlib.suppress(OSError):  # without it the disk's queue goes by the nice value
            ctypes.CDLL(None).syscall(number, 1, 0, IOPRIO_LOWEST)


def stay_small() -> None:
    """Let all threads share two of malloc's arenas; to be called before there are others.

    With eight a core, each of thirty threads keeps what it once needed: in a year of images (tests/torture/soak.py) memory
    grew by 18 % from the second tenth on, and by 10 % with two. Python's own lock leaves them little to compete for.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
