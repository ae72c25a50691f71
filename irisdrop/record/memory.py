"""What the journal remembers besides images: single facts, cameras, and the profiles that images were read by."""

from __future__ import annotations

from datetime import datetime, timedelta

from irisdrop.record.database import Database
from irisdrop.record.text import moment, packed, stamp
from irisdrop.vocabulary.clock import Clock


class Memory:
    """Small facts; each change is one commit, or joins the caller's."""

    _db: Database
    _clock: Clock

    def meta(self, key: str) -> str | None:
        """One remembered fact."""
        row = self._db.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row["value"])

    def set_meta(self, key: str, value: str) -> None:
        """Remember one fact."""
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def drop_meta(self, key: str) -> None:
        """Remember one fact no more."""
        with self._db.transaction():
            self._db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def camera_started(self, camera: str) -> datetime | None:
        """When a camera's folder was first looked through; None at its first start."""
        row = self._db.row("SELECT first_start FROM cameras WHERE name = ?", (camera,))
        return None if row is None else moment(row["first_start"])

    def start_camera(self, camera: str, folder: str, at: datetime, left_alone: int) -> None:
        """Note a camera's first start, and how many older files were left alone."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO cameras VALUES (?, ?, ?, ?)", (camera, packed(folder), stamp(at), left_alone)
            )

    def left_alone(self, camera: str) -> int:
        """How many older files of a camera are known and not taken."""
        row = self._db.row("SELECT left_alone FROM cameras WHERE name = ?", (camera,))
        return 0 if row is None else int(row["left_alone"])

    def keep_profile(self, digest: str, name: str, text: str) -> None:
        """Keep the text of a profile for as long as a row may name its digest."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO profiles VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (digest, name, text, stamp(self._clock.now())),
            )

    def use_profile(self, camera: str, digest: str, called: str | None = None) -> None:
        """Note which of the kept profiles a camera has now, and how its configuration calls it."""
        with self._db.transaction():
            self.set_meta(f"profile of {camera}", digest)
            if called is not None:
                self.set_meta(f"name of the profile of {camera}", called)

    def last_profile(self, camera: str, called: str | None = None) -> str | None:
        """The text of the profile that a camera had last; None where that one was called otherwise than `called`."""
        if called is not None and self.meta(f"name of the profile of {camera}") not in (None, called):
            return None
        row = self._db.row(
            "SELECT text FROM profiles JOIN meta ON meta.value = profiles.digest WHERE meta.key = ?",
            (f"profile of {camera}",),
        )
        return None if row is None else str(row["text"])

    def use_clock(self, camera: str, clock: timedelta) -> None:
        """Note what must be added to a camera's time, for its images after it is configured no more."""
        if self.last_clock(camera) != clock:
            self.set_meta(f"clock of {camera}", str(clock.total_seconds()))

    def last_clock(self, camera: str) -> timedelta:
        """What had to be added to a camera's time when it was configured last."""
        return timedelta(seconds=float(self.meta(f"clock of {camera}") or 0))

    def kept_profile(self, digest: str) -> str | None:
        """The text of a profile that some image was read by."""
        row = self._db.row("SELECT text FROM profiles WHERE digest = ?", (digest,))
        return None if row is None else str(row["text"])
