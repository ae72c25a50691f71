"""What lies in the export folders beside the images and was read with them: archives, and companion files.

An image knows its own bytes. Of these it is noted here what bytes they had, so that nothing is ever cleared away that was
not read, nor while an image still needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from irisdrop.record.database import Database
from irisdrop.record.queue import contradicted_of
from irisdrop.record.text import packed, stamp, unpacked
from irisdrop.vocabulary.images import MEMBER
from irisdrop.vocabulary.states import State

# An image whose bytes the platform has, under its own name or as those of a twin, for as long as is asked for.
_DELIVERED = (
    f"i.changed < :before AND (i.state = '{State.DELIVERED}' OR (i.state = '{State.DUPLICATE}' AND EXISTS "
    f"(SELECT 1 FROM images t WHERE t.digest = i.digest AND t.state = '{State.DELIVERED}' AND t.changed < :before))) "
    f"AND NOT EXISTS (SELECT 1 FROM images t WHERE t.digest = i.digest AND {contradicted_of('t')})"
)
# The images of an archive: their paths begin with its own and the sign between.
_MEMBERS = (
    f"FROM images i WHERE i.state <> '{State.VANISHED}' "
    "AND i.path > CAST(s.path || :member AS BLOB) AND i.path < CAST(s.path || :beyond AS BLOB)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its absolute path, with the SHA-256 of the bytes that were read."""

    path: str
    digest: str


class Sources:
    """Every method is one transaction or joins the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note_archive(self, camera: str, archive: Source, at: datetime) -> None:
        """The images of an archive of these bytes are ours."""
        self._note(camera, archive, b"", at)

    def note_companions(self, camera: str, image: str, companions: Iterable[Source], at: datetime) -> None:
        """Companion files were spooled with the image at an absolute path."""
        for companion in companions:
            self._note(camera, companion, packed(image), at)

    def _note(self, camera: str, source: Source, image: bytes, at: datetime) -> None:
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO sources (path, image, camera, digest, at) VALUES (?, ?, ?, ?, ?)",
                (packed(source.path), image, camera, source.digest, stamp(at)),
            )

    def companion(self, path: str, image: str) -> str | None:
        """The digest of a companion file as it was last read with the images at a path; None where none was."""
        row = self._db.row("SELECT digest FROM sources WHERE path = ? AND image = ?", (packed(path), packed(image)))
        return None if row is None else row["digest"]

    def archives_done(self, camera: str, before: datetime, limit: int = 500, after: str = "") -> list[Source]:
        """Archives all of whose images were delivered before a time, by their path; `after` a path, to page on."""
        rows = self._db.rows(
            "SELECT s.path, s.digest FROM sources s WHERE s.camera = :camera AND s.image = x'' AND s.path > :after "
            f"AND EXISTS (SELECT 1 {_MEMBERS}) AND NOT EXISTS (SELECT 1 {_MEMBERS} AND NOT ({_DELIVERED})) "
            "ORDER BY s.path LIMIT :limit",
            {
                "camera": camera,
                "before": stamp(before),
                "member": MEMBER.encode(),
                "beyond": bytes([ord(MEMBER) + 1]),
                "limit": limit,
                "after": packed(after),
            },
        )
        return [Source(unpacked(row["path"]), row["digest"]) for row in rows]

    def companions_done(self, camera: str, before: datetime, limit: int = 500, after: str = "") -> list[Source]:
        """Companion files all of whose images have ended before a time and been cleared away, once for each of the bytes
        that were read, by their path; `after` a path, to page on."""
        rows = self._db.rows(
            "SELECT s.path, s.digest FROM sources s WHERE s.camera = :camera AND s.image <> x'' AND s.path > :after AND NOT EXISTS "
            "(SELECT 1 FROM sources o WHERE o.path = s.path AND o.image <> x'' AND (NOT EXISTS "
            "(SELECT 1 FROM images i WHERE i.path = o.image AND i.cleared = 1) OR EXISTS "
            "(SELECT 1 FROM images i WHERE i.path = o.image AND i.state <> :vanished AND (i.cleared = 0 OR i.changed >= :before)))) "
            "ORDER BY s.path LIMIT :limit",
            {
                "camera": camera,
                "vanished": State.VANISHED,
                "before": stamp(before),
                "limit": limit,
                "after": packed(after),
            },
        )
        return [Source(unpacked(row["path"]), row["digest"]) for row in rows]

    def forget(self, source: Source) -> None:
        """It is gone, or holds other bytes than were read."""
        with self._db.transaction():
            self._db.execute("DELETE FROM sources WHERE path = ? AND digest = ?", (packed(source.path), source.digest))

    def forget_before(self, limit: datetime, most: int) -> int:
        """What was read before a time and never cleared away, some of it; returns how many."""
        with self._db.transaction():
            return self._db.execute(
                "DELETE FROM sources WHERE (path, image) IN (SELECT path, image FROM sources WHERE at < ? LIMIT ?)",
                (stamp(limit), most),
            ).rowcount
