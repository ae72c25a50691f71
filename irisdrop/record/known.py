"""What lies in the export folders, as it was last seen: the memory that a rescan compares with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from irisdrop.record.database import Database
from irisdrop.record.text import packed, unpacked

SIFT = 500  # names in one question: SQLite allows 32,766 values, and a short question holds the lock shortly


_NOTE: Final = (
    "INSERT INTO known SELECT id, ?, ?, ?, ?, ?, ? FROM folders WHERE camera = ? AND path = ? "
    "ON CONFLICT (folder, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, "
    "ctime_ns = excluded.ctime_ns, file_id = excluded.file_id, standing = excluded.standing"
)


class Standing(IntEnum):
    """How far a known path has been followed."""

    PENDING = 0  # seen, its bytes not read yet
    SETTLED = 1  # its bytes were read and belong to an ImageFile
    RACY = 2  # as SETTLED, but it was written within 2 s of being read: it is read once more (git's "racily clean")
    LEFT_ALONE = 3  # older than `existing` at the camera's first start: not taken
    REFUSED = 4  # no plain file, or too large: an ImageFile in quarantine without bytes
    ADOPTED = 5  # was LEFT_ALONE; a person wants it taken now


class Fingerprint(NamedTuple):
    """What `stat` says of a file: size in bytes, times in nanoseconds, the file system's own id.

    Every number is as SQLite keeps it (see `signed`), so that what was read equals what is seen.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    file_id: int


Remembered = tuple[int, int, int, int, int]  # the numbers of a fingerprint, and the standing


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One known path."""

    fingerprint: Fingerprint
    standing: Standing


class KnownFolder:
    """What is known of one folder, asked in pieces: a folder may hold hundreds of thousands of files."""

    def __init__(self, database: Database, number: int | None) -> None:
        self._db = database
        self._number = number

    def count(self) -> int:
        """How many paths are known."""
        if self._number is None:
            return 0
        row = self._db.row("SELECT count(*) AS n FROM known WHERE folder = ?", (self._number,))
        return 0 if row is None else int(row["n"])

    def sift(self, names: list[str]) -> dict[bytes, Remembered]:
        """Of up to SIFT base names, those that are known, by their packed name."""
        if self._number is None or not names:
            return {}
        marks = ",".join("?" * len(names))
        rows = self._db.rows(
            f"SELECT name, size, mtime_ns, ctime_ns, file_id, standing FROM known WHERE folder = ? AND name IN ({marks})",
            (self._number, *map(packed, names)),
        )
        # Plain tuples: a rescan makes one for each of hundreds of thousands of files, every half minute.
        return {row[0]: row[1:] for row in map(tuple, rows)}

    def names(self) -> list[tuple[str, int]]:
        """Every known base name with its standing."""
        rows = self._db.rows("SELECT name, standing FROM known WHERE folder = ?", (self._number,))
        return [(unpacked(name), standing) for name, standing in rows]


class Known:
    """The known paths of all cameras; every method is one transaction or joins the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, camera: str, folder: str) -> KnownFolder:
        """One folder, for a comparison in pieces."""
        row = self._db.row("SELECT id FROM folders WHERE camera = ? AND path = ?", (camera, packed(folder)))
        return KnownFolder(self._db, None if row is None else int(row["id"]))

    def any(self, camera: str) -> bool:
        """Whether anything at all is known of a camera."""
        row = self._db.row(
            "SELECT 1 FROM known k JOIN folders f ON f.id = k.folder WHERE f.camera = ? LIMIT 1", (camera,)
        )
        return row is not None

    def count(self, camera: str, standing: Standing) -> int:
        """How many paths of a camera stand so."""
        row = self._db.row(
            "SELECT count(*) AS n FROM known WHERE standing = ? AND folder IN (SELECT id FROM folders WHERE camera = ?)",
            (int(standing), camera),
        )
        return 0 if row is None else int(row["n"])

    def folder(self, camera: str, folder: str) -> dict[str, KnownFile]:
        """What is known of one folder (a path below the camera's, "" for itself), by base name."""
        rows = self._db.rows(
            "SELECT k.* FROM known k JOIN folders f ON f.id = k.folder WHERE f.camera = ? AND f.path = ?",
            (camera, packed(folder)),
        )
        return {unpacked(row["name"]): _known(row) for row in rows}

    def folders(self, camera: str) -> list[str]:
        """Every folder below the camera's in which something is known."""
        return [unpacked(row["path"]) for row in self._db.rows("SELECT path FROM folders WHERE camera = ?", (camera,))]

    def get(self, camera: str, folder: str, name: str) -> KnownFile | None:
        """One known path."""
        row = self._db.row(
            "SELECT k.* FROM known k JOIN folders f ON f.id = k.folder WHERE f.camera = ? AND f.path = ? AND k.name = ?",
            (camera, packed(folder), packed(name)),
        )
        return None if row is None else _known(row)

    def note(self, camera: str, folder: str, files: list[tuple[str, Fingerprint, Standing]]) -> None:
        """Remember paths of one folder, in place of what was known of them."""
        if not files:
            return
        place = (camera, packed(folder))
        rows = [
            (packed(name), seen.size, seen.mtime_ns, seen.ctime_ns, signed(seen.file_id), int(standing), *place)
            for name, seen, standing in files
        ]
        with self._db.transaction():
            if self._db.executemany(_NOTE, rows).rowcount < len(rows):  # the folder is not known yet
                self._db.execute("INSERT OR IGNORE INTO folders (camera, path) VALUES (?, ?)", place)
                self._db.executemany(_NOTE, rows)

    def forget(self, camera: str, folder: str, names: list[str]) -> None:
        """Paths that are gone; their images stay."""
        if not names:
            return
        with self._db.transaction():
            row = self._db.row("SELECT id FROM folders WHERE camera = ? AND path = ?", (camera, packed(folder)))
            if row is None:
                return
            number = int(row["id"])
            self._db.executemany(
                "DELETE FROM known WHERE folder = ? AND name = ?", [(number, packed(name)) for name in names]
            )
            # Cameras that make a folder for each patient would leave a row for each, for ever.
            self._db.execute(
                "DELETE FROM folders WHERE id = ? AND NOT EXISTS (SELECT 1 FROM known WHERE folder = id)", (number,)
            )

    def adopt(self, camera: str, since_ns: int) -> int:
        """Mark the files left alone at the first start whose mtime is not before `since_ns` to be taken by the next
        scan; returns how many."""
        with self._db.transaction():
            count = self._db.execute(
                "UPDATE known SET standing = ? WHERE standing = ? AND mtime_ns >= ? AND folder IN "
                "(SELECT id FROM folders WHERE camera = ?)",
                (int(Standing.ADOPTED), int(Standing.LEFT_ALONE), since_ns, camera),
            ).rowcount
            self._db.execute("UPDATE cameras SET left_alone = left_alone - ? WHERE name = ?", (count, camera))
        return count


def _known(row: sqlite3.Row) -> KnownFile:
    fingerprint = Fingerprint(row["size"], row["mtime_ns"], row["ctime_ns"], row["file_id"])
    return KnownFile(fingerprint, Standing(row["standing"]))


def signed(number: int) -> int:
    """A number as SQLite keeps it: ReFS ids use the whole unsigned range, times may lie beyond the year 2262."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >= 1 << 63 else number
