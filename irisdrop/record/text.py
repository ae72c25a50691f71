"""How times and paths stand in the journal."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """UTC with microseconds, of one width: text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(text: str) -> datetime:
    """The aware time that `stamp` wrote."""
    return datetime.fromisoformat(text)


def packed(path: str) -> bytes:
    """A path as bytes that SQLite takes, whatever the file system allows in names (WTF-8)."""
    return path.encode("utf-8", "surrogatepass")


def unpacked(path: bytes) -> str:
    """The path that `packed` wrote, exactly."""
    return path.decode("utf-8", "surrogatepass")


def shown(path: str) -> str:
    """A path fit for people and JSON: what is no Unicode becomes U+FFFD."""
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in path)
