"""The journal is damaged, cut, emptied or gone: it is set aside and rebuilt, nothing is lost and nothing sent twice."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from irisdrop.record.journal import Journal
from irisdrop.recovery import CLEAN, JOURNAL, open_journal, recover
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import State

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stopped(records: Any) -> Any:
    """Records of forty images in every state that matters, closed as after a crash."""
    for number in range(40):
        image = records.matched(name=f"{number}_R.jpg", content=b"picture %d" % number)
        if number % 2:
            receipt = Receipt(f"r{number}", image.digest, "E1", "R", "then")
            records.attempts.confirm(image, receipt, "receipt")
    records.close()
    return records


def start(records: Any) -> int:
    """What a start does before its first image; returns how many images were recovered."""
    records.open(open_journal(records.state, records.clock))
    return recover(records.journal, records.spool, records.conditions)


def rebuilt(records: Any) -> bool:
    return any(row["code"] == "JOURNAL_REBUILT" for row in records.journal.database.rows("SELECT * FROM conditions"))


def digests(records: Any) -> set[str]:
    return {
        row["digest"] for row in records.journal.database.rows("SELECT digest FROM images WHERE digest IS NOT NULL")
    }


def nothing_lost(records: Any) -> None:
    """Every spooled image is known, and none of those that were rebuilt is sent before the platform was asked."""
    assert digests(records) == set(records.spool.digests())
    assert len(digests(records)) == 40
    for image in records.journal.in_state(State.SETTLED):
        assert image.ask_first


def test_a_sound_journal_is_opened_as_it_is(stopped: Any) -> None:
    assert start(stopped) == 0
    assert not rebuilt(stopped)
    assert stopped.journal.counts()[State.DELIVERED] == 20
    assert list(stopped.state.glob("*.damaged-*")) == []


@pytest.mark.parametrize("table", ["meta", "migrations", "images", "history", "conditions"])
def test_a_spoilt_page_is_damage_whichever_statement_meets_it_first(stopped: Any, table: str) -> None:
    """The page of `meta` was met before the check, and the agent failed at every start."""
    path = stopped.state / JOURNAL
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = opened.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = opened.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(table).randbytes(size))
    start(stopped)
    assert rebuilt(stopped)
    nothing_lost(stopped)


@pytest.mark.parametrize(
    "flipped",
    [
        "UPDATE images SET arrived = replace(arrived, 'T', 'U') WHERE id = 3",
        "UPDATE images SET changed = substr(changed, 1, 5) || '17' || substr(changed, 8) WHERE id = 3",
        "UPDATE images SET taken = '2025-02-31T09:30:00.000000Z' WHERE id = 3",
        "UPDATE images SET readings = replace(readings, '[', '{') WHERE id = 3",
        "UPDATE images SET reason = 'NO_KEYZ' WHERE id = 3",
        "UPDATE attempts SET began = 'x' || substr(began, 2)",
        "UPDATE meta SET value = 'y' || value WHERE key LIKE 'worklist.s%'",
        "UPDATE migrations SET name = '0001-fyrst' WHERE name = '0001-first'",
    ],
)
def test_a_value_that_lost_a_bit_is_damage_and_stops_no_start(stopped: Any, flipped: str) -> None:
    """A time that is none made every start fail, and a migration's name looked like a newer version's."""
    journal = Journal.open(stopped.state / JOURNAL, stopped.clock)
    with journal.transaction():
        journal.database.execute(
            "INSERT INTO attempts (image, entry, eye, began) VALUES (1, 'E1', 'R', '2025-01-14T09:30:00.000000Z')"
        )
        assert journal.database.execute(flipped).rowcount > 0
    journal.close()
    start(stopped)
    assert rebuilt(stopped)
    nothing_lost(stopped)


@pytest.mark.parametrize("clean", ["yes", "no"])
def test_a_journal_that_is_no_database_is_set_aside_and_rebuilt(stopped: Any, clean: str) -> None:
    journal = Journal.open(stopped.state / JOURNAL, stopped.clock)
    journal.set_meta(CLEAN, clean)
    journal.close()
    content = (stopped.state / JOURNAL).read_bytes()
    (stopped.state / JOURNAL).write_bytes(b"\0" * len(content))
    assert start(stopped) == 40
    nothing_lost(stopped)
    assert rebuilt(stopped)
    aside = list(stopped.state.glob("*.damaged-*"))
    assert [path.read_bytes() for path in aside] == [b"\0" * len(content)]


def test_a_deleted_journal_is_rebuilt_from_the_spool(stopped: Any) -> None:
    (stopped.state / JOURNAL).unlink()
    assert start(stopped) == 40
    nothing_lost(stopped)
    assert rebuilt(stopped)


def test_an_emptied_journal_is_rebuilt_from_the_spool(stopped: Any) -> None:
    (stopped.state / JOURNAL).write_bytes(b"")
    assert start(stopped) == 40
    nothing_lost(stopped)
    assert rebuilt(stopped)


def test_a_state_folder_that_was_never_used_needs_no_rebuilding(clock: Any, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    journal = open_journal(tmp_path / "fresh", clock)
    assert journal.meta("rebuilt") is None
    journal.close()


@pytest.mark.parametrize("left", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_journal_loses_nothing(stopped: Any, left: float) -> None:
    path = stopped.state / JOURNAL
    size = int(path.stat().st_size * left)
    with path.open("r+b") as file:
        file.truncate(size)
    start(stopped)
    nothing_lost(stopped)


def test_a_wal_that_outlived_its_journal_is_not_read_into_the_new_one(stopped: Any) -> None:
    """A crash left a WAL; then the journal was deleted by hand, and not its companions."""
    copy = stopped.state / "copy"
    copy.mkdir()
    journal = Journal.open(stopped.state / JOURNAL, stopped.clock)
    journal.set_meta("x", "y" * 5000)
    shutil.copy(stopped.state / f"{JOURNAL}-wal", copy)
    journal.close()
    (stopped.state / JOURNAL).unlink()
    shutil.copy(copy / f"{JOURNAL}-wal", stopped.state)
    assert start(stopped) == 40
    nothing_lost(stopped)
    assert len(list(stopped.state.glob("*-wal.damaged-*"))) == 1


def test_a_truncated_or_flipped_wal_goes_back_in_time_and_loses_nothing(records: Any, tmp_path: Path) -> None:
    for number in range(20):
        records.matched(name=f"{number}_R.jpg", content=b"picture %d" % number)
    whole = (records.state / f"{JOURNAL}-wal").read_bytes()
    base = (records.state / JOURNAL).read_bytes()
    rng = random.Random(5)
    for trial in range(12):
        state = tmp_path / f"trial{trial}"
        state.mkdir()
        wal = bytearray(whole[: rng.randrange(len(whole))] if trial % 2 else whole)
        if not trial % 2:
            wal[rng.randrange(len(wal))] ^= 1 << rng.randrange(8)
        (state / JOURNAL).write_bytes(base)
        (state / f"{JOURNAL}-wal").write_bytes(wal)
        journal = open_journal(state, records.clock)
        recover(journal, records.spool, records.conditions)
        known = {row["digest"] for row in journal.database.rows("SELECT digest FROM images WHERE digest IS NOT NULL")}
        assert known == set(records.spool.digests())
        journal.close()


def test_flipped_bits_lose_nothing_wherever_they_are(stopped: Any) -> None:
    """Where a flip stays unseen, every image is still there; where it is seen, the journal is rebuilt."""
    sound = (stopped.state / JOURNAL).read_bytes()
    rng = random.Random(7)
    seen = 0
    for _ in range(60):
        content = bytearray(sound)
        for _ in range(8):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        for left in stopped.state.glob(f"{JOURNAL}*"):
            left.unlink()
        (stopped.state / JOURNAL).write_bytes(content)
        try:
            start(stopped)
        except Foreseen as refused:  # the flip made another version's name of a migration
            assert refused.code == "JOURNAL_NEWER"
            continue
        images: list[ImageFile] = stopped.journal.in_state(*State)
        kept = {image.digest for image in images if image.digest}
        assert kept >= set(stopped.spool.digests())
        seen += rebuilt(stopped)
        stopped.close()
    assert seen > 20


def test_what_is_rebuilt_remembers_where_it_came_from(stopped: Any) -> None:
    before = {image.digest: image for image in _images(stopped)}
    (stopped.state / JOURNAL).unlink()
    start(stopped)
    for image in stopped.journal.in_state(State.SETTLED):
        old = before[image.digest]
        assert (image.camera, image.path, image.name, image.size, image.arrived, image.live) == (
            *(old.camera, old.path, old.name),
            *(old.size, old.arrived, old.live),
        )


def test_rebuilding_twice_recovers_nothing_twice(stopped: Any) -> None:
    (stopped.state / JOURNAL).unlink()
    assert start(stopped) == 40
    stopped.close()
    assert start(stopped) == 0
    assert rebuilt(stopped)


def test_a_crash_between_spool_and_commit_is_taken_up(records: Any) -> None:
    known = records.settled()
    copy = records.spool.receive()
    copy.write(b"spooled, and then the power went")
    origin = records.spool.origins(known.digest)[0]
    digest = records.spool.keep(copy, origin.__class__(**{**_fields(origin), "path": "/exports/other.jpg"}))
    assert recover(records.journal, records.spool, records.conditions) == 1
    image = records.journal.with_digest(digest)[0]
    assert (image.state, image.ask_first) == (State.SETTLED, True)
    assert not rebuilt(records)


@pytest.mark.parametrize(
    "mark", ["aside.rename.before", "rebuilt.rename.before", "rebuilt.rename.after", "commit.after"]
)
def test_a_crash_while_rebuilding_is_rebuilt_from(stopped: Any, mark: str) -> None:
    (stopped.state / JOURNAL).write_bytes(b"damaged" * 1000)
    script = (
        "import sys; from pathlib import Path; from irisdrop.recovery import open_journal;"
        "from irisdrop.vocabulary.clock import SystemClock; open_journal(Path(sys.argv[1]), SystemClock())"
    )
    for count in (1, 2, 3):
        died = subprocess.run(
            [sys.executable, "-c", script, str(stopped.state)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "IRISDROP_MARKS": f"{mark}:{count}"},
            check=False,
        )
        assert died.returncode in (0, -signal.SIGKILL)
    assert start(stopped) == 40
    nothing_lost(stopped)
    assert rebuilt(stopped)


def test_a_journal_of_a_newer_version_is_not_called_damaged(stopped: Any) -> None:
    journal = Journal.open(stopped.state / JOURNAL, stopped.clock)
    with journal.transaction():
        journal.database.execute("INSERT INTO migrations VALUES ('9999-of-tomorrow', 'then')")
    journal.close()
    before = hashlib.sha256((stopped.state / JOURNAL).read_bytes()).digest()
    with pytest.raises(Foreseen):
        open_journal(stopped.state, stopped.clock)
    assert hashlib.sha256((stopped.state / JOURNAL).read_bytes()).digest() == before


def _images(records: Any) -> list[ImageFile]:
    journal = Journal.open(records.state / JOURNAL, records.clock)
    found = journal.in_state(*State)
    journal.close()
    return found


def _fields(origin: Any) -> dict[str, Any]:
    return {name: getattr(origin, name) for name in ("camera", "path", "name", "arrived", "live")}
