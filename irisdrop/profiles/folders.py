"""Paths in a configuration, and folders that must not contain one another."""

from __future__ import annotations

import os
import re
from pathlib import Path

from irisdrop.profiles.config import Config
from irisdrop.profiles.places import Document, Location


def path_of(found: Document, location: Location, text: str, base: Path) -> Path:
    """A path; a relative one starts from the configuration's folder."""
    place = found.at(location)
    if re.search(r"[\x00-\x1f]", text):
        found.fault(
            "WRONG_VALUE",
            place,
            'the path holds an invisible character: in "double quotes" a \\ begins an escape',
            "the path in 'single quotes'",
        )
        return base / f"{place.line}.{place.column}"  # a place of its own, so that no overlap follows from it
    try:
        return base / (Path(text).expanduser() if text.startswith("~") else Path(text))
    except RuntimeError:  # ~nobody
        found.fault("WRONG_VALUE", place, "there is no such account's home", "the path written out")
        return base / f"{place.line}.{place.column}"


def check_folders(found: Document, config: Config) -> None:
    """No folder contains another one: what is written into one would be taken for an export of the other."""
    places: list[tuple[str, Location, Path]] = [("state", ("state",), config.state)]
    for index, camera in enumerate(config.cameras):
        places.append((f"the folder of `{camera.name}`", ("cameras", index, "folder"), camera.folder))
    if config.platform is not None:
        # What is delivered, or kept for others, must not come in again as an export.
        places += [
            (f"`{name}` of the platform", ("platform", name), value)
            for name, value in config.platform.options.items()
            if name in ("path", "events_keep") and isinstance(value, Path)
        ]
    targets: list[tuple[str, Location, Path]] = [
        (f"the `move` target of `{camera.name}`", ("cameras", index, "after", "move"), camera.after.move)
        for index, camera in enumerate(config.cameras)
        if camera.after.move is not None
    ]
    known = [(name, location, real(path)) for name, location, path in (*places, *targets)]
    for index, (name, location, path) in enumerate(known):
        # Two cameras may move into one folder; nothing watches it.
        for other, _, theirs in known[: min(index, len(places))]:
            clash(found, location, (name, path), (other, theirs))


def clash(found: Document, location: Location, one: tuple[str, Path], other: tuple[str, Path]) -> None:
    """A fault where one folder is, or contains, another."""
    inner, outer = one[1], other[1]
    if inner == outer:
        how = f"{one[0]} is {other[0]} too"
    elif inner.is_relative_to(outer):
        how = f"{one[0]} lies inside {other[0]}"
    elif outer.is_relative_to(inner):
        how = f"{one[0]} contains {other[0]}"
    else:
        return
    found.fault("FOLDERS_OVERLAP", found.at(location), how, "folders that don't contain one another")


def real(path: Path) -> Path:
    """A folder as the system knows it: links followed, the case that does not count taken away."""
    return Path(os.path.normcase(os.path.realpath(path)))
