"""What was decided about an image, with the whole trace of why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code


@dataclass(frozen=True, slots=True)
class Capture:
    """When the image was taken, as the half-open span [begin, end) that is known; a date alone is a whole day.

    `source` names the readings it comes from, or `arrival`; `skipped` says that the site's clocks never showed that
    time, because they were set forward over it.
    """

    begin: datetime
    end: datetime
    source: str
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that was considered, and the fact that refused it (None where nothing did).

    `code` is the reason that the refusal would carry alone; `refused` is one sentence for a person and may name
    values, so it is for the page and `explain`, never for a log.
    """

    entry: WorklistEntry
    refused: str | None
    code: Code | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """Exactly one open entry fits and nothing contradicts it."""

    entry: WorklistEntry
    eye: str  # R, L, B; U only where the profile leaves the eye to the platform
    taken: Capture | None
    deciding: tuple[Reading, ...]
    key_set: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No entry, or more than one, or a contradiction; `waits` where a late order may still change that."""

    reason: Code
    detail: str
    candidates: tuple[Candidate, ...]
    trace: tuple[str, ...]
    taken: Capture | None = None
    key_set: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether patience may help: only a missing order can still come."""
        return self.reason is Code.NO_WORKLIST_ENTRY


Decision = Matched | Unmatched
