"""The support bundle: what support needs, and nobody."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from irisdrop.surface.support import written
from irisdrop.vocabulary.reasons import Code

CONFIG = """\
state: {folder}/state
platform: {{kind: http, url: 'http://127.0.0.1:1/v1'}}
worklist: {{from: platform}}
cameras: [{{name: room-2, profile: topcon-nw400, folder: '{folder}/exports'}}]
"""


@pytest.fixture
def bundle(tmp_path: Path, records: Any) -> dict[str, str]:
    """A bundle of a journal that knows one patient, and a log and a condition into which the patient got."""
    config = records.state.parent / "irisdrop.yaml"
    config.write_text(CONFIG.format(folder=records.state.parent))
    records.sync(records.entry(PatientName="Muster^Anna", PatientID="QX000815"))
    image = records.settled("QX000815_R.jpg")
    records.journal.refuse(image, Code.NO_KEYS, "Muster^Anna has none")
    records.conditions.raise_("WORKLIST_FAULTS", "worklist", "row 3: Muster has no date")
    (records.state / "log").mkdir()
    (records.state / "log" / "irisdrop.log").write_text('{"text": "a careless line about Anna"}\n')
    records.close()
    assert written(config, tmp_path / "b.zip") == 2
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_holds_what_support_needs(bundle: dict[str, str]) -> None:
    assert set(bundle) == {
        *("doctor.json", "config.yaml", "faults.json", "log.jsonl"),
        *("counts.json", "conditions.json", "transitions.json", "timings.json"),
    }
    assert json.loads(bundle["counts.json"])["room-2"]["QUARANTINED"] == 1
    assert [step["event"] for step in json.loads(bundle["transitions.json"])] == ["see", "settle", "refuse"]
    assert "irisdrop" in json.loads(bundle["doctor.json"])


def test_it_holds_nobody_whoever_was_careless(bundle: dict[str, str]) -> None:
    for text in bundle.values():
        for marker in ("Muster", "Anna", "QX000815"):
            assert marker not in text


def test_a_damaged_journal_leaves_out_what_could_not_be_searched(tmp_path: Path, records: Any) -> None:
    config = records.state.parent / "irisdrop.yaml"
    config.write_text(CONFIG.format(folder=records.state.parent))
    records.close()
    (records.state / "journal.db").write_bytes(b"no journal" * 1000)
    (records.state / "log").mkdir()
    (records.state / "log" / "irisdrop.log").write_text('{"text": "a careless line about Anna"}\n')
    written(config, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert "log.jsonl" not in archive.namelist()
        assert "damaged" in archive.read("doctor.json").decode()
