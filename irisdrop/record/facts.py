"""What support asks of a journal: what happened last and how long it took; and every name that must not get out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from irisdrop.record.database import Database
from irisdrop.record.journal import AGENT
from irisdrop.record.text import moment, unpacked

# Keys whose values are somebody's, or lead to somebody.
PERSONAL: Final = frozenset(
    {
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "AccessionNumber",
        "AdmissionID",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "StudyInstanceUID",
        "SOPInstanceUID",
    }
)


class Facts:
    """Questions that change nothing."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last_transitions(self, limit: int = 2000) -> list[dict[str, Any]]:
        """The newest lines of history, oldest first; who is `irisdrop` or `a person`, and why is left out."""
        rows = self._db.rows(
            "SELECT h.*, i.digest, i.reason, i.camera FROM history h JOIN images i ON i.id = h.image "
            "ORDER BY h.id DESC LIMIT ?",
            (limit,),
        )
        return [
            {
                "at": row["at"],
                "image": row["image"],
                "digest": (row["digest"] or "")[:8],
                "camera": row["camera"],
                "event": row["event"],
                "before": row["before"],
                "after": row["after"],
                "by": AGENT if row["who"] == AGENT else "a person",
                "reason": row["reason"] if row["after"] == "QUARANTINED" else None,
            }
            for row in reversed(rows)
        ]

    def attempt_seconds(self, limit: int = 2000) -> list[float]:
        """How long the newest attempts took, shortest first."""
        rows = self._db.rows(
            "SELECT began, ended FROM attempts WHERE ended IS NOT NULL ORDER BY id DESC LIMIT ?", (limit,)
        )
        return sorted((moment(row["ended"]) - moment(row["began"])).total_seconds() for row in rows)

    def delivery_seconds(self, limit: int = 2000) -> list[float]:
        """From arrival to receipt, of the newest delivered images, shortest first."""
        rows = self._db.rows(
            "SELECT arrived, changed FROM images WHERE state = 'DELIVERED' ORDER BY id DESC LIMIT ?", (limit,)
        )
        return sorted((moment(row["changed"]) - moment(row["arrived"])).total_seconds() for row in rows)

    def personal(self) -> Iterator[tuple[str, str]]:
        """(key, value) of everything personal that the journal knows; key `file` for names and folders of exports."""
        for row in self._db.rows("SELECT keys FROM entries"):
            for key, value in json.loads(row["keys"]).items():
                if key in PERSONAL:
                    yield key, value
        for row in self._db.rows("SELECT name, path, readings FROM images"):
            for key, value, raw, *_ in json.loads(row["readings"]):
                if key in PERSONAL:
                    yield key, value
                    yield key, raw
            for part in PurePosixPath(row["name"].replace("\\", "/")).parts:
                yield "file", part
            yield "file", unpacked(row["path"])
        for row in self._db.rows("SELECT DISTINCT who FROM history WHERE who <> ?", (AGENT,)):
            yield "who", row["who"]
