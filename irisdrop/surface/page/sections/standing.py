"""How all is, in one line: the header of every page, and the tray icon."""

from __future__ import annotations

from typing import Any

from irisdrop import __version__
from irisdrop.surface.page import shown, words
from irisdrop.surface.page.office import Office, Standing


def header(office: Office) -> dict[str, Any]:
    """The line on top of every page."""
    standing = office.standing()
    now, zone = office.clock.now(), office.config.site.zone
    facts = [
        words.say("last_image", at=shown.hour(standing.last_image, zone, now))
        if standing.last_image
        else words.say("no_image_yet"),
        words.say("worklist_age", age=shown.age((now - standing.synced).total_seconds()))
        if standing.synced
        else words.say("worklist_never"),
    ]
    if standing.paused_by:
        facts.insert(0, words.say("paused"))
    worst = standing.conditions[0].title if standing.conditions else ""
    return {
        "face": standing.face,
        "sentence": words.face(standing.face, standing.exams, standing.on_the_way, worst),
        "facts": " · ".join(facts),
        "count": standing.exams,
        "version": office.version(),
    }


def tray(standing: Standing) -> dict[str, Any]:
    """What the tray icon is told: counts and words, nobody's name or number."""
    worst = standing.conditions[0].title if standing.conditions else ""
    return {
        "face": standing.face,
        "exams": standing.exams,
        "on_the_way": standing.on_the_way,
        "sentence": words.face(standing.face, standing.exams, standing.on_the_way, worst),
        "paused": bool(standing.paused_by),
        "silent": list(standing.silent),
        "version": __version__,
    }
