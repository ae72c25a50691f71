"""The last good configuration: what a restart begins with while irisdrop.yaml has a fault.

The copy lies in the state folder, which the configuration itself names. A faulty file mostly names it still; where it
does not, a note among the account's own state says where the copy is. Where both name a folder and differ, there is no
last good one: a second journal would send again what the first has sent. Secrets are references, so a copy holds none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.profiles.config import Config, default_state_path, parse_config
from irisdrop.vocabulary.faults import FaultyFile

if TYPE_CHECKING:
    from collections.abc import Mapping

COPY: Final = "last-good.json"
NOTES: Final = "configurations"
LARGEST: Final = 1 << 20  # bytes; twice the largest configuration with every character escaped


def keep(config: Config) -> None:
    """Keep a configuration that is in use, and note where; raises OSError where the copy can't be written."""
    before = _noted_state(config.path)
    _write(config.state / COPY, {"path": _known_as(config.path), "text": config.text})
    if before is not None and not _same(before, config.state):
        with suppress(OSError):  # gone with its disk
            (before / COPY).unlink(missing_ok=True)
    with suppress(OSError):  # an account without a state of its own: the file itself can still name the folder
        _write(_note(config.path), {"state": str(config.state.absolute())})


def last_good(path: Path) -> Config | None:
    """The configuration that was in use last, of a file that is faulty now; None where there is none to be sure of."""
    said, noted = _said_state(path), _noted_state(path)
    if said is not None and noted is not None and not _same(said, noted):
        return None
    return _kept(path, said or noted)


def in_use(path: Path) -> Config | None:
    """The configuration that was in use last, whatever stands in the file now; None where nothing is noted of it."""
    return _kept(path, _noted_state(path))


def _kept(path: Path, state: Path | None) -> Config | None:
    kept = _read(state / COPY) if state is not None else {}
    if state is None or kept.get("path") != _known_as(path):
        return None
    try:
        config = parse_config(kept.get("text", ""), path)
    except FaultyFile:  # kept by a version with another language
        return None
    return config if _same(config.state, state) else None


def _noted_state(path: Path) -> Path | None:
    state = _read(_note(path)).get("state")
    return Path(state) if state else None


def _said_state(path: Path) -> Path | None:
    """The state folder that a faulty file names in a line of its own; None where no line, or more than one, says it."""
    from irisdrop.profiles.folders import path_of
    from irisdrop.profiles.places import LARGEST as MOST
    from irisdrop.profiles.places import document

    try:
        with path.open("rb") as file:
            text = file.read(MOST).decode("utf-8-sig", "replace")
    except OSError:
        return None
    lines = re.findall(r"^state[ \t]*:.*$", text, re.MULTILINE)
    if len(lines) != 1:
        return None
    try:
        found = document(lines[0], str(path))
        written = found.tree["state"]
        state = path_of(found, ("state",), written, path.absolute().parent) if isinstance(written, str) else None
        found.raise_faults()
    except FaultyFile:
        return None
    return state if state is not None and written.strip() else None


def _note(path: Path) -> Path:
    digest = hashlib.sha256(_known_as(path).encode("utf-8", "surrogatepass")).hexdigest()
    return default_state_path() / NOTES / f"{digest[:32]}.json"


def _known_as(path: Path) -> str:
    """A path as it stands for its file: whole, without the case that does not count; links are not followed."""
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100 - `absolute` leaves `..` where it is


def _same(one: Path, other: Path) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _read(file: Path) -> Mapping[str, str]:
    """What was kept; nothing where it is not there or not whole."""
    try:
        if file.stat().st_size > LARGEST:
            return {}
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts else {}


def _write(file: Path, content: Mapping[str, str]) -> None:
    """Whole or not at all, and on the disk before it takes its place; nothing where it is there already."""
    if _read(file) == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    with draft.open("wb") as written:
        written.write(json.dumps(content, indent=1).encode())
        written.flush()
        os.fsync(written.fileno())
    draft.replace(file)
