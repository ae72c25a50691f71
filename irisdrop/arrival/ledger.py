"""What was read is written into the journal by a thread of its own, so that who reads goes on with the next file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

TOGETHER: Final = 32  # entries of one commit, at most: whoever has something else to write waits for it
WAITING: Final = 2 * TOGETHER  # entries: with more, the newest image would stand behind a backlog that was read already
IDLE: Final = 10.0  # seconds

Share = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written, and who is told what `write` returned, or raised; `told` must not raise."""

    write: Callable[[], Any]
    told: Callable[[Any], None]


class Ledger:
    """Writes what is entered in the order in which it comes, all that waits in one commit, by `share` of the journal.

    Where that commit fails, each entry gets one of its own, so that what fails is told of the one to which it belongs.
    Its thread is a daemon, and gone when there is nothing to write.
    """

    def __init__(self, name: str, share: Share) -> None:
        self._name = name
        self._share = share
        self._entries: list[Entry] = []
        self._changed = threading.Condition()
        self._runs = False
        self._waits = False

    def enter(self, write: Callable[[], Any], told: Callable[[Any], None]) -> None:
        """Have `write` run inside a commit soon; `told` gets what it returned once it is on the disk, or its error. Waits
        while many wait already: who reads takes the newest file next, but here each stands behind those before it."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._entries) < WAITING or not self._runs)
            self._entries.append(Entry(write, told))
            if self._runs:
                if self._waits:
                    self._changed.notify_all()
                return
            self._runs = True
        try:
            threading.Thread(target=self._work, args=(IDLE,), name=self._name, daemon=True).start()
        except RuntimeError:  # the system has no more threads: then this one writes
            self._work(0.0)

    def wait(self, seconds: float) -> None:
        """Until all that was entered is written, but no longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._runs or (self._waits and not self._entries), timeout=seconds)

    def _work(self, idle: float) -> None:
        try:
            while entries := self._next(idle):
                self._write(entries)
        except BaseException:  # whoever comes next begins another thread: nobody may wait here for ever
            with self._changed:
                self._runs = False
                self._changed.notify_all()
            raise

    def _next(self, idle: float) -> list[Entry]:
        with self._changed:
            self._waits = True
            self._changed.notify_all()  # whoever waits for the end of all that was entered
            self._changed.wait_for(lambda: bool(self._entries), timeout=idle)
            self._waits = False
            entries, self._entries = self._entries[:TOGETHER], self._entries[TOGETHER:]
            self._runs = bool(entries)
            self._changed.notify_all()  # whoever waits for room
            return entries

    def _write(self, entries: list[Entry]) -> None:
        try:
            results = self._share(lambda: [entry.write() for entry in entries])
        except Exception as error:  # noqa: BLE001 - told to whom it belongs
            if len(entries) == 1:
                entries[0].told(error)
                return
            for entry in entries:
                self._write([entry])
            return
        for entry, result in zip(entries, results, strict=True):
            entry.told(result)
