"""audit verify and export, as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(records: Any) -> Path:
    path = records.state.parent / "irisdrop.yaml"
    path.write_text(
        f"state: {records.state}\nplatform: {{kind: http, url: 'http://127.0.0.1:1/v1'}}\n"
        f"cameras: [{{name: room-2, profile: topcon-nw400, folder: '{records.exports}'}}]\n"
    )
    records.settled()
    return path


def audit(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irisdrop", "--config", str(config), "audit", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_trail_says_what_it_can_t_know(config: Path) -> None:
    done = audit(config, "verify")
    assert done.returncode == 0, done.stderr
    assert "Records 1 to 1 are as they were written" in done.stdout
    assert "can't be known from here" in done.stdout


def test_a_changed_record_is_named_and_is_exit_code_1(config: Path, records: Any) -> None:
    with records.journal.transaction():
        records.journal.database.execute("UPDATE audit SET digest = 'another' WHERE number = 1")
    done = audit(config, "verify")
    assert done.returncode == 1
    assert done.stdout.startswith("Record 1 was changed.")


def test_a_cut_tail_shows_by_a_head_that_was_told(config: Path, records: Any) -> None:
    records.settled("000816_R.jpg", b"another")
    head = str(records.journal.audit.head())
    with records.journal.transaction():
        records.journal.database.execute("DELETE FROM audit WHERE number = 2")
    assert audit(config, "verify").returncode == 0
    # The reading itself has been noted in the place of what was cut.
    told = audit(config, "verify", "--head", head)
    assert told.returncode == 1
    assert "Record 2" in told.stdout
    assert audit(config, "verify", "--head", "7").returncode == 2


def test_the_trail_is_exported_as_it_is_chained_and_as_dicom_has_it(config: Path, tmp_path: Path) -> None:
    first = json.loads(audit(config, "export").stdout.splitlines()[0])
    assert (first["number"], first["kind"], first["who"]) == (1, "Data Import", "irisdrop")
    done = audit(config, "export", "--as", "dicom", "--output", str(tmp_path / "trail.xml"))
    assert done.returncode == 0, done.stderr
    messages = [ElementTree.fromstring(line) for line in (tmp_path / "trail.xml").read_text().splitlines()]
    codes = [message.find("EventIdentification/EventID").get("csd-code") for message in messages]  # type: ignore[union-attr]
    assert codes == ["110107", "110101"]
    assert audit(config, "export", "--output", str(tmp_path / "trail.xml")).returncode == 1
