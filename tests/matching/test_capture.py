"""When an image was taken: zones, clock changes, days alone, and arrival only where somebody saw it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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
