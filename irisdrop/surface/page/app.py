"""The page's addresses, and what each does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from irisdrop.record.journal import StaleImage
from irisdrop.surface.exams import eye_of
from irisdrop.surface.page import metrics, views, words
from irisdrop.surface.page.access import Doorkeeper, Session
from irisdrop.surface.page.choice import Choice, StaleOrder
from irisdrop.surface.page.door import COOKIE
from irisdrop.surface.page.office import Office, Seen
from irisdrop.surface.page.pictures import Pictures
from irisdrop.surface.page.views import Asked
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code

HERE: Final = Path(__file__).parent
LARGE: Final = 1400  # pixels of the longer side
SMALL: Final = 176
STREAMS: Final = 24  # live connections at once
LONGEST_NAME: Final = 80
LONGEST_REASON: Final = 300


class Said:
    """The fields of a form; a field that was sent twice keeps both."""

    def __init__(self, body: bytes, *, strip: bool = True) -> None:
        self._strip = strip
        self._fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=4000)

    def one(self, name: str) -> str:
        """The last value of a field."""
        found = self._fields.get(name, [""])[-1]
        return found.strip() if self._strip else found

    def number(self, name: str) -> int | None:
        """A field that is a number."""
        text = self.one(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def numbers(self, name: str) -> tuple[int, ...]:
        """A field that holds numbers."""
        return tuple(int(part) for part in self.one(name).split() if part.isascii() and part.isdigit())

    def seen(self, name: str = "seen") -> Seen:
        """A field that holds images with their versions."""
        pairs = (part.partition(":") for part in self.one(name).split())
        return [(int(one), int(two)) for one, _, two in pairs if one.isascii() and one.isdigit() and two.isdigit()]

    def choice(self) -> Choice:
        """The order that was chosen, as it was shown."""
        return Choice.read(self.one("entry"))

    def eyes(self) -> dict[int, str]:
        """The eyes that a person corrected, by image."""
        pairs = (text.partition(":") for text in self._fields.get("eye", []))
        return {int(one): eye for one, _, eye in pairs if one.isascii() and one.isdigit() and eye in ("R", "L", "B")}


@dataclass(slots=True)
class Page:
    """Everything that an address needs."""

    office: Office
    keeper: Doorkeeper
    pictures: Pictures
    host: str
    stopping: Callable[[], bool]
    streams: int = 0

    def __post_init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["code"] = _code
        self._templates.globals |= {"t": words.say, "eyes": words.EYES}

    _templates: Environment = None  # type: ignore[assignment]

    def app(self) -> Starlette:
        """The application behind the door."""
        return Starlette(routes=self._routes())

    def _routes(self) -> list[Route | Mount]:
        get, post = ["GET"], ["POST"]
        return [
            Route("/", self.now, methods=get),
            Route("/now", self.now_part, methods=get),
            Route("/header", self.header, methods=get),
            Route("/live", self.live, methods=get),
            Route("/quarantine", self.quarantine, methods=get),
            Route("/quarantine/list", self.quarantine_list, methods=get),
            Route("/quarantine/frames/{number:int}", self.frames, methods=get),
            Route("/quarantine/look", self.look, methods=post),
            Route("/quarantine/search", self.search, methods=post),
            Route("/quarantine/{act:str}", self.act, methods=post),
            Route("/pictures/{number:int}", self.picture, methods=get),
            Route("/worklist", self.worklist, methods=get),
            Route("/worklist/sync", self.sync, methods=post),
            Route("/images/{number:int}", self.image, methods=get),
            Route("/images/{number:int}/recall", self.recall, methods=post),
            Route("/profiles", self.profiles, methods=get),
            Route("/profiles/replay", self.replay, methods=post),
            Route("/state", self.state, methods=get),
            Route("/bundle", self.bundle, methods=post),
            Route("/pause", self.pause, methods=post),
            Route("/resume", self.resume, methods=post),
            Route("/person", self.person, methods=post),
            Route("/theme", self.theme, methods=post),
            Route("/lock", self.lock, methods=post),
            Route("/locked", self.locked, methods=get),
            Route("/enter", self.enter, methods=get),
            Route("/door/challenge", self.challenge, methods=post),
            Route("/door/admit", self.admit, methods=post),
            Route("/tray/state", self.tray_state, methods=get),
            Route("/tray/pause", self.tray_pause, methods=post),
            Route("/tray/resume", self.tray_resume, methods=post),
            Route("/health", self.health, methods=get),
            Route("/metrics", self.metrics, methods=get),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    def _html(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        session: Session | None = request.scope.get("session_of")
        whole = {"header": None, "person": "", "theme": "", "section": "", **values}
        if session is not None:
            whole |= {"person": session.person, "theme": session.theme}
            if not template.startswith("_"):
                whole["header"] = views.header(self.office)
        return HTMLResponse(self._templates.get_template(template).render(**whole), status)

    # ------------------------------------------------------------------ looking

    def now(self, request: Request) -> Response:
        return self._html(request, "now.html", section="now", **views.now(self.office))

    def now_part(self, request: Request) -> Response:
        return self._html(request, "_now.html", **views.now(self.office))

    def header(self, request: Request) -> Response:
        return self._html(request, "_header.html", **views.header(self.office))

    def quarantine(self, request: Request) -> Response:
        asked = Asked(_digits(request.query_params.get("image")))
        return self._html(request, "quarantine.html", section="quarantine", **views.quarantine(self.office, asked))

    def quarantine_list(self, request: Request) -> Response:
        """A later part of the list; or the list as it is now, with what became of the exam that is looked at."""
        exams = self.office.quarantine()
        start, number = _digits(request.query_params.get("start")), _digits(request.query_params.get("image"))
        chosen = next((exam for exam in exams if number is not None and exam.holds(number)), None)
        if start is None:
            start = max(0, exams.index(chosen) - views.LISTED // 2) if chosen else 0
        marked = tuple(int(part) for part in request.query_params.get("marked", "").split() if part.isdigit())
        found = views.listed(self.office, exams, start, chosen, marked)
        gone = number is not None and chosen is None
        return self._html(request, "_list.html", gone=gone, **found)

    def frames(self, request: Request) -> Response:
        image = self._image(request)
        frame = _digits(request.query_params.get("frame")) or 0
        if image is None or image.digest is None:
            return PlainTextResponse("", 404)
        count = self.pictures.draw(self.office.spool.file(image.digest), SMALL, 0).frames
        step = max(1, -(-count // views.STRIP))
        return self._html(
            request, "_frames.html", id=image.id, frames=list(range(0, count, step)), count=count, frame=frame
        )

    def picture(self, request: Request) -> Response:
        """One frame as a JPEG; where there is no picture, words in its place."""
        image = self._image(request)
        if image is None:
            return PlainTextResponse("", 404)
        large = request.query_params.get("size") == "large"
        frame = min(_digits(request.query_params.get("frame")) or 0, 1_000_000)
        why = "none"
        if image.digest is not None and self.office.spool.holds(image.digest):
            found = self.pictures.draw(self.office.spool.file(image.digest), LARGE if large else SMALL, frame)
            why = found.why
            if not why:
                return Response(found.jpeg, media_type="image/jpeg", headers={"Irisdrop-Frames": str(found.frames)})
        text = words.say(f"no_picture_{why}")
        svg = self._templates.get_template("nopicture.svg").render(text=text, large=large)
        return Response(svg, media_type="image/svg+xml", headers={"Irisdrop-No-Picture": why})

    def worklist(self, request: Request) -> Response:
        return self._html(request, "worklist.html", section="worklist", note="", **views.worklist(self.office))

    def image(self, request: Request, note: str = "", status: int = 200) -> Response:
        found = views.image(self.office, request.path_params["number"])
        if found is None:
            return self._html(request, "locked.html", 404, title=words.say("no_such_image"), text="")
        return self._html(request, "image.html", status, section="", image=found, note=note)

    def profiles(self, request: Request) -> Response:
        return self._html(request, "profiles.html", section="profiles", **views.profiles(self.office))

    async def replay(self, request: Request) -> Response:
        """What an edited profile would change; nothing is written."""
        said = Said(await request.body(), strip=False)
        camera, text = said.one("camera"), said.one("text").replace("\r\n", "\n")
        try:
            tried = views.Tried(camera, text, found=await _apart(self.office.replay, camera, text))
        except Foreseen as failure:
            tried = views.Tried(camera, text, faults=failure.message)
        return self._html(request, "profiles.html", section="profiles", **views.profiles(self.office, tried))

    async def bundle(self, request: Request) -> Response:  # noqa: ARG002
        """The support bundle, made in a folder of its own that is gone when it was read."""
        content = await _apart(_bundle, self.office.config.path)
        headers = {"Content-Disposition": 'attachment; filename="irisdrop-bundle.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    def state(self, request: Request) -> Response:
        return self._html(request, "health.html", section="health", **views.health(self.office))

    async def live(self, request: Request) -> Response:
        """Tells the browser that something changed, as server-sent events."""
        if self.streams >= STREAMS:
            return PlainTextResponse("too many\n", 503)
        cookie = request.cookies.get(COOKIE)

        async def events() -> AsyncIterator[str]:
            self.streams += 1
            try:
                known, turns = self.office.version(), 0
                yield "retry: 2000\n\nevent: hello\ndata: 1\n\n"
                while not self.stopping():
                    await asyncio.sleep(0.4)
                    turns += 1
                    if self.keeper.session(cookie, "page", by_person=False) is None:
                        yield "event: locked\ndata: 1\n\n"
                        return
                    version = self.office.version()
                    if version != known:
                        known = version
                        yield f"event: changed\ndata: {version}\n\n"
                    elif turns % 40 == 0:
                        yield ": still here\n\n"
            finally:
                self.streams -= 1

        return StreamingResponse(events(), media_type="text/event-stream")

    # ------------------------------------------------------------------ acting

    async def look(self, request: Request) -> Response:
        """Another image, exam, eye or choice of exams; changes nothing."""
        said = Said(await request.body())
        marked = set(said.numbers("marked"))
        toggled = said.number("toggle")
        if toggled is not None:
            marked ^= {toggled}
        asked = Asked(
            image=said.number("image"),
            frame=said.number("frame") or 0,
            choice=said.choice(),
            eyes=said.eyes(),
            marked=tuple(sorted(marked)),
        )
        return self._html(request, "_bench.html", **await _apart(views.quarantine, self.office, asked))

    async def search(self, request: Request) -> Response:
        said = Said(await request.body())
        found = await _apart(views.search, self.office, said.one("text"), said.seen())
        return self._html(request, "_found.html", **found)

    async def act(self, request: Request) -> Response:
        """What a person decides; all of the seen images or none, and only as they were seen."""
        said, session = Said(await request.body()), request.scope["session_of"]
        answer: Response = await _apart(self._act, request, request.path_params["act"], said, session.person)
        return answer

    def _act(self, request: Request, act: str, said: Said, person: str) -> Response:
        seen = said.seen()
        asked = Asked(said.number("image"), choice=said.choice(), eyes=said.eyes(), marked=said.numbers("marked"))
        before = [exam.id for exam in self.office.quarantine()]
        try:
            self.office.check(seen)  # and once more in the commit
            status, asked = self._done(act, said, seen, person, asked, before)
        except StaleImage:
            status, asked = 409, replace(asked, note=words.say("stale"), bad=True, eyes={})
        except StaleOrder:
            status, asked = 409, replace(asked, note=words.say("order_changed"), bad=True, choice=Choice())
        except Foreseen as failure:
            status, asked = 409, replace(asked, note=f"{failure.message}", bad=True)
        except KeyError:
            return PlainTextResponse("no such act\n", 404)
        return self._html(request, "_bench.html", status, **views.quarantine(self.office, asked))

    def _done(
        self, act: str, said: Said, seen: Seen, person: str, asked: Asked, before: list[int]
    ) -> tuple[int, Asked]:
        count = words.images(len(seen))
        if not seen:
            raise StaleImage("nothing was looked at")
        if act == "assign":
            return self._assigned(said, seen, person, asked, before)
        if act == "release":
            self.office.release(seen, person)
            return 200, self._next(before, seen, words.say("released", images=count))
        if act == "discard":
            why = (said.one("why_else") or said.one("why"))[:LONGEST_REASON]
            if not why:
                return 409, replace(asked, note=words.say("discard_why"), bad=True)
            done = self.office.discard(seen, person, why)
            return 200, replace(self._next(before, seen, words.say("discarded", images=count)), undo=_versions(done))
        if act == "undo":
            done = self.office.undo(seen, person)
            return 200, Asked(done[0].id, note=words.say("undone", images=count))
        raise KeyError(act)

    def _assigned(self, said: Said, seen: Seen, person: str, asked: Asked, before: list[int]) -> tuple[int, Asked]:
        choice = said.choice()
        if not choice.entry:
            return 409, replace(asked, note=words.say("choose_order"), bad=True)
        blind = self._without_eye(seen, said.eyes())
        if blind:
            note = words.say("choose_eye", images=words.images(len(blind)))
            return 409, replace(asked, image=blind[0], note=note, bad=True)
        self.office.check_order(choice)  # and once more in the commit
        against = self._against(seen, choice.entry, said.eyes())
        told = tuple(dict.fromkeys(views.plain(one) for _, one in against))
        shown_as = _agreed(choice, told)
        if against and said.one("despite") != shown_as:
            return 409, replace(asked, contradictions=told, despite=shown_as)
        codes = frozenset(code for code, _ in against)
        done = self.office.assign(seen, choice, said.eyes(), person, codes)
        seconds = self.office.config.undo
        note = words.say("assigned", images=words.images(len(done)), seconds=round(seconds))
        return 200, replace(self._next(before, seen, note), undo=_versions(done), undo_seconds=seconds)

    def _against(self, seen: Seen, entry: str, eyes: dict[int, str]) -> list[tuple[Code, str]]:
        """What the images say against an order, each with its reason."""
        order = self.office.orders.get(entry)
        images = [self._get(number) for number, _ in seen]
        return [
            (objection.code, objection.words)
            for image in images
            if image is not None and order is not None
            for objection in self.office.objections(image, order, eyes.get(image.id))
        ]

    def _without_eye(self, seen: Seen, eyes: dict[int, str]) -> list[int]:
        images = [self._get(number) for number, _ in seen]
        return [image.id for image in images if image and image.id not in eyes and eye_of(image) == "?"]

    def _next(self, before: list[int], seen: Seen, note: str) -> Asked:
        """The exam that stands now where the decided one stood."""
        numbers = {number for number, _ in seen}
        at = next((place for place, number in enumerate(before) if number in numbers), 0)
        exams = self.office.quarantine()
        chosen = exams[min(at, len(exams) - 1)].id if exams else None
        return Asked(chosen, note=note)

    async def recall(self, request: Request) -> Response:
        said, session = Said(await request.body()), request.scope["session_of"]
        why = said.one("why")[:LONGEST_REASON]
        if not why:
            return self.image(request, words.say("recall_why"), 409)
        try:
            await _apart(self.office.recall, said.seen(), session.person, why)
        except StaleImage:
            return self.image(request, words.say("stale"), 409)
        except Foreseen as failure:
            return self.image(request, failure.message, 409)
        return self.image(request, words.say("recalled"))

    async def sync(self, request: Request) -> Response:
        if self.office.sync is not None:
            await _apart(self.office.sync)
        found = views.worklist(self.office)
        return self._html(request, "worklist.html", section="worklist", note=words.say("syncing"), **found)

    def pause(self, request: Request) -> Response:
        self.office.pause(request.scope["session_of"].person)
        return _see("/state")

    def resume(self, request: Request) -> Response:
        self.office.resume(request.scope["session_of"].person)
        return _see("/state")

    async def person(self, request: Request) -> Response:
        name = " ".join(Said(await request.body()).one("person").split())[:LONGEST_NAME]
        if name:
            request.scope["session_of"].person = name
        return _see(_back(request))

    async def theme(self, request: Request) -> Response:
        theme = Said(await request.body()).one("theme")
        if theme in ("dark", "light", ""):
            request.scope["session_of"].theme = theme
        return _see(_back(request))

    # ------------------------------------------------------------------ the door

    async def challenge(self, request: Request) -> Response:
        said = await _json(request)
        nonce = str(said.get("nonce", ""))
        if not 16 <= len(nonce) <= 128:
            return JSONResponse({}, 400)
        ours, proof = self.keeper.challenge(nonce)
        return JSONResponse({"nonce": ours, "proof": proof})

    async def admit(self, request: Request) -> Response:
        said = await _json(request)
        purpose, person = said.get("purpose"), str(said.get("person", ""))[:LONGEST_NAME]
        if purpose not in ("page", "tray"):
            return JSONResponse({}, 403)
        word = self.keeper.admit(str(said.get("nonce", "")), str(said.get("proof", "")), purpose, person)
        return JSONResponse({}, 403) if word is None else JSONResponse({"word": word, "host": self.host})

    def enter(self, request: Request) -> Response:
        """A one-use code becomes a cookie."""
        word = self.keeper.enter(request.query_params.get("code", ""))
        if word is None:
            return self._html(request, "locked.html", 403, title=words.say("code_used"), text=words.say("locked_more"))
        session = self.keeper.session(word, "page")
        if session is not None:
            self.office.entered(session.person)
        self.keeper.leave(request.cookies.get(COOKIE))  # nothing can reach it any more
        where = "/quarantine" if request.query_params.get("to") == "quarantine" else "/"
        answer = _see(where)
        answer.set_cookie(COOKIE, word, httponly=True, samesite="strict", path="/")
        return answer

    def lock(self, request: Request) -> Response:
        self.keeper.leave(request.cookies.get(COOKIE))
        answer = _see("/locked")
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    def locked(self, request: Request) -> Response:
        return self._html(request, "locked.html", title=words.say("locked"), text=words.say("locked_more"))

    # ------------------------------------------------------------------ for programs

    def tray_state(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(views.tray(self.office))

    def tray_pause(self, request: Request) -> Response:
        self.office.pause(request.scope["session_of"].person)
        return JSONResponse({"paused": True})

    def tray_resume(self, request: Request) -> Response:
        self.office.resume(request.scope["session_of"].person)
        return JSONResponse({"paused": False})

    def health(self, request: Request) -> Response:  # noqa: ARG002
        found = metrics.health(self.office)
        return JSONResponse(found, 200 if found["status"] != "broken" else 503)

    def metrics(self, request: Request) -> Response:  # noqa: ARG002
        return PlainTextResponse(metrics.prometheus(self.office), media_type=metrics.MEDIA_TYPE)

    def _image(self, request: Request) -> ImageFile | None:
        return self._get(request.path_params["number"])

    def _get(self, number: int) -> ImageFile | None:
        try:
            return self.office.journal.get(number)
        except (KeyError, OverflowError):
            return None


def _bundle(config: Path) -> bytes:
    from irisdrop.surface.support import written

    with tempfile.TemporaryDirectory(prefix="irisdrop-bundle-") as folder:
        file = Path(folder) / "bundle.zip"
        written(config, file)
        return file.read_bytes()


def _code(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


async def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do what asks the journal on a thread, so that the loop goes on serving others."""
    return await asyncio.to_thread(work, *arguments)


async def _json(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digits(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _agreed(choice: Choice, told: tuple[str, ...]) -> str:
    """Stands for an order and what was told against it: whoever agrees agrees to this and to nothing else."""
    return hashlib.sha256(json.dumps([str(choice), sorted(told)]).encode()).hexdigest()[:32]


def _versions(images: list[ImageFile]) -> Seen:
    return [(image.id, image.version) for image in images]


def _see(where: str) -> Response:
    return Response(status_code=303, headers={"Location": where})


def _back(request: Request) -> str:
    """The section that a small form was sent from; never anywhere else."""
    asked = request.query_params.get("from", "")
    return {"quarantine": "/quarantine", "worklist": "/worklist", "profiles": "/profiles", "health": "/state"}.get(
        asked, "/"
    )
