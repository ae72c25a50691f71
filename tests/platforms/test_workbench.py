"""Copies on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from irisdrop.platforms.workbench import Workbench


def test_a_copy_is_gone_when_it_was_sent_or_failed(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "outgoing")
    with bench.copy() as path:
        path.write_bytes(b"made")
    with pytest.raises(ValueError, match="failed"), bench.copy() as path:
        path.write_bytes(b"made")
        raise ValueError("failed")
    assert list((tmp_path / "outgoing").iterdir()) == []


def test_who_merely_opens_a_platform_takes_nothing_from_one_that_sends(tmp_path: Path) -> None:
    with Workbench(tmp_path).copy() as path:
        path.write_bytes(b"made")
        Workbench(tmp_path)
        assert path.exists()


def test_what_a_crash_left_goes_with_the_first_copy(tmp_path: Path) -> None:
    (tmp_path / "left.made").write_bytes(b"half")
    (tmp_path / "note.blocks").write_bytes(b"kept: an upload goes on from it")
    with Workbench(tmp_path).copy():
        assert [path.name for path in tmp_path.iterdir()] == ["note.blocks"]
