"""The log: one JSON object a line, in files that rotate and never grow beyond their bounds, without PHI.

Our own modules log a constant text, ids, digest prefixes and codes. What a library logs, and the text of an exception, may
hold anything that was read from a file or a wire: of those only the place is written.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from irisdrop.vocabulary.faults import place

OURS: Final = "irisdrop"
FILE: Final = "irisdrop.log"
BYTES: Final = 5 << 20  # of one file
FILES: Final = 6  # so 30 MiB in all: about 150,000 transitions
SAME: Final = 5  # times a minute
LONGEST: Final = 2000  # characters of one text
PRIORITY: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}  # sd-daemon(3)


def told(record: logging.LogRecord) -> dict[str, Any]:
    """What may be written of a record: everything of our own, of a library's only where it came from."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line: dict[str, Any] = {"at": at, "level": record.levelname, "from": record.name}
    if record.name.partition(".")[0] == OURS:
        line["text"] = record.getMessage()[:LONGEST]
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if value is not None}
    else:
        line["text"] = f"{Path(record.pathname).name}:{record.lineno} in {record.funcName}"
    if record.exc_info and record.exc_info[1] is not None:
        line["fault"] = place(record.exc_info[1])
    return line


class Repeats(logging.Filter):
    """Lets the same warning through `SAME` times a minute, so that what fails in a circle leaves room for what it was."""

    def __init__(self) -> None:
        super().__init__()
        self._since = 0.0
        self._said: dict[tuple[str, int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written; a warning or an error only so often."""
        if record.levelno < logging.WARNING:
            return True
        if record.created - self._since > 60 or record.created < self._since:
            self._since, self._said = record.created, {}
        what = (record.name, record.lineno, f"{record.getMessage()} {getattr(record, 'fields', '')}")
        count = self._said.get(what, 0) + 1
        self._said[what] = count
        return count <= SAME


class Structured(logging.Formatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json.dumps(told(record), default=str)


class Readable(logging.Formatter):
    """For a console, or for journald where `priority` puts `<N>` before each line and the time is left out."""

    def __init__(self, priority: bool) -> None:
        super().__init__()
        self._priority = priority

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = told(record)
        at, level, origin, text = (line.pop(name) for name in ("at", "level", "from", "text"))
        words = " ".join([str(text), *(f"{name}={value}" for name, value in line.items())]).replace("\n", " ")
        if self._priority:
            return f"<{PRIORITY.get(level, 6)}>{origin}: {words}"
        return f"{at} {level} {origin}: {words}"


class Bounded(RotatingFileHandler):
    """Formats a line once and counts what it wrote: the library's own formats it twice, and asks the system each time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=BYTES, backupCount=FILES - 1, encoding="utf-8", delay=True)
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in the next file where this one is full."""
        try:
            line = self.format(record) + "\n"
            stream = self.stream or self._begin()
            if self._size + len(line) > self.maxBytes:
                self.doRollover()
                stream = self._begin()
            stream.write(line)
            stream.flush()
            self._size += len(line)
        except Exception:  # noqa: BLE001 - as every handler
            self.handleError(record)

    def _begin(self) -> TextIOWrapper:
        self.stream = stream = self._open()
        self._size = stream.seek(0, os.SEEK_END)
        return stream


def log_folder(state: Path) -> Path:
    """Where the files are: systemd's LogsDirectory where the unit names one, else beside the journal."""
    given = os.environ.get("LOGS_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else state / "log"


def by_journald() -> bool:
    """Whether our standard error goes to journald."""
    try:
        device, _, inode = os.environ["JOURNAL_STREAM"].partition(":")
        status = os.fstat(sys.stderr.fileno())
        return (status.st_dev, status.st_ino) == (int(device), int(inode))
    except (KeyError, ValueError, OSError):
        return False


def open_log(state: Path, *, verbose: bool = False) -> None:
    """Log to the files of a state folder, and to standard error: every line where that is journald or `verbose`."""
    folder = log_folder(state)
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = Bounded(folder / FILE)
    file.setFormatter(Structured())
    file.setLevel(logging.INFO)
    file.addFilter(Repeats())
    journald = by_journald()
    console = logging.StreamHandler()
    console.setFormatter(Readable(journald))
    console.setLevel(logging.INFO if verbose or journald else logging.WARNING)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    root.addHandler(file)
    root.addHandler(console)
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A full disk, or a file that somebody holds open, must not put a record's text on the console.
    logging.raiseExceptions = False
    threading.excepthook = _thread_died


def _thread_died(died: threading.ExceptHookArgs) -> None:
    """Python would print the exception's text."""
    if died.exc_value is not None and died.exc_type is not SystemExit:
        logging.getLogger(OURS).error("a thread died: %s", place(died.exc_value))
