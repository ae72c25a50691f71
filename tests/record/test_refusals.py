"""What SQLite's refusals say of the disk."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from irisdrop.record import refusals
from irisdrop.record.system import page_refused


def refusal(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    found = refusals.full(refusal(sqlite3.SQLITE_FULL), tmp_path)
    assert found is not None
    assert found.errno == errno.ENOSPC


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_a_used_up_quota_is_found_by_asking_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """SQLite tells it as an error of input and output, and keeps the number to itself."""
    monkeypatch.setattr(refusals, "page_refused", lambda _: OSError(errno.EDQUOT, "quota"))
    found = refusals.full(refusal(code), tmp_path)
    assert found is not None
    assert found.errno == errno.EDQUOT


def test_what_a_disk_with_room_refuses_is_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_refused(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert refusals.full(refusal(sqlite3.SQLITE_IOERR_WRITE), tmp_path) is None
    monkeypatch.setattr(refusals, "page_refused", lambda _: OSError(errno.EROFS, "read-only"))
    assert refusals.full(refusal(sqlite3.SQLITE_IOERR_WRITE), tmp_path) is None
    assert refusals.full(refusal(sqlite3.SQLITE_BUSY), tmp_path) is None
    assert refusals.full(ValueError(), tmp_path) is None
