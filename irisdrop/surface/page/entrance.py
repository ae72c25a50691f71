"""How one comes in, and goes."""

from __future__ import annotations

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from irisdrop.surface.page import words
from irisdrop.surface.page.door import COOKIE
from irisdrop.surface.page.form import LONGEST_NAME, fields
from irisdrop.surface.page.room import Room, see


class Entrance:
    """The addresses of the door itself."""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def challenge(self, request: Request) -> Response:
        said = await fields(request)
        nonce = str(said.get("nonce", ""))
        if not 16 <= len(nonce) <= 128:
            return JSONResponse({}, 400)
        ours, proof = self.room.keeper.challenge(nonce)
        return JSONResponse({"nonce": ours, "proof": proof})

    async def admit(self, request: Request) -> Response:
        said = await fields(request)
        purpose, person = said.get("purpose"), str(said.get("person", ""))[:LONGEST_NAME]
        if purpose not in ("page", "tray"):
            return JSONResponse({}, 403)
        word = self.room.keeper.admit(str(said.get("nonce", "")), str(said.get("proof", "")), purpose, person)
        return JSONResponse({}, 403) if word is None else JSONResponse({"word": word, "host": self.room.host})

    def enter(self, request: Request) -> Response:
        """A one-use code becomes a cookie."""
        word = self.room.keeper.enter(request.query_params.get("code", ""))
        if word is None:
            return self.room.html(
                request, "locked.html", 403, title=words.say("code_used"), text=words.say("locked_more")
            )
        session = self.room.keeper.session(word, "page")
        if session is not None:
            self.room.office.entered(session.person)
        where = "/quarantine" if request.query_params.get("to") == "quarantine" else "/"
        answer = see(where)
        # Nothing can reach the former session any more. It ends when the browser has the new cookie: a tab that hears of
        # the end before would ask with the former one, and be locked.
        answer.background = BackgroundTask(self.room.keeper.leave, request.cookies.get(COOKIE))
        answer.set_cookie(COOKIE, word, httponly=True, samesite="strict", path="/")
        return answer

    def lock(self, request: Request) -> Response:
        self.room.keeper.leave(request.cookies.get(COOKIE))
        answer = see("/locked")
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    def locked(self, request: Request) -> Response:
        return self.room.html(request, "locked.html", title=words.say("locked"), text=words.say("locked_more"))
