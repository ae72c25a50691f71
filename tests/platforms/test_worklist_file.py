"""Worklist files: IRIS's order fields as CSV, and JSON."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.worklist_file import Dialect, FileWorklist, TornFile, parse_csv, parse_json, read_listing
from irisdrop.vocabulary.orders import Standing

HEADING = (
    "ClientGuid,OrderControlCode,SiteLocalId,PatientLocalId,PatientFirstName,PatientLastName,PatientDob,"
    "PatientBirthGender,Version,OrderLocalId,OrderScheduledTime,SingleEyeOnly\n"
)
ROW = "guid,NW,S1,000815,Jürgen,Müller,03/07/1961,M,2.3.1,A-1,01/14/2025 09:30,OD\n"
BERLIN = ZoneInfo("Europe/Berlin")


def test_an_order_of_iris_becomes_an_entry_in_dicoms_words() -> None:
    (entry,) = parse_csv((HEADING + ROW).encode()).entries.values()
    assert {key: value for key, value in entry.items() if key != "id"} == {
        "site": "S1",
        "PatientID": "000815",
        "PatientName": "Müller^Jürgen",
        "PatientBirthDate": "1961-03-07",
        "PatientSex": "M",
        "AccessionNumber": "A-1",
        "ScheduledProcedureStepStartDateTime": "2025-01-14T09:30:00",
        "SingleEyeOnly": "R",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_encoding_that_excel_writes_is_read(encoding: str, delimiter: str, end: str) -> None:
    text = (HEADING + ROW).replace(",", delimiter).replace("\n", end)
    (entry,) = parse_csv(text.encode(encoding)).entries.values()
    assert (entry["PatientName"], entry["PatientID"]) == ("Müller^Jürgen", "000815")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("01/14/2025 09:30", "2025-01-14T09:30:00"),
        ("1/4/2025 9:05", "2025-01-04T09:05:00"),
        ("01/14/2025 1:30 PM", "2025-01-14T13:30:00"),
        ("01/14/2025", "2025-01-14T00:00:00"),
        ("2025-01-14T09:30:00-05:00", "2025-01-14T09:30:00-05:00"),
        ("2025-01-14 09:30", "2025-01-14T09:30:00"),
        ("20250114", "2025-01-14T00:00:00"),
    ],
)
def test_a_time_is_american_or_iso(text: str, start: str) -> None:
    (entry,) = parse_csv((HEADING + ROW.replace("01/14/2025 09:30", text)).encode()).entries.values()
    assert entry["ScheduledProcedureStepStartDateTime"] == start


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (ROW.replace("A-1", ""), "row 2: it has no OrderLocalId"),
        (ROW.replace("000815", ""), "row 2: it has no PatientLocalId"),
        (ROW.replace("03/07/1961", "13/07/1961"), "row 2: PatientDob is neither MM/DD/YYYY[ HH:MM] nor ISO 8601"),
        (
            ROW.replace("01/14/2025 09:30", "soon"),
            "row 2: OrderScheduledTime is neither MM/DD/YYYY[ HH:MM] nor ISO 8601",
        ),
        (ROW.replace("NW", "ZZ"), "row 2: its OrderControlCode is none of NW, XO, CA"),
        ("guid,NW\n", "row 2: it has 2 columns, the heading has 12"),
    ],
)
def test_a_row_that_cant_be_read_is_a_fault_of_that_row_alone(row: str, fault: str) -> None:
    listing = parse_csv((HEADING + row + ROW.replace("A-1", "A-2")).encode())
    assert listing.faults == [fault]
    assert [entry["AccessionNumber"] for entry in listing.entries.values()] == ["A-2"]


def test_an_order_number_under_two_patients_is_two_entries() -> None:
    listing = parse_csv((HEADING + ROW + ROW.replace("000815", "000816")).encode())
    assert sorted(str(entry["PatientID"]) for entry in listing.entries.values()) == ["000815", "000816"]


def test_a_change_that_gives_an_order_to_another_patient_replaces_it_where_it_is_certain_which_is_meant() -> None:
    moved = ROW.replace("000815", "000816")
    change = moved.replace("NW", "XO")
    assert list(parse_csv((HEADING + ROW + change).encode()).withdrawn.values()) == [Standing.REPLACED]
    assert parse_csv((HEADING + ROW + moved + change).encode()).withdrawn == {}
    assert parse_csv((HEADING + ROW + change.replace("A-1", "A-2")).encode()).withdrawn == {}
    steps = [text.replace("2.3.1", step) for text, step in ((ROW, "1"), (ROW, "2"), (change, "2"))]
    found = parse_csv((HEADING.replace("Version", "ScheduledProcedureStepID") + "".join(steps)).encode())
    assert [(one["PatientID"], one["ScheduledProcedureStepID"]) for one in found.entries.values()] == [
        ("000815", "1"),
        ("000816", "2"),
    ]


def test_of_two_changes_in_a_list_that_begins_with_the_newest_the_older_one_does_not_win() -> None:
    """The row that opened the order has left the list; the order is 000816's now, as its first row says."""
    change = ROW.replace("NW", "XO")
    listing = parse_csv((HEADING + change.replace("000815", "000816") + change).encode())
    assert sorted(str(entry["PatientID"]) for entry in listing.entries.values()) == ["000815", "000816"]
    assert listing.withdrawn == {}


def test_a_change_keeps_the_id_and_the_later_row_wins() -> None:
    first = parse_csv((HEADING + ROW).encode())
    both = parse_csv((HEADING + ROW + ROW.replace("NW", "XO").replace("09:30", "11:00")).encode())
    assert list(both.entries) == list(first.entries)
    (entry,) = both.entries.values()
    assert entry["ScheduledProcedureStepStartDateTime"] == "2025-01-14T11:00:00"


@pytest.mark.parametrize("patient", ["000815", ""])
def test_a_cancellation_withdraws_the_order(patient: str) -> None:
    opened = parse_csv((HEADING + ROW).encode())
    listing = parse_csv((HEADING + ROW + ROW.replace("NW", "CA").replace("000815", patient)).encode())
    (key,) = opened.entries
    assert listing.entries == {}
    assert listing.withdrawn[key] is Standing.CANCELLED


@pytest.mark.parametrize(
    "raw", [b"", b"a,b\n1,2\n", (HEADING + ROW[:30]).encode(), (HEADING + ROW).encode("utf-16")[:-1]]
)
def test_a_csv_file_that_cant_be_whole_is_refused(raw: bytes) -> None:
    with pytest.raises(TornFile):
        parse_csv(raw)


@pytest.mark.parametrize("raw", [b"", b'[{"id": "E1"', b'{"entries": 3}', b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_json_file_that_cant_be_whole_is_refused(raw: bytes) -> None:
    with pytest.raises(TornFile):
        parse_json(raw)


def test_json_gives_entries_with_or_without_an_id_and_withdrawals() -> None:
    document = {
        "entries": [
            {"id": "E1", "PatientID": "1"},
            {"AccessionNumber": "A-2", "PatientID": "2"},
            {"PatientID": "3"},
            4,
            {"id": "E5", "PatientID": 5},
        ],
        "withdrawn": [{"id": "E6", "why": "cancelled"}, {"id": "E7", "why": "strange"}],
    }
    listing = parse_json(json.dumps(document).encode())
    assert [entry["PatientID"] for entry in listing.entries.values()] == ["1", "2"]
    assert listing.faults == [
        "entry 3: it has neither id nor AccessionNumber",
        "entry 4: it is no object",
        "entry 5: entry 'E5': PatientID is no text",
    ]
    assert listing.withdrawn == {"E6": Standing.CANCELLED, "E7": Standing.COMPLETED}


def test_a_file_is_a_worklist_source_whose_times_are_the_sites(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADING + ROW)
    source = FileWorklist(path, BERLIN)
    changes = source.changes(None)
    assert changes.full
    assert changes.entries[0].start == datetime(2025, 1, 14, 9, 30, tzinfo=BERLIN)
    assert (changes.entries[0].site, changes.entries[0].single_eye) == ("S1", "R")
    again = source.changes(changes.cursor)
    assert (again.entries, again.full, again.cursor) == ((), False, changes.cursor)


def test_a_file_that_is_gone_or_torn_is_no_empty_worklist(tmp_path: Path) -> None:
    source = FileWorklist(tmp_path / "orders.json", BERLIN)
    with pytest.raises(WorklistUnavailable, match="FileNotFoundError"):
        source.changes(None)
    (tmp_path / "orders.json").write_text("[")
    with pytest.raises(WorklistUnavailable, match="can't be parsed whole"):
        source.changes(None)


class Later:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.during: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:  # noqa: ARG002
        self.during()
        return False


def many(count: int) -> str:
    """A list of that many orders."""
    return HEADING + "".join(ROW.replace("A-1", f"A-{number}") for number in range(count))


def test_a_customers_own_headings_are_mapped() -> None:
    dialect = Dialect({"mrn": "PatientLocalId", "order no.": "OrderLocalId"})
    (entry,) = parse_csv(b"MRN,Order No.,Room\n000815,A-1,3\n", dialect).entries.values()
    assert (entry["PatientID"], entry["AccessionNumber"]) == ("000815", "A-1")


def test_an_encoding_that_is_set_is_the_only_one() -> None:
    text = (HEADING + ROW).replace("Müller", "Łukasz")
    (entry,) = parse_csv(text.encode("iso-8859-2", "replace"), Dialect(encoding="iso8859-2")).entries.values()
    assert str(entry["PatientName"]).startswith("Łukasz")
    with pytest.raises(TornFile):
        parse_csv((HEADING + ROW).encode("cp1252"), Dialect(encoding="utf-8"))


def test_without_its_trailer_a_list_is_half_a_list() -> None:
    dialect = Dialect(trailer="#END")
    assert len(parse_csv(f"{many(3)}#END\n".encode(), dialect).entries) == 3
    with pytest.raises(TornFile):
        parse_csv(many(3).encode(), dialect)


def test_a_file_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    path, clock = tmp_path / "orders.csv", Later()
    path.write_text(HEADING)
    clock.during = lambda: path.write_text(HEADING + ROW)
    source = FileWorklist(path, BERLIN, Dialect(quiet=2.0), clock)
    with pytest.raises(WorklistUnavailable, match="still being written"):
        source.changes(None)
    clock.during = lambda: 0
    assert len(source.changes(None).entries) == 1


def test_half_a_list_withdraws_nothing_until_it_has_lain_there_for_a_while(tmp_path: Path) -> None:
    path, clock = tmp_path / "orders.csv", Later()
    path.write_text(many(30))
    source = FileWorklist(path, BERLIN, Dialect(), clock)
    whole = source.changes(None)
    path.write_text(many(7))  # cut at the end of a row: nothing in the file tells
    half = source.changes(whole.cursor)
    assert (half.full, half.cursor, len(half.faults)) == (False, whole.cursor, 1)
    clock.ahead = timedelta(minutes=16)
    believed = source.changes(half.cursor)
    assert (believed.full, len(believed.entries)) == (True, 7)


def test_where_a_column_withdraws_absence_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADING + ROW.replace("NW", "CA"))
    changes = FileWorklist(path, BERLIN, Dialect(absence=False)).changes(None)
    assert (changes.full, [gone.why for gone in changes.withdrawn]) == (False, [Standing.CANCELLED])


def test_a_small_list_takes_little_memory(tmp_path: Path) -> None:
    """Not room for the largest list that may be: a small computer has none."""
    path = tmp_path / "orders.csv"
    path.write_text(HEADING + ROW)
    tracemalloc.start()
    try:
        assert len(read_listing(path).entries) == 1
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_list_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    with path.open("wb") as file:
        file.truncate(600 << 20)
    with pytest.raises(TornFile, match="too large"):
        read_listing(path)
