"""What the page needs of Windows."""

from __future__ import annotations

import ctypes
import getpass
import os
import socket
import subprocess
from pathlib import Path

GROUP = "irisdrop"
BELOW_NORMAL = 0x4000


def shut(path: Path) -> None:
    """Let in our own account, administrators, the system, and the local group `irisdrop` where there is one."""
    flags = "(OI)(CI)F" if path.is_dir() else "F"
    icacls = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "icacls.exe"
    grants = [f"*S-1-5-18:{flags}", f"*S-1-5-32-544:{flags}", f"{getpass.getuser()}:{flags}"]
    subprocess.run(
        [str(icacls), str(path), "/inheritance:r", "/grant:r", *grants],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Fails where there is no such group, which is no fault.
    subprocess.run(
        [str(icacls), str(path), "/grant:r", f"{GROUP}:{flags.replace('F', 'RX')}"],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def alone(listener: socket.socket) -> None:
    """Nobody else may listen on the same port: Windows would otherwise let a later one share it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # type: ignore[attr-defined,unused-ignore]


def calm() -> None:
    """Drawing pictures stands back behind taking and sending them."""
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    # A pointer: the handle is -1, of which a plain number passes only the lower half.
    kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), BELOW_NORMAL)
