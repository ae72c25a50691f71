"""Commits that threads share: what they want to write at about the same time is flushed to the disk once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from irisdrop.vocabulary.faults import place

log = logging.getLogger(__name__)
T = TypeVar("T")


class _Share:
    """One thread's part of a commit: either its thread waits, or `told` gets what went wrong, or None."""

    __slots__ = ("_turn", "error", "leads", "result", "told", "write")

    def __init__(self, write: Callable[[], Any], told: Callable[[BaseException | None], None] | None) -> None:
        self.write = write
        self.told = told
        self.result: Any = None
        self.error: BaseException | None = None
        self.leads = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> None:
        """Until it is written, or its thread is to write for all."""
        self._turn.acquire()

    def wake(self) -> None:
        self._turn.release()

    def tell(self) -> None:
        """Whoever tells has others to write for: what fails in being told must not keep them waiting for ever."""
        if self.told is not None:
            try:
                self.told(self.error)
            except BaseException as error:  # noqa: BLE001
                log.error("telling of a commit failed: %s", place(error))


class Commits:
    """The thread that comes first writes for all who came while the commit before was being flushed."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[None]]) -> None:
        self._transaction = transaction
        self._guard = threading.Lock()
        self._waiting: list[_Share] = []
        self._led = False

    def share(self, write: Callable[[], T]) -> T:
        """What `write` returns, once it is on the disk; raises what it raises, and then nothing of it is written.

        `write` may be called twice: where the commit fails that it shared, it gets one of its own.
        """
        mine = _Share(write, None)
        if not self._hand_in(mine):
            mine.wait()
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return cast(T, mine.result)

    def hand_over(self, write: Callable[[], object], told: Callable[[BaseException | None], None]) -> None:
        """As `share`, but as a rule nobody waits: whoever writes it calls `told` with what it raised, or None.

        `told` should not raise, and must not wait for a thread that itself waits here.
        """
        mine = _Share(write, told)
        if self._hand_in(mine):
            self._lead(mine)

    def _hand_in(self, mine: _Share) -> bool:
        """Whether its thread has to write."""
        with self._guard:
            self._waiting.append(mine)
            mine.leads, self._led = not self._led, True
            return mine.leads

    def _lead(self, mine: _Share) -> None:
        """Write all that waits, until another thread that waits can go on with it."""
        while True:
            with self._guard:
                together, self._waiting = self._waiting, []
                if not together:
                    self._led = False
                    return
            self._write(together)
            for share in together:
                if share.told is None and share is not mine:
                    share.wake()
            for share in together:
                share.tell()
            with self._guard:
                successor = next((share for share in self._waiting if share.told is None), None)
            if successor is not None:
                successor.leads = True
                successor.wake()
                return

    def _write(self, together: list[_Share]) -> None:
        try:
            with self._transaction():
                for share in together:
                    share.result = share.write()
        except BaseException as error:  # noqa: BLE001 - told to whom it belongs
            if len(together) == 1:
                together[0].error = error
                return
            for share in together:
                self._write([share])
