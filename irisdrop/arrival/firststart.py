"""A camera's first start: files that were there long before are known, and not taken."""

from __future__ import annotations

from datetime import datetime

from irisdrop.arrival.starts import Starts
from irisdrop.profiles.config import CameraSettings
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.known import Fingerprint, Standing
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock


class FirstStart:
    """What is old, and which bytes an earlier journal may have sent.

    The start is noted beside the journal too: where the journal is lost, the same files are old again, and what is
    found then is asked for at the platform before it is sent.
    """

    def __init__(self, camera: CameraSettings, journal: Journal, clock: Clock) -> None:
        self._camera = camera
        self._journal = journal
        self._clock = clock
        self._starts = Starts(journal.database.path.parent)
        self._at = journal.camera_started(camera.name)
        self._meta = f"ask-before {camera.name}"
        asked = journal.meta(self._meta)
        self._ask_before = None if asked is None else moment(asked)
        self._rebuilding = False
        self.begun = False

    def begin(self) -> None:
        """Before a scan; does something only where no whole scan was ever done in this journal."""
        if self._at is not None:
            return
        noted = self._starts.of(self._camera.name)
        self._at = noted or self._clock.now()
        self._rebuilding = noted is not None
        self.begun = True
        if noted is None:
            self._starts.note(self._camera.name, self._at)

    def end(self, conditions: Conditions) -> None:
        """After a whole scan."""
        if self.begun and self._at is not None:
            left = self._journal.known.count(self._camera.name, Standing.LEFT_ALONE)
            with self._journal.transaction():
                self._journal.start_camera(self._camera.name, str(self._camera.folder), self._at, left)
                if self._rebuilding:
                    self._ask_before = self._clock.now()
                    self._journal.set_meta(self._meta, stamp(self._ask_before))
            self.begun = self._rebuilding = False
        left = self._journal.left_alone(self._camera.name)
        if left > 0:
            conditions.raise_("FILES_KNOWN", self._camera.name, f"{left} files")
        else:
            conditions.clear("FILES_KNOWN", self._camera.name)

    def is_old(self, seen: Fingerprint) -> bool:
        """Whether a file is from before the first start, by more than `existing`: the one use of a file's age."""
        if self._at is None:
            return False
        return seen.mtime_ns / 1e9 < self._at.timestamp() - self._camera.existing

    def asks_first(self, arrived: datetime) -> bool:
        """Whether an image that arrived then may have been sent by a journal that was lost."""
        return self._rebuilding or (self._ask_before is not None and arrived <= self._ask_before)
