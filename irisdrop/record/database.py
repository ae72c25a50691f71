"""One SQLite file, opened so that a commit is on the disk when it returns."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from irisdrop.record.lease import Lease
from irisdrop.record.schema import MIGRATIONS
from irisdrop.record.system import network_file_system, private_file, sync_folder
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.marks import mark

BACKUPS = 2  # of the journal before a migration


class Damaged(Exception):
    """The file is no sound SQLite database any more."""


class _DamageTold:
    """Tells when a statement finds that the file is unsound, and raises Damaged; a class, because it stands around
    every statement."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError) and _tells_damage(error):
            self._tell()
            raise Damaged(str(error)) from error


class Database:
    """One connection, shared by the threads of one process; every write is a short transaction under one lock.

    WAL with `synchronous=FULL`: measured 5,700 one-row commits a second here, so nothing is gained by less.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        _refuse_network(path.parent)
        self._prepare(path, clock)
        if not path.exists():
            _begin_file(path)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self._refuse_holes()
        except Damaged:
            self.close()
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            self.close()
            if not _tells_damage(error):
                raise
            raise Damaged(str(error)) from error

    @classmethod
    def to_read(cls, path: Path, clock: Clock) -> Database:
        """Open as it is and change nothing, neither the file nor its folder; a write fails."""
        opened = cls.__new__(cls)
        opened._prepare(path, clock)
        # A journal that somebody has open has its WAL beside it; the other one stands still.
        still = not path.with_name(path.name + "-wal").exists()
        uri = f"{path.absolute().as_uri()}?{'immutable=1' if still else 'mode=ro'}"
        opened._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        opened._connection.row_factory = sqlite3.Row
        return opened

    def _prepare(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._after: list[Callable[[], None]] = []
        self._clock = clock
        self.on_damage: Callable[[], None] = lambda: None  # called where a statement finds the file unsound

    def _damage_told(self) -> _DamageTold:
        return _DamageTold(self.on_damage)

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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are one commit; a transaction inside another joins it."""
        done: list[Callable[[], None]] = []
        with self._lock, self._damage_told(), _disk_full_told():
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    mark("commit.before")
                    self._connection.execute("COMMIT")
                    done, self._after = self._after, []
                    mark("commit.after")
            except BaseException:
                if self._depth == 1:
                    self._after = []
                # On a full disk SQLite may have rolled back by itself already.
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1
        for tell in done:
            tell()

    def afterwards(self, tell: Callable[[], None]) -> None:
        """Call `tell` once the transaction around is committed; never where it is rolled back."""
        with self._lock:
            self._after.append(tell)

    def execute(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement; a write must stand inside `transaction`."""
        with self._lock, self._damage_told():
            return self._connection.execute(sql, values)

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run one statement for many rows, inside `transaction`."""
        with self._lock, self._damage_told():
            self._connection.executemany(sql, rows)

    def rows(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._damage_told():
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock, self._damage_told():
            found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
            return found

    def give_back(self, pages: int) -> None:
        """Give so many free pages back to the disk; nothing for a file that was begun without `auto_vacuum`."""
        with self._lock:
            # Not `execute`: that steps such a statement once, which gives back one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({int(pages)})")

    def fold(self) -> None:
        """Write what is committed from the WAL into the file itself; what another connection reads stays behind."""
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL into the file."""
        if hasattr(self, "_connection"):
            with self._lock:
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


@contextmanager
def _disk_full_told() -> Iterator[None]:
    """A full disk is told as the system tells it, so that who writes can wait instead of failing."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, "the disk that holds the journal is full") from error
        raise


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
