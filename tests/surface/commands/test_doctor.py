"""doctor: every part says how it is, and changes nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from irisdrop.record.journal import Journal
from irisdrop.reference.server import ReferencePlatform
from irisdrop.surface.commands.doctor import case_of, findings
from irisdrop.surface.doctor import PARTS
from irisdrop.surface.doctor.finding import Finding, Grade
from irisdrop.vocabulary.clock import SystemClock

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "exports").mkdir()
    with ReferencePlatform(tmp_path / "platform", token="right") as platform:
        (tmp_path / "token").write_text("right\n")
        (tmp_path / "token").chmod(0o600)
        path = tmp_path / "irisdrop.yaml"
        path.write_text(
            f"state: {tmp_path}/state\n"
            f"platform: {{kind: http, url: '{platform.url}', token: {{file: '{tmp_path}/token'}}}}\n"
            f"worklist: {{from: platform}}\n"
            f"cameras:\n  - {{name: room-1, profile: topcon-nw400, folder: '{tmp_path}/exports'}}\n"
        )
        yield path


def graded(config: Path, part: str, probe: bool = False) -> dict[Grade, list[str]]:
    found: dict[Grade, list[str]] = {grade: [] for grade in Grade}
    for finding in findings(part, case_of(config, probe)):
        found[finding.grade].append(finding.text)
    return found


def journal(config: Path) -> Path:
    path = config.parent / "state" / "journal.db"
    path.parent.mkdir(exist_ok=True)
    Journal.open(path, SystemClock()).close()
    return path


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if "platform" not in p.parts}


@pytest.mark.parametrize("part", [part for part in PARTS if part != "service"])
def test_a_sound_installation_is_ok_in_every_part(config: Path, part: str) -> None:
    journal(config)
    found = graded(config, part)
    assert found[Grade.OK]
    assert not found[Grade.BROKEN]
    assert not found[Grade.LOOK]


def test_it_changes_nothing(config: Path) -> None:
    journal(config)
    before = snapshot(config.parent)
    for part in PARTS:
        findings(part, case_of(config))
    assert snapshot(config.parent) == before


@pytest.mark.parametrize(
    ("spool", "grade", "words"),
    [
        ("", Grade.OK, r"the spool takes 0 B and may grow by .+: .+ of the disk stay free \(`spool: reserve`\)"),
        ("{reserve: 0B}", Grade.OK, r"the spool takes 0 B and may grow by .+: until the disk is full"),
        ("{reserve: 900TB}", Grade.BROKEN, r"the spool takes 0 B and may not grow: 900.0 TB of the disk stay free .*"),
        ("{limit: 1MB}", Grade.OK, r"the spool takes 0 B of 1.0 MB"),
        ("{limit: 900TB}", Grade.LOOK, r"the spool takes 0 B of 900.0 TB, but may grow by .+ only: .+ stay free .*"),
    ],
)
def test_what_the_spool_may_take_is_what_limit_and_reserve_leave(
    config: Path, spool: str, grade: Grade, words: str
) -> None:
    if spool:
        config.write_text(config.read_text() + f"spool: {spool}\n")
    told = [text for text in graded(config, "disk")[grade] if text.startswith("the spool")]
    assert len(told) == 1
    assert re.fullmatch(words, told[0])


def test_a_probe_leaves_nothing_behind(config: Path) -> None:
    said = " ".join(graded(config, "folders", probe=True)[Grade.OK])
    assert "events arrive" in said
    assert "times are kept to" in said
    assert list((config.parent / "exports").iterdir()) == []


def test_a_folder_that_is_not_there_is_broken(config: Path) -> None:
    (config.parent / "exports").rmdir()
    assert graded(config, "folders")[Grade.BROKEN] == ["room-1: its folder is not there"]


def test_a_damaged_journal_is_told_and_left_as_it_is(config: Path) -> None:
    path = journal(config)
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)
    assert "damaged" in graded(config, "journal")[Grade.BROKEN][0]
    assert path.read_bytes() == bytes(content)


def test_a_changed_audit_record_is_told(config: Path) -> None:
    path = journal(config)
    opened = Journal.open(path, SystemClock())
    from irisdrop.record.audit import Kind

    opened.audit.write(Kind.QUERY, "E", "irisdrop")
    with opened.transaction():
        opened.database.execute("UPDATE audit SET who = 'nobody'")
    opened.close()
    assert "record 1 of the audit trail" in graded(config, "journal")[Grade.BROKEN][0]


def test_a_wrong_token_is_broken_and_is_not_shown(config: Path) -> None:
    (config.parent / "token").write_text("wrong-token\n")
    found = graded(config, "platform")
    assert "refuses our credentials" in found[Grade.BROKEN][0]
    assert "wrong-token" not in str(found)


def test_a_secret_that_others_can_read_is_looked_at(config: Path) -> None:
    (config.parent / "token").chmod(0o644)
    assert "can be read by others" in graded(config, "secrets")[Grade.LOOK][0]


def test_a_faulty_configuration_is_broken_and_the_rest_is_still_looked_at(config: Path) -> None:
    config.write_text("cameras: []\n")
    assert graded(config, "configuration")[Grade.BROKEN]
    assert graded(config, "versions")[Grade.OK]


def test_a_part_that_fails_is_a_finding(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Iterator[Finding]:
        raise RuntimeError("Muster^Anna")

    monkeypatch.setattr("irisdrop.surface.doctor.state.disk", broken)
    (text,) = graded(config, "disk")[Grade.BROKEN]
    assert "RuntimeError at test_doctor.py" in text
    assert "Muster" not in text


def test_what_is_broken_is_exit_code_1_and_each_line_says_what_to_do(config: Path) -> None:
    (config.parent / "exports").rmdir()
    done = subprocess.run(
        [sys.executable, "-m", "irisdrop", "--config", str(config), "doctor", "folders", "versions", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = json.loads(done.stdout)
    assert {line["part"] for line in lines} == {"folders", "versions"}
    assert all(line["try"] for line in lines if line["grade"] != "ok")
