"""pydantic's errors as faults at their line and column, in words, with what was probably meant."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from irisdrop.profiles.places import Document, Location, Place
from irisdrop.vocabulary.faults import Fault

Model = TypeVar("Model", bound=BaseModel)
Made = TypeVar("Made")


def understood(
    found: Document,
    model: type[Model],
    checked: Callable[[Model], Made],
    stand_ins: Mapping[str, Any],
    items: Mapping[str, Callable[[int], Any]],
) -> Made:
    """What a document means by a model, and by what its settings mean together (`checked`); raises FaultyFile with
    everything that is wrong with both. For `stand_ins` and `items` see `checked_further`."""
    written = validated(found, model)
    if written is None:
        checked_further(found, stand_ins, items, lambda: checked(model.model_validate(found.tree)))
        found.raise_faults()
        raise AssertionError("what did not validate has faults")
    made = checked(written)
    found.raise_faults()
    return made


def validated(found: Document, model: type[Model]) -> Model | None:
    """The tree as a model; None, and faults noted, where it does not fit."""
    try:
        return model.model_validate(found.tree)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            note(found, model, one)
        return None


def checked_further(
    found: Document,
    stand_ins: Mapping[str, Any],
    items: Mapping[str, Callable[[int], Any]],
    check: Callable[[], object],
) -> None:
    """Check what settings mean together although some of them are faulty: a person wants to hear all at once.

    A faulty section is taken away, or replaced where it is required; of a list in `items` only the faulty items are
    replaced. What is then found in it, or follows from it, is dropped.
    """
    shapes = list(found.faults)
    broken = {found.section(fault.line) for fault in shapes}
    spoilt = {name: items_with(found, name, shapes) for name in broken if name in items}
    kept = {name: value for name, value in found.tree.items() if name not in broken}
    for name, numbers in spoilt.items():
        if numbers and isinstance(found.tree.get(name), list):
            kept[name] = [items[name](at) if at in numbers else one for at, one in enumerate(found.tree[name])]
    begun = {name: begins(found, name) for name in spoilt}
    found.tree = {**stand_ins, **kept}
    check()

    def follows(fault: Fault) -> bool:
        section = found.section(fault.line)
        if section == "read" or section not in broken:
            return fault.code == ("NO_RULES" if section == "read" else "UNREAD_KEY") and "read" in broken
        return section not in kept or item_at(begun[section], fault) in spoilt[section]

    found.faults[len(shapes) :] = [fault for fault in found.faults[len(shapes) :] if not follows(fault)]


def items_with(found: Document, section: str, faults: Sequence[Fault]) -> frozenset[int]:
    """Which items of a list hold faults; none where one is of the list itself."""
    begun = begins(found, section)
    numbers = {item_at(begun, fault) for fault in faults if found.section(fault.line) == section}
    return frozenset() if -1 in numbers else frozenset(numbers)


def begins(found: Document, section: str) -> list[tuple[int, int]]:
    """Line and column of each item of a list."""
    written = found.tree.get(section)
    places = (found.at((section, at)) for at in range(len(written) if isinstance(written, list) else 0))
    return [(place.line, place.column) for place in places]


def item_at(begun: Sequence[tuple[int, int]], fault: Fault) -> int:
    """The item of a list that a fault stands in; -1 where it stands before all."""
    return bisect_right(begun, (fault.line, fault.column)) - 1


def note(found: Document, model: type[BaseModel], error: ErrorDetails) -> None:
    """One error of pydantic as a fault."""
    location, on_key = written_location(found, error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind != "missing" and error.get("input") is None:
        return None  # nothing written: the reader of the file has said so
    place = found.at(location, key=on_key)
    if kind == "missing":
        name = str(error["loc"][-1])
        where = f"in `{location[-1]}`" if location and isinstance(location[-1], str) else "here"
        return found.fault("MISSING", first_line(found, location), f"`{name}` is missing {where}", f"`{name}: …`")
    if kind == "extra_forbidden":
        return unknown_setting(found, model, location)
    if "message" in context:
        return found.fault(kind, place, context["message"], context["expected"], context["suggestion"])
    return plain(found, kind, context, place, error)


def plain(found: Document, kind: str, context: dict[str, Any], place: Place, error: ErrorDetails) -> None:
    """The errors of shape and of single values."""
    written = error.get("input")
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = near_word(str(written), choices)
        shown = f"`{written}` is not possible here" if isinstance(written, str) else "this is not possible here"
        return found.fault("WRONG_VALUE", place, shown, " or ".join(f"`{one}`" for one in choices), near)
    if isinstance(written, dict | list) or kind in ("dict_type", "list_type", "model_type", "model_attributes_type"):
        is_now = "a mapping" if isinstance(written, dict) else "a list" if isinstance(written, list) else "a text"
        return found.fault(
            "WRONG_SHAPE", place, f"{is_now} can't stand here", wanted(kind, context), bracketed(kind, written)
        )
    return found.fault("WRONG_VALUE", place, f"`{written}` is not possible here", wanted(kind, context))


def bracketed(kind: str, written: Any) -> str:
    """A text where a list is wanted is mostly a list of one."""
    return f"[{written}]" if kind == "list_type" and isinstance(written, str) and len(written) < 60 else ""


def wanted(kind: str, context: dict[str, Any]) -> str:
    """What a setting takes, by the error that pydantic gives."""
    if kind == "string_pattern_mismatch":
        return "2 to 16 capital letters or digits, such as OP"
    if kind in ("too_short", "too_long"):
        return f"at least {context['min_length']}" if kind == "too_short" else f"at most {context.get('max_length')}"
    if kind in ("greater_than_equal", "less_than_equal", "greater_than"):
        bounds = {"ge": "at least", "le": "at most", "gt": "more than"}
        return " ".join(f"{bounds[name]} {value}" for name, value in context.items() if name in bounds)
    shapes = {
        "dict_type": "a mapping: lines of `name: value`",
        "model_type": "a mapping: lines of `name: value`",
        "model_attributes_type": "a mapping: lines of `name: value`",
        "list_type": "a list: lines that begin with `- `, or [one, two]",
        "string_type": "a text",
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "float_parsing": "a number",
        "bool_parsing": "true or false",
        "WRONG_SHAPE": "a word such as `trim`, or `{pad: 6}`",
    }
    return shapes.get(kind, "")


def near_word(text: str, words: list[str]) -> str:
    """The word that was probably meant; empty where none comes near."""
    by_lower = {word.lower(): word for word in words}
    near = get_close_matches(text.lower(), by_lower, 1, 0.6)
    return by_lower[near[0]] if near else ""


def unknown_setting(found: Document, model: type[BaseModel], location: Location) -> None:
    """A name that this mapping does not have."""
    name = str(location[-1])
    names = settings_at(model, location[:-1])
    near = near_word(name, names)
    place = found.at(location, key=True)
    found.fault("UNKNOWN_SETTING", place, f"`{name}` is no setting here", "one of " + ", ".join(sorted(names)), near)


def settings_at(model: Any, location: Location) -> list[str]:
    """The names that the mapping at a location may have."""
    for step in location:
        if isinstance(step, str):
            model = child(model, step)
    fields = getattr(model, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def child(model: Any, step: str) -> Any:
    """The model of one setting of a model, or of its items; the model itself where the step is a key of a mapping."""
    for name, field in getattr(model, "model_fields", {}).items():
        if (field.alias or name) == step:
            return inner_model(field.annotation)
    return model


def inner_model(annotation: Any) -> Any:
    """The first model inside an annotation such as `list[X] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := inner_model(part))), None)


def written_location(found: Document, location: tuple[int | str, ...]) -> tuple[Location, bool]:
    """pydantic's location without the parts that only it knows; whether it means the key."""
    on_key = bool(location) and location[-1] == "[key]"
    here: Location = ()
    for step in location:
        if (*here, step) in found.values:
            here = (*here, step)
    return here, on_key


def first_line(found: Document, location: Location) -> Place:
    """Where a missing setting is reported: at the name of the mapping that should have it, else its first line."""
    place = found.keys.get(location) or found.at(location)
    return Place(place.line, place.column, str(location[-1]) if location in found.keys else "")
