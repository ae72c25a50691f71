"""One thing that a source says, before it is cleaned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

LONGEST: Final = 2048  # characters of a text that a pattern looks into


class TooLong(ValueError):
    """A text that is longer than any that names a patient: told as what it is, never as "no keys"."""


class Found(NamedTuple):
    """A key, its raw text, and the place that it was read from."""

    key: str
    raw: str
    source: str


class FullMatch(Protocol):
    """A pattern of a profile: the text of its groups by key, or None."""

    def fullmatch(self, text: str) -> dict[str, str] | None: ...


def through(target: str | FullMatch, text: str, source: str) -> Iterator[Found]:
    """What a tag's text says: it is the key's value itself, or a pattern for the whole of it names the keys."""
    text = text.strip(" \t\r\n\0")
    if isinstance(target, str):
        yield Found(target, text, source)
        return
    if len(text) > LONGEST:
        raise TooLong(f"a text of {source.partition(':')[0]} is longer than {LONGEST} characters")
    for key, value in (target.fullmatch(text) or {}).items():
        yield Found(key, value, source)
