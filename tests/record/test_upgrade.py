"""Every journal that was ever released opens in the newest version, after a copy of it was made."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from irisdrop.record import database as module
from irisdrop.record.audit import Kind
from irisdrop.record.journal import Journal
from irisdrop.record.lease import Lease
from irisdrop.record.schema import MIGRATIONS
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.states import Event, State

ROOT = Path(__file__).parents[2]
RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"))

# A migration that a clinic has applied must stay as it was applied there.
SCRIPTS = {"0001-first": "3f4fd40b27a801ad"}


@pytest.fixture(params=RELEASED, ids=[path.stem for path in RELEASED])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param.read_text("utf-8"))
    return path


def test_a_released_migration_is_never_edited() -> None:
    scripts = dict(MIGRATIONS)
    assert {name: hashlib.sha256(scripts[name].encode()).hexdigest()[:16] for name in SCRIPTS} == SCRIPTS
    assert [name for name, _ in MIGRATIONS[: len(RELEASED)]] == [path.stem for path in RELEASED]


def test_a_released_journal_opens_with_every_image_where_it_was(old: Path, clock: Any) -> None:
    journal = Journal.open(old, clock)
    journal.check()
    assert all(count == 1 for count in journal.counts().values())
    delivered = journal.in_state(State.DELIVERED)[0]
    assert (delivered.digest, delivered.entry, delivered.eye) == (f"{6:064x}", "E000815", "R")
    settled = journal.in_state(State.SETTLED)[0]
    assert journal.identify(settled, (), "p1", "read").state is State.IDENTIFIED
    journal.move(journal.in_state(State.QUARANTINED)[0], Event.DISCARD, "operator", "no picture")
    assert [record.kind for record in journal.audit.records()] == [Kind.ACCESS]
    journal.close()


def test_the_journal_is_copied_before_it_is_upgraded(old: Path, clock: Any) -> None:
    with closing(sqlite3.connect(old)) as connection:
        before = list(connection.iterdump())
    Journal.open(old, clock).close()
    (copy,) = old.parent.glob("journal.db.before-*")
    with closing(sqlite3.connect(copy)) as connection:
        assert list(connection.iterdump()) == before
    if os.name == "posix":
        assert copy.stat().st_mode & 0o077 == 0
    Journal.open(old, clock).close()
    assert len(list(old.parent.glob("journal.db.before-*"))) == 1, "nothing to upgrade, nothing to copy"


def test_without_room_for_the_copy_the_journal_stays_as_it_is(
    old: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(module, "sync_folder", lambda _: (_ for _ in ()).throw(OSError(28, "no room")))
        with pytest.raises(Foreseen) as refused:
            Journal.open(old, clock)
    assert refused.value.code == "NO_BACKUP"
    assert hashlib.sha256(old.read_bytes()[100:]).digest() == hashlib.sha256(before[100:]).digest()
    Journal.open(old, clock).close()


def test_only_the_newest_copies_are_kept(old: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [*MIGRATIONS]
    for number in range(4):
        monkeypatch.setattr(module, "MIGRATIONS", tuple(steps))
        Journal.open(old, clock).close()
        steps.append((f"99{number}-more", f"CREATE TABLE more{number} (a TEXT) STRICT;"))
    assert len(list(old.parent.glob("journal.db.before-*"))) == module.BACKUPS


def test_a_command_of_the_new_version_does_not_upgrade_under_an_agent_of_the_old_one(old: Path, clock: Any) -> None:
    holder = (
        "import sys; from pathlib import Path; from irisdrop.record.lease import Lease\n"
        "lease = Lease.take(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    agent = subprocess.Popen(
        [sys.executable, "-c", holder, str(old.parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert agent.stdout is not None
    assert agent.stdout.readline() == "held\n"
    with pytest.raises(Foreseen) as refused:
        Journal.open(old, clock)
    assert refused.value.code == "AGENT_OLDER"
    assert f"process {agent.pid}" in refused.value.message
    agent.communicate()
    lease = Lease.take(old.parent)
    Journal.open(old, clock).close()
    lease.release()
