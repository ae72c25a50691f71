"""When is a file complete? One small memory of when each path last showed a sign of life.

The causes in the field: a camera that writes slowly or in bursts, a copy over a network that stalls, a program that
preallocates and fills later, one that writes beside and renames, one that never finishes. Only monotonic time
counts: mtime is the camera's, and lies.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from irisdrop.record.known import Fingerprint

LOOK_AGAIN: Final = (0.25, 2.0)  # seconds between looks at what is not complete: never faster, never slower
LONGEST_RETRY: Final = 30.0


@dataclass(slots=True)
class Pending:
    """One path that is not settled. Times are monotonic seconds, `arrived` is for the record.

    `life` is the last sign of life, `look` when to look next, `seen` when it was first seen: newest goes first.
    """

    folder: str
    base: str
    fingerprint: Fingerprint
    arrived: datetime
    live: bool
    seen: float
    life: float
    look: float = 0.0
    incomplete: bool = False  # the format's end was looked for, and is not in what `fingerprint` tells
    racy: bool = False  # settled, to be read once more
    announced: bool = False  # an event told of it
    taking: bool = False
    touched: bool = False  # a sign of life while it was being taken
    blocked: int = 0  # how often it could not be opened in a row
    condition: str | None = None  # subject of its Condition

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by."""
        return (self.folder, self.base)


class Verdict(Enum):
    """What a look at a pending file comes to."""

    WAIT = "wait"
    READY = "ready"
    GIVE_UP = "give up"


def verdict(pending: Pending, now: float, settle: float, give_up: float, done: bool | None) -> Verdict:
    """Whether a file that has not changed since its last sign of life may be taken.

    `settle`, `give_up` in seconds; `done` whether its companion file is there, None where the profile has none.
    """
    silent = now - pending.life
    if pending.racy:
        return Verdict.READY
    if silent >= max(give_up, settle):
        return Verdict.GIVE_UP
    if pending.fingerprint.size == 0 or pending.incomplete or done is False:
        return Verdict.WAIT
    return Verdict.READY if done or silent >= settle else Verdict.WAIT


def next_look(pending: Pending, now: float, settle: float, give_up: float) -> float:
    """When a file that must wait is to be looked at again."""
    quiet = pending.life + settle
    if now < quiet:
        return quiet
    shortest, longest = LOOK_AGAIN
    return min(now + max(shortest, min(settle, longest)), max(now, pending.life + max(give_up, settle)))


def next_try(pending: Pending, now: float) -> float:
    """When a file that could not be opened is to be tried again: soon, then less and less often."""
    return now + float(min(LONGEST_RETRY, 0.5 * 2 ** min(pending.blocked, 10)))


@dataclass(slots=True)
class Settling:
    """The pending files of one camera, by path and by when they are to be looked at."""

    _files: dict[tuple[str, str], Pending] = field(default_factory=dict)
    _looks: list[tuple[float, int, Pending]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def __len__(self) -> int:
        return len(self._files)

    def get(self, folder: str, base: str) -> Pending | None:
        """The pending file at a path."""
        return self._files.get((folder, base))

    def add(self, pending: Pending, look: float) -> None:
        """Follow a path from now on."""
        self._files[pending.key] = pending
        self.schedule(pending, look)

    def alive(self, pending: Pending, now: float, settle: float, fingerprint: Fingerprint | None = None) -> None:
        """A sign of life: an event, or another look (`fingerprint`)."""
        if fingerprint is not None:
            pending.fingerprint = fingerprint
        pending.life, pending.incomplete, pending.racy, pending.blocked = now, False, False, 0
        self.schedule(pending, now + settle)

    def schedule(self, pending: Pending, look: float) -> None:
        """Look at it at a time, and not before."""
        pending.look = look
        heapq.heappush(self._looks, (look, next(self._number), pending))

    def drop(self, pending: Pending) -> None:
        """Follow it no longer."""
        self._files.pop(pending.key, None)

    def in_folder(self, folder: str) -> list[Pending]:
        """What is pending in one folder."""
        return [pending for pending in self._files.values() if pending.folder == folder]

    def all(self) -> Iterable[Pending]:
        """Everything that is pending."""
        return list(self._files.values())

    def due(self, now: float, most: int) -> list[Pending]:
        """Up to `most` files whose time has come."""
        found: list[Pending] = []
        while self._looks and self._looks[0][0] <= now and len(found) < most:
            look, _, pending = heapq.heappop(self._looks)
            if self._current(look, pending):
                found.append(pending)
        return found

    def next(self) -> float | None:
        """When the next look is due."""
        while self._looks and not self._current(self._looks[0][0], self._looks[0][2]):
            heapq.heappop(self._looks)
        return self._looks[0][0] if self._looks else None

    def _current(self, look: float, pending: Pending) -> bool:
        return pending.look == look and not pending.taking and self._files.get(pending.key) is pending
