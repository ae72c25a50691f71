"""The report of a fault of ours: where it happened, and nothing about whom."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from irisdrop import __version__


def write_report(fault: BaseException) -> Path:
    """Write the places that an exception passed; its text and the values of variables could hold PHI and stay out."""
    handle, name = tempfile.mkstemp(prefix="irisdrop-report-", suffix=".txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"irisdrop {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        file.write(f"command {sys.argv[1] if len(sys.argv) > 1 else ''}\n")
        cause: BaseException | None = fault
        while cause is not None:
            file.write(f"{type(cause).__module__}.{type(cause).__name__}\n")
            for frame in traceback.extract_tb(cause.__traceback__):
                file.write(f"  {frame.filename}:{frame.lineno} in {frame.name}\n")
            cause = cause.__cause__ or cause.__context__
    return Path(name)
