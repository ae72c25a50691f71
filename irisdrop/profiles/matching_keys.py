"""`match` and `agree`: which keys decide, and whether they can ever be there."""

from __future__ import annotations

import re

from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.profile import KeySet
from irisdrop.profiles.written import near_key
from irisdrop.vocabulary.keys import DECIDING_KEYS, KEYS


def match_of(found: Document, written: list[str], readable: frozenset[str], *, skeleton: bool) -> tuple[KeySet, ...]:
    """The key sets in order; one that can never decide is a fault."""
    sets: list[KeySet] = []
    for index, text in enumerate(written):
        location: Location = ("match", index)
        one = key_set(found, location, text, readable)
        if one is None:
            continue
        check_reach(found, location, one, sets)
        sets.append(one)
    if not written and not skeleton:
        found.fault("MISSING", found.at(("match",), key=True), "no key set decides", "for example [PatientID]")
    return tuple(sets)


def key_set(found: Document, location: Location, text: str, readable: frozenset[str]) -> KeySet | None:
    """`PatientID + PatientBirthDate` or `StudyInstanceUID?`; None, and faults noted, where it can't be used."""
    before = len(found.faults)
    keys: list[str] = []
    optional: set[str] = set()
    for part in re.finditer(r"(?:^|\+)([^+]*)", text):
        word = part[1].strip()
        name = word.removesuffix("?").strip()
        place = found.within(location, part.start(1) + len(part[1]) - len(part[1].lstrip()), name)
        if not name:
            found.fault("WRONG_VALUE", found.at(location), "a key is missing beside `+`", "keys joined by ` + `")
            continue
        if name not in KEYS:
            found.fault("UNKNOWN_KEY", place, f"`{name}` is no key", "keys joined by ` + `", near_key(name))
        elif name not in readable:
            found.fault("UNREAD_KEY", place, f"no rule reads `{name}`", "a key that a rule of `read` has")
        elif name in keys:
            found.fault("DUPLICATE_KEY", place, f"`{name}` is in this key set twice", "each key once")
        keys.append(name)
        if word.endswith("?"):
            optional.add(name)
    if len(found.faults) == before and not set(keys) & set(DECIDING_KEYS):
        place = found.at(location)
        found.fault(
            "WRONG_VALUE",
            place,
            "nothing in this key set says whose the image is",
            "one of " + ", ".join(DECIDING_KEYS),
        )
    return KeySet(tuple(keys), frozenset(optional)) if len(found.faults) == before else None


def check_reach(found: Document, location: Location, one: KeySet, earlier: list[KeySet]) -> None:
    """A key set whose keys include those of an earlier one never gets a turn."""
    for other in earlier:
        if set(other.keys) <= set(one.keys) and not other.optional:
            place = found.at(location)
            found.fault(
                "UNREACHABLE", place, f"`{other}` above always decides before `{one}`", "the longer key set first"
            )
            return


def agree_of(found: Document, written: list[str], readable: frozenset[str]) -> tuple[str, ...]:
    """The keys that must be equal too; one that is never read would promise a check that is none."""
    for index, key in enumerate(written):
        if key not in readable:
            found.fault("UNREAD_KEY", found.at(("agree", index)), f"no rule reads `{key}`", "a key that `read` has")
        elif key in written[:index]:
            found.fault("DUPLICATE_KEY", found.at(("agree", index)), f"`{key}` is here twice", "each key once")
    return tuple(dict.fromkeys(written))
