"""The worklist by HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.http_worklist import HttpWorklist
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.orders import Standing, Withdrawal

ZONE = ZoneInfo("America/New_York")
Source = Callable[..., HttpWorklist]


@pytest.fixture
def source() -> Iterator[Source]:
    """Makes sources, and closes them."""
    made: list[HttpWorklist] = []

    def worklist(url: str, token: str | None = "a-token-for-tests", **more: Any) -> HttpWorklist:
        made.append(HttpWorklist(url, lambda: token, ZONE, **more))
        return made[-1]

    yield worklist
    for one in made:
        one.close()


def answer(entries: object = (), withdrawn: object = (), cursor: object = "c1") -> str:
    """A worklist as JSON."""
    return json.dumps({"entries": entries, "withdrawn": withdrawn, "cursor": cursor})


def test_orders_come_in_full_and_then_by_what_changed(reference: ReferencePlatform, source: Source) -> None:
    worklist = source(reference.url)
    full = worklist.changes(None)
    assert (full.full, [entry.id for entry in full.entries]) == (True, ["E1"])
    reference.worklist.put([{"id": "E2", "PatientID": "7"}])
    reference.worklist.withdraw("E1", "cancelled")
    news = worklist.changes(full.cursor)
    assert (news.full, [entry.id for entry in news.entries]) == (False, ["E2"])
    assert news.withdrawn == (Withdrawal("E1", Standing.CANCELLED),)


def test_nothing_new_costs_a_304(reference: ReferencePlatform, source: Source) -> None:
    worklist = source(reference.url)
    cursor = worklist.changes(None).cursor
    for _ in range(3):
        nothing = worklist.changes(cursor)
        assert (nothing.entries, nothing.withdrawn, nothing.cursor, nothing.full) == ((), (), cursor, False)
    reference.worklist.put([{"id": "E2", "PatientID": "7"}])
    assert [entry.id for entry in worklist.changes(cursor).entries] == ["E2"]


def test_a_tag_is_sent_for_its_own_cursor_alone(hostile: Any, source: Source) -> None:
    worklist = source(hostile.url)
    hostile.says("200 OK", answer(cursor="c1"), 'ETag: "t1"\r\n')
    worklist.changes(None)
    worklist.changes("c1")
    worklist.changes("c1")
    worklist.changes("c0")
    assert [b"If-None-Match" in request for request in hostile.requests] == [False, False, True, False]


def test_a_cursor_that_is_no_longer_known_leads_to_everything(reference: ReferencePlatform, source: Source) -> None:
    changes = source(reference.url).changes("of-an-older-platform")
    assert (changes.full, [entry.id for entry in changes.entries]) == (True, ["E1"])


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2025-01-14T09:30:00", datetime(2025, 1, 14, 14, 30, tzinfo=UTC)),
        ("2025-07-14T09:30:00", datetime(2025, 7, 14, 13, 30, tzinfo=UTC)),
        ("2025-01-14T09:30:00+01:00", datetime(2025, 1, 14, 8, 30, tzinfo=UTC)),
        ("2025-01-14T09:30:00Z", datetime(2025, 1, 14, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_start_without_offset_is_local_to_the_site(hostile: Any, source: Source, text: str, start: datetime) -> None:
    hostile.says("200 OK", answer([{"id": "E1", "ScheduledProcedureStepStartDateTime": text}]))
    (entry,) = source(hostile.url).changes(None).entries
    assert entry.start == start


def test_keys_take_the_form_of_readings(hostile: Any, source: Source) -> None:
    wire = {
        "id": "E1",
        "site": "S1",
        "PatientID": " 000815 ",
        "PatientName": "Mu\u0308ller^Anna",
        "PatientBirthDate": "19610307",
        "PatientSex": "female",
        "AccessionNumber": "",
        "StudyInstanceUID": None,
        "SingleEyeOnly": "OS",
        "RequestedProcedureDescription": "Fundus",
    }
    hostile.says("200 OK", answer([wire]))
    (entry,) = source(hostile.url).changes(None).entries
    assert entry.keys == {
        "PatientID": "000815",
        "PatientName": "M\u00fcller^Anna",
        "PatientBirthDate": "1961-03-07",
        "PatientSex": "F",
    }
    assert (entry.site, entry.single_eye, entry.standing) == ("S1", "L", Standing.OPEN)


def test_an_entry_that_cant_be_read_is_a_fault_and_is_not_matched_in_its_older_form(
    hostile: Any, source: Source
) -> None:
    hostile.says(
        "200 OK", answer([{"id": "E1", "PatientID": 815}, {"id": "E2", "PatientBirthDate": "7.3.61"}, {"id": "E3"}])
    )
    changes = source(hostile.url).changes("c0")
    assert [entry.id for entry in changes.entries] == ["E3"]
    assert changes.withdrawn == (Withdrawal("E1", Standing.COMPLETED), Withdrawal("E2", Standing.COMPLETED))
    assert changes.faults == ("entry 'E1': PatientID is no text", "entry 'E2': PatientBirthDate is no date")


def test_an_unknown_why_means_completed(hostile: Any, source: Source) -> None:
    gone = [{"id": "E1", "why": "replaced"}, {"id": "E2", "why": "eaten"}, {"id": "E3"}, {"id": "E4", "why": "open"}]
    hostile.says("200 OK", answer([], gone))
    whys = [item.why for item in source(hostile.url).changes(None).withdrawn]
    assert whys == [Standing.REPLACED, Standing.COMPLETED, Standing.COMPLETED, Standing.COMPLETED]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Welcome</html>",
        "[]",
        "{}",
        answer("x"),
        answer([], 5),
        answer(cursor=None),
        answer(cursor=7),
        answer([5]),
        answer([{"PatientID": "1"}]),
        answer([], [{"why": "cancelled"}]),
        answer([])[:-2],
    ],
)
def test_what_is_no_whole_worklist_is_none_at_all(hostile: Any, source: Source, body: str) -> None:
    hostile.says("200 OK", body)
    with pytest.raises(WorklistUnavailable) as caught:
        source(hostile.url).changes(None)
    assert caught.value.condition == "PLATFORM_STRANGE"


@pytest.mark.parametrize(
    ("status", "condition"),
    [
        ("401 No", "PLATFORM_DENIED"),
        ("403 No", "PLATFORM_DENIED"),
        ("429 Slow", "WORKLIST_UNREACHABLE"),
        ("503 No", "WORKLIST_UNREACHABLE"),
        ("302 Found", "PLATFORM_STRANGE"),
        ("404 None", "PLATFORM_STRANGE"),
        ("410 Gone", "PLATFORM_STRANGE"),
        ("304 Same", "PLATFORM_STRANGE"),
    ],
)
def test_no_other_answer_is_read_as_an_empty_worklist(
    hostile: Any, source: Source, status: str, condition: str
) -> None:
    hostile.says(status, answer() if not status.startswith("304") else "")
    with pytest.raises(WorklistUnavailable) as caught:
        source(hostile.url).changes(None)
    assert caught.value.condition == condition


def test_a_cut_answer_or_none_at_all_is_no_worklist(hostile: Any, source: Source) -> None:
    hostile.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + answer().encode()
    with pytest.raises(WorklistUnavailable):
        source(hostile.url).changes(None)
    hostile.stop()
    with pytest.raises(WorklistUnavailable) as caught:
        source(hostile.url).changes(None)
    assert caught.value.condition == "WORKLIST_UNREACHABLE"


def test_a_wrong_token_is_said_as_such(reference: ReferencePlatform, source: Source) -> None:
    for token in ("wrong", "", None):
        with pytest.raises(WorklistUnavailable) as caught:
            source(reference.url, token).changes(None)
        assert caught.value.condition == "PLATFORM_DENIED"


def test_a_large_worklist_comes_whole(reference: ReferencePlatform, source: Source) -> None:
    reference.worklist.put([{"id": f"N{number}", "PatientID": f"{number:06}"} for number in range(20_000)])
    assert len(source(reference.url).changes(None).entries) == 20_001
