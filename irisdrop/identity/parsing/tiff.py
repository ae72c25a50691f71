"""TIFF directories: the block that Exif is in every container, and the picture format itself (TIFF 6.0, Exif 3.0).

exifread gives the names of tags and reads MakerNotes; the directories are read here, because it leaves out values of a
thousand bytes and more, passes over UserComment when quick, and answers with nothing where an Exif block is damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, Literal, NamedTuple

from irisdrop.identity.parsing.content import Damaged, Span

SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
LETTERS: Final = {3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d", 13: "I"}
MOST_DIRECTORIES: Final = 1000
MOST_BYTES: Final = 1 << 20
STRIPS: Final = ((0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202))  # where, how long


class Entry(NamedTuple):
    """One entry of a directory: tag and type numbers, count of values, and the four bytes that hold or point to them."""

    tag: int
    type: int
    many: int
    inline: bytes


class Tiff:
    """A TIFF block within a file; everything that is read from it must lie inside of it, else Damaged."""

    def __init__(self, file: BinaryIO, span: Span) -> None:
        self._file = file
        self._span = span
        head = self._at(0, 8)
        orders: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
        if head[:2] not in orders:
            raise Damaged("the Exif block does not begin as one")
        self.order: Literal["little", "big"] = orders[head[:2]]
        self.big = self._number(head[2:4]) == 43  # BigTIFF
        self.first = self._number(head[4:8])

    def _at(self, offset: int, length: int) -> bytes:
        if offset < 0 or self._span.begin + offset + length > self._span.end:
            raise Damaged("the Exif or TIFF block points outside of itself")
        self._file.seek(self._span.begin + offset)
        found = self._file.read(length)
        if len(found) != length:
            raise Damaged("the Exif or TIFF block is cut off")
        return found

    def _number(self, found: bytes) -> int:
        return int.from_bytes(found, self.order)

    def directory(self, offset: int) -> tuple[list[Entry], int]:
        """The entries of the directory at `offset`, and the offset of the next one (0 where there is none)."""
        count = self._number(self._at(offset, 2))
        body = self._at(offset + 2, 12 * count)
        rows = (body[row : row + 12] for row in range(0, 12 * count, 12))
        entries = [Entry(self._number(r[:2]), self._number(r[2:4]), self._number(r[4:8]), r[8:]) for r in rows]
        try:
            following = self._number(self._at(offset + 2 + 12 * count, 4))
        except Damaged:  # writers leave out the last pointer where the block ends with the directory
            following = 0
        return entries, following

    def directories(self) -> Iterator[list[Entry]]:
        """The chain of directories from the first on; a chain that bites its tail is damage."""
        offset, seen = self.first, set[int]()
        while offset:
            if offset in seen or len(seen) >= MOST_DIRECTORIES:
                raise Damaged("the directories of the TIFF form a circle")
            seen.add(offset)
            entries, offset = self.directory(offset)
            yield entries

    def value(self, entry: Entry, most: int = MOST_BYTES) -> bytes:
        """The bytes of an entry's values."""
        if entry.type not in SIZES:
            raise Damaged("a tag has a type that does not exist")
        length = SIZES[entry.type] * entry.many
        if length > most:
            raise Damaged("a tag is longer than any tag should be")
        return entry.inline[:length] if length <= 4 else self._at(self._number(entry.inline), length)

    def pointer(self, entry: Entry) -> int:
        """The offset of the directory that an entry points to."""
        if entry.type not in (4, 13) or entry.many != 1:
            raise Damaged("a pointer to a directory is none")
        return self._number(entry.inline)

    def numbers(self, entry: Entry, most: int = MOST_BYTES) -> tuple[float, ...]:
        """An entry's numbers; a fraction is two of them."""
        found = self.value(entry, most)
        if entry.type not in LETTERS:
            return tuple(found)
        letter = LETTERS[entry.type]
        arrow = "<" if self.order == "little" else ">"
        return struct.unpack(f"{arrow}{len(found) // struct.calcsize(letter)}{letter}", found)


def walk(file: BinaryIO, size: int) -> Span | None:
    """The whole file, which is one Exif block; raises Damaged where a strip or tile of a picture is not all there."""
    whole = Span(0, size)
    tiff = Tiff(file, whole)
    if tiff.big:
        return whole
    pictures = 0
    for entries in tiff.directories():
        by_tag = {entry.tag: entry for entry in entries}
        for where, how_long in STRIPS:
            if where in by_tag and how_long in by_tag:
                pictures += 1
                _whole(tiff, by_tag[where], by_tag[how_long], size)
    if not pictures:
        raise Damaged("the TIFF has no picture")
    return whole


def _whole(tiff: Tiff, where: Entry, how_long: Entry, size: int) -> None:
    most = 64 * MOST_BYTES
    pairs = zip(tiff.numbers(where, most), tiff.numbers(how_long, most), strict=False)
    if any(begin + length > size for begin, length in pairs):
        raise Damaged("a picture of the TIFF is cut off")
