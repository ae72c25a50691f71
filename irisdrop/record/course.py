"""Steps of one image that become one change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from irisdrop.record.images import changed
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import Event, State, after


class Stride(NamedTuple):
    """One step along the table: it becomes one line of history."""

    event: Event
    before: State
    after: State
    who: str
    why: str


@dataclass(slots=True)
class Course:
    """What is to become of one image, as it was looked at: `Journal.follow` makes it true in one change, or none of it.

    `changes` are columns of `images`.
    """

    begun: ImageFile
    steps: list[Stride] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Where the steps lead."""
        return self.steps[-1].after if self.steps else self.begun.state

    @property
    def image(self) -> ImageFile:
        """The image as it will be, with the version that it has."""
        return changed(self.begun, {**self.changes, "state": self.state}, self.begun.version)

    def step(self, event: Event, who: str, why: str, **changes: Any) -> Course:
        """One step further; raises ImpossibleTransition where the table has none."""
        self.steps.append(Stride(event, self.state, after(self.state, event), who, why))
        return self.change(**changes)

    def change(self, **changes: Any) -> Course:
        """Columns that change without a step."""
        self.changes |= changes
        return self
