"""Commits that threads share: what they want to write at about the same time is flushed to the disk once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _Share:
    """One thread's part of a commit."""

    __slots__ = ("_turn", "error", "leads", "result", "write")

    def __init__(self, write: Callable[[], Any]) -> None:
        self.write = write
        self.result: Any = None
        self.error: BaseException | None = None
        self.leads = False
        self._turn = threading.Lock()
        self._turn.acquire()

    def wait(self) -> None:
        self._turn.acquire()

    def wake(self) -> None:
        self._turn.release()


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
        mine = _Share(write)
        with self._guard:
            self._waiting.append(mine)
            mine.leads, self._led = not self._led, True
        if not mine.leads:
            mine.wait()
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return cast(T, mine.result)

    def _lead(self, mine: _Share) -> None:
        with self._guard:
            together, self._waiting = self._waiting, []
        try:
            self._write(together)
        finally:
            with self._guard:
                successor = self._waiting[0] if self._waiting else None
                self._led = successor is not None
            for share in together:
                if share is not mine:
                    share.wake()
            if successor is not None:
                successor.leads = True
                successor.wake()

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
                share.error = None
                self._write([share])
