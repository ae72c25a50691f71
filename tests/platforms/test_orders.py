"""Orders as a folder of OrderRequest messages."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.orders import OrderFolder
from irisdrop.vocabulary.decisions import Matched, Unmatched
from irisdrop.vocabulary.orders import Standing
from irisdrop.vocabulary.reasons import Code

CHICAGO = ZoneInfo("America/Chicago")


def request(code: str = "NW", order: str = "A-1", patient: str = "000815", **more: Any) -> dict[str, Any]:
    """An OrderRequest as the documentation shows one."""
    return {
        "Version": "2.3.1",
        "OrderControlCode": code,
        "ClientGuid": "b0c1",
        "Site": {"LocalId": "S1"},
        "Order": {"LocalId": order, "EvaluationTypes": ["DR"], "ScheduledTime": "2025-01-14T09:30:00"},
        "Patient": {
            "LocalId": patient,
            "Name": {"First": "Ngozi", "Last": "Okafor"},
            "Dob": "3/7/1961",
            "Genders": [{"Context": "IdentityGender", "Gender": "O"}, {"Context": "BirthGender", "Gender": "F"}],
        },
    } | more


def put(folder: Path, name: str, message: object) -> None:
    """Write one message."""
    (folder / name).write_text(message if isinstance(message, str) else json.dumps(message))


def test_an_order_request_is_an_entry(tmp_path: Path) -> None:
    put(tmp_path, "1.json", request())
    changes = OrderFolder(tmp_path, CHICAGO).changes(None)
    (entry,) = changes.entries
    assert dict(entry.keys) == {
        "PatientID": "000815",
        "PatientName": "Okafor^Ngozi",
        "PatientBirthDate": "1961-03-07",
        "PatientSex": "F",
        "AccessionNumber": "A-1",
    }
    assert (entry.start, entry.site) == (datetime(2025, 1, 14, 9, 30, tzinfo=CHICAGO), "S1")
    assert not changes.full


@pytest.mark.parametrize("silent", ["1.json", "2.json"])
def test_a_cancellation_counts_though_one_of_both_names_no_site(tmp_path: Path, silent: str) -> None:
    for name, code in (("1.json", "NW"), ("2.json", "CA")):
        message = request(code)
        put(tmp_path, name, {**message, "Site": None} if name == silent else message)
    put(tmp_path, "0.json", request(order="A-2"))
    changes = OrderFolder(tmp_path, CHICAGO).changes(None)
    assert [entry.keys["AccessionNumber"] for entry in changes.entries] == ["A-2"]


def test_a_cancellation_of_another_site_does_not(tmp_path: Path) -> None:
    put(tmp_path, "1.json", request())
    put(tmp_path, "2.json", request("CA", Site={"LocalId": "S2"}))
    assert len(OrderFolder(tmp_path, CHICAGO).changes(None).entries) == 1


def test_a_cancellation_withdraws_and_a_message_that_is_gone_does_not(tmp_path: Path) -> None:
    put(tmp_path, "1.json", request())
    source = OrderFolder(tmp_path, CHICAGO)
    first = source.changes(None)
    assert source.changes(first.cursor).entries == ()
    (tmp_path / "1.json").unlink()
    gone = source.changes(first.cursor)
    assert (gone.entries, gone.withdrawn, gone.full) == ((), (), False)
    put(tmp_path, "2.json", request("CA"))
    (withdrawal,) = source.changes(gone.cursor).withdrawn
    assert (withdrawal.id, withdrawal.why) == (first.entries[0].id, Standing.CANCELLED)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ('{"OrderControlCode": "NW", "Or', "it is no complete JSON"),
        ("[]", "it is no object"),
        (request("ZZ"), "its OrderControlCode is none of NW, XO, CA"),
        (request(Order={}), "it has no Order.LocalId"),
        (request(Patient={}), "it has no Patient.LocalId"),
        (request(Patient={"LocalId": 815}), "Patient.LocalId is no text"),
        (
            request(Patient={"LocalId": "1", "Dob": "07.03.1961"}),
            "Patient.Dob is neither MM/DD/YYYY[ HH:MM] nor ISO 8601",
        ),
    ],
)
def test_a_message_that_cant_be_read_is_a_fault_of_its_own(tmp_path: Path, message: object, fault: str) -> None:
    put(tmp_path, "1.json", message)
    put(tmp_path, "2.json", request(order="A-2"))
    changes = OrderFolder(tmp_path, CHICAGO).changes(None)
    assert changes.faults == (f"message 1: {fault}",)
    assert [entry.keys["AccessionNumber"] for entry in changes.entries] == ["A-2"]


def test_a_folder_that_is_gone_is_no_empty_list(tmp_path: Path) -> None:
    with pytest.raises(WorklistUnavailable):
        OrderFolder(tmp_path / "away", CHICAGO).changes(None)


def told(folder: Path, *messages: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The patients of the open orders, and why the others are gone, after messages in this order."""
    for number, message in enumerate(messages, 1):
        put(folder, f"{number}.json", message)
        os.utime(folder / f"{number}.json", (number, number))
    changes = OrderFolder(folder, CHICAGO).changes(None)
    return [entry.keys["PatientID"] for entry in changes.entries], [gone.why for gone in changes.withdrawn]


def test_a_change_that_gives_an_order_to_another_patient_replaces_it(tmp_path: Path) -> None:
    assert told(tmp_path, request(), request("XO", patient="000816")) == (["000816"], [Standing.REPLACED])


def test_a_change_back_replaces_too(tmp_path: Path) -> None:
    there = request("XO", patient="000816")
    assert told(tmp_path, request(), there, request("XO")) == (["000815"], [Standing.REPLACED])


@pytest.mark.parametrize(
    "messages",
    [
        [request(), request(patient="000816")],
        [request(), request(patient="000816"), request("XO", patient="000816")],
        [request(), request("XO", patient="000816", Site={"LocalId": "S2"})],
        [request(Site=None), request("XO", patient="000816")],
        [
            request(Order={"LocalId": "A-1", "StudyInstanceUniqueId": "1.2.3"}),
            request("XO", patient="000816", Order={"LocalId": "A-1", "StudyInstanceUniqueId": "1.2.4"}),
        ],
    ],
    ids=["new under its number", "both open before", "another site", "no site", "another study"],
)
def test_where_it_is_not_certain_that_it_is_the_same_order_both_stay(
    tmp_path: Path, messages: list[dict[str, Any]]
) -> None:
    assert told(tmp_path, *messages) == (["000815", "000816"], [])


def test_of_changes_that_were_written_at_one_moment_none_is_taken_for_the_later_one(tmp_path: Path) -> None:
    """On FAT a moment is two seconds. By their names 000816 came last, and an image of 000815 would have gone there."""
    for number, message in enumerate([request(), request("XO"), request("XO", patient="000816")]):
        put(tmp_path, f"{number}.json", message)
        os.utime(tmp_path / f"{number}.json", (min(number, 1),) * 2)
    changes = OrderFolder(tmp_path, CHICAGO).changes(None)
    assert [entry.keys["PatientID"] for entry in changes.entries] == ["000815", "000816"]


def test_the_queue_says_in_which_order_changes_of_one_moment_came(tmp_path: Path) -> None:
    for number, message in enumerate([request(), request("XO", patient="000816")]):
        put(tmp_path, f"queue-{number:020d}-0.json", message)
        os.utime(tmp_path / f"queue-{number:020d}-0.json", (1, 1))
    changes = OrderFolder(tmp_path, CHICAGO).changes(None)
    assert [entry.keys["PatientID"] for entry in changes.entries] == ["000816"]


def test_a_change_of_a_number_that_two_patients_have_replaces_neither(tmp_path: Path) -> None:
    third = request("XO", patient="000817")
    assert told(tmp_path, request(), request(patient="000816"), third) == (["000815", "000816", "000817"], [])


def test_an_image_of_an_order_that_was_given_to_another_patient_is_that_patients_alone(
    tmp_path: Path, records: Any, profile: Any, read: Any
) -> None:
    """It was AMBIGUOUS, because both orders were open."""
    put(tmp_path, "1.json", request())
    source = OrderFolder(tmp_path, CHICAGO)
    records.orders.apply(source.changes(None))
    put(tmp_path, "2.json", request("XO", patient="000816"))
    records.orders.apply(source.changes(records.orders.cursor()))
    entries = records.orders.find([("AccessionNumber", "A-1")])
    situation = Situation(CHICAGO, datetime(2025, 1, 14, 15, 40, tzinfo=UTC), True)
    by_order = profile(match="[AccessionNumber]")
    found = match(read(AccessionNumber="A-1", ImageLaterality="R"), by_order, situation, entries)
    assert isinstance(found, Matched)
    assert found.entry.keys["PatientID"] == "000816"
    former = match(read(AccessionNumber="A-1", PatientID="000815", ImageLaterality="R"), by_order, situation, entries)
    assert isinstance(former, Unmatched)
    assert former.reason is Code.PATIENT_MISMATCH
