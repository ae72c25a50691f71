"""The log: one object a line, bounded, and nothing of what a library or an exception says."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irisdrop.surface import log as module
from irisdrop.surface.log import Readable, log_folder, open_log
from irisdrop.vocabulary.reasons import Code

log = logging.getLogger("irisdrop.test")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder that is logged to; what was there before is put back."""
    root, ours, hook = logging.getLogger(), logging.getLogger("irisdrop"), threading.excepthook
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    open_log(tmp_path)
    yield tmp_path
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, ours.level, logging.raiseExceptions = before
    threading.excepthook = hook
    logging.captureWarnings(False)


def lines(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "log" / "irisdrop.log").read_text("ascii").splitlines()]


def test_a_transition_is_one_line_of_ids_and_codes(state: Path, records: Any) -> None:
    image = records.settled()
    records.journal.refuse(image, Code.NO_KEYS, "Muster^Anna has none")
    told = [line for line in lines(state) if line["text"] == "transition"]
    assert [(line["event"], line["after"]) for line in told] == [
        ("see", "SEEN"),
        ("settle", "SETTLED"),
        ("refuse", "QUARANTINED"),
    ]
    assert told[-1]["reason"] == "NO_KEYS"
    assert told[-1]["digest"] == image.digest[:8]
    assert "Muster" not in json.dumps(told)


def test_what_was_rolled_back_is_not_told(state: Path, records: Any) -> None:
    image = records.settled()
    with pytest.raises(RuntimeError), records.journal.transaction():
        records.journal.refuse(image, Code.NO_KEYS, "")
        raise RuntimeError("the power fails")
    assert lines(state)[-1]["event"] == "settle"


def test_of_a_library_only_the_place_is_told(state: Path) -> None:
    logging.getLogger("pydicom").warning("Invalid value Muster^Anna")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Muster^Anna is no date", UserWarning, stacklevel=1)
    told = lines(state)
    assert len(told) == 2
    assert told[0]["text"].startswith("test_log.py:")
    assert "Muster" not in json.dumps(told)


def test_of_an_exception_only_its_kind_and_place_are_told(state: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("Muster^Anna")
    except ValueError:
        log.exception("reading failed")
    thread = threading.Thread(target=lambda: int("Muster^Anna"))
    thread.start()
    thread.join()
    told = lines(state)
    assert told[0]["fault"].startswith("ValueError at test_log.py:")
    assert told[1]["text"].startswith("a thread died: ValueError at test_log.py:")
    assert "Muster" not in json.dumps(told) + "".join(capfd.readouterr())


def test_it_never_grows_beyond_its_bounds(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES", 20_000)
    open_log(state)
    for number in range(3000):
        log.info("image %d %s", number, "x" * 200)
    files = list((state / "log").iterdir())
    assert len(files) == module.FILES
    assert all(path.stat().st_size <= 20_000 for path in files)


def test_what_fails_in_a_circle_leaves_room_for_what_it_was(state: Path) -> None:
    for _ in range(500):
        log.error("deciding image %d failed", 7)
    log.error("deciding image %d failed", 8)
    assert len(lines(state)) == module.SAME + 1


def test_a_line_for_journald_has_its_priority_and_no_time() -> None:
    record = logging.LogRecord("irisdrop.agent", logging.WARNING, __file__, 1, "stopped\nearly", None, None)
    assert Readable(priority=True).format(record) == "<4>irisdrop.agent: stopped early"


def test_the_folder_is_the_one_that_systemd_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert log_folder(tmp_path) == tmp_path / "log"
    monkeypatch.setenv("LOGS_DIRECTORY", f"{tmp_path / 'given'}:/other")
    assert log_folder(tmp_path) == tmp_path / "given"
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert not module.by_journald() or not sys.stderr.isatty()
