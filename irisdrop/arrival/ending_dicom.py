"""Is a DICOM file whole? Walks its elements by their lengths (PS3.5 chapter 7, PS3.10 chapter 7).

pydicom reads a truncated picture without a word (pydicom#1799), and costs an import; this reads headers only.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Final

LONG_FORMS: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
UNDEFINED: Final = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
TRANSFER_SYNTAX, ROWS = 0x00020010, 0x00280010
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
IMPLICIT, BIG_ENDIAN, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
MOST_ELEMENTS: Final = 20_000
MOST_INFLATED: Final = 256 * 1024 * 1024


class _Short(Exception):
    """The file ends within an element."""


class _Strange(Exception):
    """This is not the structure of a DICOM file."""


def dicom_ended(file: BinaryIO, size: int) -> bool:
    """Whether every element has all its bytes, and a picture with rows has its pixels; True where it is no DICOM."""
    try:
        return _Walk(file, size).whole()
    except _Short:
        return False
    except _Strange:
        return True


class _Walk:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._steps = 0
        self._explicit = True
        self._order = "<"
        self._syntax = ""
        self._in_meta = False

    def whole(self) -> bool:
        at = self._meta()
        if self._syntax == DEFLATED:
            return self._inflated_whole(at)
        seen_rows = seen_pixels = False
        while at < self._size:
            if self._rest_is_padding(at):
                break
            tag, length, at = self._element(at)
            seen_rows = seen_rows or tag == ROWS
            seen_pixels = seen_pixels or tag in PIXELS
            at = self._skip(at, length)
        return seen_pixels or not seen_rows

    def _meta(self) -> int:
        """Read group 0002, always explicit little endian; returns where the data set begins."""
        at = 132 if self._read(128, 4) == b"DICM" else 0
        while at < self._size and self._read(at, 2) == b"\x02\x00":
            tag, length, at = self._element(at)
            if tag == TRANSFER_SYNTAX and length <= 64:
                self._syntax = self._read(at, length).rstrip(b"\0 ").decode("ascii", "replace")
            at = self._skip(at, length)
        self._order = ">" if self._syntax == BIG_ENDIAN else "<"
        self._explicit = self._syntax != IMPLICIT
        if not self._syntax and at + 6 <= self._size:
            self._explicit = self._read(at + 4, 2).isalpha()
        return at

    def _element(self, at: int) -> tuple[int, int, int]:
        """Tag, length of the value, where the value begins."""
        self._steps += 1
        if self._steps > MOST_ELEMENTS:
            raise _Strange
        group, element = struct.unpack(self._order + "HH", self._read(at, 4))
        tag = group << 16 | element
        if group == 0xFFFE or not self._explicit:
            return tag, self._number(at + 4, "I"), at + 8
        form = self._read(at + 4, 2)
        if form in LONG_FORMS:
            return tag, self._number(at + 8, "I"), at + 12
        if not form.isalpha():
            raise _Strange
        return tag, self._number(at + 6, "H"), at + 8

    def _skip(self, at: int, length: int) -> int:
        if length != UNDEFINED:
            if at + length > self._size:
                raise _Short
            return at + length
        return self._skip_undefined(at)

    def _skip_undefined(self, at: int) -> int:
        """Over items, nested ones too, to the delimiter of the sequence that begins at `at`; no recursion, so that
        no file can exhaust the stack."""
        open_ends = [SEQUENCE_END]
        while open_ends:
            tag, length, at = self._element(at)
            if tag == open_ends[-1]:
                open_ends.pop()
            elif length == UNDEFINED:
                open_ends.append(ITEM_END if tag == ITEM else SEQUENCE_END)
            else:
                at = self._skip(at, length)
        return at

    def _inflated_whole(self, at: int) -> bool:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._file.seek(at)
        made = 0
        try:
            while not inflater.eof and made < MOST_INFLATED:
                block = inflater.unconsumed_tail or self._file.read(1 << 16)
                if not block:
                    return False
                made += len(inflater.decompress(block, 1 << 20))
        except zlib.error:
            return True
        return True

    def _rest_is_padding(self, at: int) -> bool:
        rest = self._size - at
        return rest < 4096 and not any(self._read(at, rest))

    def _number(self, at: int, form: str) -> int:
        packed = struct.Struct(self._order + form)
        return int(packed.unpack(self._read(at, packed.size))[0])

    def _read(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        found = self._file.read(length)
        if len(found) < length:
            raise _Short
        return found
