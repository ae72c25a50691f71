"""The steps of a profile's `clean`, one after another, and then the form that each key has inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from irisdrop.identity.found import Found
from irisdrop.identity.stamps import DATE_ALONE, TIME_ALONE, by_format, iso_date, iso_date_time, iso_time
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.keys import DATE_KEYS, canonical, laterality

if TYPE_CHECKING:
    from irisdrop.profiles.profile import Step

BLANKS: Final = " \t\r\n\f\v\0\u00a0\u3000\ufeff"


def without_prefix(text: str, prefix: str) -> str:
    """`text` without a prefix, whatever its case."""
    return text[len(prefix) :] if text.casefold().startswith(prefix.casefold()) else text


def without_suffix(text: str, suffix: str) -> str:
    """`text` without a suffix, whatever its case."""
    return text[: -len(suffix)] if suffix and text.casefold().endswith(suffix.casefold()) else text


def mapped(text: str, tokens: dict[str, str]) -> str:
    """The value of a token, whatever its case; a text that is no token stays."""
    return tokens.get(text.strip(BLANKS).lower(), text)


def replaced(text: str, pairs: dict[str, str]) -> str:
    """`text` with one text after another replaced."""
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def in_utc(text: str, _: Any) -> str:
    """A time or date-time without offset is of UTC; raises ValueError where it is none."""
    found = iso_time(text) if TIME_ALONE.fullmatch(text) else iso_date_time(text)
    return found if found[-6] in "+-" else found + "+00:00"


STEPS: Final[dict[str, Callable[[str, Any], str]]] = {
    "trim": lambda text, _: text.strip(BLANKS),
    "upper": lambda text, _: text.upper(),
    "lower": lambda text, _: text.lower(),
    "digits": lambda text, _: "".join(letter for letter in text if letter in "0123456789"),
    "utc": in_utc,
    "strip_prefix": without_prefix,
    "strip_suffix": without_suffix,
    "pad": lambda text, width: text.rjust(width, "0"),
    "map": mapped,
    "replace": replaced,
    "date": by_format,
}

FORMS: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(DATE_KEYS, iso_date),
    "AcquisitionTime": iso_time,
    "AcquisitionDateTime": iso_date_time,
    "ImageLaterality": laterality,
}


def reading(found: Found, steps: Iterable[Step]) -> Reading | None:
    """The reading of what a source said; None where nothing is left after trimming.

    A text that can't become the key's form is kept as it is, with a `flaw`. A date-time that holds a date alone, as DICOM
    allows, says the date and no more.
    """
    value = found.raw.strip(BLANKS)
    if not value:
        return None
    if "\ufffd" in value:
        return Reading(found.key, canonical(value), found.raw, found.source, "not readable in its character set")
    try:
        for step in steps:
            value = STEPS[step.kind](value, step.argument)
        key = "AcquisitionDate" if found.key == "AcquisitionDateTime" and DATE_ALONE.fullmatch(value) else found.key
        value = FORMS.get(key, canonical)(value)
    except ValueError as error:
        return Reading(found.key, found.raw, found.raw, found.source, str(error) or "not possible")
    return Reading(key, value, found.raw, found.source) if value else None
