"""An export and what was read from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

MEMBER: Final = "!"  # between an archive and the path within it
ARCHIVE: Final = re.compile(rf"(?i)(\.zip){MEMBER}")


def split_name(name: str) -> tuple[str, str]:
    """Folder and base name of a path below the camera's folder; an archive counts as a folder: `a.zip!b/c.jpg` lies in
    `a.zip/b`."""
    folder, _, base = ARCHIVE.sub(r"\1/", name, count=1).rpartition("/")
    return folder, base


@dataclass(frozen=True, slots=True)
class Reading:
    """One key as it was read from one place.

    `value` is the cleaned form: identifiers NFC, dates `YYYY-MM-DD`, times `HH:MM:SS[.ffffff]`, date-times ISO 8601
    with an offset only where the source has one, laterality R, L, B or U. `flaw` is set, and `value` is the raw
    text, where the raw text can't be such a thing ("not a date").
    """

    key: str
    value: str
    raw: str
    source: str
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One export of one camera: new bytes at an old path are a new one.

    `path` is absolute, as the file system gave it; `name` is the path below the camera's folder with `/`. `digest` is
    None while SEEN and where nothing could be spooled; `size` is in bytes. `version` grows by one with each change.
    `live` says that it appeared while the agent watched, so that `arrived` may stand in for a missing capture time.
    """

    id: int
    version: int
    state: State
    camera: str
    path: str
    name: str
    digest: str | None
    size: int | None
    arrived: datetime
    live: bool
    readings: tuple[Reading, ...] = ()
    profile: str | None = None  # digest of the profile's text
    reason: Code | None = None
    detail: str | None = None
    entry: str | None = None  # WorklistEntry.id
    eye: str | None = None
    taken: datetime | None = None
    assigned_by: str | None = None
    not_before: datetime | None = None
    replaces: str | None = None  # the receipt that a person's correction takes the place of
    tries: int = 0
    ask_first: bool = False  # recovered after a damage: the platform may hold it already
    fresh_at: float = 0.0  # how long the worklist had been fresh, in all, when it arrived; patience counts from here
