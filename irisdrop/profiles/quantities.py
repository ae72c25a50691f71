"""Durations and sizes as people write them: `2s`, `15m`, `24h`, `7d`, `500MB`."""

from __future__ import annotations

import re
from typing import Final

SECONDS: Final[dict[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES: Final[dict[str, int]] = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "TIB": 1024**4,
}

DURATION: Final = r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)"
SIZE: Final = r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]i?B|B)"


def seconds(text: str) -> float | None:
    """Seconds of a duration such as `15m`; None where it is no duration."""
    found = re.fullmatch(DURATION, text.strip(), re.IGNORECASE | re.ASCII)
    return float(found[1]) * SECONDS[found[2].lower()] if found else None


def shift(text: str) -> float | None:
    """Seconds of a duration that may go back, such as `-3m`; None where it is none."""
    stripped = text.strip()
    length = seconds(stripped.lstrip("+-"))
    if length is None or len(stripped) - len(stripped.lstrip("+-")) > 1:
        return None
    return -length if stripped.startswith("-") else length


def size(text: str) -> int | None:
    """Bytes of a size such as `500MB` (10^6) or `500MiB` (2^20); None where it is no size."""
    found = re.fullmatch(SIZE, text.strip(), re.IGNORECASE | re.ASCII)
    return int(float(found[1]) * BYTES[found[2].upper()]) if found else None
