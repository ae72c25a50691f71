"""What the reference platform keeps: images as files by digest, orders and receipts in SQLite.

What it has acknowledged survives a power cut: a file and its name are on the disk before the receipt is committed,
and the receipt is committed before the answer leaves.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from irisdrop.record.hashed import Hashed
from irisdrop.record.system import lock, private, sync_folder
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.keys import IDENTITY_KEYS
from irisdrop.vocabulary.marks import mark
from irisdrop.vocabulary.orders import OF_AN_ORDER, Standing, given_on

Wire = dict[str, object]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS feed (id TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entry (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, source TEXT NOT NULL, standing TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS receipt (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, entry TEXT NOT NULL, eye TEXT NOT NULL,
    body TEXT NOT NULL, replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS receipt_current ON receipt (digest) WHERE replaced = 0;
"""


class UnknownCursor(Exception):
    """A cursor that this storage never gave: the caller must start again from a full list."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the sender says about an image: the order, the eye, and the keys it knows; `replaces` by a correction."""

    digest: str
    entry: str
    eye: str
    taken: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The image is here; `new` where the receipt was made by this claim."""

    receipt: Wire
    new: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """The claim can't be honoured: a code of the contract, and the receipt that stands in its way."""

    code: str
    message: str
    receipt: Wire | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a feed: its items, what was withdrawn from it, and the cursor behind them."""

    items: tuple[Wire, ...]
    withdrawn: tuple[Wire, ...]
    cursor: str


class Arriving(Hashed):
    """Bytes that are being received; nothing of them counts before `Storage.keep`."""


class Storage:
    """The folder of one reference platform; used by one process at a time, from any of its threads."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.images = folder / "images"
        self._incoming = folder / "incoming"
        for part in (folder, self.images, self._incoming):
            part.mkdir(parents=True, exist_ok=True)
        private(folder)
        self._held = (folder / "lock").open("ab")
        if not lock(self._held):
            self._held.close()
            raise Foreseen(
                "IN_USE", f"{folder} belongs to a reference platform that is running", "stop it, or use another --data."
            )
        for left in self._incoming.iterdir():
            left.unlink()
        self._clock = clock
        self._guard = threading.Lock()
        self._database = sqlite3.connect(folder / "platform.sqlite3", isolation_level=None, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
        self._feed = self._feed_id()
        sync_folder(folder)

    def close(self) -> None:
        """Let go of the folder."""
        with self._guard:
            self._database.close()
            self._held.close()

    # Images and receipts

    def arriving(self) -> Arriving:
        """A place for the bytes of one request."""
        return Arriving(self._incoming / secrets.token_hex(8))

    def keep(self, arriving: Arriving, claim: Claim) -> Kept | Denied:
        """Decide on a claim whose bytes are all there and have its digest; one receipt per digest, however often."""
        arriving.sync()
        mark("reference.bytes")
        with self._change() as database:
            current = self._current(claim.digest)
            answer = self._judge(database, claim, current)
            if not isinstance(answer, Kept) or not answer.new:
                return answer
            arriving.path.replace(self.images / claim.digest)
            sync_folder(self.images)
            mark("reference.name")
            self._insert(database, answer.receipt)
            return answer

    def receipt(self, digest: str) -> Wire | None:
        """The receipt that holds for a digest now."""
        with self._guard:
            return self._current(digest)

    def receipts(self, cursor: str | None) -> Page:
        """Every receipt since a cursor, corrections included. Raises UnknownCursor."""
        with self._guard:
            rows = self._database.execute(
                "SELECT seq, body FROM receipt WHERE seq > ? ORDER BY seq", (self._since(cursor, "receipt"),)
            )
            found = rows.fetchall()
            last = found[-1][0] if found else self._last("receipt")
        return Page(tuple(json.loads(body) for _, body in found), (), self._cursor(last))

    def _judge(self, database: sqlite3.Connection, claim: Claim, current: Wire | None) -> Kept | Denied:
        if current is not None and (current["entry"], current["ImageLaterality"]) == (claim.entry, claim.eye):
            return Kept(current, new=False)
        if current is not None and current["id"] != claim.replaces:
            return Denied("ASSIGNED_ELSEWHERE", "the image is on another order or eye", current)
        row = database.execute("SELECT standing, body FROM entry WHERE id = ?", (claim.entry,)).fetchone()
        if row is None:
            return Denied("ORDER_UNKNOWN", "no such order was ever on the worklist")
        if row[0] != Standing.OPEN:
            return Denied("ORDER_WITHDRAWN", f"the order is {row[0]}")
        order: Wire = json.loads(row[1])
        for key in IDENTITY_KEYS:
            if key in claim.keys and key in order and claim.keys[key] != order[key]:
                return Denied("CONTRADICTION", f"{key} of the image is not that of the order")
        return Kept(self._new_receipt(claim, order, current), new=True)

    def _new_receipt(self, claim: Claim, order: Wire, current: Wire | None) -> Wire:
        receipt: Wire = {
            "id": secrets.token_hex(16),
            "digest": claim.digest,
            "entry": claim.entry,
            "AccessionNumber": order.get("AccessionNumber"),
            "PatientID": order.get("PatientID"),
            "ImageLaterality": claim.eye,
            "AcquisitionDateTime": claim.taken,
            "at": self._clock.now().isoformat(),
        }
        return receipt if current is None else receipt | {"replaces": current["id"]}

    def _insert(self, database: sqlite3.Connection, receipt: Wire) -> None:
        database.execute("UPDATE receipt SET replaced = 1 WHERE digest = ? AND replaced = 0", (receipt["digest"],))
        values = (receipt["id"], receipt["digest"], receipt["entry"], receipt["ImageLaterality"], json.dumps(receipt))
        database.execute("INSERT INTO receipt (id, digest, entry, eye, body) VALUES (?, ?, ?, ?, ?)", values)

    def _current(self, digest: str) -> Wire | None:
        row = self._database.execute("SELECT body FROM receipt WHERE digest = ? AND replaced = 0", (digest,)).fetchone()
        return None if row is None else json.loads(row[0])

    # The worklist

    def worklist(self, cursor: str | None) -> Page:
        """Entries that were opened, changed or withdrawn since a cursor. Raises UnknownCursor."""
        with self._guard:
            rows = self._database.execute(
                "SELECT seq, id, standing, body FROM entry WHERE seq > ? ORDER BY seq", (self._since(cursor, "entry"),)
            ).fetchall()
            last = rows[-1][0] if rows else self._last("entry")
        entries = tuple(json.loads(body) for _, _, standing, body in rows if standing == Standing.OPEN)
        gone = tuple({"id": key, "why": standing} for _, key, standing, _ in rows if standing != Standing.OPEN)
        return Page(entries, gone, self._cursor(last))

    def put_entries(self, entries: Iterable[Wire], source: str) -> None:
        """Open entries, or change them; what is the same already makes no news."""
        with self._change() as database:
            self._put(database, entries, source)

    def withdraw(self, withdrawn: Mapping[str, Standing]) -> None:
        """Withdraw entries by id; an unknown id is passed over."""
        with self._change() as database:
            self._withdraw(database, withdrawn)

    def replace_entries(self, entries: Mapping[str, Wire], withdrawn: Mapping[str, Standing], source: str) -> None:
        """Make the entries of one source what they are now: those that are gone are completed.

        An order that stands there anew under another id, given to another patient, replaces the one that is gone.
        """
        with self._change() as database:
            known = {row[0] for row in database.execute("SELECT id FROM entry")}
            self._put(database, entries.values(), source)
            self._withdraw(database, withdrawn)
            fresh = {_study(wire): wire for key, wire in entries.items() if key not in known}
            rows = database.execute(
                "SELECT id, body FROM entry WHERE source = ? AND standing = 'open'", (source,)
            ).fetchall()
            gone = {key: json.loads(body) for key, body in rows if key not in entries}
            ends = {key: _end(wire, fresh.get(_study(wire))) for key, wire in gone.items()}
            self._withdraw(database, ends)

    def _put(self, database: sqlite3.Connection, entries: Iterable[Wire], source: str) -> None:
        for wire in entries:
            body = json.dumps(wire, sort_keys=True)
            database.execute(
                "INSERT INTO entry (id, seq, source, standing, body)"
                " VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM entry), ?, 'open', ?)"
                " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, source = excluded.source, standing = 'open',"
                " body = excluded.body WHERE standing <> 'open' OR body <> excluded.body",
                (wire["id"], source, body),
            )

    def _withdraw(self, database: sqlite3.Connection, withdrawn: Mapping[str, Standing]) -> None:
        for key, why in withdrawn.items():
            database.execute(
                "UPDATE entry SET standing = ?, seq = (SELECT max(seq) + 1 FROM entry) WHERE id = ? AND standing <> ?",
                (why, key, why),
            )

    # Cursors: the feed's own id and a position in it, so that a cursor of another storage is known as such

    def _feed_id(self) -> str:
        row = self._database.execute("SELECT id FROM feed").fetchone()
        if row is None:
            row = (secrets.token_hex(6),)
            self._database.execute("INSERT INTO feed (id) VALUES (?)", row)
        return str(row[0])

    def _cursor(self, seq: int) -> str:
        return f"{self._feed}-{seq:x}"

    def _since(self, cursor: str | None, table: str) -> int:
        if not cursor:
            return 0
        feed, _, position = cursor.partition("-")
        try:
            seq = int(position, 16)
        except ValueError:
            raise UnknownCursor from None
        if feed != self._feed or not 0 <= seq <= self._last(table):
            raise UnknownCursor
        return seq

    def _last(self, table: str) -> int:
        return int(self._database.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
                mark("reference.commit")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


def _study(wire: Wire) -> tuple[object, ...]:
    return (wire.get("site"), *(wire.get(key) for key in OF_AN_ORDER))


def _end(gone: Wire, anew: Wire | None) -> Standing:
    return Standing.REPLACED if anew is not None and given_on(gone, anew) else Standing.COMPLETED
