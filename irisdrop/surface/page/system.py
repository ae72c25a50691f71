"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.surface.page._windows import alone, calm, shut
else:
    from irisdrop.surface.page._posix import alone, calm, shut

__all__ = ["alone", "calm", "shut"]
