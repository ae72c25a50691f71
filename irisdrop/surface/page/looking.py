"""What can be looked at."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from irisdrop.surface.page import words
from irisdrop.surface.page.form import Said, apart, digits
from irisdrop.surface.page.room import Room
from irisdrop.surface.page.sections import health, image, now, profiles, quarantine, standing, worklist
from irisdrop.surface.page.sections.profiles import Tried
from irisdrop.surface.page.sections.quarantine import Asked
from irisdrop.vocabulary.faults import Foreseen

LARGE: Final = 1400  # pixels of the longer side
SMALL: Final = 176
FRAMES: Final = 24  # in a strip


class Looking:
    """The addresses that show something and change nothing."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def now(self, request: Request) -> Response:
        return self.room.html(request, "now.html", section="now", **now.now(self.room.office))

    def now_part(self, request: Request) -> Response:
        return self.room.html(request, "_now.html", **now.now(self.room.office))

    def header(self, request: Request) -> Response:
        return self.room.html(request, "_header.html", **standing.header(self.room.office))

    def quarantine(self, request: Request) -> Response:
        asked = Asked(digits(request.query_params.get("image")))
        return self.room.html(
            request, "quarantine.html", section="quarantine", **quarantine.quarantine(self.room.office, asked)
        )

    def quarantine_list(self, request: Request) -> Response:
        """A later part of the list; or the list as it is now, with what became of the exam that is looked at."""
        exams = self.room.office.quarantine()
        start, number = digits(request.query_params.get("start")), digits(request.query_params.get("image"))
        chosen = next((exam for exam in exams if number is not None and exam.holds(number)), None)
        if start is None:
            start = max(0, exams.index(chosen) - quarantine.LISTED // 2) if chosen else 0
        marked = tuple(int(part) for part in request.query_params.get("marked", "").split() if part.isdigit())
        found = quarantine.listed(self.room.office, exams, start, chosen, marked)
        gone = number is not None and chosen is None
        return self.room.html(request, "_list.html", gone=gone, **found)

    def frames(self, request: Request) -> Response:
        image = self.room.office.image(request.path_params["number"])
        frame = digits(request.query_params.get("frame")) or 0
        if image is None or image.digest is None:
            return PlainTextResponse("", 404)
        count = self.room.pictures.draw(self.room.office.spool.file(image.digest), SMALL, 0).frames
        step = max(1, -(-count // FRAMES))
        return self.room.html(
            request, "_frames.html", id=image.id, frames=list(range(0, count, step)), count=count, frame=frame
        )

    def picture(self, request: Request) -> Response:
        """One frame as a JPEG; where there is no picture, words in its place."""
        image = self.room.office.image(request.path_params["number"])
        if image is None:
            return PlainTextResponse("", 404)
        large = request.query_params.get("size") == "large"
        frame = min(digits(request.query_params.get("frame")) or 0, 1_000_000)
        if large:
            self.room.looked_at(request, image.id)
        why = "none"
        if image.digest is not None and self.room.office.spool.holds(image.digest):
            found = self.room.pictures.draw(self.room.office.spool.file(image.digest), LARGE if large else SMALL, frame)
            why = found.why
            if not why:
                return Response(found.jpeg, media_type="image/jpeg", headers={"Irisdrop-Frames": str(found.frames)})
        text = words.say(f"no_picture_{why}")
        svg = self.room.templates.get_template("nopicture.svg").render(text=text, large=large)
        return Response(svg, media_type="image/svg+xml", headers={"Irisdrop-No-Picture": why})

    def worklist(self, request: Request) -> Response:
        return self.room.html(
            request, "worklist.html", section="worklist", note="", **worklist.worklist(self.room.office)
        )

    def image(self, request: Request) -> Response:
        return image_page(self.room, request)

    def profiles(self, request: Request) -> Response:
        return self.room.html(request, "profiles.html", section="profiles", **profiles.profiles(self.room.office))

    async def replay(self, request: Request) -> Response:
        """What an edited profile would change; nothing is written."""
        said = Said(await request.body(), strip=False)
        camera, text = said.one("camera"), said.one("text").replace("\r\n", "\n")
        try:
            tried = Tried(camera, text, found=await apart(self.room.office.replay, camera, text))
        except Foreseen as failure:
            tried = Tried(camera, text, faults=failure.message)
        return self.room.html(
            request, "profiles.html", section="profiles", **profiles.profiles(self.room.office, tried)
        )

    async def bundle(self, request: Request) -> Response:  # noqa: ARG002
        """The support bundle, made in a folder of its own that is gone when it was read."""
        content = await apart(_bundle, self.room.office.config.path)
        headers = {"Content-Disposition": 'attachment; filename="irisdrop-bundle.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    def state(self, request: Request) -> Response:
        return self.room.html(request, "health.html", section="health", **health.health(self.room.office))


def image_page(room: Room, request: Request, note: str = "", status: int = 200) -> Response:
    """The page of one image, with a note on top of it where something was done."""
    found = image.image(room.office, request.path_params["number"])
    if found is None:
        return room.html(request, "locked.html", 404, title=words.say("no_such_image"), text="")
    room.looked_at(request, found["id"])
    return room.html(request, "image.html", status, section="", image=found, note=note)


def _bundle(config: Path) -> bytes:
    from irisdrop.surface.support import written

    with tempfile.TemporaryDirectory(prefix="irisdrop-bundle-") as folder:
        file = Path(folder) / "bundle.zip"
        written(config, file)
        return file.read_bytes()
