"""One line of `irisdrop doctor`, and what a part is given to look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config


class Grade(StrEnum):
    """How it is."""

    OK = "ok"
    LOOK = "look"  # works, and somebody should look at it
    BROKEN = "broken"  # images will not flow, or may be lost


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do where it is not ok. Without PHI: it goes into a support bundle."""

    grade: Grade
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """The installation that is looked at; `config` is None where it can't be read, `probe` allows files of our own."""

    config_path: Path
    config: Config | None
    fault: str = ""
    probe: bool = False


def ok(text: str) -> Finding:
    """All is well."""
    return Finding(Grade.OK, text)


def look(text: str, remedy: str) -> Finding:
    """Somebody should look at it."""
    return Finding(Grade.LOOK, text, remedy)


def broken(text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Grade.BROKEN, text, remedy)
