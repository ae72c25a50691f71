"""One SQLite file, opened so that a commit is on the disk when it returns."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Final, TypeVar

from irisdrop.record import refusals
from irisdrop.record.commits import Commits
from irisdrop.record.lease import Lease
from irisdrop.record.schema import MIGRATIONS
from irisdrop.record.system import network_file_system, private_file, sync_folder
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import Foreseen, place
from irisdrop.vocabulary.marks import mark

log = logging.getLogger(__name__)
T = TypeVar("T")

BACKUPS: Final = 2  # of the journal before a migration
# Pages of the WAL before it is folded into the file: each fold flushes twice and writes again what changed meanwhile.
FOLD_AFTER: Final = 4000
_SQLITE: Final = (sqlite3.DatabaseError, UnicodeDecodeError)
_REFUSED: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Damaged(Exception):
    """The file is no sound SQLite database any more."""


class _Transaction:
    """All writes inside are one commit; a class and no generator, because it stands around every change."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[BaseException | None], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._end(error)


class Database:
    """One connection that writes and one that asks, shared by the threads of one process; every write is a short
    transaction under one lock, and nobody who only asks waits while it is flushed.

    WAL with `synchronous=FULL`: measured 5,700 one-row commits a second here, so nothing is gained by less.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        _refuse_network(path.parent)
        self._prepare(path, clock)
        if not path.exists():
            _begin_file(path)
        try:
            self._connection = self._asked = _connected(path)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {FOLD_AFTER}")
            self._migrate()
            self._refuse_holes()
            self._asked = _connected(path)
            self._asked.execute("PRAGMA query_only = ON")
        except Damaged:
            self.close()
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            self.close()
            if not _tells_damage(error):
                raise refusals.full(error, path.parent) or error from error
            raise Damaged(str(error)) from error

    @classmethod
    def to_read(cls, path: Path, clock: Clock) -> Database:
        """Open as it is and change nothing, neither the file nor its folder; a write fails."""
        opened = cls.__new__(cls)
        opened._prepare(path, clock)
        # A journal that somebody has open has its WAL beside it; the other one stands still.
        still = not path.with_name(path.name + "-wal").exists()
        uri = f"{path.absolute().as_uri()}?{'immutable=1' if still else 'mode=ro'}"
        opened._connection = opened._asked = _connected(uri, uri=True)
        return opened

    def _prepare(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._asking = threading.Lock()
        self._depth = 0
        self._holder = 0  # the thread whose transaction is open
        self._changes = 0  # rows that were written before it began
        self.refused = False  # whether the disk refused the last commit that had something to write
        self._after: list[Callable[[], object]] = []
        self._listeners: tuple[Callable[[], object], ...] = ()
        self._gathered: dict[Callable[[list[Any]], None], list[Any]] = {}
        self._transaction = _Transaction(self._begin, self._end)
        self._commits = Commits(self.transaction)
        self._clock = clock
        self.on_damage: Callable[[], None] = lambda: None  # called where a statement finds the file unsound

    def check(self) -> None:
        """Read the whole file and raise Damaged where a page, row, index or text is not sound."""
        try:
            with self._lock:
                # Not the quick one: a digest or an order that lost a bit differs from its index, and in nothing else.
                found = [row[0] for row in self._connection.execute("PRAGMA integrity_check(1)")]
                for table in ("images", "meta", "entries") if found == ["ok"] else ():
                    every = self._connection.execute(f"SELECT * FROM {table}")
                    while every.fetchmany(1000):
                        pass
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _tells_damage(error):
                raise
            raise Damaged(str(error)) from error
        if found != ["ok"]:
            raise Damaged(str(found[0]))

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are one commit; a transaction inside another joins it."""
        return self._transaction

    def within(self) -> bool:
        """Whether this thread has a transaction open."""
        return self._holder == threading.get_ident()

    def share(self, write: Callable[[], T]) -> T:
        """What `write` returns, once it is on the disk, in a commit that it may share with what other threads write now.

        `write` is called again where the shared commit fails, so it does nothing but ask and write here; raises what it
        raises. Inside a transaction it joins that one.
        """
        return write() if self.within() else self._commits.share(write)

    def hand_over(self, write: Callable[[], object], told: Callable[[BaseException | None], None]) -> None:
        """As `share`, but without waiting: `told` is called with what went wrong, or None, once it is on the disk."""
        assert not self.within(), "a commit that is still open would be told as done"
        self._commits.hand_over(write, told)

    def answer(self) -> None:
        """Return when who writes now would have had his turn: not to ask, which waits for nobody, tells that none hangs.

        What it is answered tells nothing here: who has something to write is told.
        """
        with contextlib.suppress(sqlite3.Error, OSError, Damaged):
            self.share(lambda: None)

    def _begin(self) -> None:
        self._lock.acquire()
        try:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
                self._holder = threading.get_ident()
                self._changes = self._connection.total_changes
            self._depth += 1
        except BaseException as error:
            self._lock.release()
            self._tell(error)
            raise

    def _end(self, error: BaseException | None) -> None:
        done: list[Callable[[], object]] = []
        try:
            if self._depth == 1:
                done = self._commit() if error is None else self._roll_back()
            if error is not None:
                self._tell(error)
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._holder = 0
            self._lock.release()
        for tell in done:
            try:
                tell()
            except Exception as failure:  # noqa: BLE001 - the commit is on the disk: nobody may take it for failed
                log.error("telling of a commit failed: %s", place(failure))

    def _commit(self) -> list[Callable[[], object]]:
        try:
            for write, rows in self._gathered.items():
                write(rows)
            self._gathered.clear()
            mark("commit.before")
            self._connection.execute("COMMIT")
            mark("commit.after")
            written = self._connection.total_changes != self._changes
            self.refused &= not written
        except BaseException as error:
            self._roll_back()
            self._tell(error)
            raise
        done, self._after = self._after, []
        return [*done, *self._listeners] if written else done

    def _roll_back(self) -> list[Callable[[], object]]:
        self._after = []
        self._gathered.clear()
        # On a full disk SQLite may have rolled back by itself already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        return []

    def _tell(self, error: BaseException) -> None:
        """Raise in the words of this module what says that the file is unsound or its disk full; nothing else."""
        if isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError) and _tells_damage(error):
            self.on_damage()
            raise Damaged(str(error)) from error
        # Not every error has a code: Python raises some itself.
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED:
            self.refused = True
        if (refused := refusals.full(error, self.path.parent)) is not None:
            raise refused from error

    def afterwards(self, tell: Callable[[], object]) -> None:
        """Call `tell` once the transaction around is committed; never where it is rolled back."""
        with self._lock:
            self._after.append(tell)

    def listen(self, tell: Callable[[], object]) -> None:
        """Call `tell` after every commit of this connection that wrote; it must not wait for anything."""
        with self._lock:
            self._listeners = (*self._listeners, tell)

    def leave(self, tell: Callable[[], object]) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != tell)

    def gather(self, write: Callable[[list[Any]], None], row: Any) -> None:
        """Keep a row for `write`, which gets all of its rows just before the commit; for what nobody asks meanwhile."""
        with self._lock:
            self._gathered.setdefault(write, []).append(row)

    def execute(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement on the connection that writes; a write must stand inside `transaction`."""
        with self._lock:
            try:
                return self._connection.execute(sql, values)
            except _SQLITE as error:
                self._tell(error)
                raise

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> sqlite3.Cursor:
        """Run one statement for many rows, inside `transaction`."""
        with self._lock:
            try:
                return self._connection.executemany(sql, rows)
            except _SQLITE as error:
                self._tell(error)
                raise

    def rows(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query; inside a transaction what it sees, else what is committed."""
        lock, connection = self._to_ask()
        with lock:
            try:
                return connection.execute(sql, values).fetchall()
            except _SQLITE as error:
                self._tell(error)
                raise

    def row(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        lock, connection = self._to_ask()
        with lock:
            try:
                found: sqlite3.Row | None = connection.execute(sql, values).fetchone()
                return found
            except _SQLITE as error:
                self._tell(error)
                raise

    def version(self) -> int:
        """Another number than before where anything was committed, by whomever: one short question instead of many. Ask
        outside a transaction, and before what is not to be asked again."""
        row = self.row("PRAGMA data_version")
        assert row is not None
        return int(row[0])

    def _to_ask(self) -> tuple[AbstractContextManager[Any], sqlite3.Connection]:
        """Who writes asks where he writes; all others have a connection that never waits for a commit."""
        if self.within():
            return self._lock, self._connection
        return self._asking, self._asked

    def give_back(self, pages: int) -> None:
        """Give so many free pages back to the disk; nothing for a file that was begun without `auto_vacuum`."""
        with self._lock:
            # Not `execute`: that steps such a statement once, which gives back one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({int(pages)})")

    def fold(self) -> None:
        """Write what is committed from the WAL into the file itself; what another connection reads stays behind."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL into the file."""
        if hasattr(self, "_connection"):
            with self._lock, self._asking:
                self._asked.close()
                self._connection.close()

    def _migrate(self) -> None:
        applied = self._applied()
        unknown = applied - {name for name, _ in MIGRATIONS}
        if unknown:
            self.close()
            if any(name not in applied for name, _ in MIGRATIONS):
                # A newer journal has all of ours and more: this is one of ours whose name lost a bit.
                raise Damaged("a migration that nobody wrote")
            raise Foreseen(
                "JOURNAL_NEWER",
                f"The journal {self.path} was written by a newer irisdrop (it has {min(unknown)}).",
                "install the newer irisdrop again; an older one must not touch this journal.",
            )
        missing = [(name, script) for name, script in MIGRATIONS if name not in applied]
        if applied and missing:
            _refuse_while_old(self.path)
            self._back_up(missing[0][0])
        for name, script in missing:
            self._apply(name, script)

    def _tables(self) -> set[str]:
        return {row["name"] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}

    def _refuse_holes(self) -> None:
        """A flipped bit in a table's name leaves a file that is sound and lacks the table."""
        wanted = {name for _, script in MIGRATIONS for name in re.findall(r"CREATE TABLE (\w+)", script)}
        if missing := wanted - self._tables():
            self.close()
            raise Damaged(f"no table {min(missing)}")

    def _back_up(self, migration: str) -> None:
        """A copy of the journal as it is, before a migration touches it; the newest `BACKUPS` are kept."""
        target = self.path.with_name(f"{self.path.name}.before-{migration}")
        draft = target.with_name(f"{target.name}.{os.getpid()}.new")
        try:
            with closing(sqlite3.connect(draft)) as copy:
                self._connection.backup(copy)
            private_file(draft)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            draft.replace(target)
            sync_folder(self.path.parent)
        except (sqlite3.OperationalError, OSError) as error:
            draft.unlink(missing_ok=True)
            raise Foreseen(
                "NO_BACKUP",
                f"The journal can't be copied before it is upgraded ({type(error).__name__}); it was left as it is.",
                "make room on the disk of the state folder, then start irisdrop again.",
            ) from error
        backups = sorted(self.path.parent.glob(f"{self.path.name}.before-*"), key=lambda path: path.stat().st_mtime_ns)
        for old in backups[:-BACKUPS]:
            old.unlink(missing_ok=True)

    def _applied(self) -> set[str]:
        tables = self._tables()
        if "migrations" not in tables:
            if tables - {"sqlite_sequence"}:
                self.close()
                raise Damaged("no table migrations")
            return set()
        return {row["name"] for row in self.rows("SELECT name FROM migrations")}

    def _apply(self, name: str, script: str) -> None:
        with self.transaction():
            if name in self._applied():
                return  # another process was quicker
            self.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT")
            for statement in _statements(script):
                self.execute(statement)
            self.execute("INSERT INTO migrations VALUES (?, ?)", (name, stamp(self._clock.now())))


def _tells_damage(error: Exception) -> bool:
    """Only these say that the file is to blame: a locked, full or forbidden one must never be set aside."""
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8"):
        return True  # a name or value that lost a bit is no text any more
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _connected(place: Path | str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(place, uri=uri, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    return connection


def _begin_file(path: Path) -> None:
    """An empty database that gives pages back, moved into place whole: a power cut leaves it or nothing."""
    draft = path.with_name(path.name + ".empty")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        private_file(draft)  # SQLite gives the files that it keeps beside it the same rights
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only a new file can take it
        connection.execute("VACUUM")  # writes it
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _refuse_while_old(path: Path) -> None:
    """A command of the new version must not change the tables under an agent of the old one."""
    holder = Lease.holder(path.parent)
    if holder is not None and not holder.startswith(f"process {os.getpid()} "):
        raise Foreseen(
            "AGENT_OLDER",
            f"irisdrop was upgraded, and an agent of the older version still runs: {holder}.",
            "restart it (`irisdrop service stop`, `irisdrop service start`); it upgrades the journal.",
        )


def _statements(script: str) -> Iterator[str]:
    """Single statements: `executescript` would commit on its own, outside our transaction."""
    text = ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _refuse_network(folder: Path) -> None:
    kind = network_file_system(folder)
    if kind is not None:
        raise Foreseen(
            "JOURNAL_ON_NETWORK",
            f"The state folder {folder} is on a network drive ({kind}), where a journal can't be kept safely.",
            "set `state:` in the configuration to a folder on a local disk.",
        )
