"""`context` and `deliver` as they are written: their lines, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from irisdrop.profiles.choices import EVERYTHING, Choice, Value
from irisdrop.profiles.patterns import Unusable, usable_glob
from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.written import near_key
from irisdrop.vocabulary.keys import KEYS

MOST: Final = 50  # globs in one section: each is tried on every picture


def choices_of(
    found: Document,
    section: str,
    written: Value | Mapping[str, Value | Mapping[str, Value]],
    readable: frozenset[str],
) -> tuple[Choice[Value], ...]:
    """The lines of a section in the order written; a value alone is for every picture. Faults are noted."""
    if not isinstance(written, Mapping):
        return (Choice(None, EVERYTHING, written, found.at((section,)).line),)
    choices: list[Choice[Value]] = []
    lines = sum(len(what) if isinstance(what, Mapping) else 1 for what in written.values())
    if lines > MOST:
        found.fault("WRONG_VALUE", found.at((section,), key=True), f"there are {lines} globs here", f"at most {MOST}")
        return ()
    for name, what in written.items():
        location: Location = (section, name)
        line = found.at(location, key=True).line
        check_turn(found, location, choices)
        if isinstance(what, Mapping):
            check_key(found, location, name, readable)
            for glob, value in what.items():
                check_glob(found, (*location, glob), glob)
                choices.append(Choice(name, glob, value, found.at((*location, glob), key=True).line))
        elif name in KEYS:
            place = found.at(location)
            found.fault("WRONG_SHAPE", place, f"`{name}` is a key: its values stand below it", "{name: {glob: …}}")
        else:
            check_name_glob(found, location, name)
            choices.append(Choice(None, name, what, line))
    return tuple(choices)


def check_turn(found: Document, location: Location, earlier: list[Choice[Value]]) -> None:
    """A line below one that fits every picture."""
    always = next((choice for choice in earlier if choice.key is None and choice.glob == EVERYTHING), None)
    if always is not None:
        place = found.at(location, key=True)
        found.fault("UNREACHABLE", place, f"the `*` of line {always.line} fits before this", "`*` as the last line")


def check_key(found: Document, location: Location, name: str, readable: frozenset[str]) -> None:
    """Values below a name are those of a key that some rule reads."""
    place = found.at(location, key=True)
    if name not in KEYS:
        found.fault("UNKNOWN_KEY", place, f"`{name}` is no key", "a key, or a glob with its one value", near_key(name))
    elif name not in readable:
        found.fault("UNREAD_KEY", place, f"no rule reads `{name}`", "a key that a rule of `read` has")


def check_name_glob(found: Document, location: Location, glob: str) -> None:
    """A glob for base names."""
    if "/" in glob or "\\" in glob:
        place = found.at(location, key=True)
        found.fault("WRONG_VALUE", place, "a glob is for base names, without a folder", "for example `*.jpg`")
        return
    check_glob(found, location, glob)


def check_glob(found: Document, location: Location, glob: str) -> None:
    """A glob that can be used."""
    try:
        usable_glob(glob)
    except Unusable as error:
        found.fault("WRONG_VALUE", found.at(location, key=True), error.message, error.expected)
