"""The steps of `clean`: from the raw text to the value, checked for what they can be given."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.profile import Step
from irisdrop.vocabulary.keys import DATE_KEYS, LATERALITY_TOKENS

STEPS_WITH_ARGUMENT: Final = ("strip_prefix", "strip_suffix", "pad", "map", "replace", "date")
DIRECTIVES: Final = frozenset("YmdHIMSfpbBzj%")
TIME_KEYS: Final = DATE_KEYS | {"AcquisitionTime", "AcquisitionDateTime"}


def steps_of(found: Document, readable: frozenset[str]) -> dict[str, tuple[Step, ...]]:
    """Key → its steps in order; a mapping where the list should stand is a `map`."""
    cleaned: dict[str, tuple[Step, ...]] = {}
    for key, written in (found.tree.get("clean") or {}).items():
        location: Location = ("clean", key)
        if key not in readable:
            found.fault("UNREAD_KEY", found.at(location, key=True), f"no rule reads `{key}`", "a key that `read` has")
        if isinstance(written, dict):
            cleaned[key] = bare_map(found, location, key, written)
        elif isinstance(written, list):
            steps = [step_of(found, (*location, index), key, one) for index, one in enumerate(written)]
            cleaned[key] = tuple(step for step in steps if step is not None)
        else:
            cleaned[key] = (Step(written),)
        check_order(found, location, key, cleaned[key])
    return cleaned


def bare_map(found: Document, location: Location, key: str, written: dict[str, Any]) -> tuple[Step, ...]:
    """A mapping of tokens; one that looks like a step is asked about, not guessed."""
    if len(written) == 1 and next(iter(written)) in STEPS_WITH_ARGUMENT:
        name = next(iter(written))
        place = found.at((*location, name), key=True)
        found.fault(
            "WRONG_SHAPE", place, f"is `{name}` a step or a token?", "a step stands in a list", f"[{{{name}: …}}]"
        )
        return ()
    return (map_step(found, location, key, written),)


def step_of(found: Document, location: Location, key: str, written: Any) -> Step | None:
    """One step of a list; None where it can't be used."""
    if isinstance(written, str):
        return Step(written)
    if len(written) != 1:
        found.fault("WRONG_SHAPE", found.at(location), "a step has one name", "each step in its own { }")
        return None
    kind, argument = next(iter(written.items()))
    if kind == "pad":
        return Step(kind, int(argument))
    if kind == "map":
        return map_step(found, (*location, kind), key, argument)
    if kind == "replace":
        if "" in argument or not argument:
            found.fault("WRONG_VALUE", found.at((*location, kind)), "nothing can't be replaced", "{'_': '^'}")
        return Step(kind, MappingProxyType(dict(argument)))
    if kind == "date":
        check_date(found, (*location, kind), key, argument)
    return Step(kind, argument)


def map_step(found: Document, location: Location, key: str, written: dict[str, str]) -> Step:
    """Tokens in lower case; two that differ by case alone, or an eye that is none of ours, are faults."""
    tokens: dict[str, str] = {}
    for token, value in written.items():
        if token.lower() in tokens:
            place = found.at((*location, token), key=True)
            found.fault("DUPLICATE_KEY", place, f"`{token}` is here twice: case does not count", "each token once")
        tokens[token.lower()] = value
        if key == "ImageLaterality" and value not in ("R", "L", "B", "U"):
            meant = LATERALITY_TOKENS.get(value.upper(), "")
            found.fault("WRONG_VALUE", found.at((*location, token)), f"`{value}` is no eye", "R, L, B or U", meant)
    return Step("map", MappingProxyType(tokens))


def check_date(found: Document, location: Location, key: str, form: str) -> None:
    """A format that names what the key holds, in directives that mean the same everywhere."""
    place = found.at(location)
    if key not in TIME_KEYS:
        found.fault("WRONG_VALUE", found.at(location, key=True), f"`{key}` is no date or time", "a date's key")
        return
    used = re.findall(r"%(.?)", form)
    for one in used:
        if one not in DIRECTIVES:
            why = "a year of two digits is a guess" if one == "y" else f"`%{one}` is not known here"
            at = found.within(location, form.index("%" + one), "%" + one)
            found.fault("WRONG_VALUE", at, why, "%Y %m %d %H %I %M %S %f %p %b %z", "%Y" if one == "y" else "")
    if not used:
        found.fault("WRONG_VALUE", place, "a format is spelled with %", "for example %d-%m-%Y", in_directives(form))
    elif "I" in used and "p" not in used:
        found.fault("WRONG_VALUE", place, "`%I` needs `%p`: which half of the day?", "%I with %p, or %H")
    elif "H" in used and "p" in used:
        found.fault("WRONG_VALUE", place, "`%p` does nothing beside `%H`", "%I with %p")
    else:
        check_parts(found, location, key, set(used))


def check_parts(found: Document, location: Location, key: str, used: set[str]) -> None:
    """A date needs year, month and day; a time needs its hour."""
    day = "Y" in used and ("j" in used or ("d" in used and bool(used & set("mbB"))))
    if key != "AcquisitionTime" and not day and used <= DIRECTIVES:
        found.fault("WRONG_VALUE", found.at(location), "the format does not give a whole date", "%Y, %m and %d")
    if key in ("AcquisitionTime", "AcquisitionDateTime") and not used & {"H", "I"}:
        found.fault("WRONG_VALUE", found.at(location), "the format does not give an hour", "%H, or %I with %p")


def in_directives(form: str) -> str:
    """`YYYY-MM-DD` as strptime spells it; empty where it is nothing like it."""
    spelled = form
    for letters, directive in (("YYYY", "%Y"), ("DD", "%d"), ("HH", "%H"), ("SS", "%S"), ("MM", "%m"), ("mm", "%M")):
        spelled = spelled.replace(letters, directive) if letters != "mm" else spelled.replace("mm", directive)
    return spelled if "%Y" in spelled or "%H" in spelled else ""


def check_order(found: Document, location: Location, key: str, steps: tuple[Step, ...]) -> None:
    """`utc` is said of a stamp."""
    if any(step.kind == "utc" for step in steps) and key not in ("AcquisitionDateTime", "AcquisitionTime"):
        found.fault("WRONG_VALUE", found.at(location), "only a time of day can be UTC", "AcquisitionDateTime")
