"""How far a TIFF reaches: its directories, and the strips and tiles that they name (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

MOST_DIRECTORIES: Final = 64
MOST_ENTRIES: Final = 4096
MOST_STRIPS: Final = 1 << 20
TYPE_SIZES: Final = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
INTEGERS: Final = {3: "H", 4: "I", 16: "Q"}
OFFSETS: Final = {273: 279, 324: 325, 513: 514}  # strips, tiles, JPEG thumbnail: offsets → byte counts


@dataclass(frozen=True, slots=True)
class _Layout:
    order: str
    big: bool

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))


def reach(file: BinaryIO, size: int) -> int | None:
    """The least number of bytes that the file must have; None where its structure can't be followed.

    A directory that is not written yet (offset 0, or beyond the file) needs one byte more than there is.
    """
    file.seek(0)
    head = file.read(16)
    big = head[2:3] == b"+" or head[3:4] == b"+"
    layout = _Layout("<" if head[:2] == b"II" else ">", big)
    (at,) = layout.offset.unpack_from(head, 8 if big else 4)
    if at == 0:
        return size + 1
    furthest = 0
    seen: set[int] = set()
    while at and len(seen) < MOST_DIRECTORIES:
        if at in seen:
            return None
        seen.add(at)
        found = _directory(file, layout, at, size)
        if found is None:
            return None
        furthest = max(furthest, found[0])
        at = found[1]
        if furthest > size:
            break
    return furthest


def _directory(file: BinaryIO, layout: _Layout, at: int, size: int) -> tuple[int, int] | None:
    """How far one directory and what it names reach, and where the next one is."""
    if at + layout.count.size > size:
        return size + 1, 0
    file.seek(at)
    (number,) = layout.count.unpack(file.read(layout.count.size))
    if number > MOST_ENTRIES:
        return None
    end = at + layout.count.size + number * layout.entry.size + layout.offset.size
    if end > size:
        return end, 0
    entries = file.read(number * layout.entry.size)
    (following,) = layout.offset.unpack(file.read(layout.offset.size))
    furthest, values = end, {}
    for tag, kind, count, value in layout.entry.iter_unpack(entries):
        length = TYPE_SIZES.get(kind, 1) * count
        where = None
        if length > layout.offset.size:
            (where,) = layout.offset.unpack(value)
            furthest = max(furthest, where + length)
        values[tag] = (kind, count, where, value)
    if furthest <= size:
        furthest = max([furthest, *(_pieces(file, layout, values, a, b) for a, b in OFFSETS.items())])
    return furthest, following


def _pieces(
    file: BinaryIO,
    layout: _Layout,
    values: dict[int, tuple[int, int, int | None, bytes]],
    offsets: int,
    counts: int,
) -> int:
    begins = _numbers(file, layout, values.get(offsets))
    lengths = _numbers(file, layout, values.get(counts))
    return max((begin + length for begin, length in zip(begins, lengths, strict=False)), default=0)


def _numbers(file: BinaryIO, layout: _Layout, value: tuple[int, int, int | None, bytes] | None) -> tuple[int, ...]:
    if value is None or value[0] not in INTEGERS or value[1] > MOST_STRIPS:
        return ()
    kind, count, where, inline = value
    numbers = struct.Struct(f"{layout.order}{count}{INTEGERS[kind]}")
    if where is None:
        return numbers.unpack_from(inline)
    file.seek(where)
    return numbers.unpack(file.read(numbers.size))
