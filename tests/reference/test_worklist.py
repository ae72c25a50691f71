"""Worklist files that change under a running platform."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irisdrop.platforms.entries import EntryFault
from irisdrop.reference.storage import Storage
from irisdrop.reference.worklist import Worklist
from irisdrop.vocabulary.clock import SystemClock

HEADING = "OrderControlCode,SiteLocalId,OrderLocalId,PatientLocalId,PatientDob\n"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """Storage without a server."""
    storage = Storage(tmp_path / "data", SystemClock())
    yield storage
    storage.close()


def written(path: Path, text: str) -> Path:
    """A file with this text and a time of its own."""
    path.write_text(text)
    written.count = getattr(written, "count", 0) + 1  # type: ignore[attr-defined]
    os.utime(path, (1_700_000_000 + written.count,) * 2)  # type: ignore[attr-defined]
    return path


def orders(storage: Storage) -> list[Any]:
    """Order numbers that are open."""
    return sorted(str(entry.get("AccessionNumber")) for entry in storage.worklist(None).items)


def ends(storage: Storage) -> list[Any]:
    """Why others are not."""
    return sorted(gone["why"] for gone in storage.worklist(None).withdrawn)


def test_a_file_that_changed_is_loaded_when_it_has_come_to_rest(storage: Storage, tmp_path: Path) -> None:
    path = written(tmp_path / "orders.csv", HEADING + "NW,S1,A1,000815,03/07/1961\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    assert orders(storage) == ["A1"]
    written(path, HEADING + "NW,S1,A1,000815,03/07/1961\nNW,S1,A2,000816,1970-01-02\n")
    worklist.look()
    assert orders(storage) == ["A1"]  # it may still be written
    worklist.look()
    assert orders(storage) == ["A1", "A2"]


def test_an_order_that_is_gone_from_its_file_is_completed_and_can_come_back(storage: Storage, tmp_path: Path) -> None:
    path = written(tmp_path / "orders.csv", HEADING + "NW,S1,A1,000815,\nNW,S1,A2,000816,\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    written(path, HEADING + "NW,S1,A2,000816,\n")
    worklist.load()
    assert (orders(storage), ends(storage)) == (["A2"], ["completed"])
    written(path, HEADING + "NW,S1,A1,000815,\nNW,S1,A2,000816,\n")
    worklist.load()
    assert (orders(storage), ends(storage)) == (["A1", "A2"], [])


def test_a_cancelled_order_says_so(storage: Storage, tmp_path: Path) -> None:
    path = written(tmp_path / "orders.csv", HEADING + "NW,S1,A1,000815,\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    written(path, HEADING + "CA,S1,A1,000815,\n")
    worklist.load()
    assert (orders(storage), ends(storage)) == ([], ["cancelled"])


STUDY = HEADING.replace("PatientDob", "StudyInstanceUniqueId")


@pytest.mark.parametrize(
    ("before", "after", "end"),
    [
        ("A1,000815,1.2.3", "A1,000816,1.2.3", "replaced"),
        ("A1,000815,1.2.3", "A1,000816,1.2.4", "completed"),
        ("A1,000815,", "A1,000816,", "completed"),
    ],
    ids=["the same study", "its number used again", "no study"],
)
def test_an_order_whose_patient_was_corrected_is_replaced_where_its_study_says_that_it_is_the_same(
    storage: Storage, tmp_path: Path, before: str, after: str, end: str
) -> None:
    path = written(tmp_path / "orders.csv", f"{STUDY}NW,S1,{before}\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    written(path, f"{STUDY}NW,S1,{after}\n")
    worklist.load()
    assert (orders(storage), ends(storage)) == (["A1"], [end])


@pytest.mark.parametrize("torn", ["", "OrderLocal", HEADING + "NW,S1,A1,000815,\nNW,S1", HEADING + 'NW,S1,"A1'])
def test_a_file_that_is_half_written_keeps_the_last_good_list(storage: Storage, tmp_path: Path, torn: str) -> None:
    path = written(tmp_path / "orders.csv", HEADING + "NW,S1,A1,000815,\nNW,S1,A2,000816,\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    written(path, torn)
    worklist.load()
    assert orders(storage) == ["A1", "A2"]
    assert "the last good list stays" in worklist.faults[path][0]
    path.unlink()
    worklist.load()
    assert orders(storage) == ["A1", "A2"]


def test_one_file_does_not_complete_the_orders_of_another(storage: Storage, tmp_path: Path) -> None:
    one = written(tmp_path / "one.csv", HEADING + "NW,S1,A1,000815,\n")
    two = written(tmp_path / "two.json", json.dumps([{"id": "E2", "AccessionNumber": "A2", "PatientID": "000816"}]))
    worklist = Worklist(storage, [one, two], SystemClock())
    worklist.load()
    written(one, HEADING)
    worklist.load()
    assert orders(storage) == ["A2"]


def test_a_fault_of_a_row_is_told_without_the_patient(
    storage: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "orders.csv", HEADING + "NW,S1,,000815,\nNW,S1,A2,000816,\nNW,S1,A3,000817,yesterday\n")
    worklist = Worklist(storage, [path], SystemClock())
    worklist.load()
    assert orders(storage) == ["A2"]
    assert worklist.faults[path] == (
        "row 2: it has no OrderLocalId",
        "row 4: PatientDob is neither MM/DD/YYYY[ HH:MM] nor ISO 8601",
    )
    assert "row 2" in caplog.text
    assert "000815" not in caplog.text


def test_an_entry_of_the_program_must_be_one(storage: Storage) -> None:
    worklist = Worklist(storage, [], SystemClock())
    with pytest.raises(EntryFault, match="PatientID is no text"):
        worklist.put([{"id": "E1", "PatientID": 815}])
