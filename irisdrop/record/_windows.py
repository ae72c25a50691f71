"""What the journal and the spool need of Windows."""

from __future__ import annotations

import ctypes
import msvcrt
from pathlib import Path
from typing import IO

DRIVE_REMOTE = 4


def lock(file: IO[bytes]) -> bool:
    """Take the file's first byte for this process, without waiting; the system releases it when the process dies."""
    try:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Nothing to do: NTFS journals names, and a folder can't be flushed by an ordinary account."""


def network_file_system(path: Path) -> str | None:
    """`SMB` where `path` is a UNC path or on a mapped drive, else None."""
    resolved = path.resolve()
    if resolved.drive.startswith("\\\\"):
        return "SMB"
    kind = ctypes.windll.kernel32.GetDriveTypeW(resolved.anchor)  # type: ignore[attr-defined,unused-ignore]
    return "SMB" if kind == DRIVE_REMOTE else None


def private(folder: Path) -> None:
    """The service's installer sets the ACL: a folder below ProgramData inherits it."""


def private_file(file: Path) -> None:
    """Nothing to do: the ACL of its folder is inherited."""


def page_refused(folder: Path) -> OSError | None:  # noqa: ARG001
    """None: a quota of NTFS is told as a full disk, by SQLite too."""
    return None


def give_memory_back(file: Path) -> None:
    """Nothing to do: what the cache of Windows keeps of files that nobody has open goes first."""
