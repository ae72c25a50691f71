"""The list of what is not well now, kept in the journal so that every surface shows the same."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from irisdrop.record.database import Damaged, Database
from irisdrop.record.system import page_refused
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.conditions import KINDS, Condition
from irisdrop.vocabulary.faults import is_full, place

log = logging.getLogger(__name__)

JOURNAL: Final = "journal"  # subject of what the journal's disk says
LEAST_ROOM: Final = 1 << 20  # bytes: below it the journal's next pages may not fit
TRY_AGAIN: Final = 120.0  # seconds that a page which could be written does for, where a commit was refused since
UNTRIED: Final = 3600.0  # and where none was: an idle night writes nothing
QUIET: Final = 30.0  # seconds that what was found well does for; only another process can have raised it meanwhile
UNSURE: Final = 1.0  # and what was found so inside a commit, which may be rolled back


class Conditions:
    """Raised and cleared by whoever notices; shown by `active`. `refused` tells whether the disk refused the last commit
    of another connection of this process."""

    def __init__(self, database: Database, clock: Clock, refused: Callable[[], bool] = lambda: False) -> None:
        self._db = database
        self._clock = clock
        self._quiet: dict[tuple[str, str], float] = {}
        self._refused = refused
        self._written: float | None = None  # when the disk last took a page, monotonic

    def raise_(self, code: str, subject: str, detail: str = "") -> None:
        """Note that something is not well; `since` stays at its first time. `detail` without PHI."""
        KINDS[code]  # an unknown code is a fault of ours
        self._quiet.pop((code, subject), None)
        # Asked each time: another thread, another process or a rolled back commit may have changed what was raised.
        before = self._detail(code, subject)
        if before == detail:
            return
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO conditions VALUES (?, ?, ?, ?) ON CONFLICT (code, subject) DO UPDATE SET detail = excluded.detail",
                (code, subject, detail, stamp(self._clock.now())),
            )
            if before is None:
                # Without `detail`, which is for the person who looks: it may quote a line of a profile.
                fields = {"condition": code, "subject": subject}
                self._db.afterwards(lambda: log.warning("condition raised", extra={"fields": fields}))
            # Once more: another thread may have found it well as long as it was not committed.
            self._db.afterwards(lambda: self._quiet.pop((code, subject), None))

    def note_failure(self, subject: str, error: Exception) -> None:
        """STAGE_FAILED, or DISK_FULL where that is all that failed, as far as the journal can be written now: on a full
        disk a thread that tells of its failure must not end by telling it. Call it outside a transaction."""
        try:
            if is_full(error):
                self.raise_("DISK_FULL", JOURNAL)
            else:
                self.raise_("STAGE_FAILED", subject, type(error).__name__)
        except (OSError, sqlite3.Error, Damaged) as second:
            log.error("the condition could not be noted: %s", place(second))

    def clear(self, code: str, subject: str) -> None:
        """Note that it is well again; said at every turn, so what was found well a while ago is not asked again."""
        now = self._clock.monotonic()
        if now < self._quiet.get((code, subject), 0.0):
            return
        self._quiet[(code, subject)] = now + (UNSURE if self._db.within() else QUIET)
        if self._detail(code, subject) is None:
            return
        with self._db.transaction():
            self._db.execute("DELETE FROM conditions WHERE code = ? AND subject = ?", (code, subject))
            fields = {"condition": code, "subject": subject}
            self._db.afterwards(lambda: log.info("condition cleared", extra={"fields": fields}))
            self._quiet.pop((code, subject), None)  # whether this is committed, the next one asks

    def subjects(self, code: str) -> list[str]:
        """What a condition is raised for now, shown or not yet."""
        rows = self._db.rows("SELECT subject FROM conditions WHERE code = ? ORDER BY subject", (code,))
        return [row["subject"] for row in rows]

    def forget(self, kept: Mapping[str, timedelta]) -> None:
        """Clear what was raised longer ago than its code is kept."""
        marks = ",".join("?" * len(kept))
        rows = self._db.rows(f"SELECT code, subject, since FROM conditions WHERE code IN ({marks})", tuple(kept))
        for row in rows:
            if self._clock.now() - moment(row["since"]) > kept[row["code"]]:
                self.clear(row["code"], row["subject"])

    def active(self) -> list[Condition]:
        """What is not well now and has lasted long enough to be shown, causes without their symptoms, worst first."""
        now = self._clock.now()
        rows = [row for row in self._db.rows("SELECT * FROM conditions ORDER BY since") if row["code"] in KINDS]
        codes = {row["code"] for row in rows}
        shown = []
        for row in rows:
            kind = KINDS[row["code"]]
            if codes.intersection(kind.depends_on) or now - moment(row["since"]) < timedelta(seconds=kind.after):
                continue
            shown.append(
                Condition(
                    kind.code, row["subject"], kind.title, kind.severity, row["detail"], kind.remedy, row["since"]
                )
            )
        unwritable = self._unwritable()
        if unwritable is not None and unwritable[0] not in codes:
            kind = KINDS[unwritable[0]]
            shown.append(
                Condition(kind.code, JOURNAL, kind.title, kind.severity, unwritable[1], kind.remedy, stamp(now))
            )
        order = {"error": 0, "warning": 1, "notice": 2}
        return sorted(shown, key=lambda condition: order[condition.severity])

    def _unwritable(self) -> tuple[str, str] | None:
        """What can't be told by writing it, so it is seen when somebody looks: code and detail."""
        folder = self._db.path.parent
        try:
            if shutil.disk_usage(folder).free < LEAST_ROOM:
                return "DISK_FULL", ""
        except OSError:
            return None  # a folder that is gone is told by whoever needs it
        # A quota, or a disk that became read-only, is seen by nobody but who writes. The tray looks every two seconds, so
        # it is not tried again where a page was taken, unless a commit was refused since.
        now = self._clock.monotonic()
        enough = TRY_AGAIN if self._db.refused or self._refused() else UNTRIED
        if self._written is not None and now - self._written < enough:
            return None
        refused = page_refused(folder)
        if refused is None:
            self._written = now
            return None
        self._written = None
        return ("DISK_FULL", "") if is_full(refused) else ("STATE_UNWRITABLE", os.strerror(refused.errno or 0))

    def _detail(self, code: str, subject: str) -> str | None:
        row = self._db.row("SELECT detail FROM conditions WHERE code = ? AND subject = ?", (code, subject))
        return None if row is None else str(row["detail"])
