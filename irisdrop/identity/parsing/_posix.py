"""Limits on POSIX: address space, processor time, no core dump of a patient's file."""

from __future__ import annotations

import math
import resource
import sys
from typing import Any

assert sys.platform != "win32"  # which has none of this


def limit_memory(most: int) -> None:
    """Let no more than `most` bytes of address space be had, and leave no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_AS, most)


def limit_time(seconds: float) -> None:
    """End us `seconds` of processor time from now.

    The parent's clock is the real limit; this one holds where the parent was killed while we hang.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1)


def _lower(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def quietly() -> dict[str, Any]:
    """How to start the child apart from our terminal, so that a Ctrl-C there is not for it."""
    return {"start_new_session": True}
