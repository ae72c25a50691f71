"""Dates and times as cameras write them, and as they travel inside: ISO 8601, year first, nothing guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final

# Year first with any separator or none. Day first or month first is never guessed: a profile declares it.
DATE: Final = r"(?P<Y>\d{4})(?P<sep>[-:./_]?)(?P<m>\d\d)(?P=sep)(?P<d>\d\d)"
TIME: Final = r"(?P<H>\d\d)[:_.]?(?P<M>\d\d)(?:[:_.]?(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
OFFSET: Final = r"\s*(?P<z>Z|[+-]\d\d:?\d\d)?"
DATE_ALONE: Final = re.compile(DATE)
TIME_ALONE: Final = re.compile(f"{TIME}{OFFSET}")
DATE_TIME: Final = re.compile(f"{DATE}[T _@-]*{TIME}{OFFSET}")

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# What `date: FORMAT` may hold. Own table and no strptime: that one obeys the machine's language and refuses hour 0 of 12.
FIELDS: Final = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": rf"(?P<b>{'|'.join(MONTHS)})",
    "j": r"(?P<j>\d{3})",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>am|pm)",
    "z": r"(?P<z>Z|[+-]\d\d:?\d\d)",
    "%": "%",
}


def iso_date(text: str) -> str:
    """`YYYY-MM-DD` of a date, or of a date-time's date; raises ValueError where it is no date or an impossible one."""
    found = DATE_ALONE.fullmatch(text) or DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a date")
    return _date(found.groupdict()).isoformat()


def iso_time(text: str) -> str:
    """`HH:MM:SS[.ffffff]` of a time, with an offset where the text has one; raises ValueError."""
    found = TIME_ALONE.fullmatch(text)
    if found is None:
        raise ValueError("not a time")
    parts = found.groupdict()
    return _time(parts).replace(tzinfo=_zone(parts["z"])).isoformat()


def iso_date_time(text: str) -> str:
    """ISO 8601 of a date-time, with an offset where the text has one; raises ValueError."""
    found = DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a date with a time")
    parts = found.groupdict()
    return datetime.combine(_date(parts), _time(parts), _zone(parts["z"])).isoformat()


def by_format(text: str, written: str) -> str:
    """ISO 8601 of a text in a declared format: a date, a time or both, by what the format holds; raises ValueError."""
    found = compiled(written).fullmatch(text)
    if found is None:
        raise ValueError("not in the declared format")
    parts: dict[str, str | None] = dict.fromkeys(FIELDS) | found.groupdict()
    has_date = parts["d"] is not None or parts["j"] is not None
    has_time = parts["H"] is not None or parts["I"] is not None
    if not has_time:
        return _date(parts).isoformat()
    if not has_date:
        return _time(parts).replace(tzinfo=_zone(parts["z"])).isoformat()
    return datetime.combine(_date(parts), _time(parts), _zone(parts["z"])).isoformat()


@lru_cache(maxsize=64)
def compiled(written: str) -> re.Pattern[str]:
    """A format as a pattern; raises ValueError where it holds what is not known."""
    pattern, at = "", 0
    while at < len(written):
        if written[at] == "%" and at + 1 < len(written):
            if written[at + 1] not in FIELDS:
                raise ValueError(f"%{written[at + 1]} is not known in a date's format")
            pattern, at = pattern + FIELDS[written[at + 1]], at + 2
        else:
            pattern, at = pattern + re.escape(written[at]), at + 1
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def _date(parts: dict[str, str | None]) -> date:
    year = int(parts["Y"] or 0) or _century(parts.get("y"))
    month = MONTHS.index(name.lower()) + 1 if (name := parts.get("b")) else int(parts["m"] or 0)
    try:
        if day_of_year := parts.get("j"):
            return _by_day(year, int(day_of_year))
        return date(year, month, int(parts["d"] or 0))
    except ValueError:
        raise ValueError("an impossible date") from None


def _by_day(year: int, day: int) -> date:
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year:
        raise ValueError
    return found


def _century(two: str | None) -> int:
    """POSIX: 69 to 99 are of the last century."""
    return 0 if two is None else int(two) + (1900 if int(two) >= 69 else 2000)


def _time(parts: dict[str, str | None]) -> time:
    hour = int(parts["H"] or 0)
    if (of_twelve := parts.get("I")) is not None:
        # Cameras count 0 to 11 as well as 12, 1 to 11.
        if int(of_twelve) > 12:
            raise ValueError("an impossible time")
        hour = int(of_twelve) % 12 + (12 if (parts.get("p") or "").lower() == "pm" else 0)
    fraction = int((parts.get("f") or "").ljust(6, "0")[:6])
    try:
        return time(hour, int(parts["M"] or 0), int(parts["S"] or 0), fraction)
    except ValueError:
        raise ValueError("an impossible time") from None


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text in ("Z", "z"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if minutes > 14 * 60 or int(text[-2:]) > 59:
        raise ValueError("an impossible offset")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
