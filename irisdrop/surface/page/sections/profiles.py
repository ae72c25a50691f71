"""The profile of every camera, and what an edited one would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from irisdrop.replay import Replayed
from irisdrop.surface.page import words
from irisdrop.surface.page.office import Office

CHANGES_SHOWN: Final = 200  # decisions that an edited profile would change


@dataclass(frozen=True, slots=True)
class Tried:
    """An edited profile that was tried: its faults, or what it would change."""

    camera: str
    text: str
    faults: str = ""
    found: Replayed | None = None


def profiles(office: Office, tried: Tried | None = None) -> dict[str, Any]:
    """The profile of every camera, whether it is sound, and what it reads."""
    faults = {c.subject: c for c in office.conditions.active() if c.code in ("PROFILE_FAULTY", "CONFIG_FAULTY")}
    loaded = office.profiles()
    return {
        "profiles": [
            {
                "camera": camera.name,
                "name": profile.name,
                "title": profile.title,
                "status": str(profile.status),
                "path": str(profile.path),
                "digest": profile.digest[:12],
                "fault": fault.detail if (fault := faults.get(camera.name) or faults.get(profile.name)) else "",
                "faulty": camera.name in faults or profile.name in faults,
                "text": tried.text if (mine := tried is not None and tried.camera == camera.name) else profile.text,
                "tried": mine,
                "wrong": tried.faults if tried is not None and mine else "",
                "replayed": replayed(tried.found) if tried is not None and mine and tried.found else None,
            }
            for camera in office.config.cameras
            if (profile := loaded.get(camera.name)) is not None
        ]
    }


def replayed(found: Replayed) -> dict[str, Any]:
    """What an edited profile would change, the dangerous first."""
    changed = sorted(found.changed, key=lambda one: (one not in found.dangerous, one.image))
    return {
        "sentence": words.say("replay_found", n=words.images(found.looked_at), changed=len(found.changed))
        + (" " + words.say("replay_unreadable", n=words.images(found.unreadable)) if found.unreadable else ""),
        "dangerous": words.say("replay_dangerous", n=words.images(len(found.dangerous))) if found.dangerous else "",
        "changed": [
            {"id": one.image, "change": str(one.change), "bad": one in found.dangerous, "reason": one.reason or ""}
            for one in changed[:CHANGES_SHOWN]
        ],
    }
