"""What a person decides at the command line: several images at once are one commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

ROOT = Path(__file__).parents[3]


@pytest.fixture
def quarantine(records: Any, read: Any, tmp_path: Path) -> Any:
    """Runs `irisdrop quarantine …` on three images of one exam and one of another; the journal is the records' own."""
    for number, patient in enumerate(["000815", "000815", "000815", "4711"], 1):
        said = read(PatientID=patient, ImageLaterality="RL"[number % 2])
        image = records.identified(*said, name=f"{number}.jpg", content=b"picture %d" % number)
        records.journal.refuse(image, Code.NO_WORKLIST_ENTRY, "no open order has this PatientID")
    records.sync(records.entry("E1"))
    config = tmp_path / "irisdrop.yaml"
    config.write_text("state: state\ncameras:\n  - {name: room-2, profile: optos-daytona, folder: exports}\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "irisdrop", "--config", str(config), "quarantine", *words],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def states(records: Any) -> list[State]:
    return [records.journal.get(number).state for number in (1, 2, 3, 4)]


def test_the_images_of_one_exam_stand_together(quarantine: Any) -> None:
    found = json.loads(quarantine("list", "--json").stdout)
    assert {item["id"]: item["exam"] for item in found} == {1: 1, 2: 1, 3: 1, 4: 4}
    assert {"id", "digest", "file", "camera", "reason", "since", "readings", "suggestions"} <= found[0].keys()
    assert all(len(item["digest"]) == 64 for item in found)
    assert "4 images of 2 exams wait for a person." in quarantine("list").stdout


def test_an_exam_is_assigned_at_once_and_taken_back_at_once(quarantine: Any, records: Any) -> None:
    done = quarantine("assign", "1", "2", "3", "--entry", "E1", "--by", "anna")
    assert done.returncode == 0, done.stderr
    assert states(records)[:3] == [State.MATCHED] * 3
    assert records.journal.get(2).assigned_by == "anna"
    assert quarantine("undo", "1", "2", "3", "--by", "anna").returncode == 0
    assert states(records) == [State.QUARANTINED] * 4


def test_one_that_contradicts_the_order_keeps_all_of_them_where_they_are(quarantine: Any, records: Any) -> None:
    done = quarantine("assign", "1", "2", "4", "--entry", "E1", "--by", "anna")
    assert done.returncode == 1
    assert "--despite PATIENT_MISMATCH" in done.stderr
    assert done.stdout == ""
    assert states(records) == [State.QUARANTINED] * 4
    done = quarantine("assign", "1", "2", "4", "--entry", "E1", "--by", "anna", "--despite", "PATIENT_MISMATCH")
    assert done.returncode == 0, done.stderr
    (line,) = [step.why for step in records.journal.history(4) if step.event == "assign"]
    assert "despite PATIENT_MISMATCH" in line


def test_discarding_needs_a_word_and_an_unknown_image_is_told(quarantine: Any, records: Any) -> None:
    assert quarantine("discard", "1").returncode == 2
    assert quarantine("discard", "1", "2", "--why", "a test picture", "--by", "anna").returncode == 0
    assert states(records)[:2] == [State.DISCARDED] * 2
    done = quarantine("release", "3", "99", "--by", "anna")
    assert done.returncode == 1
    assert "Try:" in done.stderr
    assert states(records)[2] is State.QUARANTINED


def test_an_empty_quarantine_says_so(quarantine: Any) -> None:
    quarantine("discard", "1", "2", "3", "4", "--why", "a test", "--by", "anna")
    assert quarantine("list", "--json").stdout.strip() == "[]"
    assert quarantine("list").stdout.strip() == "Nothing waits for a person."


def test_an_image_that_is_not_there_is_foreseen(quarantine: Any) -> None:
    done = quarantine("show", "99")
    assert done.returncode == 1
    assert "There is no image 99." in done.stderr
    assert "Try:" in done.stderr


@pytest.mark.parametrize(
    ("platform", "second"),
    [("{kind: http, url: 'http://127.0.0.1:9/v1'}", False), ("{kind: folder, path: given}", True), (None, False)],
    ids=["http", "folder", "none"],
)
def test_who_calls_an_image_back_is_told_where_the_platform_will_get_a_second_one(
    quarantine: Any, records: Any, tmp_path: Path, platform: str | None, second: bool
) -> None:
    """Before it is sent: nothing of ours can take the first one away there."""
    with (tmp_path / "irisdrop.yaml").open("a") as config:
        config.write(f"platform: {platform}\n" if platform else "")
    image = records.matched(name="5.jpg", content=b"picture 5")
    records.attempts.confirm(image, Receipt("r1", image.digest, "E1", "R", "then"), "receipt")
    done = quarantine("recall", str(image.id), "--why", "another patient's", "--by", "anna")
    assert done.returncode == 0, done.stderr
    assert ("gets a second one" in done.stdout) is second
    done = quarantine("assign", str(image.id), "--entry", "E1", "--eye", "R", "--by", "anna")
    assert done.returncode == 0, done.stderr
    assert ("gets a second one" in done.stdout) is second
