"""How files are looked at and opened on a POSIX system."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from typing import Final

from irisdrop.arrival.shapes import Shape
from irisdrop.record.known import Fingerprint, Remembered, signed

assert sys.platform != "win32"  # which has none of this

# Names of watchdog's event classes that say that somebody wrote. The kernel tells when a writer closes, so the
# many IN_MODIFY of a slow writer need not wake us: what grows is seen by `stat` when its quiet time is over.
EVENTS_OF_WRITING: Final = ("FileCreatedEvent", "FileClosedEvent", "FileMovedEvent")


IN_CREATE: Final = 0x100
ALL_USED: Final = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE})


def watches_left(folder: str) -> bool:
    """Whether the system would let one more folder be watched; asked with an instance of our own.

    watchdog goes on without a word where a sub-folder can't be watched any more (seen with 7.1; maestral#75).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return True
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        return ctypes.get_errno() not in ALL_USED
    try:
        return not (
            libc.inotify_add_watch(handle, os.fsencode(folder), IN_CREATE) < 0 and ctypes.get_errno() in ALL_USED
        )
    finally:
        os.close(handle)


def shape(status: os.stat_result) -> Shape:
    """What `lstat` found."""
    if stat.S_ISREG(status.st_mode):
        return Shape.PLAIN
    return Shape.FOLDER if stat.S_ISDIR(status.st_mode) else Shape.OTHER


def fingerprint(status: os.stat_result) -> Fingerprint:
    """What tells one writing of a file from the next: size, both times, inode."""
    # Times beyond the year 2262 don't fit SQLite's integers; they need only differ where they differ.
    return Fingerprint(status.st_size, signed(status.st_mtime_ns), signed(status.st_ctime_ns), signed(status.st_ino))


def unchanged(status: os.stat_result, remembered: Remembered) -> bool:
    """As `fingerprint(status) == remembered`, but for hundreds of thousands of files; False where unsure."""
    return (
        status.st_mtime_ns == remembered[1]
        and status.st_size == remembered[0]
        and status.st_ctime_ns == remembered[2]
        and status.st_ino == remembered[3]
    )


def in_the_cloud(status: os.stat_result) -> bool:  # noqa: ARG001
    """No placeholders here."""
    return False


def reachable(path: str) -> str:
    """A path as the system's calls take it."""
    return path


def open_plain(path: str) -> int:
    """Open for reading without following a link and without waiting for a pipe's other end; the caller checks
    the shape on the handle. OSError as the system gives it."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
