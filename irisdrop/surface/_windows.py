"""How the agent gives way on Windows."""

from __future__ import annotations

import ctypes
from typing import Any, Final

BELOW_NORMAL: Final = 0x00004000  # PROCESS_MODE_BACKGROUND_BEGIN would take the memory's priority with it


def give_way() -> None:
    """Let every other program go first, at the processor; threads and children inherit it."""
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    # A pointer: the handle is -1, of which a plain number passes only the lower half.
    kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), BELOW_NORMAL)


def stay_small() -> None:
    """Nothing: the heap that all threads share is one."""
