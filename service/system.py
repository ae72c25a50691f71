"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from ._windows import install, start, state, stop, uninstall
else:
    from ._posix import install, start, state, stop, uninstall

__all__ = ["install", "start", "state", "stop", "uninstall"]
