"""What code of ours can have written into a column: a flipped bit inside a value leaves every page sound.

SQLite finds a digest, path or order that differs from its index. The other columns that are read back are looked at here:
met later, such a value would stop a stage, or a start, each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from irisdrop.record.text import moment
from irisdrop.vocabulary.orders import Standing
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

_DIGITS: Final = "[0-9]"
_DATE: Final = f"{_DIGITS * 4}-{_DIGITS * 2}-{_DIGITS * 2}"
_TIME: Final = f"{_DATE}T{_DIGITS * 2}:{_DIGITS * 2}:{_DIGITS * 2}.{_DIGITS * 6}Z"
_EYES: Final = ("R", "L", "B", "U")


def _times(*columns: str) -> list[str]:
    # SQLite takes a 31st of February for the 3rd of March; we would not. It is asked for the day alone, because it
    # rounds to milliseconds, and the last microsecond of a day would be another day's first.
    return [
        f"{one} NOT GLOB '{_TIME}' OR date(substr({one}, 1, 10), '+0 days') IS NOT substr({one}, 1, 10) "
        f"OR substr({one}, 12, 2) > '23' OR substr({one}, 15, 2) > '59' OR substr({one}, 18, 2) > '59'"
        for one in columns
    ]


def _of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} NOT IN ({','.join(repr(str(value)) for value in values)})"


# table → conditions that no row of it may meet; one about a value that is NULL is never met.
UNSOUND: Final[Mapping[str, list[str]]] = {
    "images": [
        _of("state", tuple(State)),
        _of("reason", tuple(Code)),
        f"state = 'MATCHED' AND {_of('eye', _EYES)}",
        "NOT json_valid(readings) OR json_type(readings) <> 'array'",
        "decision IS NOT NULL AND NOT json_valid(decision)",
        "length(digest) <> 64 OR digest GLOB '*[^0-9a-f]*'",
        "digest IS NULL AND state IN ('SETTLED','IDENTIFIED','MATCHED','UPLOADED','DELIVERED','DUPLICATE')",
        *_times("arrived", "changed", "recency", "taken", "not_before", "next_try"),
    ],
    "attempts": _times("began", "ended", "next_try"),
    "conditions": _times("since"),
    "cameras": _times("first_start"),
    "entries": [
        _of("standing", tuple(Standing)),
        "NOT json_valid(keys) OR json_type(keys) <> 'object'",
        *_times("start"),
    ],
}


def question(table: str) -> str:
    """The SQL that finds a row of `table` which holds what was never written."""
    return f"SELECT 1 FROM {table} WHERE {' OR '.join(f'({one})' for one in UNSOUND[table])} LIMIT 1"


def readable(facts: Mapping[str, str]) -> bool:
    """Whether what `meta` remembers can be read back."""
    try:
        for key, value in facts.items():
            if key in ("worklist.synced", "rebuilt") or key.startswith("ask-before "):
                moment(value)
            elif key in ("worklist.fresh", "worklist.stale", "worklist.sync", "worklist.change", "decided.change"):
                float(value)
    except ValueError:
        return False
    return True
