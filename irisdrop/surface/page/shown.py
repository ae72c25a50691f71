"""How values look on the page: names, times, ages, sizes."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import Final

from irisdrop.surface.page import words

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def name(text: str | None) -> str:
    """A DICOM name as people write it: `Muster^Anna^^Dr.` is `Muster, Anna (Dr.)`."""
    if not text:
        return ""
    parts = [part.strip() for part in text.split("=")[0].split("^")]
    parts += [""] * (5 - len(parts))
    family, given, middle, prefix, suffix = parts[:5]
    called = " ".join(part for part in (given, middle) if part)
    titles = ", ".join(part for part in (prefix, suffix) if part)
    whole = ", ".join(part for part in (family, called) if part)
    return f"{whole} ({titles})" if titles else whole


def day(text: str | None) -> str:
    """`1961-03-07` as `7 Mar 1961`: the month in letters can't be mistaken."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return text or ""
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def hour(moment: datetime | None, zone: tzinfo, now: datetime) -> str:
    """`13:58`, with the day where it is not today."""
    if moment is None:
        return ""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    clock = f"{local:%H:%M}"
    if local.date() == today.date():
        return clock
    year = f" {local.year}" if local.year != today.year else ""
    return f"{local.day} {MONTHS[local.month - 1]}{year} {clock}"


def exact(moment: datetime, zone: tzinfo) -> str:
    """`2026-11-24 13:58:12`, where the cameras stand."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def age(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`, `2 days`."""
    seconds = max(seconds, 0.0)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"


def signed(seconds: float) -> str:
    """An age that may be negative: then the camera's clock is ahead."""
    return f"−{age(-seconds)}" if seconds < 0 else age(seconds)


def size(count: float | None) -> str:
    """Bytes in words."""
    if count is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def source(text: str) -> str:
    """Where a reading comes from, shortly: `exif:0th.ImageDescription` is `Exif`."""
    kind = text.partition(":")[0]
    return words.SOURCES.get(kind, kind)


def value(key: str, text: str) -> str:
    """A reading as people read it."""
    if key == "PatientName":
        return name(text)
    if key in ("PatientBirthDate", "AcquisitionDate"):
        return day(text)
    if key == "ImageLaterality":
        return words.EYES.get(text, text)
    return text.replace("T", " ")[:19] if key == "AcquisitionDateTime" else text
