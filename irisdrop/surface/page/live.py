"""What tells a browser that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from irisdrop.surface.page.door import COOKIE
from irisdrop.surface.page.room import Room

STREAMS: Final = 24  # live connections at once
LOOK: Final = 2.0  # seconds until what another process wrote is seen, or that a session ended
BREATH: Final = 0.3  # seconds from one change to the next, while many come
ALIVE: Final = 8  # looks without a change, after which a sign of life is sent


class Live:
    """Server-sent events, without anything of what changed."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._streams = 0

    async def live(self, request: Request) -> Response:
        """Tells the browser that something changed, as server-sent events."""
        if self._streams >= STREAMS:
            return PlainTextResponse("too many\n", 503)
        cookie = request.cookies.get(COOKIE)

        async def events() -> AsyncIterator[str]:
            self._streams += 1
            try:
                with self.room.bell.heard() as rung:
                    yield "retry: 2000\n\nevent: hello\ndata: 1\n\n"
                    async for told in self._told(cookie, rung):
                        yield told
            finally:
                self._streams -= 1

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _told(self, cookie: str | None, rung: asyncio.Event) -> AsyncIterator[str]:
        known, turns = self.room.office.version(), 0
        while not self.room.stopping():
            await self.room.bell.wait(rung, LOOK)
            turns += 1
            if self.room.keeper.session(cookie, "page", by_person=False) is None:
                yield "event: locked\ndata: 1\n\n"
                return
            version = self.room.office.version()
            if version != known:
                known = version
                yield f"event: changed\ndata: {version}\n\n"
                await asyncio.sleep(BREATH)
            elif turns % ALIVE == 0:
                yield ": still here\n\n"
