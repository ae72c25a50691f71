"""The door: everything that a request must pass before the page sees it, and what every answer carries."""

from __future__ import annotations

import logging
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irisdrop.surface.page.access import Doorkeeper
from irisdrop.vocabulary.faults import place

log = logging.getLogger(__name__)

COOKIE: Final = "irisdrop"
LARGEST: Final = 256 * 1024  # bytes of a request's body
OPEN: Final = ("/health", "/metrics", "/enter", "/locked", "/door/challenge", "/door/admit")  # need no session
BY_ITSELF: Final = "irisdrop-by-itself"  # a header of what the page asks without a person's doing

CARRIED: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that, browsers say `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Door:
    """Wraps the page: other hosts, other origins and who has no session come no further."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper, hosts: frozenset[str]) -> None:
        self._app = app
        self._keeper = keeper
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no lifespan, no web sockets
        begun = False

        async def telling(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _carry(MutableHeaders(scope=message), scope["path"])
            await send(message)

        answer = self._refused(scope)
        try:
            await (answer or self._app)(scope, _bounded(receive), telling)
        except Exception as error:  # noqa: BLE001 - a page that fails must neither end the agent nor log a patient
            log.error("the page failed: %s", place(error))
            if not begun:
                await PlainTextResponse("This is a fault of irisdrop.\n", 500)(scope, receive, telling)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._hosts or len(headers.getlist("host")) != 1:
            return PlainTextResponse("no such host\n", 421)  # DNS rebinding ends here
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return PlainTextResponse("not from another site\n", 403)
        path, method = scope["path"], scope["method"]
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return PlainTextResponse("not from another origin\n", 403)
        if path.startswith("/door/"):
            # For programs alone: a browser always says where its POST comes from.
            return PlainTextResponse("not for a browser\n", 403) if origin is not None else None
        if path in OPEN or path.startswith("/static/"):
            return None
        if path.startswith("/tray/"):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            return self._admitted(scope, token if scheme == "Bearer" else None, "tray")
        if method not in ("GET", "HEAD") and origin is None:
            return PlainTextResponse("a browser says where it comes from\n", 403)
        return self._admitted(scope, Request(scope).cookies.get(COOKIE), "page", BY_ITSELF not in headers)

    def _admitted(self, scope: Scope, word: str | None, purpose: Any, by_person: bool = True) -> Response | None:
        session = self._keeper.session(word, purpose, by_person=by_person)
        if session is not None:
            scope["session_of"] = session
            return None
        if purpose == "page" and scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
            return Response(status_code=303, headers={"Location": "/locked"})
        # htmx follows this header, so that a locked page shows that it is.
        return PlainTextResponse("locked\n", 401, headers={"HX-Redirect": "/locked"})


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST:
            raise HTTPException(413, "longer than anything that is sent here")
        return message

    return bounded


def _carry(headers: MutableHeaders, path: str) -> None:
    for name, value in CARRIED.items():
        headers[name] = value
    if not path.startswith("/static/"):
        headers["Cache-Control"] = "no-store"  # a shared PC keeps no patient in a browser's cache
