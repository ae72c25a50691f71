"""How files are looked at and opened on Windows."""

from __future__ import annotations

import ctypes
import errno
import msvcrt
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from irisdrop.arrival.entries import Entry, in_pieces
from irisdrop.arrival.shapes import Shape
from irisdrop.record.known import Fingerprint, Remembered, signed

# Windows never tells that a writer has closed, so each modification is a sign of life.
EVENTS_OF_WRITING: Final = ("FileCreatedEvent", "FileModifiedEvent", "FileMovedEvent")

NAME_SURROGATE: Final = 0x20000000  # bit of a reparse tag: the file stands for another one (ntifs.h)
RECALL: Final = 0x00400000 | 0x00001000  # FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS, FILE_ATTRIBUTE_OFFLINE

GENERIC_READ: Final = 0x80000000
SHARE_READ_DELETE: Final = 0x1 | 0x4
OPEN_EXISTING: Final = 3
OPEN_REPARSE_POINT: Final = 0x00200000
SEQUENTIAL_SCAN: Final = 0x08000000
INVALID_HANDLE: Final = ctypes.c_void_p(-1).value
ERRORS: Final = {2: errno.ENOENT, 3: errno.ENOENT, 5: errno.EACCES, 32: errno.EACCES, 33: errno.EACCES}


def watches_left(folder: str) -> bool:  # noqa: ARG001
    """One handle watches a whole tree here."""
    return True


def shape(status: os.stat_result) -> Shape:
    """What `lstat` found; a junction or mount point is a name surrogate, whatever it points to."""
    info: Any = status
    if info.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT and info.st_reparse_tag & NAME_SURROGATE:
        return Shape.OTHER
    if stat.S_ISREG(status.st_mode):
        return Shape.PLAIN
    return Shape.FOLDER if stat.S_ISDIR(status.st_mode) else Shape.OTHER


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Size and both times; a listing gives no file id here, so none is compared."""
    return Fingerprint(status.st_size, signed(status.st_mtime_ns), signed(status.st_ctime_ns), 0)


def unchanged(status: os.stat_result, remembered: Remembered) -> bool:
    """As `fingerprint(status) == remembered`, but for hundreds of thousands of files; False where unsure."""
    return (
        status.st_mtime_ns == remembered[1] and status.st_size == remembered[0] and status.st_ctime_ns == remembered[2]
    )


def in_the_cloud(status: os.stat_result) -> bool:
    """Whether opening the file would fetch it from a cloud."""
    info: Any = status
    return bool(info.st_file_attributes & RECALL)


def listed(folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:  # noqa: ARG001
    """A folder's entries in pieces; here a listing tells all that `lstat` does."""
    return in_pieces(reachable(folder))


def reachable(path: str) -> str:
    """A path as the system's calls take it, beyond 260 characters too."""
    if path.startswith("\\\\?\\"):
        return path
    if path.startswith("\\\\"):
        return "\\\\?\\UNC\\" + path[2:]
    return "\\\\?\\" + path


def open_plain(path: str) -> int:
    """Open for reading, not following a reparse point; sharing no writing, so a file that somebody still holds
    open for writing is EACCES, and sharing deletion, so that our reading never breaks the camera's rename."""
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.CreateFileW.restype = ctypes.c_void_p
    handle = kernel.CreateFileW(
        reachable(path),
        GENERIC_READ,
        SHARE_READ_DELETE,
        None,
        OPEN_EXISTING,
        OPEN_REPARSE_POINT | SEQUENTIAL_SCAN,
        None,
    )
    if handle == INVALID_HANDLE:
        code = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        raise OSError(ERRORS.get(code, errno.EIO), f"Windows error {code}", path)
    return int(msvcrt.open_osfhandle(handle, os.O_RDONLY))  # type: ignore[attr-defined,unused-ignore]
