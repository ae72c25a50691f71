"""A small disk of one's own, in a name space of mounts that nobody else sees."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_REC, MS_PRIVATE, MS_BIND, MS_REMOUNT = 1, 16384, 1 << 18, 4096, 32
MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)
_apart = False


def _checked(done: int) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """As the system's `mount`, for this thread and what it starts."""
    global _apart
    if not _apart:
        _checked(_libc.unshare(CLONE_NEWNS))
        _checked(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        _apart = True
    _checked(_libc.mount(source.encode(), str(target).encode(), kind.encode(), flags, options.encode() or None))


def unmount(target: Path) -> None:
    """Take it away, whoever still uses it."""
    _checked(_libc.umount2(str(target).encode(), MNT_DETACH))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mount("none", folder, "tmpfs", 0, f"size={size},mode=700")
    try:
        yield folder
    finally:
        unmount(folder)


def fill(folder: Path, leave: int) -> Path:
    """Fill the disk of `folder` but for `leave` bytes; the file that does it."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for block in (65536, 4096, 512):
            while True:
                room = os.statvfs(folder)
                if room.f_bavail * room.f_frsize - block < leave:
                    break
                try:
                    file.write(bytes(block))
                except OSError:
                    break
    return ballast
