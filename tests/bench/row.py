"""One figure of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`ratio` is what is compared with `goal`; `at_least` says in which direction. Without `beside` nothing is compared."""

    name: str
    figure: str
    beside: str
    ratio: float
    goal: float
    at_least: bool = True

    @property
    def meets(self) -> bool:
        """Whether the goal is met."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


def told(name: str, figure: str) -> Row:
    """A figure with nothing beside it: for reading the others by, or why one could not be taken."""
    return Row(name, figure, "", 1.0, 1.0)


def at_most(name: str, figure: str, beside: str, ratio: float, goal: float = 1.0) -> Row:
    """A figure that is the better the smaller it is."""
    return Row(name, figure, beside, ratio, goal, at_least=False)
