"""One SQLite file: durable, migrated by name, refused where it can't be kept safely, damage told as damage."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from irisdrop.record import database as module
from irisdrop.record.database import Damaged, Database
from irisdrop.record.schema import MIGRATIONS
from irisdrop.vocabulary.faults import Foreseen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def opened(path: Path, clock: Any) -> Any:
    database = Database(path, clock)
    yield database
    database.close()


def test_a_commit_is_on_the_disk_when_it_returns(opened: Database) -> None:
    assert opened.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert opened.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert opened.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_every_table_is_strict(opened: Database) -> None:
    loose = [
        row["name"] for row in opened.rows("PRAGMA table_list") if not row["strict"] and row["name"][:7] != "sqlite_"
    ]
    assert loose == []


def test_a_text_does_not_become_a_number(opened: Database) -> None:
    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('number', '000815')")
    assert opened.row("SELECT value FROM meta WHERE key = 'number'")["value"] == "000815"  # type: ignore[index]
    with pytest.raises(sqlite3.IntegrityError), opened.transaction():
        opened.execute("INSERT INTO receipts VALUES ('r', 'no number', 'd', 'e', 'R', 'at', NULL)")


def test_each_migration_is_noted_with_what_it_made(opened: Database) -> None:
    noted = [row["name"] for row in opened.rows("SELECT name FROM migrations ORDER BY name")]
    assert noted == sorted(name for name, _ in MIGRATIONS)


def test_a_migration_that_fails_half_way_leaves_nothing(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(path, clock).close()
    broken = ("9999-broken", "CREATE TABLE half (a TEXT) STRICT;\nCREATE TABLE half (a TEXT) STRICT;")
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError):
        Database(path, clock)
    monkeypatch.setattr(module, "MIGRATIONS", MIGRATIONS)
    reopened = Database(path, clock)
    assert reopened.rows("SELECT 1 FROM sqlite_schema WHERE name = 'half'") == []
    reopened.close()


def test_an_older_journal_gets_what_it_lacks(path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(path, clock).close()
    monkeypatch.setattr(
        module, "MIGRATIONS", (*MIGRATIONS, ("9999-more", "CREATE TABLE more (a TEXT NOT NULL) STRICT;"))
    )
    reopened = Database(path, clock)
    assert reopened.rows("SELECT * FROM more") == []
    reopened.close()


def test_a_journal_of_a_newer_version_is_refused_and_not_touched(path: Path, clock: Any) -> None:
    database = Database(path, clock)
    with database.transaction():
        database.execute("INSERT INTO migrations VALUES ('9999-of-tomorrow', 'then')")
    database.close()
    before = path.read_bytes()
    with pytest.raises(Foreseen) as refused:
        Database(path, clock)
    assert refused.value.code == "JOURNAL_NEWER"
    assert "9999-of-tomorrow" in refused.value.message
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_journal_on_a_network_drive_is_refused(
    path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    device = path.parent.stat().st_dev
    line = f"36 25 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime shared:1 - {kind} server:/share rw\n"
    real = Path.open

    def mounts(self: Path, *args: Any, **more: Any) -> Any:
        return io.StringIO(line) if str(self) == "/proc/self/mountinfo" else real(self, *args, **more)

    monkeypatch.setattr(Path, "open", mounts)
    with pytest.raises(Foreseen) as refused:
        Database(path, clock)
    assert refused.value.code == "JOURNAL_ON_NETWORK"
    assert kind in refused.value.message
    assert not path.exists()


def test_what_fails_inside_leaves_nothing(opened: Database) -> None:
    with pytest.raises(RuntimeError), opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('a', 'b')")
        raise RuntimeError
    assert opened.rows("SELECT * FROM meta") == []
    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('a', 'c')")
    assert [row["value"] for row in opened.rows("SELECT * FROM meta")] == ["c"]


def test_a_transaction_inside_another_is_one_commit(opened: Database) -> None:
    with pytest.raises(RuntimeError), opened.transaction():
        with opened.transaction():
            opened.execute("INSERT INTO meta VALUES ('a', 'b')")
        raise RuntimeError
    assert opened.rows("SELECT * FROM meta") == []


def test_no_other_thread_sees_half_a_transaction_or_waits_for_one(opened: Database) -> None:
    seen: list[int] = []

    def look() -> None:
        thread = threading.Thread(target=lambda: seen.append(len(opened.rows("SELECT * FROM meta"))))
        thread.start()
        thread.join(60)

    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('a', 'b')")
        look()
        opened.execute("INSERT INTO meta VALUES ('c', 'd')")
        assert len(opened.rows("SELECT * FROM meta")) == 2
    look()
    assert seen == [0, 2]


def test_who_only_asks_can_not_write(opened: Database) -> None:
    with pytest.raises(sqlite3.OperationalError):
        opened.rows("INSERT INTO meta VALUES ('a', 'b') RETURNING key")


def test_who_listens_is_told_of_every_commit_that_wrote_and_of_no_other(opened: Database) -> None:
    told: list[str] = []

    def tell() -> None:
        told.append("written")

    opened.listen(tell)
    opened.answer()
    with pytest.raises(RuntimeError), opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('a', 'b')")
        raise RuntimeError
    assert told == []
    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('a', 'b')")
    assert told == ["written"]
    opened.leave(tell)
    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('c', 'd')")
    assert told == ["written"]


def test_the_version_is_another_after_each_commit_of_our_own_and_of_others(opened: Database, clock: Any) -> None:
    other = Database(opened.path, clock)
    seen = [opened.version(), opened.version()]
    for database in (opened, other):
        with database.transaction():
            database.execute("INSERT INTO meta VALUES (?, 'b')", (str(len(seen)),))
        seen += [opened.version(), opened.version()]
    assert seen[0] == seen[1] != seen[2] == seen[3] != seen[4] == seen[5]
    other.close()


def test_after_a_commit_that_found_the_disk_full_the_next_one_succeeds(opened: Database) -> None:
    pages = opened.execute("PRAGMA page_count").fetchone()[0]
    opened.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall()
    with pytest.raises(OSError, match="full") as full, opened.transaction():
        for number in range(100):
            opened.execute("INSERT INTO meta VALUES (?, ?)", (str(number), "x" * 1000))
    assert full.value.errno == errno.ENOSPC
    opened.execute("PRAGMA max_page_count = 1000000").fetchall()
    opened.answer()
    assert opened.refused  # a commit without a write says nothing of the disk
    with opened.transaction():
        opened.execute("INSERT INTO meta VALUES ('after', 'it')")
    assert [row["key"] for row in opened.rows("SELECT key FROM meta")] == ["after"]
    assert not opened.refused


def test_an_error_without_a_code_stays_the_one_that_it_is(opened: Database) -> None:
    """Not each that Python raises has one."""
    with pytest.raises(sqlite3.OperationalError, match="for the test"), opened.transaction():
        raise sqlite3.OperationalError("for the test")
    assert not opened.refused


def test_a_file_that_is_no_database_is_damaged(path: Path, clock: Any) -> None:
    path.write_bytes(b"this was a journal once" * 500)
    with pytest.raises(Damaged):
        Database(path, clock)


def test_a_page_that_is_not_sound_is_found(path: Path, clock: Any) -> None:
    database = Database(path, clock)
    with database.transaction():
        for number in range(2000):
            database.execute("INSERT INTO meta VALUES (?, ?)", (f"key {number}", "x" * 50))
    database.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 200] = b"\xff" * 200
    path.write_bytes(content)
    reopened = Database(path, clock)
    with pytest.raises(Damaged):
        reopened.check()
    reopened.close()


def test_a_path_that_may_not_be_opened_is_not_called_damaged(tmp_path: Path, clock: Any) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(sqlite3.OperationalError):
        Database(tmp_path / "journal.db", clock)


def test_a_table_whose_name_lost_a_bit_is_damage(path: Path, clock: Any) -> None:
    Database(path, clock).close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"receipts", b"receipus"))
    with pytest.raises(Damaged):
        Database(path, clock)
    path.write_bytes(content.replace(b"migrations", b"migratioos"))
    with pytest.raises(Damaged):
        Database(path, clock)


def test_damage_that_a_statement_meets_is_told(tmp_path: Path, clock: Any) -> None:
    """A running agent ends by it, and its next start sets the journal aside."""
    path = tmp_path / "journal.db"
    database = Database(path, clock)
    with database.transaction():
        for number in range(2000):
            database.execute("INSERT INTO meta VALUES (?, ?)", (f"key {number}", "x" * 200))
    database.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    path.write_bytes(content)
    told = threading.Event()
    database = Database(path, clock)
    database.on_damage = told.set
    with pytest.raises(Damaged):
        database.rows("SELECT * FROM meta ORDER BY value")
    assert told.is_set()
    database.close()
