"""The README can't go stale: its blocks are loaded, its commands are run, its picture is the table."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.states import TRANSITIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
NAME = "20250114_000815_R_012.JPG"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def irisdrop(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irisdrop", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the README presumes: its configuration and profile, one export, and a platform that is the reference."""
    for block in blocks("yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(block, "utf-8")
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / NAME).write_bytes(draw(1, "R", b""))
    old = datetime(2025, 1, 14, 12, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "exports" / NAME, (old, old))
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    order = {"id": "S1-1", "PatientID": "000815", "ScheduledProcedureStepStartDateTime": soon}
    (tmp_path / "orders.json").write_text(json.dumps([order]))
    monkeypatch.setenv("IRISDROP_TOKEN", "a-token-of-the-test")
    monkeypatch.setenv("IRISDROP_CONFIG", str(tmp_path / "irisdrop.yaml"))
    with ReferencePlatform(
        tmp_path / "platform", token="a-token-of-the-test", worklists=[tmp_path / "orders.json"]
    ) as platform:
        config = tmp_path / "irisdrop.yaml"
        config.write_text(config.read_text().replace("http://127.0.0.1:7480/v1", platform.url))
        yield tmp_path


def test_every_command_of_the_readme_runs_as_written(clinic: Path) -> None:
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) > 12
    for command in commands:
        words = shlex.split(command.replace("ENTRY", "S1-1"))
        assert words[0] == "irisdrop"
        done = irisdrop(words[1:], clinic)
        assert done.returncode == 0, (command, done.stderr)


def test_every_command_that_a_table_or_sentence_names_exists() -> None:
    named = set(re.findall(r"`irisdrop ([a-z]+)(?: ([a-z]+))?", README))
    assert named
    for words in named:
        done = irisdrop([word for word in words if word] + ["--help"], ROOT)
        assert done.returncode == 0, words


def test_the_picture_is_the_table_of_states() -> None:
    (picture,) = blocks("mermaid")
    drawn = {
        (before, event.strip(), after)
        for before, after, events in re.findall(r"(\w+) --> (\w+): (.+)", picture)
        for event in events.split(",")
    }
    assert drawn == {(str(before), str(event), str(after)) for (before, event), after in TRANSITIONS.items()}


def test_the_two_commands_are_those_of_ci() -> None:
    (commands,) = blocks("sh")
    assert commands.splitlines() == ["bash tests/run demo", "bash tests/run"]
    assert "bash tests/run\n" in (ROOT / ".ci" / "run").read_text()
    assert 'exec $venv/bin/irisdrop demo "$@"' in (ROOT / "tests" / "run").read_text()
