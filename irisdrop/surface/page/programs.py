"""What programs ask: the tray icon, and monitoring."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from irisdrop.surface.page import metrics
from irisdrop.surface.page.form import apart
from irisdrop.surface.page.room import Room
from irisdrop.surface.page.sections import standing


class Programs:
    """Answers without anybody's name or number."""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def tray_state(self, request: Request) -> Response:  # noqa: ARG002
        office = self.room.office
        return JSONResponse(standing.tray(office.known_standing() or await apart(office.standing)))

    def tray_pause(self, request: Request) -> Response:
        self.room.office.pause(request.scope["session_of"].person)
        return JSONResponse({"paused": True})

    def tray_resume(self, request: Request) -> Response:
        self.room.office.resume(request.scope["session_of"].person)
        return JSONResponse({"paused": False})

    def health(self, request: Request) -> Response:  # noqa: ARG002
        found = metrics.health(self.room.office)
        return JSONResponse(found, 200 if found["status"] != "broken" else 503)

    def metrics(self, request: Request) -> Response:  # noqa: ARG002
        return PlainTextResponse(metrics.prometheus(self.room.office), media_type=metrics.MEDIA_TYPE)
