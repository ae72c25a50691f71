"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.surface._windows import give_way, stay_small
else:
    from irisdrop.surface._posix import give_way, stay_small

__all__ = ["give_way", "stay_small"]
