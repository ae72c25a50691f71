"""What disks, power cuts and well-meaning people do to a journal."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path


def harm(state: Path, rng: random.Random) -> str:
    """Damage the journal of a dead agent in a drawn way; returns what was done."""
    kinds = {
        "deleted": _deleted,
        "deleted with its companions": _all_deleted,
        "WAL deleted": _wal_deleted,
        "WAL cut": _wal_cut,
        "WAL flipped": _wal_flipped,
        "cut": _cut,
        "page spoilt": _page,
        "bytes flipped": _bytes,
        "header spoilt": _header,
        "emptied": _emptied,
        "order or eye changed": changed,
    }
    name = rng.choice(sorted(kinds))
    kinds[name](state / "journal.db", rng)
    return name


def _deleted(file: Path, _: random.Random) -> None:
    file.unlink(missing_ok=True)


def _all_deleted(file: Path, _: random.Random) -> None:
    for part in (file, _wal(file), file.with_name(file.name + "-shm")):
        part.unlink(missing_ok=True)


def _wal(file: Path) -> Path:
    return file.with_name(file.name + "-wal")


def _wal_deleted(file: Path, _: random.Random) -> None:
    _wal(file).unlink(missing_ok=True)


def _wal_cut(file: Path, rng: random.Random) -> None:
    _truncate(_wal(file), rng)


def _cut(file: Path, rng: random.Random) -> None:
    _truncate(file, rng)


def _truncate(file: Path, rng: random.Random) -> None:
    if file.exists() and file.stat().st_size > 1:
        with file.open("r+b") as opened:
            opened.truncate(rng.randrange(1, file.stat().st_size))


def _wal_flipped(file: Path, rng: random.Random) -> None:
    _spoil(_wal(file), rng, rng.randrange(1, 40), 1)


def _page(file: Path, rng: random.Random) -> None:
    _spoil(file, rng, rng.randrange(1, 4), 4096)


def _bytes(file: Path, rng: random.Random) -> None:
    _spoil(file, rng, rng.randrange(1, 30), 1)


def _header(file: Path, rng: random.Random) -> None:
    if file.exists():
        with file.open("r+b") as opened:
            opened.write(rng.randbytes(100))


def _emptied(file: Path, _: random.Random) -> None:
    if file.exists():
        file.write_bytes(b"")


def changed(file: Path, rng: random.Random) -> None:
    """A bit that flips and leaves what could be: no page, index or text tells of it."""
    if not file.exists():
        return
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(file)) as journal, journal:
        for number, entry, eye in journal.execute(
            "SELECT id, entry, eye FROM images WHERE state = 'MATCHED'"
        ).fetchall():
            if rng.random() < 0.5:
                journal.execute("UPDATE images SET eye = ? WHERE id = ?", ("L" if eye == "R" else "R", number))
            else:
                others = [row[0] for row in journal.execute("SELECT id FROM entries WHERE id <> ?", (entry,))]
                if others:
                    journal.execute("UPDATE images SET entry = ? WHERE id = ?", (rng.choice(others), number))


def _spoil(file: Path, rng: random.Random, count: int, size: int) -> None:
    """Overwrite `count` stretches of `size` bytes."""
    if not file.exists() or file.stat().st_size <= size:
        return
    length = file.stat().st_size
    with file.open("r+b") as opened:
        for _ in range(count):
            opened.seek(rng.randrange(length // size) * size)
            opened.write(rng.randbytes(size))
