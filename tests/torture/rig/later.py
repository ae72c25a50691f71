"""The command on a calendar that the harness turns: days pass in seconds, and nothing else is changed.

    python tests/torture/rig/later.py CALENDAR run …

CALENDAR is a file with the number of days that the wall clock is ahead. Monotonic time, and with it settling, tries and
time limits, stays the machine's; what is done once a minute is done once a second, or a year of days would see less of
housekeeping than one morning does.
"""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from irisdrop.surface.cli import main
from irisdrop.vocabulary.clock import SystemClock

MINUTE = 60.0


def turn_to(file: Path) -> None:
    """Let this process live by the calendar."""

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(days=int(file.read_text()))

    def wait(_: SystemClock, event: threading.Event, seconds: float) -> bool:
        return event.wait(1.0 if seconds == MINUTE else seconds)

    SystemClock.now = now  # type: ignore[method-assign]
    SystemClock.wait = wait  # type: ignore[method-assign]


if __name__ == "__main__":
    turn_to(Path(sys.argv[1]))
    main(sys.argv[2:])
