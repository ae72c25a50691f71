"""The page's addresses."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from irisdrop.surface.page.acting import Acting
from irisdrop.surface.page.entrance import Entrance
from irisdrop.surface.page.live import Live
from irisdrop.surface.page.looking import Looking
from irisdrop.surface.page.programs import Programs
from irisdrop.surface.page.room import HERE, Room


def app(room: Room) -> Starlette:
    """The application behind the door."""
    return Starlette(routes=_routes(room))


def _routes(room: Room) -> list[Route | Mount]:
    get, post = ["GET"], ["POST"]
    look, acts, door, programs = Looking(room), Acting(room), Entrance(room), Programs(room)
    return [
        Route("/", look.now, methods=get),
        Route("/now", look.now_part, methods=get),
        Route("/header", look.header, methods=get),
        Route("/live", Live(room).live, methods=get),
        Route("/quarantine", look.quarantine, methods=get),
        Route("/quarantine/list", look.quarantine_list, methods=get),
        Route("/quarantine/frames/{number:int}", look.frames, methods=get),
        Route("/quarantine/look", acts.look, methods=post),
        Route("/quarantine/search", acts.search, methods=post),
        Route("/quarantine/{act:str}", acts.act, methods=post),
        Route("/pictures/{number:int}", look.picture, methods=get),
        Route("/worklist", look.worklist, methods=get),
        Route("/worklist/sync", acts.sync, methods=post),
        Route("/images/{number:int}", look.image, methods=get),
        Route("/images/{number:int}/recall", acts.recall, methods=post),
        Route("/profiles", look.profiles, methods=get),
        Route("/profiles/replay", look.replay, methods=post),
        Route("/state", look.state, methods=get),
        Route("/bundle", look.bundle, methods=post),
        Route("/pause", acts.pause, methods=post),
        Route("/resume", acts.resume, methods=post),
        Route("/person", acts.person, methods=post),
        Route("/theme", acts.theme, methods=post),
        Route("/lock", door.lock, methods=post),
        Route("/locked", door.locked, methods=get),
        Route("/enter", door.enter, methods=get),
        Route("/door/challenge", door.challenge, methods=post),
        Route("/door/admit", door.admit, methods=post),
        Route("/tray/state", programs.tray_state, methods=get),
        Route("/tray/pause", programs.tray_pause, methods=post),
        Route("/tray/resume", programs.tray_resume, methods=post),
        Route("/health", programs.health, methods=get),
        Route("/metrics", programs.metrics, methods=get),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
