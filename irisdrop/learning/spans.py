"""Where in a text the values of one patient's order stand, however a camera spells them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from irisdrop.learning.tokens import Span

IDENTIFIERS: Final = ("PatientID", "AccessionNumber", "StudyInstanceUID")
FORMS: Final = ("%Y%m%d", "%d%m%Y", *(f"%Y{s}%m{s}%d" for s in "-_."), *(f"%d{s}%m{s}%Y" for s in "-_."))
MOST: Final = 12  # ways to read one text; more are noise


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one order: its values by key."""

    keys: Mapping[str, str]

    @property
    def identity(self) -> tuple[str, str]:
        """What tells two people apart."""
        return self.keys.get("PatientID", ""), self.keys.get("PatientName", "")


def readings_of(text: str, person: Person) -> Iterator[tuple[Span, ...]]:
    """Every way in which a text can be read as this person's; nothing where none of their values stands in it."""
    places = [span for key in IDENTIFIERS for span in identified(text, key, person.keys.get(key, ""))]
    names = once(named(text, person.keys.get("PatientName", "")))
    if not places and not names:
        return
    sure = [*names, *once(born(text, person.keys))]
    if not places:
        if {span.key for span in sure} == {"PatientName", "PatientBirthDate"}:
            yield tuple(sorted(sure))
        return
    numbers = [span for span in places if span.key == places[0].key]
    if len(numbers) > 1:  # the same number in two parts of a name: both are read, and must be the same
        yield tuple(
            sorted((*numbers, *(s for s in sure if all(s.end <= n.begin or n.end <= s.begin for n in numbers))))
        )
    for place in places[:MOST]:
        yield tuple(sorted((place, *(span for span in sure if span.end <= place.begin or place.end <= span.begin))))


def once(spans: Iterator[Span]) -> list[Span]:
    """What stands once in a text; what stands twice is left out."""
    found = list(spans)
    return found if len(found) == 1 else []


def identified(text: str, key: str, value: str) -> Iterator[Span]:
    """An identifier where neither a digit nor a letter of its own kind goes on beside it."""
    if not value or value.casefold() not in text.casefold():
        return
    for hit in identifier(value).finditer(text):
        yield Span(hit.start(), hit.end(), key)


@lru_cache(maxsize=65536)
def identifier(value: str) -> re.Pattern[str]:
    """An identifier's pattern."""
    short = len(value) < 3
    before = "[^\\W_]" if short else side(value[0])
    after = "[^\\W_]" if short else side(value[-1])
    return re.compile(rf"(?<!{before}){re.escape(value)}(?!{after})", re.IGNORECASE)


def side(letter: str) -> str:
    """What may not stand beside an identifier that begins or ends so."""
    return r"\d" if letter.isdigit() else r"[^\W\d_]" if letter.isalpha() else r"\Z."


def named(text: str, name: str) -> Iterator[Span]:
    """A name with last and first name in either order."""
    parts = [part for part in plain(name).split("=")[0].split("^") if part.strip()][:2]
    if len(parts) < 2 or parts[1].split()[0].casefold() not in plain(text).casefold():
        return
    for hit in full_name(parts[0], parts[1]).finditer(plain(text)):
        yield Span(hit.start(), hit.end(), "PatientName")


@lru_cache(maxsize=65536)
def full_name(last: str, first: str) -> re.Pattern[str]:
    """Both orders of a name."""
    one, other = (
        r"[ _.'-]+".join(re.escape(word) for word in re.split(r"\W+", part) if word) for part in (last, first)
    )
    return re.compile(rf"(?<![^\W_])(?:{one}[ _^,-]+{other}|{other}[ _^,-]+{one})(?![^\W_])", re.IGNORECASE)


def plain(text: str) -> str:
    """Letters without their accents, and as many of them as before."""
    return "".join(unicodedata.normalize("NFKD", letter)[0] for letter in unicodedata.normalize("NFC", text))


def born(text: str, keys: Mapping[str, str]) -> Iterator[Span]:
    """A birth date in any spelling that names day, month and year."""
    try:
        day = date.fromisoformat(keys.get("PatientBirthDate", ""))
    except ValueError:
        return
    for form in FORMS:
        for hit in re.finditer(rf"(?<!\d){re.escape(day.strftime(form))}(?!\d)", text):
            yield Span(hit.start(), hit.end(), "PatientBirthDate", form)
