"""Text without anybody: every name and number that is known here is looked for, and masked where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

WORDS: Final = re.compile(r"\w+", re.UNICODE)
MASK: Final = "[masked]"
SHORTEST: Final = {"PatientName": 3, "who": 3}
SHORTEST_NUMBER: Final = 4  # a PatientID of `2` stands everywhere and says nothing


class Scrubber:
    """Knows personal values as sequences of words, so that `AB-00815` is found as `ab 00815` too."""

    def __init__(self, personal: Iterable[tuple[str, str]]) -> None:
        self._by_first: dict[str, set[tuple[str, ...]]] = {}
        for key, value in personal:
            for text in forms(key, value):
                words = tuple(word.casefold() for word in WORDS.findall(text))
                if words and len("".join(words)) >= SHORTEST.get(key, SHORTEST_NUMBER):
                    self._by_first.setdefault(words[0], set()).add(words)

    def scrub(self, text: str) -> tuple[str, int]:
        """The text with every known value masked, and how many there were."""
        found = list(WORDS.finditer(text))
        words = [match[0].casefold() for match in found]
        parts, end, count, at = [], 0, 0, 0
        while at < len(words):
            length = self._longest(words, at)
            if length:
                parts += [text[end : found[at].start()], MASK]
                end = found[at + length - 1].end()
                count += 1
            at += max(length, 1)
        parts.append(text[end:])
        return "".join(parts), count

    def _longest(self, words: list[str], at: int) -> int:
        known = self._by_first.get(words[at], ())
        return max((len(one) for one in known if tuple(words[at : at + len(one)]) == one), default=0)


def forms(key: str, value: str) -> Iterator[str]:
    """How a value may be written: a name's parts each, a date without its dashes, a file without its ending."""
    yield value
    if key == "PatientName":
        yield from (part for part in re.split(r"[\^=\s,]+", value) if part)
    elif key == "PatientBirthDate":
        yield value.replace("-", "")
    elif key == "file":
        yield re.sub(r"\.\w{1,5}$", "", value)
