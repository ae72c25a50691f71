"""When an image was taken, as far as its readings and its arrival say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import Reading

FUTURE = timedelta(hours=1)  # a capture later than this after arrival can't be
MOMENT = timedelta(microseconds=1)
FIRST_YEAR, LAST_YEAR = 1902, 2999


@dataclass(frozen=True, slots=True)
class Situation:
    """Where and when an image came in.

    `arrived` is None where nobody saw it arrive (`explain` of any file); `live` says that it appeared while the agent
    watched; `clock` is what the configuration adds to the camera's stamps; `site` is ours; `name` is the export's path below
    its folder, None where nobody knows it.
    """

    zone: tzinfo
    arrived: datetime | None = None
    live: bool = False
    clock: timedelta = timedelta(0)
    site: str | None = None
    name: str | None = None


def capture(readings: Sequence[Reading], situation: Situation) -> Capture | None:
    """The span in which the image was taken, or None where nothing says.

    A stamp with an offset keeps it; one without is local to the site, and in the hour that a clock change repeats it
    means both moments; in the one that a change leaves out it is impossible. A date alone is that whole day. Arrival
    stands in only where there is no date at all.
    """
    stamped = _first(readings, "AcquisitionDateTime")
    day, hour = _first(readings, "AcquisitionDate"), _first(readings, "AcquisitionTime")
    if stamped is not None:
        return _span(datetime.fromisoformat(stamped.value), situation, stamped.source)
    if day is not None and hour is not None:
        moment = datetime.combine(date.fromisoformat(day.value), time.fromisoformat(hour.value))
        return _span(moment, situation, f"{day.source} with {hour.source}")
    if day is not None:
        midnight = _within_calendar(datetime.combine(date.fromisoformat(day.value), time())) + situation.clock
        begin, end = (_first_moment(moment, situation.zone) for moment in (midnight, midnight + timedelta(days=1)))
        return Capture(begin, end, day.source)
    if situation.live and situation.arrived is not None:
        return Capture(situation.arrived, situation.arrived + MOMENT, "arrival")
    return None


def implausible(found: Capture, situation: Situation, oldest: float) -> str | None:
    """Why a capture time can't be right, or None; `oldest` is in seconds before arrival."""
    if found.skipped:
        return f"{found.source} is in the hour that the clocks left out"
    if situation.arrived is None or found.source == "arrival":
        return None
    if found.begin > situation.arrived + FUTURE:
        return f"{found.source} is after the image arrived"
    if found.end < situation.arrived - timedelta(seconds=oldest):
        return f"{found.source} is more than {oldest / 86400:g} days before the image arrived"
    return None


def outside(taken: Capture | None, start: datetime | None, within: float | None) -> str | None:
    """Why a scheduled start is not within so many seconds of the capture, or None; a day fits if any moment does."""
    if within is None or start is None:
        return None
    if taken is None:
        return "nothing says when the image was taken"
    span = timedelta(seconds=within)
    if taken.end > start - span and taken.begin <= start + span:
        return None
    seconds = max((start - taken.end).total_seconds(), (taken.begin - start).total_seconds())
    away = f"{seconds / 86400:.1f} days" if seconds >= 172800 else f"{seconds / 3600:.1f} hours"
    return f"it is scheduled {away} from when the image was taken"


def days(stamp: str, zone: tzinfo) -> set[str]:
    """The days on which a date-time is, by its own clock and by the site's: a camera may write its names by either."""
    moment = _within_calendar(datetime.fromisoformat(stamp))
    return {
        moment.date().isoformat(),
        *(instant.astimezone(zone).date().isoformat() for instant in instants(moment, zone)),
    }


def instants(moment: datetime, zone: tzinfo) -> set[datetime]:
    """The moment or, in the hour that a clock change repeats, the two moments in UTC that a stamp can mean."""
    moment = _within_calendar(moment)
    if moment.tzinfo is not None:
        return {moment.astimezone(UTC)}
    return {moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}


def _span(moment: datetime, situation: Situation, source: str) -> Capture:
    moment = _within_calendar(moment) + situation.clock  # on the wall: what it is in UTC follows from the right time
    found = sorted(instants(moment, situation.zone))
    return Capture(found[0], found[-1] + MOMENT, source, skipped=_left_out(moment, situation.zone))


def _first_moment(midnight: datetime, zone: tzinfo) -> datetime:
    """When a day begins: the first of two midnights, and the change itself where it leaves midnight out."""
    return _within_calendar(midnight).replace(tzinfo=zone, fold=0).astimezone(UTC)


def _left_out(moment: datetime, zone: tzinfo) -> bool:
    """Whether the clocks of the zone never show this time, because they were set forward over it."""
    if moment.tzinfo is not None:
        return False
    moment = _within_calendar(moment)
    there = moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None, fold=0) != moment.replace(fold=0)


def _within_calendar(moment: datetime) -> datetime:
    """A year that no clock can be right in, moved to where Python and the C library can still count: it stays wrong."""
    if FIRST_YEAR <= moment.year <= LAST_YEAR + 1:
        return moment
    return moment.replace(year=min(max(moment.year, FIRST_YEAR), LAST_YEAR), day=min(moment.day, 28))


def _first(readings: Sequence[Reading], key: str) -> Reading | None:
    return next((reading for reading in readings if reading.key == key and reading.flaw is None), None)
