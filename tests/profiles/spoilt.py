"""Texts with one place spoilt, and the fault that each must have: its place and its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from irisdrop.vocabulary.faults import Fault, FaultyFile

Faults = Callable[[str], tuple[Fault, ...]]


class Spoilt(NamedTuple):
    """What is replaced, by what, and the fault that this is."""

    old: str
    new: str
    code: str
    line: int
    column: int
    message: str
    suggestion: str

    def within(self, good: str) -> str:
        """A good text with its one place spoilt."""
        assert good.count(self.old) == 1, self.old
        return good.replace(self.old, self.new)

    def told(self, found: Sequence[Fault]) -> bool:
        """Whether the fault is among those that were found."""
        return self[2:] in [(one.code, one.line, one.column, one.message, one.suggestion) for one in found]


def each(table: Sequence[tuple[str, str, str, int, int, str, str]]) -> pytest.MarkDecorator:
    """The test once for each row of a table, as `one`."""
    return pytest.mark.parametrize("one", [Spoilt(*row) for row in table], ids=[row[1][-60:] for row in table])


def faults_of(parse: Callable[[str], object]) -> Faults:
    """All faults of a text that `parse` finds; none where it is accepted."""

    def found(text: str) -> tuple[Fault, ...]:
        try:
            parse(text)
        except FaultyFile as error:
            return error.faults
        return ()

    return found
