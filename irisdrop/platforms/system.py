"""The one place that chooses between the systems' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.platforms._windows import put_into_place
else:
    from irisdrop.platforms._posix import put_into_place

__all__ = ["put_into_place"]
