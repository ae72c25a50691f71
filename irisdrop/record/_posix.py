"""What the journal and the spool need of a POSIX system."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path
from typing import IO, Final

assert sys.platform != "win32"  # which has none of this

# What a disk says, and not the rights of an account.
DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
# Where SQLite's locks and shared memory can't be trusted (sqlite.org/howtocorrupt.html §2.1; Sonarr#3645).
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "fuse.sshfs",
        "fuse.rclone",
        "9p",
        "afs",
        "ncpfs",
        "davfs",
        "ceph",
        "glusterfs",
    }
)


def lock(file: IO[bytes]) -> bool:
    """Take the whole file for this process, without waiting; the system releases it when the process dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: without it a rename may be gone after a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that holds `path`, or None for a local one."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            before, _, behind = line.partition(" - ")
            if before.split()[2] == wanted:
                kind = behind.split()[0]
                return kind if kind in NETWORK_FILE_SYSTEMS else None
    return None


def private(folder: Path) -> None:
    """Readable by the account of the service alone."""
    folder.chmod(0o700)


def private_file(file: Path) -> None:
    """Readable by the account of the service alone."""
    file.chmod(0o600)


def page_refused(folder: Path) -> OSError | None:
    """What the disk says to one page more in a folder, written to a file without a name; None where it takes it, knows
    no such files, or this account may not write there."""
    try:
        handle = os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600)
    except OSError as error:
        return error if error.errno in DISK else None
    try:
        os.write(handle, bytes(4096))
    except OSError as error:
        return error
    finally:
        os.close(handle)
    return None


def give_memory_back(file: Path) -> None:
    """Drop what the system keeps of a file in memory, as far as it is on the disk; OSError where it can't be opened."""
    if hasattr(os, "posix_fadvise"):
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
