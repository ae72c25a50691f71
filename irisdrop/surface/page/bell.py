"""Wakes what waits on the page's loop, from any thread: a commit, or the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Bell:
    """Rung as often as one likes, hundreds of times a second by a backlog: whoever listens is woken once."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening: set[asyncio.Event] = set()
        self._rung = False  # and nobody has heard it yet

    def ring(self) -> None:
        """From any thread; never waits and never raises."""
        loop = self._loop
        if self._rung or loop is None or not self._listening:
            return
        self._rung = True
        with contextlib.suppress(RuntimeError):  # its loop has ended
            loop.call_soon_threadsafe(self._sound)

    @contextlib.contextmanager
    def heard(self) -> Iterator[asyncio.Event]:
        """What `wait` takes, for who runs on the page's loop; no ring from now on is missed."""
        self._loop, event = asyncio.get_running_loop(), asyncio.Event()
        self._listening.add(event)
        self._rung = False
        try:
            yield event
        finally:
            self._listening.discard(event)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until it rings, or rang since the last time; at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        event.clear()
        self._rung = False  # before what changed is looked at: what comes meanwhile rings again

    def _sound(self) -> None:
        for event in self._listening:
            event.set()
