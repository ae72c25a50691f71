"""Patterns and globs, run by RE2: no pattern that a person writes can hang the agent."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 1000  # characters; a file name has at most 255
LONGEST_GLOB: Final = 255
LARGEST: Final = 1 << 18  # bytes of a compiled pattern: with the bounds on texts, none takes a tenth of a second
MOST: Final = 24  # patterns in one profile; the richest on the shelf has 3


@dataclass(frozen=True, slots=True)
class Group:
    """One capturing group of a pattern: its name (None where it has none) and where in the pattern it stands."""

    name: str | None
    begin: int
    name_begin: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A full match, case-insensitive unless the pattern itself says otherwise; its named groups are keys."""

    source: str
    keys: tuple[str, ...] = field(default=(), compare=False)

    def fullmatch(self, text: str) -> dict[str, str] | None:
        """The text of every group that took part, by key; None where `text` does not match as a whole."""
        found = compiled(self.source).fullmatch(speakable(text))
        if found is None:
            return None
        return {name: value for name, value in found.groupdict().items() if value is not None}


class Unusable(ValueError):
    """RE2 refuses the pattern: why in words, and the part of it that is to blame."""

    def __init__(self, message: str, part: str, expected: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.part = part
        self.expected = expected


@lru_cache(maxsize=512)
def compiled(source: str) -> Any:
    """The pattern as RE2 runs it; raises Unusable."""
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.dot_nl = True  # an Exif comment may have lines, and a full match must be able to pass over them
    options.log_errors = False
    options.max_mem = LARGEST
    try:
        return re2.compile(source, options)
    except re2.error as error:
        cause = error.args[0]
        raise in_words(cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause), source) from None


LOOK: Final = "RE2 has no {}: it guarantees that no name can make a pattern run for ever"

REFUSALS: Final[tuple[tuple[str, str, str], ...]] = (
    ("(?=", LOOK.format("lookahead"), "the text itself where you look for it, for example `_[RL]_` for `(?=_[RL]_)`"),
    ("(?!", LOOK.format("negative lookahead"), "the characters that may stand there, for example `[^_]+`"),
    ("(?<=", LOOK.format("lookbehind"), "the text itself where you look for it"),
    ("(?<!", LOOK.format("negative lookbehind"), "the characters that may stand there, for example `[^_]+`"),
    ("(?>", LOOK.format("atomic group"), "a plain group `(?:…)`"),
    ("(?P=", LOOK.format("backreference"), "a second group; two values of one key are CONFLICTING_KEYS by themselves"),
    ("(?P>", LOOK.format("recursion"), "the pattern written out"),
    ("(?(", LOOK.format("conditional group"), "two rules, one for each case"),
    ("(?#", "RE2 has no comments in patterns", "a YAML comment after the pattern"),
)

QUANTIFIERS: Final = frozenset({"++", "*+", "?+", "}+"})


def in_words(cause: str, source: str) -> Unusable:
    """RE2's own message as a sentence that names what to write instead."""
    kind, _, part = cause.partition(": ")
    if kind == "invalid perl operator":
        for token, message, expected in REFUSALS:
            if token in source and token.startswith(part[:3]):
                return Unusable(message, token, expected)
    if kind == "invalid escape sequence":
        if part[1:].isdigit():
            return Unusable(LOOK.format("backreference"), part, "the text itself, or a second rule")
        return Unusable(f"`{part}` is no escape that RE2 knows", part, r"`\d`, `\w`, `\s`, `\.` and the like")
    if kind == "bad repetition operator":
        if part in QUANTIFIERS:
            return Unusable(LOOK.format("possessive quantifier"), part, f"`{part[0]}` alone")
        return Unusable("a repetition of a repetition", part, "one of `*`, `+`, `?`, `{n}`")
    return plainer(kind, part, source)


def plainer(kind: str, part: str, source: str) -> Unusable:
    """The messages of RE2 that only need a clearer sentence."""
    sentences = {
        "missing )": ("a bracket `(` is never closed", source, "a `)` for every `(`, or `\\(` for the character"),
        "unexpected )": ("a bracket `)` was never opened", source, "a `(` for every `)`, or `\\)` for the character"),
        "missing ]": ("a `[` is never closed", part, "a `]` for every `[`, or `\\[` for the character"),
        "missing argument to repetition operator": ("nothing stands before the repetition", part, "`.*` for anything"),
        "no argument for repetition operator": ("nothing stands before the repetition", part, "`.*` for anything"),
        "invalid repetition size": ("the repetition is too large", part, "at most {1000} in all"),
        "invalid named capture group": ("a group's name is wrong", part, "`(?P<PatientID>…)` with a key as its name"),
        "pattern too large - compile failed": ("the pattern is too large for RE2", source, "fewer repetitions"),
        "invalid character class range": ("a character class is wrong", part, "for example `[A-Z]`, `[0-9]`, `\\d`"),
    }
    message, blamed, expected = sentences.get(kind, (f"RE2 refuses the pattern: {kind}", part, ""))
    return Unusable(message, blamed if blamed in source else source, expected)


def groups(source: str) -> tuple[Group, ...]:
    r"""Every capturing group of a pattern, in order; escapes, `[…]` and `\Q…\E` are passed over."""
    found: list[Group] = []
    at, inside = 0, False
    while at < len(source):
        if source.startswith(r"\Q", at):
            end = source.find(r"\E", at)
            at = len(source) if end < 0 else end + 2
            continue
        if source[at] == "\\":
            at += 2
            continue
        if inside:
            inside = source[at] != "]"
        elif source[at] == "[":
            inside = True
            at += 2 if source.startswith("[^]", at) else 1 if source.startswith("[]", at) else 0
        elif source[at] == "(":
            group = group_at(source, at)
            if group:
                found.append(group)
        at += 1
    return tuple(found)


def group_at(source: str, at: int) -> Group | None:
    """The capturing group that opens at `at`; None where the bracket captures nothing."""
    for opening in ("(?P<", "(?<"):
        if source.startswith(opening, at) and not source.startswith(("(?<=", "(?<!"), at):
            begin = at + len(opening)
            end = source.find(">", begin)
            return Group(source[begin : end if end >= 0 else None], at, begin)
    return None if source.startswith("(?", at) else Group(None, at, at)


def speakable(text: str) -> str:
    """NFC, and bytes that are no UTF-8 as U+FFFD: they must neither raise nor pass for something that a list holds."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def glob_fits(glob: str, name: str) -> bool:
    """Whether a base name fits a glob of `*`, `?` and `[…]`, whatever the case."""
    return compiled(glob_pattern(glob)).fullmatch(speakable(name)) is not None


def usable_glob(glob: str) -> None:
    """Raise Unusable where a glob can't be used."""
    if len(glob) > LONGEST_GLOB:
        raise Unusable(f"the glob is longer than {LONGEST_GLOB} characters", glob, "a shorter one")
    compiled(glob_pattern(glob))


@lru_cache(maxsize=512)
def glob_pattern(glob: str) -> str:
    """A glob as a pattern; raises Unusable where a `[` is never closed."""
    import re

    parts: list[str] = []
    text = unicodedata.normalize("NFC", glob)
    at = 0
    while at < len(text):
        char = text[at]
        if char == "[":
            end = text.find("]", at + 2)
            if end < 0:
                raise Unusable("a `[` is never closed", text[at:], "`[[]` for the character itself")
            inner = text[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
            parts.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
            at = end
        else:
            parts.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
        at += 1
    return "".join(parts)
