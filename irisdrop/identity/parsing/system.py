"""The limits of the child on this operating system: the one place that chooses."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.identity.parsing._windows import limit_memory, limit_time, quietly
else:
    from irisdrop.identity.parsing._posix import limit_memory, limit_time, quietly

__all__ = ["limit_memory", "limit_time", "quietly"]
