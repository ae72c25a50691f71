"""The local mirror of the worklist: a look-up costs the same at a thousand and at a million entries."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from irisdrop.record.database import Database
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.names import folded
from irisdrop.vocabulary.orders import Standing, WorklistChanges, WorklistEntry, given_on

# Keys by which an entry can be looked up. PatientName stands folded; the others exactly.
LOOKUP_KEYS = (
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "ScheduledProcedureStepID",
    "RequestedProcedureID",
    "AdmissionID",
    "PatientBirthDate",
    "PatientName",
)
ANEW = "worklist.anew"  # meta key: another source stands here and has not answered yet
FORMERLY = "formerly PatientID"  # in entry_keys: the number that an entry's patient had before a merge


class Orders:
    """Entries as the source told them, open and withdrawn."""

    def __init__(self, database: Database, clock: Clock, stale: float = 900.0) -> None:
        self._db = database
        self._clock = clock
        self._noted_for = stale / 3  # seconds that one note of a sync does for: an idle night writes nothing else
        if self._recall("worklist.stale") != str(stale):
            with database.transaction():
                self._remember("worklist.stale", str(stale))

    def apply(self, changes: WorklistChanges) -> list[str]:
        """Take over one answer of the source in one commit; returns the ids whose entry is new or differs.

        Absence from a full list means completed; so does absence from the first answer of another source, which has
        all that it knows. What is there anew under another patient was replaced, see `_given_on`.
        """
        full = changes.full or self._recall(ANEW) is not None
        if not changes.entries and not changes.withdrawn and not full and changes.cursor == self.cursor():
            self.confirm_current()
            return []
        changed: list[str] = []
        with self._db.transaction():
            sync, newest = self._next_sync(), self._newest()
            for entry in changes.entries:
                if self._put(entry, sync):
                    changed.append(entry.id)
            for withdrawal in changes.withdrawn:
                changed += self._withdraw([withdrawal.id], withdrawal.why, sync)
            if full:
                gone = self._db.rows("SELECT * FROM entries WHERE standing = 'open' AND sync < ?", (sync,))
                for row in gone:
                    why = Standing.REPLACED if self._given_on(row, newest) else Standing.COMPLETED
                    changed += self._withdraw([row["id"]], why, sync)
            self._remember("worklist.cursor", changes.cursor or "")
            self._db.execute("DELETE FROM meta WHERE key = ?", (ANEW,))
            self._note_sync()
        return changed

    def withdraw(self, identifier: str, why: Standing) -> None:
        """What the platform said about one order before the source did."""
        with self._db.transaction():
            self._withdraw([identifier], why, self._next_sync())

    def last_change(self) -> int:
        """The number of the last answer that changed anything: whoever decided by an earlier one decides again."""
        row = self._db.row("SELECT coalesce(max(change), 0) AS n FROM entries")
        assert row is not None
        return int(row["n"])

    def find(self, pairs: Iterable[tuple[str, str]]) -> list[WorklistEntry]:
        """Every entry, open or not, that carries any of the (key, value) pairs."""
        numbers: dict[int, None] = {}
        for key, value in pairs:
            value = _lookup(key, value)
            for row in self._db.rows("SELECT number FROM entry_keys WHERE key = ? AND value = ?", (key, value)):
                numbers[row["number"]] = None
        found = []
        for number in numbers:
            entry = self._db.row("SELECT * FROM entries WHERE number = ?", (number,))
            if entry is not None:
                found.append(entry_of(entry))
        return sorted(found, key=lambda entry: entry.id)

    def renumbered(self, numbers: Iterable[str]) -> list[WorklistEntry]:
        """Every entry whose patient had one of these PatientIDs before a merge: for suggestions, never for a match."""
        return self.find((FORMERLY, number) for number in numbers)

    def get(self, identifier: str) -> WorklistEntry | None:
        """One entry by its id."""
        row = self._db.row("SELECT * FROM entries WHERE id = ?", (identifier,))
        return None if row is None else entry_of(row)

    def between(self, begin: datetime, end: datetime, limit: int = 1000) -> list[WorklistEntry]:
        """Open entries that start in [begin, end), by start."""
        rows = self._db.rows(
            "SELECT * FROM entries WHERE standing = 'open' AND start >= ? AND start < ? ORDER BY start LIMIT ?",
            (stamp(begin), stamp(end), limit),
        )
        return [entry_of(row) for row in rows]

    def open_entries(self, limit: int = 1000) -> list[WorklistEntry]:
        """Open entries, by start; those without one first."""
        rows = self._db.rows("SELECT * FROM entries WHERE standing = 'open' ORDER BY start LIMIT ?", (limit,))
        return [entry_of(row) for row in rows]

    def count(self) -> int:
        """How many entries are open."""
        row = self._db.row("SELECT count(*) AS n FROM entries WHERE standing = 'open'")
        assert row is not None
        return int(row["n"])

    def cursor(self) -> str | None:
        """Where the source is asked to go on from."""
        return self._recall("worklist.cursor") or None

    def synced(self) -> datetime | None:
        """When the source last answered whole."""
        text = self._recall("worklist.synced")
        return moment(text) if text else None

    def confirm_current(self) -> None:
        """The source says that nothing changed; noted now and then, so that the mirror may count as stale too early, and
        never too late."""
        synced = self.synced()
        if synced is None or not 0 <= (self._clock.now() - synced).total_seconds() < self._noted_for:
            with self._db.transaction():
                self._note_sync()

    def fresh_seconds(self) -> float:
        """How long, in all, the mirror has been fresh enough to match on: the clock by which patience is counted.

        It stands still while the mirror is stale, was never synced, or the agent was off.
        """
        return fresh_seconds(self._db, self._clock.now())

    def source(self) -> str | None:
        """What stands for the source that the orders are of; None before the first start."""
        return self._recall("worklist.source")

    def standing_since(self, source: str) -> None:
        """Another source than before: its cursor and its orders mean nothing here, so nothing is matched or sent until
        its first answer, which is taken for a full list."""
        before = self.source()
        if before == source:
            return
        with self._db.transaction():
            self._remember("worklist.source", source)
            self._remember("worklist.cursor", "")
            if before is not None:
                self._remember("worklist.fresh", str(self.fresh_seconds()))
                self._remember(ANEW, "yes")
                self._db.execute("DELETE FROM meta WHERE key = 'worklist.synced'")

    def _put(self, entry: WorklistEntry, sync: int) -> bool:
        keys = json.dumps(dict(sorted(entry.keys.items())))
        start = None if entry.start is None else stamp(entry.start)
        row = self._db.row("SELECT * FROM entries WHERE id = ?", (entry.id,))
        new = (keys, start, entry.site, entry.single_eye, entry.standing.value)
        if row is not None:
            if (row["keys"], row["start"], row["site"], row["single_eye"], row["standing"]) == new:
                self._db.execute("UPDATE entries SET sync = ? WHERE number = ?", (sync, row["number"]))
                return False
            number = row["number"]
            self._db.execute(
                "UPDATE entries SET keys=?, start=?, site=?, single_eye=?, standing=?, sync=?, change=? WHERE number = ?",
                (*new, sync, sync, number),
            )
            self._db.execute("DELETE FROM entry_keys WHERE number = ? AND key <> ?", (number, FORMERLY))
            self._remember_number(number, json.loads(row["keys"]).get("PatientID"), entry.keys.get("PatientID"))
        else:
            number = self._db.execute(
                "INSERT INTO entries (id, keys, start, site, single_eye, standing, sync, change) VALUES (?,?,?,?,?,?,?,?)",
                (entry.id, *new, sync, sync),
            ).lastrowid
        self._db.executemany(
            "INSERT OR IGNORE INTO entry_keys VALUES (?, ?, ?)",
            [(key, _lookup(key, entry.keys[key]), number) for key in LOOKUP_KEYS if entry.keys.get(key)],
        )
        return True

    def _newest(self) -> int:
        row = self._db.row("SELECT coalesce(max(number), 0) AS n FROM entries")
        assert row is not None
        return int(row["n"])

    def _given_on(self, gone: sqlite3.Row, newest: int) -> bool:
        """Whether an entry that a full list lacks is told in the same answer for another patient, as after a merge."""
        before = json.loads(gone["keys"])
        rows = self._db.rows(
            "SELECT e.number, e.keys, e.site FROM entry_keys k JOIN entries e ON e.number = k.number "
            "WHERE k.key = 'StudyInstanceUID' AND k.value = ? AND e.number > ? AND e.standing = 'open'",
            (_lookup("StudyInstanceUID", before.get("StudyInstanceUID", "")), newest),
        )
        for row in rows:
            now = json.loads(row["keys"])
            if row["site"] == gone["site"] and given_on(before, now):
                self._remember_number(row["number"], before.get("PatientID"), now.get("PatientID"))
                return True
        return False

    def _remember_number(self, number: int, before: str | None, now: str | None) -> None:
        if before and before != now:
            self._db.execute("INSERT OR IGNORE INTO entry_keys VALUES (?, ?, ?)", (FORMERLY, before, number))

    def _withdraw(self, identifiers: list[str], why: Standing, sync: int) -> list[str]:
        changed = []
        for identifier in identifiers:
            cursor = self._db.execute(
                "UPDATE entries SET standing = ?, change = ? WHERE id = ? AND standing <> ?",
                (why, sync, identifier, why),
            )
            if cursor.rowcount:
                changed.append(identifier)
        return changed

    def _note_sync(self) -> None:
        now = self._clock.now()
        self._remember("worklist.fresh", str(fresh_seconds(self._db, now)))
        self._remember("worklist.synced", stamp(now))

    def _next_sync(self) -> int:
        sync = int(self._recall("worklist.sync") or "0") + 1
        self._remember("worklist.sync", str(sync))
        return sync

    def _remember(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _recall(self, key: str) -> str | None:
        row = self._db.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row["value"])


def fresh_seconds(database: Database, now: datetime) -> float:
    """See `Orders.fresh_seconds`."""
    rows = database.rows(
        "SELECT key, value FROM meta WHERE key IN ('worklist.fresh', 'worklist.synced', 'worklist.stale')"
    )
    facts = {row["key"]: row["value"] for row in rows}
    before = float(facts.get("worklist.fresh", 0.0))
    if "worklist.synced" not in facts:
        return before
    # A wall clock that was set back adds nothing; one that was set forward adds at most `stale`.
    since = (now - moment(facts["worklist.synced"])).total_seconds()
    return before + min(max(since, 0.0), float(facts.get("worklist.stale", 900.0)))


def _lookup(key: str, value: str) -> str:
    text = folded(value) if key == "PatientName" else value
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate can't be asked for otherwise


def entry_of(row: sqlite3.Row) -> WorklistEntry:
    """The entry of a row of `entries`."""
    return WorklistEntry(
        id=row["id"],
        keys=json.loads(row["keys"]),
        start=moment(row["start"]) if row["start"] else None,
        site=row["site"],
        single_eye=row["single_eye"],
        standing=Standing(row["standing"]),
    )
