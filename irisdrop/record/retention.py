"""What the journal forgets after `journal: keep`, in small steps, and what it never forgets.

It keeps every image with its bytes' digest, path, readings and end, its receipts, what persons decided, and the audit
trail: so what was delivered can be proven for ever, a twin is recognised after years, and no file that still lies in
an export folder is ever sent again. It forgets how the agent came to its decisions, attempts, images that vanished
unread, what bytes archives and companion files had, and orders that are closed and hold no image.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from irisdrop.record.database import Database
from irisdrop.record.sources import Sources
from irisdrop.record.text import stamp
from irisdrop.vocabulary.states import ENDED, State

STEP: Final = 500  # images and orders a turn, so that nobody waits for the journal
PAGES: Final = 256  # of free space that are given back to the disk a turn

# The steps that prove what became of an image, and everything that a person did.
PROOF: Final = ("confirm", "contradict", "recognise", "assign", "discard", "undo", "recall", "release", "relook")


class Retention:
    """Forgets, a little each time that it is asked."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def forget(self, before: datetime) -> int:
        """Forget what ended before a time, one step; returns how many images and orders were gone through."""
        limit = stamp(before)
        with self._db.transaction():
            images = self._images(limit)
            done = len(images)
            self._thin(images)
            done += self._vanished(limit)
            done += self._orders(limit)
            done += Sources(self._db).forget_before(before, STEP)
        if done:
            self._profiles()
            self._db.give_back(PAGES)
        return done

    def _images(self, limit: str) -> list[int]:
        ended = tuple(state.value for state in ENDED if state is not State.VANISHED)
        marks = ",".join("?" * len(ended))
        rows = self._db.rows(
            f"SELECT id FROM images WHERE thinned = 0 AND state IN ({marks}) AND changed < ? LIMIT ?",
            (*ended, limit, STEP),
        )
        return [row["id"] for row in rows]

    def _thin(self, images: list[int]) -> None:
        marks = ",".join("?" * len(PROOF))
        for number in images:
            self._db.execute(f"DELETE FROM history WHERE image = ? AND event NOT IN ({marks})", (number, *PROOF))
            self._db.execute("DELETE FROM attempts WHERE image = ? AND ended IS NOT NULL", (number,))
            self._db.execute("UPDATE images SET decision = NULL, thinned = 1 WHERE id = ?", (number,))

    def _vanished(self, limit: str) -> int:
        """Images whose bytes were never read: there is nothing to prove of them."""
        rows = self._db.rows(
            "SELECT id FROM images WHERE state = ? AND changed < ? AND digest IS NULL LIMIT ?",
            (State.VANISHED, limit, STEP),
        )
        for row in rows:
            for table in ("history", "attempts"):
                self._db.execute(f"DELETE FROM {table} WHERE image = ?", (row["id"],))
            self._db.execute("DELETE FROM images WHERE id = ?", (row["id"],))
        return len(rows)

    def _orders(self, limit: str) -> int:
        rows = self._db.rows(
            "SELECT number FROM entries e WHERE standing <> 'open' AND start < ? "
            "AND NOT EXISTS (SELECT 1 FROM images i WHERE i.entry = e.id) LIMIT ?",
            (limit, STEP),
        )
        for row in rows:
            self._db.execute("DELETE FROM entry_keys WHERE number = ?", (row["number"],))
            self._db.execute("DELETE FROM entries WHERE number = ?", (row["number"],))
        return len(rows)

    def _profiles(self) -> None:
        """Texts of profiles that no camera has and no image was read by."""
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM profiles WHERE digest NOT IN (SELECT value FROM meta WHERE key LIKE 'profile of %') "
                "AND NOT EXISTS (SELECT 1 FROM images WHERE images.profile = profiles.digest)"
            )
