"""From exports of a camera that irisdrop has never seen to a working profile, in the commands of rules/README.md."""

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

from irisdrop.profiles.shelf import place
from irisdrop.reference.retina import draw
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.orders import WorklistEntry

ROOT = Path(__file__).parents[3]
README = (Path(str(place())) / "README.md").read_text(encoding="utf-8")
WRITTEN_ON = "20250114"  # the day of the transcript; in the test it is today
PEOPLE = {"000815": "Keller^Berta", "410273": "Brown^Mary", "A12-7": "Lopes^Ana"}
CONFIG = """\
state: state
platform: {{kind: http, url: '{url}'}}
worklist: {{from: platform}}
cameras:
  - {{name: room-2, profile: ./camera.yaml, folder: exports}}
"""


def transcript() -> list[tuple[str, str]]:
    """Every command of the transcript with its output."""
    block = re.search(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert block is not None
    parts = re.split(r"^\$ (.*)\n", block[1], flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of exports, a worklist, and a configuration for the time when there is a profile."""
    (tmp_path / "exports").mkdir()
    now = datetime.now().astimezone()
    # Just after midnight the exports are of yesterday, like those of a night shift.
    for at, number in enumerate(PEOPLE):
        for eye in ("OD", "OS"):
            name = f"FND-{number}-{eye}-{now - timedelta(minutes=2):%Y%m%d}-{at * 2 + (eye == 'OS') + 1:04}.jpg"
            (tmp_path / "exports" / name).write_bytes(draw(at * 2 + (eye == "OS"), "R" if eye == "OD" else "L"))
    entries = [{"id": f"E{n}", "PatientID": n, "PatientName": name} for n, name in PEOPLE.items()]
    (tmp_path / "worklist.json").write_text(json.dumps(entries))
    with ReferencePlatform(tmp_path / "platform") as platform:
        platform.worklist.put(
            [
                WorklistEntry(f"E{n}", {"PatientID": n, "PatientName": name}, datetime.now(UTC))
                for n, name in PEOPLE.items()
            ]
        )
        (tmp_path / "irisdrop.yaml").write_text(CONFIG.format(url=platform.url))
        yield tmp_path


def shown(output: str, today: str) -> str:
    """What is the same on every machine and day: no log, no folders above, the day of the transcript."""
    lines = [line.rstrip() for line in output.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT|folder, [2-9] up", line)]
    day, written = (f"{one[:4]}-{one[4:6]}-{one[6:]}" for one in (today, WRITTEN_ON))
    return "\n".join(lines).replace(day, written).strip()


def test_the_transcript_of_the_reference_is_what_happens(site: Path) -> None:
    today = f"{datetime.now().astimezone() - timedelta(minutes=2):%Y%m%d}"
    commands = transcript()
    assert len(commands) <= 6
    for command, told in commands:
        words = shlex.split(command.replace(WRITTEN_ON, today))
        assert words[0] == "irisdrop"
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=site,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "TZ": "UTC", "IRISDROP_CONFIG": str(site / "irisdrop.yaml")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout
        said = shown(done.stdout, today)
        assert said == told.strip(), command
