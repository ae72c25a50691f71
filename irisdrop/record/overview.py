"""What a page asks of the journal: the newest, today's, whose order has what. Reading only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from irisdrop.record.database import Database
from irisdrop.record.images import image as as_image
from irisdrop.record.orders import entry_of
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.names import folded
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

SEARCHED = ("PatientID", "AccessionNumber", "AdmissionID", "RequestedProcedureID", "ScheduledProcedureStepID")
SIFT = 500  # values in one question
ORDERS = 200  # orders whose images are held at once

# Refusals that other readings would have decided otherwise.
BY_READINGS = (
    Code.NO_KEYS,
    Code.CONFLICTING_KEYS,
    Code.NO_WORKLIST_ENTRY,
    Code.AMBIGUOUS,
    Code.PATIENT_MISMATCH,
    Code.EYE_UNKNOWN,
    Code.CLOCK_IMPLAUSIBLE,
)

_WITHOUT_READINGS = ", ".join(
    "'[]' AS readings" if field.name == "readings" else field.name for field in fields(ImageFile)
)


@dataclass(frozen=True, slots=True)
class OnOrder:
    """One image that an order holds."""

    id: int
    entry: str
    eye: str | None
    state: State


class Overview:
    """Questions across many images and orders, each answered from an index."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def last_arrival(self, camera: str) -> datetime | None:
        """When a camera's newest image arrived."""
        row = self._db.row("SELECT arrived FROM images WHERE camera = ? ORDER BY arrived DESC LIMIT 1", (camera,))
        return None if row is None else moment(row["arrived"])

    def arrived_since(self, begin: datetime, limit: int) -> list[ImageFile]:
        """The newest images that arrived since a time, the newest first."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE arrived >= ? AND state <> ? ORDER BY arrived DESC LIMIT ?",
            (stamp(begin), State.VANISHED, limit),
        )
        return [as_image(row) for row in rows]

    def newest_of(self, camera: str, begin: datetime, limit: int) -> list[ImageFile]:
        """The newest images of a camera that arrived since a time, the newest first."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE camera = ? AND arrived >= ? AND state <> ? ORDER BY arrived DESC LIMIT ?",
            (camera, stamp(begin), State.VANISHED, limit),
        )
        return [as_image(row) for row in rows]

    def exams(
        self, begin: datetime, end: datetime, states: Sequence[State], *, one_eye: bool
    ) -> Iterator[list[ImageFile]]:
        """All images in `states` of every open order whose last one arrived in [begin, end]; a few orders at a time, the
        images of one together, without their readings. `one_eye`: only orders that may lack an eye."""
        marks = ",".join("?" * len(states))
        sql = (
            f"SELECT i.entry FROM images i JOIN entries e ON e.id = i.entry AND e.standing = 'open' "
            f"WHERE i.arrived >= ? AND i.state IN ({marks}) GROUP BY i.entry HAVING max(i.arrived) <= ?"
        )
        if one_eye:
            sql += " AND min(i.eye) = max(i.eye)"
        entries = [row["entry"] for row in self._db.rows(sql, (stamp(begin), *states, stamp(end)))]
        for start in range(0, len(entries), ORDERS):
            part = entries[start : start + ORDERS]
            rows = self._db.rows(
                f"SELECT {_WITHOUT_READINGS} FROM images WHERE entry IN ({','.join('?' * len(part))}) "
                f"AND state IN ({marks}) ORDER BY entry, arrived, id",
                (*part, *states),
            )
            yield [as_image(row) for row in rows]

    def newest_in(self, state: State, limit: int) -> list[ImageFile]:
        """The images in a state, the newest exam first."""
        rows = self._db.rows("SELECT * FROM images WHERE state = ? ORDER BY recency DESC LIMIT ?", (state, limit))
        return [as_image(row) for row in rows]

    def before_match(self, camera: str, since: datetime, missing: str, beyond: int, limit: int) -> list[ImageFile]:
        """Images of a camera that never had an order, which what they say may still decide: those that wait to be read or
        for an order, and of those that arrived `since` the ones that were refused for what was read, or because of what was `missing` (how
        their detail begins). The oldest first; `beyond` an id, to page on."""
        marks = ",".join("?" * len(BY_READINGS))
        rows = self._db.rows(
            "SELECT * FROM images i WHERE camera = ? AND state IN ('SETTLED', 'IDENTIFIED', 'QUARANTINED') AND id > ? "
            "AND (state <> 'QUARANTINED' OR (arrived > ? "
            f"AND (reason IN ({marks}) OR (reason = 'UNREADABLE' AND substr(detail, 1, ?) = ?)) "
            "AND NOT EXISTS (SELECT 1 FROM history h WHERE h.image = i.id "
            "AND h.event IN ('match', 'rematch', 'assign', 'undo', 'recall')))) ORDER BY id LIMIT ?",
            (camera, beyond, stamp(since), *BY_READINGS, len(missing), missing, limit),
        )
        return [as_image(row) for row in rows]

    def by_hour(self, begin: datetime) -> dict[str, dict[State, int]]:
        """How many images arrived in each hour (`YYYY-MM-DDTHH`, UTC) since a time, and what became of them."""
        found: dict[str, dict[State, int]] = {}
        rows = self._db.rows(
            "SELECT substr(arrived, 1, 13) AS hour, state, count(*) AS n FROM images WHERE arrived >= ? "
            "AND state <> ? GROUP BY 1, 2",
            (stamp(begin), State.VANISHED),
        )
        for row in rows:
            found.setdefault(row["hour"], {})[State(row["state"])] = row["n"]
        return found

    def lags(self, camera: str, limit: int = 40) -> list[float]:
        """Seconds from capture to arrival of a camera's newest images that arrived while the agent watched."""
        rows = self._db.rows(
            "SELECT arrived, taken FROM images WHERE camera = ? AND live = 1 AND taken IS NOT NULL "
            "AND (readings LIKE '%\"AcquisitionTime\"%' OR readings LIKE '%\"AcquisitionDateTime\"%') ORDER BY arrived DESC LIMIT ?",
            (camera, limit),
        )
        return [(moment(row["arrived"]) - moment(row["taken"])).total_seconds() for row in rows]

    def on_orders(self, entries: Sequence[str]) -> dict[str, list[OnOrder]]:
        """What each of some orders holds."""
        found: dict[str, list[OnOrder]] = {}
        for start in range(0, len(entries), SIFT):
            part = entries[start : start + SIFT]
            marks = ",".join("?" * len(part))
            rows = self._db.rows(
                f"SELECT id, entry, eye, state FROM images WHERE entry IN ({marks}) ORDER BY id", tuple(part)
            )
            for row in rows:
                one = OnOrder(row["id"], row["entry"], row["eye"], State(row["state"]))
                found.setdefault(one.entry, []).append(one)
        return found

    def due_between(self, begin: datetime, end: datetime, limit: int = 1000) -> list[WorklistEntry]:
        """Orders, open and completed, that start in [begin, end), by start."""
        rows = self._db.rows(
            "SELECT * FROM entries WHERE standing = 'open' AND start >= ? AND start < ? UNION ALL "
            "SELECT * FROM entries WHERE standing = 'completed' AND start >= ? AND start < ? ORDER BY start, id LIMIT ?",
            (stamp(begin), stamp(end), stamp(begin), stamp(end), limit),
        )
        return [entry_of(row) for row in rows]

    def search(self, text: str, limit: int = 12) -> list[WorklistEntry]:
        """Orders that carry every word of `text` in a name, a number or a birth date; open ones first, then by start."""
        words = text.split()[:6]
        if not words:
            return []
        numbers: set[int] | None = None
        for word in words:
            hit = self._with_word(word)
            numbers = hit if numbers is None else numbers & hit
        found = []
        for number in list(numbers or ())[:SIFT]:
            row = self._db.row(
                "SELECT * FROM entries WHERE number = ? AND standing IN ('open', 'completed')", (number,)
            )
            if row is not None:
                found.append(row)
        found.sort(key=lambda row: (row["standing"] != "open", row["start"] or "", row["id"]))
        return [entry_of(row) for row in found[:limit]]

    def _with_word(self, word: str) -> set[int]:
        marks = ",".join("?" * len(SEARCHED))
        sql = f"SELECT number FROM entry_keys WHERE (key IN ({marks}) AND value LIKE ? ESCAPE '!')"
        values: list[str] = [*SEARCHED, f"%{_literal(word)}%"]
        name = folded(word)
        if name:
            sql += " OR (key = 'PatientName' AND value LIKE ? ESCAPE '!')"
            values.append(f"%{_literal(name)}%")
        for day in _days(word):
            sql += " OR (key = 'PatientBirthDate' AND value LIKE ? ESCAPE '!')"
            values.append(f"{day}%")
        return {row["number"] for row in self._db.rows(sql + " LIMIT 2000", tuple(values))}


class Changes:
    """Tells whether anybody wrote to the journal: one number, read through a connection that itself never writes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._db = Database.to_read(path, clock)

    def version(self) -> int:
        """Another number than before where anything was committed since."""
        return self._db.version()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _literal(text: str) -> str:
    """Text in which LIKE finds no wildcards."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _days(word: str) -> list[str]:
    """The beginnings of an ISO date that a word may mean, day first or month first."""
    parts = [part for part in word.replace(".", "-").replace("/", "-").split("-") if part]
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        return []
    if len(parts[0]) == 4:
        return ["-".join([parts[0], *(part.zfill(2) for part in parts[1:3])])]
    if len(parts) == 3 and len(parts[2]) == 4:
        day, month, year = parts[0].zfill(2), parts[1].zfill(2), parts[2]
        return list(dict.fromkeys((f"{year}-{month}-{day}", f"{year}-{day}-{month}")))
    return []
