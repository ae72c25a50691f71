"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.surface._windows import give_way
else:
    from irisdrop.surface._posix import give_way

__all__ = ["give_way"]
