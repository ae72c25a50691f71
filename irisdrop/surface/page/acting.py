"""What a person does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from irisdrop.record.journal import StaleImage
from irisdrop.surface.exams import eye_of
from irisdrop.surface.page import words
from irisdrop.surface.page.access import Session
from irisdrop.surface.page.choice import Choice, StaleOrder
from irisdrop.surface.page.form import LONGEST_NAME, Said, apart
from irisdrop.surface.page.looking import image_page
from irisdrop.surface.page.office import Seen
from irisdrop.surface.page.room import Room, see
from irisdrop.surface.page.sections import quarantine, worklist
from irisdrop.surface.page.sections.quarantine import Asked
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code

LONGEST_REASON: Final = 300


class Acting:
    """The addresses by which a person decides; all of what they saw or none, and only as they saw it."""

    def __init__(self, room: Room) -> None:
        self.room = room

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
        return self.room.html(request, "_bench.html", **await apart(quarantine.quarantine, self.room.office, asked))

    async def search(self, request: Request) -> Response:
        said = Said(await request.body())
        found = await apart(quarantine.search, self.room.office, said.one("text"), said.seen())
        return self.room.html(request, "_found.html", **found)

    async def act(self, request: Request) -> Response:
        """What a person decides; all of the seen images or none, and only as they were seen."""
        said, session = Said(await request.body()), request.scope["session_of"]
        answer: Response = await apart(self._act, request, request.path_params["act"], said, session.person)
        return answer

    def _act(self, request: Request, act: str, said: Said, person: str) -> Response:
        seen = said.seen()
        asked = Asked(said.number("image"), choice=said.choice(), eyes=said.eyes(), marked=said.numbers("marked"))
        before = [exam.id for exam in self.room.office.quarantine()]
        try:
            self.room.office.check(seen)  # and once more in the commit
            status, asked = self._done(act, said, seen, person, asked, before)
        except StaleImage:
            status, asked = 409, replace(asked, note=words.say("stale"), bad=True, eyes={})
        except StaleOrder:
            status, asked = 409, replace(asked, note=words.say("order_changed"), bad=True, choice=Choice())
        except Foreseen as failure:
            status, asked = 409, replace(asked, note=f"{failure.message}", bad=True)
        except KeyError:
            return PlainTextResponse("no such act\n", 404)
        return self.room.html(request, "_bench.html", status, **quarantine.quarantine(self.room.office, asked))

    def _done(
        self, act: str, said: Said, seen: Seen, person: str, asked: Asked, before: list[int]
    ) -> tuple[int, Asked]:
        count = words.images(len(seen))
        if not seen:
            raise StaleImage("nothing was looked at")
        if act == "assign":
            return self._assigned(said, seen, person, asked, before)
        if act == "release":
            self.room.office.release(seen, person)
            return 200, self._next(before, seen, words.say("released", images=count))
        if act == "discard":
            why = (said.one("why_else") or said.one("why"))[:LONGEST_REASON]
            if not why:
                return 409, replace(asked, note=words.say("discard_why"), bad=True)
            done = self.room.office.discard(seen, person, why)
            return 200, replace(self._next(before, seen, words.say("discarded", images=count)), undo=_versions(done))
        if act == "undo":
            done = self.room.office.undo(seen, person)
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
        self.room.office.check_order(choice)  # and once more in the commit
        against = self._against(seen, choice.entry, said.eyes())
        told = tuple(dict.fromkeys(words.plain(one) for _, one in against))
        shown_as = _agreed(choice, told)
        if against and said.one("despite") != shown_as:
            return 409, replace(asked, contradictions=told, despite=shown_as)
        codes = frozenset(code for code, _ in against)
        done = self.room.office.assign(seen, choice, said.eyes(), person, codes)
        seconds = self.room.office.config.undo
        note = words.say("assigned", images=words.images(len(done)), seconds=round(seconds))
        return 200, replace(self._next(before, seen, note), undo=_versions(done), undo_seconds=seconds)

    def _against(self, seen: Seen, entry: str, eyes: dict[int, str]) -> list[tuple[Code, str]]:
        """What the images say against an order, each with its reason."""
        order = self.room.office.orders.get(entry)
        images = [self.room.office.image(number) for number, _ in seen]
        return [
            (objection.code, objection.words)
            for image in images
            if image is not None and order is not None
            for objection in self.room.office.objections(image, order, eyes.get(image.id))
        ]

    def _without_eye(self, seen: Seen, eyes: dict[int, str]) -> list[int]:
        images = [self.room.office.image(number) for number, _ in seen]
        return [image.id for image in images if image and image.id not in eyes and eye_of(image) == "?"]

    def _next(self, before: list[int], seen: Seen, note: str) -> Asked:
        """The exam that stands now where the decided one stood."""
        numbers = {number for number, _ in seen}
        at = next((place for place, number in enumerate(before) if number in numbers), 0)
        exams = self.room.office.quarantine()
        chosen = exams[min(at, len(exams) - 1)].id if exams else None
        return Asked(chosen, note=note)

    async def recall(self, request: Request) -> Response:
        said, session = Said(await request.body()), request.scope["session_of"]
        why = said.one("why")[:LONGEST_REASON]
        if not why:
            return image_page(self.room, request, words.say("recall_why"), 409)
        try:
            await apart(self.room.office.recall, said.seen(), session.person, why)
        except StaleImage:
            return image_page(self.room, request, words.say("stale"), 409)
        except Foreseen as failure:
            return image_page(self.room, request, failure.message, 409)
        return image_page(self.room, request, words.say("recalled"))

    async def sync(self, request: Request) -> Response:
        if self.room.office.sync is not None:
            await apart(self.room.office.sync)
        found = worklist.worklist(self.room.office)
        return self.room.html(request, "worklist.html", section="worklist", note=words.say("syncing"), **found)

    def pause(self, request: Request) -> Response:
        self.room.office.pause(request.scope["session_of"].person)
        return see("/state")

    def resume(self, request: Request) -> Response:
        self.room.office.resume(request.scope["session_of"].person)
        return see("/state")

    async def person(self, request: Request) -> Response:
        name = " ".join(Said(await request.body()).one("person").split())[:LONGEST_NAME]
        if name:
            session: Session = request.scope["session_of"]
            session.person = name
            session.looked_at.clear()  # another person's look is another record
        return see(_back(request))

    async def theme(self, request: Request) -> Response:
        theme = Said(await request.body()).one("theme")
        if theme in ("dark", "light", ""):
            request.scope["session_of"].theme = theme
        return see(_back(request))


def _agreed(choice: Choice, told: tuple[str, ...]) -> str:
    """Stands for an order and what was told against it: whoever agrees agrees to this and to nothing else."""
    return hashlib.sha256(json.dumps([str(choice), sorted(told)]).encode()).hexdigest()[:32]


def _versions(images: list[ImageFile]) -> Seen:
    return [(image.id, image.version) for image in images]


def _back(request: Request) -> str:
    """The section that a small form was sent from; never anywhere else."""
    asked = request.query_params.get("from", "")
    return {"quarantine": "/quarantine", "worklist": "/worklist", "profiles": "/profiles", "health": "/state"}.get(
        asked, "/"
    )
