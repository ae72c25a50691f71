"""Dates and times."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irisdrop.identity.stamps import by_format, iso_date, iso_date_time, iso_time


@pytest.mark.parametrize("text", ["20250114", "2025-01-14", "2025.01.14", "2025:01:14", "2025/01/14", "2025_01_14"])
def test_a_date_is_year_first_with_any_separator(text: str) -> None:
    assert iso_date(text) == "2025-01-14"


@pytest.mark.parametrize("text", ["14.01.2025", "2025-1-4", "2025-0114", "250114", "202501", "", "20250114x"])
def test_no_date_is_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="date"):
        iso_date(text)


@given(st.datetimes(timezones=st.sampled_from([UTC, None])))
def test_every_iso_date_time_is_itself(moment: datetime) -> None:
    if moment.year >= 1000:
        assert iso_date_time(moment.isoformat()) == moment.isoformat()


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001
def test_what_strptime_reads_is_read_the_same(moment: datetime) -> None:
    form = "%d-%m-%Y %H.%M.%S.%f"
    assert by_format(moment.strftime(form), form) == moment.isoformat()


def test_hours_without_minutes_are_not_filled_up() -> None:
    with pytest.raises(ValueError, match="time"):
        iso_time("10")


def test_an_offset_is_kept() -> None:
    assert iso_date_time("20250114101245.5-0500") == "2025-01-14T10:12:45.500000-05:00"
    with pytest.raises(ValueError, match="offset"):
        iso_date_time("20250114101245+9900")


def test_a_month_s_name_is_english_in_every_language() -> None:
    assert by_format("14 JAN 2025", "%d %b %Y") == "2025-01-14"
