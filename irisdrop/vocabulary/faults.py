"""Failures that are foreseen: each has a code, a place, a cause, and what to try."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

# A disk without room, and one of which this account has used its share.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: BaseException) -> bool:
    """Whether the system says that there is no room."""
    return isinstance(error, OSError) and error.errno in FULL


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file that a person wrote; line and column count from 1."""

    code: str
    file: str
    line: int
    column: int
    message: str
    text: str = ""  # the offending text
    line_text: str = ""  # the whole line it stands in
    expected: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: {self.message} [{self.code}]"
        lines = [head]
        if self.line_text:
            lines += [
                f"    {self.line_text}",
                "    " + " " * (self.column - 1) + "^" * max(1, len(self.text)),
            ]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.suggestion:
            lines.append(f"  did you mean: {self.suggestion}")
        return "\n".join(lines)


class Foreseen(Exception):
    """A failure that a person can do something about: shown as its message and a `Try:` line, exit code 1."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class FaultyFile(Foreseen):
    """A profile or configuration that can't be used; carries every fault at once."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        count = len(faults)
        super().__init__(
            "FAULTY_FILE",
            "\n".join(str(fault) for fault in faults),
            f"mend the {'place' if count == 1 else f'{count} places'} named above, then `irisdrop check`.",
        )
        self.faults = faults


def place(error: BaseException) -> str:
    """What failed and where, without its message: that may hold a name or a number of somebody."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
