"""When an image was taken: zones, clock changes, days alone, and arrival only where somebody saw it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from irisdrop.matching.capture import MOMENT, Situation, capture, days, implausible, outside
from irisdrop.profiles.zone import MachineZone
from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import Reading

NEW_YORK = ZoneInfo("America/New_York")
ARRIVED = datetime(2025, 1, 14, 15, 0, tzinfo=UTC)
THERE = Situation(NEW_YORK, ARRIVED, live=True)

Read = Callable[..., tuple[Reading, ...]]


def test_a_stamp_without_offset_is_local_to_the_site(read: Read) -> None:
    found = capture(read(AcquisitionDateTime="2025-01-14T09:30:00"), THERE)
    assert found == Capture(
        datetime(2025, 1, 14, 14, 30, tzinfo=UTC),
        datetime(2025, 1, 14, 14, 30, tzinfo=UTC) + MOMENT,
        "filename:AcquisitionDateTime",
    )


def test_a_stamp_with_an_offset_keeps_it(read: Read) -> None:
    found = capture(read(AcquisitionDateTime="2025-01-14T09:30:00+01:00"), THERE)
    assert found is not None
    assert found.begin == datetime(2025, 1, 14, 8, 30, tzinfo=UTC)


def test_the_zones_offset_is_that_of_the_day_and_not_of_today(read: Read) -> None:
    found = capture(read(AcquisitionDateTime="2025-07-14T09:30:00"), THERE)
    assert found is not None
    assert found.begin == datetime(2025, 7, 14, 13, 30, tzinfo=UTC)


def test_in_the_hour_that_comes_twice_a_stamp_means_both(read: Read) -> None:
    found = capture(read(AcquisitionDateTime="2025-11-02T01:30:00"), THERE)
    assert found is not None
    assert found.begin == datetime(2025, 11, 2, 5, 30, tzinfo=UTC)
    assert found.end == datetime(2025, 11, 2, 6, 30, tzinfo=UTC) + MOMENT


def test_a_stamp_with_offset_in_that_hour_means_one(read: Read) -> None:
    found = capture(read(AcquisitionDateTime="2025-11-02T01:30:00-05:00"), THERE)
    assert found is not None
    assert found.end - found.begin == MOMENT


def test_date_and_time_of_two_readings_are_one_stamp(read: Read) -> None:
    found = capture(read(AcquisitionDate="2025-01-14", AcquisitionTime="09:30:00.5"), THERE)
    assert found is not None
    assert found.begin == datetime(2025, 1, 14, 14, 30, 0, 500000, tzinfo=UTC)
    assert found.source == "filename:AcquisitionDate with filename:AcquisitionTime"


@pytest.mark.parametrize(("day", "hours"), [("2025-01-14", 24), ("2025-03-09", 23), ("2025-11-02", 25)])
def test_a_date_alone_is_that_whole_day_however_long_it_is(read: Read, day: str, hours: int) -> None:
    found = capture(read(AcquisitionDate=day), THERE)
    assert found is not None
    assert found.begin.astimezone(NEW_YORK).isoformat()[:16] == f"{day}T00:00"
    assert found.end - found.begin == timedelta(hours=hours)


def test_a_time_alone_says_nothing(read: Read) -> None:
    assert capture(read(AcquisitionTime="09:30:00"), Situation(NEW_YORK, ARRIVED, live=False)) is None


def test_arrival_stands_in_only_for_a_file_that_appeared_while_it_was_watched() -> None:
    assert capture((), THERE) == Capture(ARRIVED, ARRIVED + MOMENT, "arrival")
    assert capture((), Situation(NEW_YORK, ARRIVED, live=False)) is None
    assert capture((), Situation(NEW_YORK, None, live=True)) is None


def test_arrival_never_stands_in_where_there_is_a_date(read: Read) -> None:
    found = capture(read(AcquisitionDate="2025-01-13"), THERE)
    assert found is not None
    assert found.source == "filename:AcquisitionDate"


def test_only_what_is_configured_corrects_a_camera(read: Read) -> None:
    corrected = Situation(NEW_YORK, ARRIVED, clock=timedelta(minutes=-7))
    found = capture(read(AcquisitionDateTime="2025-01-14T09:30:00"), corrected)
    assert found is not None
    assert found.begin == datetime(2025, 1, 14, 14, 23, tzinfo=UTC)


def test_a_flawed_reading_says_no_time() -> None:
    flawed = Reading("AcquisitionDate", "31", "31", "filename:AcquisitionDate", "not a date")
    assert capture((flawed,), Situation(NEW_YORK, ARRIVED)) is None


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, ZoneInfo("Pacific/Kiritimati"), MachineZone()])
@pytest.mark.parametrize("year", ["0001", "1901", "2999", "3000", "9999"])
def test_the_edges_of_the_calendar_are_impossible_and_break_nothing(read: Read, zone: ZoneInfo, year: str) -> None:
    here = Situation(zone, ARRIVED, live=True)
    for readings in (
        read(AcquisitionDate=f"{year}-12-31"),
        read(AcquisitionDate=f"{year}-01-01"),
        read(AcquisitionDateTime=f"{year}-12-31T23:59:59"),
        read(AcquisitionDateTime=f"{year}-01-01T00:00:00+14:00"),
    ):
        found = capture(readings, here)
        assert found is not None
        assert implausible(found, here, 30 * 86400.0)


def test_a_capture_up_to_an_hour_after_arrival_is_a_clock_that_goes_wrong_and_no_more() -> None:
    def at(seconds: float) -> str | None:
        begin = ARRIVED + timedelta(seconds=seconds)
        return implausible(Capture(begin, begin + MOMENT, "exif:x"), THERE, 30 * 86400.0)

    assert at(3600) is None
    assert at(3601) is not None
    assert at(-30 * 86400) is None
    assert at(-30 * 86400 - 1) is not None


def test_a_file_that_nobody_saw_arrive_has_no_implausible_time(read: Read) -> None:
    unseen = Situation(NEW_YORK)
    found = capture(read(AcquisitionDate="2012-01-01"), unseen)
    assert found is not None
    assert implausible(found, unseen, 86400.0) is None


def test_the_window_is_closed_at_both_ends() -> None:
    taken = Capture(ARRIVED, ARRIVED + MOMENT, "arrival")
    hour = timedelta(hours=1)
    assert outside(taken, ARRIVED + hour, 3600) is None
    assert outside(taken, ARRIVED - hour, 3600) is None
    assert outside(taken, ARRIVED + hour + timedelta(seconds=1), 3600) == (
        "it is scheduled 1.0 hours from when the image was taken"
    )
    assert outside(None, ARRIVED, 3600) == "nothing says when the image was taken"
    assert outside(taken, None, 3600) is None
    assert outside(taken, ARRIVED + 999 * hour, None) is None


def test_a_stamp_is_on_its_own_day_and_on_the_sites() -> None:
    assert days("2025-01-15T02:00:00+00:00", NEW_YORK) == {"2025-01-15", "2025-01-14"}
    assert days("2025-01-14T22:00:00", NEW_YORK) == {"2025-01-14"}


# ---------------------------------------------------------------------- clock changes

BERLIN, LORD_HOWE, HAVANA = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Havana")


def moments(read: Read, stamp: str, zone: tzinfo, clock: timedelta = timedelta(0)) -> tuple[list[str], str | None]:
    """The first and the last moment (UTC, to the minute) that a stamp can mean, and why it can't be right."""
    found = capture(read(AcquisitionDateTime=stamp), Situation(zone, clock=clock))
    assert found is not None
    spanned = [found.begin, found.end - MOMENT]
    return [moment.astimezone(UTC).isoformat()[:16] for moment in spanned], implausible(found, Situation(zone), 1.0)


@pytest.mark.parametrize(
    ("zone", "stamp", "first", "last"),
    [
        (BERLIN, "2026-10-25T02:30:00", "2026-10-25T00:30", "2026-10-25T01:30"),
        (BERLIN, "2026-10-25T03:00:00", "2026-10-25T02:00", "2026-10-25T02:00"),
        (NEW_YORK, "2026-11-01T01:30:00", "2026-11-01T05:30", "2026-11-01T06:30"),
        (LORD_HOWE, "2026-04-05T01:45:00", "2026-04-04T14:45", "2026-04-04T15:15"),
        (LORD_HOWE, "2026-04-05T01:15:00", "2026-04-04T14:15", "2026-04-04T14:15"),
        (ZoneInfo("Asia/Kolkata"), "2026-10-25T02:30:00", "2026-10-24T21:00", "2026-10-24T21:00"),
        (ZoneInfo("Asia/Kathmandu"), "2026-10-25T00:00:00", "2026-10-24T18:15", "2026-10-24T18:15"),
    ],
)
def test_a_stamp_means_every_moment_at_which_the_clocks_showed_it(
    read: Read, zone: ZoneInfo, stamp: str, first: str, last: str
) -> None:
    assert moments(read, stamp, zone) == ([first, last], None)


LEFT_OUT = [
    (BERLIN, "2026-03-29T02:30:00", True),
    (BERLIN, "2026-03-29T01:59:59", False),
    (BERLIN, "2026-03-29T02:00:00", True),
    (BERLIN, "2026-03-29T03:00:00", False),
    (BERLIN, "2026-03-29T02:30:00+01:00", False),
    (NEW_YORK, "2026-03-08T02:30:00", True),
    (NEW_YORK, "2026-03-29T02:30:00", False),
    (LORD_HOWE, "2026-10-04T02:15:00", True),
    (LORD_HOWE, "2026-10-04T02:30:00", False),
    (ZoneInfo("Asia/Kolkata"), "2026-03-29T02:30:00", False),
    (HAVANA, "2026-03-08T00:30:00", True),
    (UTC, "2026-03-29T02:30:00", False),
]


@pytest.mark.parametrize(("zone", "stamp", "left_out"), LEFT_OUT)
def test_a_time_that_the_clocks_left_out_is_impossible(read: Read, zone: tzinfo, stamp: str, left_out: bool) -> None:
    """Its camera was not set forward, so each of its stamps is an hour off: no hour is chosen for it."""
    why = moments(read, stamp, zone)[1]
    assert why == ("filename:AcquisitionDateTime is in the hour that the clocks left out" if left_out else None)


@pytest.mark.parametrize(("zone", "stamp", "left_out"), [case for case in LEFT_OUT if isinstance(case[0], ZoneInfo)])
def test_the_machines_zone_changes_its_clocks_as_the_named_one_does(
    read: Read, monkeypatch: pytest.MonkeyPatch, zone: ZoneInfo, stamp: str, left_out: bool
) -> None:
    monkeypatch.setenv("TZ", zone.key)
    time.tzset()
    try:
        for each in (stamp, stamp.replace("-03-", "-11-").replace("-29T", "-01T")):
            assert moments(read, each, MachineZone()) == moments(read, each, zone)
        assert (moments(read, stamp, MachineZone())[1] is not None) == left_out
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("zone", "last_minute"),
    [("Asia/Beirut", "2026-03-28T21:59:00+00:00"), ("America/Santiago", "2026-09-06T03:59:00+00:00")],
)
def test_a_day_that_ends_with_a_change_lasts_until_then_by_the_machines_clock_too(
    monkeypatch: pytest.MonkeyPatch, zone: str, last_minute: str
) -> None:
    """There the clocks leave out midnight."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        moment = datetime.fromisoformat(last_minute)
        for each in (MachineZone(), ZoneInfo(zone)):
            said = moment.astimezone(each).date().isoformat()
            day = capture([Reading("AcquisitionDate", said, said, "filename:AcquisitionDate")], Situation(each))
            assert day is not None
            assert day.begin <= moment < day.end
            assert day.end - moment <= timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_camera_that_is_corrected_is_judged_by_the_right_time(read: Read) -> None:
    """On winter time all year, with `clock: 1h` in summer: half past two is half past three."""
    assert moments(read, "2026-03-29T02:30:00", BERLIN, timedelta(hours=1)) == (["2026-03-29T01:30"] * 2, None)
    assert moments(read, "2026-03-29T01:30:00", BERLIN, timedelta(hours=1))[1] is not None


def test_a_day_whose_midnight_the_clocks_left_out_begins_with_the_change(read: Read) -> None:
    days_of = [capture(read(AcquisitionDate=f"2026-03-0{day}"), Situation(HAVANA)) for day in (7, 8, 9)]
    assert [found and (found.end - found.begin) / timedelta(hours=1) for found in days_of] == [24, 23, 24]
    assert days_of[1] is not None and days_of[1].begin == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert implausible(days_of[1], Situation(HAVANA), 1.0) is None


def test_a_day_whose_midnight_comes_twice_has_both(read: Read) -> None:
    found = capture(read(AcquisitionDate="2026-11-01"), Situation(HAVANA))
    assert found is not None
    assert (found.begin, found.end - found.begin) == (datetime(2026, 11, 1, 4, tzinfo=UTC), timedelta(hours=25))
