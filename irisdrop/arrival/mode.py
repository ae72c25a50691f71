"""Whether events come from a folder at all, and how often it is looked through."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from irisdrop.record.system import network_file_system

WITH_EVENTS: Final = 30.0  # seconds between scans
WITHOUT_EVENTS: Final = 5.0


class Way(Enum):
    """How new files are noticed."""

    EVENTS = "events"
    UNPROVEN = "unproven"  # events are armed, but none has come yet
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Mode:
    """A choice and why it was made, without names."""

    way: Way
    why: str

    def rescan(self, wanted: float | None) -> float:
        """Seconds between scans."""
        if wanted is not None:
            return wanted
        return WITH_EVENTS if self.way is Way.EVENTS else WITHOUT_EVENTS


def first_mode(watch: str, folder: Path) -> Mode:
    """What to begin with, by the setting (`auto`, `events`, `poll`) and the kind of file system."""
    if watch == "poll":
        return Mode(Way.POLL, "it is set so")
    if watch == "events":
        return Mode(Way.EVENTS, "it is set so")
    kind = network_file_system(folder)
    if kind is not None:
        return Mode(Way.POLL, f"it is on a network file system ({kind}), where others write without an event")
    return Mode(Way.UNPROVEN, "no event has come from it yet")


def probe(folder: str) -> str | None:
    """Make and remove a file of our own, to see whether its event comes; its name, or None where we may not write."""
    name = f".irisdrop-{secrets.token_hex(8)}.probe"
    path = f"{folder}{os.sep}{name}"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return None
    Path(path).unlink(missing_ok=True)
    return name
