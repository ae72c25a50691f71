"""The list of what is not well now, kept in the journal so that every surface shows the same."""

from __future__ import annotations

from datetime import timedelta

from irisdrop.record.database import Database
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.conditions import KINDS, Condition


class Conditions:
    """Raised and cleared by whoever notices; shown by `active`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self._raised = {
            (row["code"], row["subject"]): row["detail"] for row in database.rows("SELECT * FROM conditions")
        }

    def raise_(self, code: str, subject: str, detail: str = "") -> None:
        """Note that something is not well; `since` stays at its first time. `detail` without PHI."""
        if self._raised.get((code, subject)) == detail:
            return
        KINDS[code]  # an unknown code is a fault of ours
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO conditions VALUES (?, ?, ?, ?) ON CONFLICT (code, subject) DO UPDATE SET detail = excluded.detail",
                (code, subject, detail, stamp(self._clock.now())),
            )
        self._raised[(code, subject)] = detail

    def clear(self, code: str, subject: str) -> None:
        """Note that it is well again."""
        if (code, subject) not in self._raised:
            return
        with self._db.transaction():
            self._db.execute("DELETE FROM conditions WHERE code = ? AND subject = ?", (code, subject))
        del self._raised[(code, subject)]

    def subjects(self, code: str) -> list[str]:
        """What a condition is raised for now, shown or not yet."""
        return [subject for raised, subject in list(self._raised) if raised == code]

    def active(self) -> list[Condition]:
        """What is not well now and has lasted long enough to be shown, causes without their symptoms, worst first."""
        now = self._clock.now()
        rows = self._db.rows("SELECT * FROM conditions ORDER BY since")
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
        order = {"error": 0, "warning": 1, "notice": 2}
        return sorted(shown, key=lambda condition: order[condition.severity])
