"""What the page needs of a POSIX system."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import sys
from pathlib import Path

assert sys.platform != "win32"  # which has none of this

GROUP = "irisdrop"


def shut(path: Path) -> None:
    """Let in our own account, and the group `irisdrop` where the system has one."""
    folder = path.is_dir()
    path.chmod(0o700 if folder else 0o600)
    try:
        group = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return
    with contextlib.suppress(PermissionError):  # we are not of that group: then it is for our account alone
        os.chown(path, -1, group)
        path.chmod(0o750 if folder else 0o640)


def alone(listener: socket.socket) -> None:
    """A port that was ours a moment ago is ours at once; two listeners are impossible on POSIX anyway."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def calm() -> None:
    """Drawing pictures stands back behind taking and sending them."""
    with contextlib.suppress(OSError):  # where that is forbidden, it draws as it is
        os.nice(10)
