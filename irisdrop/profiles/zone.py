"""The zone of a site: a named one, or whatever the machine's clock keeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo


class MachineZone(tzinfo):
    """The machine's own zone with its summer time, asked of the C library for each moment.

    `datetime.astimezone()` gives today's offset for ever, which is an hour wrong for half of the year.
    """

    def local(self, moment: datetime | None) -> time.struct_time:
        """The C library's answer for a wall-clock time; `fold` chooses of the two in autumn."""
        return time.localtime(self.wall(moment).timestamp())

    @staticmethod
    def wall(moment: datetime | None) -> datetime:
        """A time as the clock on the wall shows it."""
        return (moment or datetime.now()).replace(tzinfo=None)  # noqa: DTZ005 - this class is the zone

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Of a time that the clocks leave out the one before the change (PEP 495), where `local` is behind it already."""
        wall = self.wall(moment).replace(microsecond=0)
        return timedelta(seconds=wall.replace(tzinfo=UTC).timestamp() - wall.timestamp())

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=1) if self.local(moment).tm_isdst > 0 else timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return self.local(moment).tm_zone

    def fromutc(self, moment: datetime) -> datetime:
        """From UTC to the wall clock, `fold` set in the second of two equal hours."""
        stamp = moment.replace(tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(stamp).replace(tzinfo=self)  # noqa: DTZ006 - this class is the zone

    def __repr__(self) -> str:
        return "the machine's zone"


def zone_of(name: str | None) -> tzinfo | None:
    """A zone by its IANA name, the machine's for None; None where there is no such zone."""
    if name is None:
        return MachineZone()
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def near_zone(name: str) -> str:
    """The zone that was probably meant."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    zones = {zone.lower(): zone for zone in available_timezones()}
    cities = {zone.rpartition("/")[2]: full for zone, full in zones.items()}
    wanted = name.strip().lower().replace(" ", "_")
    near = get_close_matches(wanted, zones, 1, 0.7)
    if near:
        return zones[near[0]]
    city = get_close_matches(wanted.rpartition("/")[2], cities, 1, 0.8)
    return cities[city[0]] if city else ""
