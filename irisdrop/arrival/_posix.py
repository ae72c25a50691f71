"""How files are looked at and opened on a POSIX system."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from irisdrop.arrival.entries import Entry, Listed, in_pieces
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


LOOKS: Final = 0.2  # seconds for the looks at a piece: from memory they take a few milliseconds, on a busy machine more
LATE: Final = 3  # pieces whose looks took longer, until none is tried right beside its listing any more
PIECE: Final = 4096  # bytes: some 80 names, fewer than a server tells at once
RECORD: Final = struct.Struct("=QqHB")  # of getdents64: file id, place, length of all of it, kind
KINDS: Final = {stat.S_IFDIR >> 12: stat.S_IFDIR, stat.S_IFREG >> 12: stat.S_IFREG, stat.S_IFLNK >> 12: stat.S_IFLNK}


def listed(folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:
    """A folder's entries in pieces so small that what the server told of each is still fresh when it is looked at,
    right away, within `turn`; OSError as the system gives it.

    `os.scandir` waits for 32 KB: six answers of a server, and those over the Atlantic are stale when the last has come.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "getdents64"):
        yield from in_pieces(folder)
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    buffer = ctypes.create_string_buffer(PIECE)
    slow = 0
    try:
        while count := libc.getdents64(handle, buffer, PIECE):
            if count < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            piece = [Listed(folder, name, kind) for name, kind in _names(buffer.raw[:count])]
            if slow < LATE:
                with turn:
                    slow += not _looked_at(handle, piece)
            yield list(piece)
    finally:
        os.close(handle)


def _names(records: bytes) -> Iterator[tuple[str, int]]:
    at = 0
    while at < len(records):
        _, _, length, kind = RECORD.unpack_from(records, at)
        name = records[at + RECORD.size : at + length].split(b"\0", 1)[0]
        at += length
        if name not in (b".", b".."):
            yield os.fsdecode(name), KINDS.get(kind, 0)


def _looked_at(handle: int, piece: list[Listed]) -> bool:
    """Look at each for as long as that asks nobody; whether it went to the end."""
    until = time.monotonic() + LOOKS
    for entry in piece:
        if entry.kind != stat.S_IFDIR:
            entry.look(handle)
            if time.monotonic() > until:
                return False
    return True


def reachable(path: str) -> str:
    """A path as the system's calls take it."""
    return path


def open_plain(path: str) -> int:
    """Open for reading without following a link and without waiting for a pipe's other end; the caller checks
    the shape on the handle. OSError as the system gives it."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
