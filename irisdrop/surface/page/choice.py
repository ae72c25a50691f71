"""An order as a person saw it when they chose it: the worklist may say something else of it a moment later."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from irisdrop.vocabulary.orders import WorklistEntry


@dataclass(frozen=True, slots=True)
class Choice:
    """The id of an order, and what stands for all that was shown of it; both empty where none is chosen."""

    entry: str = ""
    shown: str = ""

    @classmethod
    def read(cls, text: str) -> Choice:
        """What a form says."""
        shown, _, entry = text.partition(":")
        return cls(entry, shown) if entry else cls()

    @classmethod
    def of(cls, entry: WorklistEntry) -> Choice:
        """An order as it is now."""
        told = [entry.id, sorted(entry.keys.items()), str(entry.start), entry.single_eye, str(entry.standing)]
        return cls(entry.id, hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16])

    def __str__(self) -> str:
        return f"{self.shown}:{self.entry}" if self.entry else ""


class StaleOrder(Exception):
    """An order is no longer what was shown of it."""
