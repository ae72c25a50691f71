"""The room that all addresses of the page share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from irisdrop.surface.page import words
from irisdrop.surface.page.access import Doorkeeper, Session
from irisdrop.surface.page.bell import Bell
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.pictures import Pictures
from irisdrop.surface.page.sections import standing

HERE: Final = Path(__file__).parent


class Room:
    """What every address of the page needs: the records, the door's keeper, the pictures, and the templates."""

    def __init__(
        self, office: Office, keeper: Doorkeeper, pictures: Pictures, host: str, stopping: Callable[[], bool]
    ) -> None:
        self.office = office
        self.keeper = keeper
        self.pictures = pictures
        self.host = host
        self.stopping = stopping
        self.bell = Bell()  # rung by every commit of this process, and where the page ends
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["code"] = _code
        self.templates.globals |= {"t": words.say, "eyes": words.EYES}

    def looked_at(self, request: Request, number: int) -> None:
        """Tell the audit trail, before it is shown, that a person opens an image: once in a session."""
        session: Session = request.scope["session_of"]
        if number not in session.looked_at:
            self.office.looked_at(number, session.person)
            session.looked_at.add(number)

    def html(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A template with its values, and with what every page shows to who has a session."""
        session: Session | None = request.scope.get("session_of")
        whole = {"header": None, "person": "", "theme": "", "section": "", **values}
        if session is not None:
            whole |= {"person": session.person, "theme": session.theme}
            if not template.startswith("_"):
                whole["header"] = standing.header(self.office)
        return HTMLResponse(self.templates.get_template(template).render(**whole), status)


def see(where: str) -> Response:
    """Go and look there."""
    return Response(status_code=303, headers={"Location": where})


def _code(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))
