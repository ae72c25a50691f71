"""What the icon shows and says, from what the page told it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from irisdrop.surface.page.words import say

Face = Literal["well", "working", "person", "broken", "down"]
FACES: Final[tuple[Face, ...]] = ("well", "working", "person", "broken", "down")
LONGEST: Final = 120  # characters; Windows shows no longer tooltip


@dataclass(frozen=True, slots=True)
class Look:
    """One state of the icon. `camera` names those from which nothing comes although patients are due."""

    face: Face
    tooltip: str
    exams: int = 0
    paused: bool = False
    silent: tuple[str, ...] = ()


DOWN: Final = Look("down", say("tray_down"))


def look(told: dict[str, Any]) -> Look:
    """The look for what the page says; a page that speaks of a face that we don't know is told as broken."""
    face: Face = next((one for one in FACES if one == told.get("face")), "broken")
    sentence = str(told.get("sentence", ""))
    paused = bool(told.get("paused"))
    words = f"irisdrop: {sentence}" + (f", {say('paused')}" if paused else "")
    silent = tuple(str(camera) for camera in told.get("silent", ()))
    return Look(face, words[:LONGEST], int(told.get("exams", 0)), paused, silent)


def notes(before: Look | None, now: Look) -> list[str]:
    """What is worth a notification: more exams than before need a person, a camera fell silent. Never PHI."""
    found = []
    known = before.exams if before is not None else 0
    if now.exams > known:
        found.append(say("tray_note_exam") if now.exams == 1 else say("tray_note_exams", n=now.exams))
    fallen = [camera for camera in now.silent if before is None or camera not in before.silent]
    found += [say("tray_note_silent", camera=camera) for camera in fallen]
    if now.face == "down" and before is not None and before.face != "down":
        found.append(now.tooltip)
    return found
