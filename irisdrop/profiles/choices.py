"""`context` and `deliver`: what is chosen for a picture by its name or by what was read from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from irisdrop.profiles.patterns import glob_fits
from irisdrop.vocabulary.images import Reading

Value = TypeVar("Value")
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """One line: where the value of `key` (None: the base name) fits `glob`, `value` is chosen. `line` is its line."""

    key: str | None
    glob: str
    value: Value
    line: int = 0

    def fits(self, name: str | None, readings: Iterable[Reading]) -> bool:
        """Whether it is chosen for a picture; where the name is not known, a line about names is not."""
        if self.key is None:
            return name is not None and glob_fits(self.glob, name)
        values = (r.value for r in readings if r.key == self.key and r.flaw is None)
        return any(glob_fits(self.glob, value) for value in values)


def chosen(
    choices: Iterable[Choice[Value]], name: str | None, readings: Iterable[Reading] = ()
) -> Choice[Value] | None:
    """The first line that fits; None where none does."""
    said = tuple(readings)
    return next((choice for choice in choices if choice.fits(name, said)), None)
