"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.arrival._windows import (
        EVENTS_OF_WRITING,
        fingerprint,
        in_the_cloud,
        listed,
        open_plain,
        reachable,
        shape,
        unchanged,
        watches_left,
    )
else:
    from irisdrop.arrival._posix import (
        EVENTS_OF_WRITING,
        fingerprint,
        in_the_cloud,
        listed,
        open_plain,
        reachable,
        shape,
        unchanged,
        watches_left,
    )

__all__ = [
    "EVENTS_OF_WRITING",
    "fingerprint",
    "in_the_cloud",
    "listed",
    "open_plain",
    "reachable",
    "shape",
    "unchanged",
    "watches_left",
]
