"""A name taken apart: what was found in it, and the dates, numbers, words and marks around that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
MONTH: Final = r"(?:0[1-9]|1[0-2])"
YEAR: Final = r"(?:19|20)\d\d"
ALONE: Final = r"(?<!\d)(?:{})(?!\d)"

# In the order in which they are tried at each place.
KINDS: Final[tuple[tuple[str, str], ...]] = (
    ("stamp", ALONE.format(rf"{YEAR}-{MONTH}-{DAY}[T_ ]\d\d[:_.-]\d\d[:_.-]\d\d") + "Z?"),
    ("ymd", ALONE.format(rf"{YEAR}(?P<s1>[-._]){MONTH}(?P=s1){DAY}")),
    ("dmy", ALONE.format(rf"\d\d(?P<s2>[-._])\d\d(?P=s2){YEAR}")),
    ("clock", r"(?<!\d)\d{1,2}\.\d\d\.\d\d\.\d{1,6}_[AP]M(?![A-Za-z])"),
    ("word", r"(?<![A-Za-z0-9])0[DS](?![A-Za-z0-9])"),  # OD and OS with the digit zero
    ("digits", r"\d+"),
    ("word", r"[^\W\d_]+"),
    ("mark", r"(?s:.)"),
)
SCANNER: Final = re.compile("|".join(f"(?P<k{n}>{pattern})" for n, (_, pattern) in enumerate(KINDS)))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where in a text the value of a key stands; `form` is how a date is spelled there, as strptime spells it."""

    begin: int
    end: int
    key: str
    form: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a text; `kind` is one of KINDS, or `key` for what was found there."""

    kind: str
    text: str
    key: str = ""
    form: str = ""

    @property
    def look(self) -> str:
        """What must be equal for two names to be laid out alike: marks count as they are, the rest by its kind."""
        if self.kind == "mark":
            return f"mark {self.text}"
        if self.kind in ("ymd", "dmy"):
            return f"{self.kind} {re.sub('[0-9]', '', self.text)[:1]}"
        return f"key {self.key} {self.form}" if self.kind == "key" else self.kind


def tokens(text: str, spans: Iterable[Span] = ()) -> tuple[Token, ...]:
    """A text in pieces; what stands in a span is one piece."""
    found: list[Token] = []
    at = 0
    for span in sorted(spans):
        found += scanned(text, at, span.begin)
        found.append(Token("key", text[span.begin : span.end], span.key, span.form))
        at = span.end
    return (*found, *scanned(text, at, len(text)))


def scanned(text: str, begin: int, end: int) -> list[Token]:
    """The pieces of a part of a text in which nothing was found."""
    part = text[begin:end]
    return [
        Token(next(kind for n, (kind, _) in enumerate(KINDS) if hit[f"k{n}"] is not None), hit[0])
        for hit in SCANNER.finditer(part)
    ]
