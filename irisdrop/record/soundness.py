"""A look at a journal that changes nothing: no migration, no repair, nothing set aside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from irisdrop.record.audit import Audit
from irisdrop.record.conditions import Conditions
from irisdrop.record.database import Damaged, Database
from irisdrop.record.schema import MIGRATIONS
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.conditions import Condition


@dataclass(frozen=True, slots=True)
class Soundness:
    """What was found; `behind` and `ahead` are migrations that only we, or only the journal, know."""

    size: int
    damage: str = ""
    images: int = 0
    behind: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    audit_wrong: int | None = None
    conditions: tuple[Condition, ...] = ()


def examined(path: Path, *, thorough: bool = True) -> Soundness:
    """Read a journal, all of its pages where `thorough`; PermissionError where this account may not."""
    with path.open("rb"):
        pass  # SQLite would say no more than that it can't open it
    size = path.stat().st_size
    try:
        with closing(Database.to_read(path, SystemClock())) as database:
            if thorough:
                database.check()
            return _read(database, size, thorough)
    except (Damaged, sqlite3.DatabaseError) as error:
        return Soundness(size, damage=str(error) if isinstance(error, Damaged) else type(error).__name__)


def _read(database: Database, size: int, thorough: bool) -> Soundness:
    applied = {row["name"] for row in database.rows("SELECT name FROM migrations")}
    known = [name for name, _ in MIGRATIONS]
    behind = tuple(name for name in known if name not in applied)
    counted = database.row("SELECT count(*) AS n FROM images")
    wrong = None
    if thorough and "0004-audit" in applied:
        wrong = Audit(database, SystemClock()).verify().wrong
    return Soundness(
        size,
        images=0 if counted is None else counted["n"],
        behind=behind,
        ahead=tuple(sorted(applied.difference(known))),
        audit_wrong=wrong,
        conditions=tuple(Conditions(database, SystemClock()).active()),
    )
