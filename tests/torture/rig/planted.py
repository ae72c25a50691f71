"""Bugs that are put into the agent on purpose, to show that the harness finds them; nothing of them is in the product."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Final


def acknowledge_before_commit() -> None:
    """The journal says that the bytes are ours a moment before the spool has them."""
    from irisdrop.record.spool import Incoming, Origin, Spool

    keep = Spool.keep

    def later(spool: Spool, copy: Incoming, origin: Origin) -> str:
        timer = threading.Timer(0.15, keep, (spool, copy, origin))
        timer.daemon = True
        timer.start()
        return copy.digest

    def holds(*_: object) -> bool:
        return True

    Spool.keep = later  # type: ignore[method-assign]
    Spool.holds = holds  # type: ignore[method-assign]


def trust_mtime() -> None:
    """A file with the time that is known is the file that is known."""
    from irisdrop.arrival import lookout, reception, scan, take
    from irisdrop.record.known import Fingerprint, Remembered

    def fingerprint(status: os.stat_result) -> Fingerprint:
        return Fingerprint(1, status.st_mtime_ns, 1, 1)

    def unchanged(status: os.stat_result, remembered: Remembered) -> bool:
        return status.st_mtime_ns == remembered[1]

    for module in (lookout, reception, scan, take):
        module.fingerprint = fingerprint  # type: ignore[attr-defined]
    scan.unchanged = unchanged  # type: ignore[attr-defined]


def skip_fsync() -> None:
    """The spool's bytes are not flushed before they get their name."""
    from irisdrop.record.spool import Incoming

    def close(copy: Incoming) -> None:
        copy._file.close()

    Incoming.sync = close  # type: ignore[method-assign]


def skip_folder_fsync() -> None:
    """The spool's names are not flushed."""
    from irisdrop.record import spool

    def nothing(folder: os.PathLike[str]) -> None:
        """Not flushed."""

    spool.sync_folder = nothing  # type: ignore[assignment]


def commit_without_fsync() -> None:
    """The journal is opened as most programs do it: fast, and gone after a power cut."""
    from irisdrop.record.database import Database

    begin = Database.__init__

    def relaxed(database: Database, *given: Any) -> None:
        begin(database, *given)
        database._connection.execute("PRAGMA synchronous = OFF")

    Database.__init__ = relaxed  # type: ignore[method-assign]


def send_without_asking() -> None:
    """After a crash, what may have been sent is sent again, and nobody asks."""
    from irisdrop.platforms.http import HttpPlatform

    def nothing(*_: object) -> None:
        """Not asked."""

    HttpPlatform.find = nothing  # type: ignore[method-assign]


BUGS: Final[dict[str, Callable[[], None]]] = {
    "acknowledge": acknowledge_before_commit,
    "mtime": trust_mtime,
    "fsync": skip_fsync,
    "folder-fsync": skip_folder_fsync,
    "commit-fsync": commit_without_fsync,
    "unasked": send_without_asking,
}
