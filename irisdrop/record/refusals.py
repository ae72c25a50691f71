"""What a refusal of SQLite's says of the disk, in the system's own words, so that who writes can wait instead of failing."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from irisdrop.record.system import page_refused
from irisdrop.vocabulary.faults import is_full

WORDS: Final = "the disk that holds the journal is full"
# SQLite knows ENOSPC alone; what else the system said, a used-up quota too, it tells as one of these.
_UNEXPLAINED: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def full(error: BaseException, folder: Path) -> OSError | None:
    """The refusal as an OSError where the disk, or the account's share of it, is full; None where it says anything else.

    SQLite keeps the system's number to itself, so the disk of `folder` is asked for one page more.
    """
    if not isinstance(error, sqlite3.OperationalError):
        return None
    code = getattr(error, "sqlite_errorcode", 0)  # not each that Python raises has one
    if code == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, WORDS)
    if code & 0xFF not in _UNEXPLAINED:
        return None
    refused = page_refused(folder)
    return OSError(refused.errno, WORDS) if refused is not None and is_full(refused) else None
