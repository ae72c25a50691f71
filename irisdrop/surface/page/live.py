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
                known, turns = self.room.office.version(), 0
                yield "retry: 2000\n\nevent: hello\ndata: 1\n\n"
                while not self.room.stopping():
                    await asyncio.sleep(0.4)
                    turns += 1
                    if self.room.keeper.session(cookie, "page", by_person=False) is None:
                        yield "event: locked\ndata: 1\n\n"
                        return
                    version = self.room.office.version()
                    if version != known:
                        known = version
                        yield f"event: changed\ndata: {version}\n\n"
                    elif turns % 40 == 0:
                        yield ": still here\n\n"
            finally:
                self._streams -= 1

        return StreamingResponse(events(), media_type="text/event-stream")
