"""How an ImageFile and its decision stand in the journal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from irisdrop.record.text import moment, stamp, unpacked
from irisdrop.vocabulary.decisions import Capture, Decision, Matched
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State


def image(row: sqlite3.Row) -> ImageFile:
    """The ImageFile of a row of `images`."""
    return ImageFile(
        id=row["id"],
        version=row["version"],
        state=State(row["state"]),
        camera=row["camera"],
        path=unpacked(row["path"]),
        name=row["name"],
        digest=row["digest"],
        size=row["size"],
        arrived=moment(row["arrived"]),
        live=bool(row["live"]),
        readings=tuple(Reading(*item) for item in json.loads(row["readings"])),
        profile=row["profile"],
        reason=Code(row["reason"]) if row["reason"] else None,
        detail=row["detail"],
        entry=row["entry"],
        eye=row["eye"],
        taken=moment(row["taken"]) if row["taken"] else None,
        assigned_by=row["assigned_by"],
        not_before=moment(row["not_before"]) if row["not_before"] else None,
        replaces=row["replaces"],
        tries=row["tries"],
        ask_first=bool(row["ask_first"]),
        fresh_at=row["fresh_at"],
    )


# How the columns that an ImageFile has are read; the others are what they are. Each may be given as it is, too.
_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "state": State,
    "reason": lambda value: Code(value) if value else None,
    "taken": lambda value: moment(value) if isinstance(value, str) else value,
    "not_before": lambda value: moment(value) if isinstance(value, str) else value,
    "ask_first": bool,
}
_OF_AN_IMAGE: Final = frozenset(field.name for field in fields(ImageFile))


def changed(image: ImageFile, changes: Mapping[str, Any], version: int) -> ImageFile:
    """An image as its row reads after some columns were written."""
    told = {name: _READ[name](value) if name in _READ else value for name, value in changes.items()}
    return replace(image, version=version, **{name: value for name, value in told.items() if name in _OF_AN_IMAGE})


def packed_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as SQLite takes them: readings and times may be given as they are."""
    columns = dict(changes)
    if isinstance(columns.get("readings"), tuple):
        columns["readings"] = plain_readings(columns["readings"])
    for name, value in columns.items():
        if isinstance(value, datetime):
            columns[name] = stamp(value)
    return columns


def plain_readings(readings: tuple[Reading, ...]) -> str:
    """Readings as JSON, in the order in which they were read."""
    return json.dumps([[r.key, r.value, r.raw, r.source, r.flaw] for r in readings])


def plain_decision(decision: Decision) -> str:
    """A decision with its whole trace, as JSON for `explain`, the page and the journal."""
    return json.dumps(decision_as_dict(decision))


def decision_as_dict(decision: Decision) -> dict[str, Any]:
    """A decision as plain values."""
    matched = isinstance(decision, Matched)
    plain: dict[str, Any] = {
        "decision": "matched" if matched else "unmatched",
        "key_set": list(decision.key_set),
        "taken": _capture(decision.taken),
        "candidates": [{"entry": c.entry.id, "refused": c.refused, "code": c.code} for c in decision.candidates],
        "trace": list(decision.trace),
    }
    if isinstance(decision, Matched):
        plain |= {"entry": decision.entry.id, "eye": decision.eye, "deciding": [r.source for r in decision.deciding]}
    else:
        plain |= {"reason": decision.reason, "detail": decision.detail}
    return plain


def _capture(capture: Capture | None) -> dict[str, str] | None:
    if capture is None:
        return None
    return {"begin": capture.begin.isoformat(), "end": capture.end.isoformat(), "source": capture.source}
