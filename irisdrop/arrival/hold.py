"""Why ready files wait in their folder: the spool can't take them now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from irisdrop.arrival.settling import Pending
from irisdrop.record.conditions import Conditions

HOLD: Final = 5.0  # seconds between tries
SUBJECT: Final = "spool"


class Hold:
    """Holds back what would only be refused again; times are monotonic seconds.

    A disk that is full takes nothing. A budget that is used up may still take what is smaller, so that one large file
    delays no small one.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._code: str | None = None
        self._least = 0  # bytes; what is smaller is not held back
        self.until = 0.0

    def begin(self, code: str, detail: str, now: float, least: int = 0) -> None:
        """Files of `least` bytes and more wait; told as a Condition."""
        self._conditions.raise_(code, SUBJECT, detail)
        self._least = min(self._least, least) if now < self.until else least
        self._code = code
        self.until = now + HOLD

    def holds(self, pending: Pending, now: float) -> bool:
        """Whether a file waits."""
        return now < self.until and pending.fingerprint.size >= self._least

    def taken(self, size: int) -> None:
        """A file of so many bytes came into the spool: who is no larger waits no more."""
        if self._code is None or size >= self._least:
            self.end()

    def look(self, waiting: Iterable[Pending]) -> None:
        """Nobody need wait whose files have gone."""
        if self._code is not None and not any(pending.fingerprint.size >= self._least for pending in waiting):
            self.end()

    def end(self) -> None:
        """There is room."""
        for code in ("DISK_FULL", "STATE_UNWRITABLE", "SPOOL_FULL"):
            self._conditions.clear(code, SUBJECT)
        self._code, self.until = None, 0.0
