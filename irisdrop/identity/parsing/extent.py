"""Whether a DICOM file is all there: its elements end where the file ends (PS3.5, chapter 7).

pydicom reads a file that was cut off without a word, so the lengths are compared here.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO, Final, Literal, NamedTuple

from irisdrop.identity.parsing.content import Damaged, NoPicture, Span

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
IMPLICIT: Final = "1.2.840.10008.1.2"
NATIVE: Final = frozenset({IMPLICIT, BIG_ENDIAN, DEFLATED, "1.2.840.10008.1.2.1"})
LONG_FORMS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
UNDEFINED: Final = 0xFFFFFFFF
DEEPEST: Final = 32
MOST_INFLATED: Final = 256 << 20

MEDIA_CLASS, SOP_CLASS, FRAMES, ROWS, COLUMNS, SAMPLES, BITS, COLOURS = (
    0x00020002,
    0x00080016,
    0x00280008,
    0x00280010,
    0x00280011,
    0x00280002,
    0x00280100,
    0x00280004,
)
NOTED: Final = frozenset({0x00020010, MEDIA_CLASS, SOP_CLASS, FRAMES, ROWS, COLUMNS, SAMPLES, BITS, COLOURS})


class Header(NamedTuple):
    """One element's header: its tag, the length of its value (or UNDEFINED), where that begins, and its VR if written."""

    tag: int
    length: int
    begin: int
    vr: bytes


def walk(file: BinaryIO, size: int) -> Span | None:
    """None, as DICOM has no Exif; raises Damaged where the file is cut off and NoPicture where it has none."""
    file.seek(128)
    begin = 132 if file.read(4) == b"DICM" else 0
    noted: dict[int, bytes] = {}
    meta = Elements(file, size, "little", implicit=False)
    at = meta.through(begin, noted, group=0x0002)
    syntax = _text(noted.get(0x00020010, b""))
    if syntax == DEFLATED:
        file.seek(at)
        file = io.BytesIO(_inflate(file))
        at, size = 0, len(file.getvalue())
    file.seek(at)
    elements = Elements(file, size, *_encoding(file.read(8), syntax))
    elements.through(at, noted)
    _has_picture(elements, noted, syntax)
    return None


def _encoding(head: bytes, syntax: str) -> tuple[Literal["little", "big"], bool]:
    """Byte order and whether VRs are left out: what the first element shows wins over what was declared."""
    order: Literal["little", "big"] = "big" if syntax == BIG_ENDIAN else "little"
    if not syntax and head[:1] == b"\0" and head[1:2] != b"\0":
        order = "big"
    return order, not (head[4:6].isalpha() and head[4:6].isupper())


def _inflate(file: BinaryIO) -> bytes:
    inflation = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = inflation.decompress(file.read(), MOST_INFLATED)
    except zlib.error:
        raise Damaged("the deflated part of the DICOM file is damaged") from None
    if inflation.unconsumed_tail:
        raise Damaged("the deflated part of the DICOM file is larger than any should be")
    if not inflation.eof:
        raise Damaged("the deflated part of the DICOM file is cut off")
    return found


class Elements:
    """The elements of one data set; each must end within the file."""

    def __init__(self, file: BinaryIO, size: int, order: Literal["little", "big"], implicit: bool) -> None:
        self._file = file
        self._size = size
        self._order = order
        self._implicit = implicit
        self.pixels: Header | None = None

    def through(self, at: int, noted: dict[int, bytes], group: int | None = None) -> int:
        """Walk to the end of the file, or of `group`; notes the values that say how large the picture is."""
        while at + 8 <= self._size:
            header = self._header(at, self._implicit)
            if group is not None and header.tag >> 16 != group:
                return at
            if header.tag == 0 and header.length == 0:
                return self._padding(at)
            if header.tag in NOTED and header.length <= 128:
                noted[header.tag] = self._value(header)
            if header.tag in PIXELS:
                self.pixels = header
            at = self._end(header, self._implicit, 0)
        return self._padding(at) if group is None else at

    def _padding(self, at: int) -> int:
        self._file.seek(at)
        while block := self._file.read(1 << 20):
            if block.strip(b"\0"):
                raise Damaged("the DICOM file is broken between two elements")
        return self._size

    def _value(self, header: Header) -> bytes:
        self._file.seek(header.begin)
        return self._file.read(header.length)

    def number(self, found: bytes) -> int:
        return int.from_bytes(found, self._order)

    def _header(self, at: int, implicit: bool) -> Header:
        self._file.seek(at)
        head = self._file.read(12)
        if len(head) < 8:
            raise Damaged("the DICOM file is cut off")
        tag = self.number(head[:2]) << 16 | self.number(head[2:4])
        vr = head[4:6]
        if tag >> 16 == 0xFFFE or implicit or not (vr.isalpha() and vr.isupper()):
            return Header(tag, self.number(head[4:8]), at + 8, b"")
        if vr in LONG_FORMS:
            return Header(tag, self.number(head[8:12]), at + 12, vr)
        return Header(tag, self.number(head[6:8]), at + 8, vr)

    def _end(self, header: Header, implicit: bool, depth: int) -> int:
        if header.length != UNDEFINED:
            end = header.begin + header.length
            if end > self._size:
                raise Damaged(
                    f"the DICOM file ends within its element ({header.tag >> 16:04X},{header.tag & 0xFFFF:04X})"
                )
            return end
        # An undefined length means items; within UN they are written without VRs (PS3.5, 6.2.2).
        return self._items(header.begin, implicit or header.vr == b"UN", depth + 1)

    def _items(self, at: int, implicit: bool, depth: int) -> int:
        if depth > DEEPEST:
            raise Damaged("the DICOM file has sequences within sequences without end")
        while True:
            item = self._header(at, True)
            if item.tag == SEQUENCE_END:
                return item.begin
            if item.tag != ITEM:
                raise Damaged("the DICOM file is broken within a sequence")
            at = self._inside(item.begin, implicit, depth) if item.length == UNDEFINED else self._end(item, True, depth)

    def _inside(self, at: int, implicit: bool, depth: int) -> int:
        while True:
            header = self._header(at, implicit)
            if header.tag == ITEM_END:
                return header.begin
            at = self._end(header, implicit, depth)


def _has_picture(elements: Elements, noted: dict[int, bytes], syntax: str) -> None:
    pixels = elements.pixels
    if pixels is None:
        if ROWS in noted or "Image" in _class_name(noted):
            raise Damaged("the DICOM file ends before its picture")
        raise NoPicture("the DICOM object has no picture")
    if pixels.length == 0:
        raise Damaged("the picture of the DICOM file is empty")
    if pixels.length != UNDEFINED and pixels.tag == 0x7FE00010 and pixels.length < _least(elements, noted, syntax):
        raise Damaged("the picture of the DICOM file is smaller than its rows and columns")


def _class_name(noted: dict[int, bytes]) -> str:
    from pydicom.uid import UID

    return str(UID(_text(noted.get(SOP_CLASS) or noted.get(MEDIA_CLASS, b""))).name)


def _least(elements: Elements, noted: dict[int, bytes], syntax: str) -> int:
    """The fewest bytes that an unpacked picture of this size takes; 0 where that can't be told."""
    if (syntax and syntax not in NATIVE) or not {ROWS, COLUMNS, BITS} <= noted.keys():
        return 0
    rows, columns, bits = (elements.number(noted[tag]) for tag in (ROWS, COLUMNS, BITS))
    samples = elements.number(noted[SAMPLES]) if SAMPLES in noted else 1
    frames = _text(noted.get(FRAMES, b"1"))
    bits_in_all = rows * columns * samples * bits * (int(frames) if frames.isdigit() else 1)
    if "422" in _text(noted.get(COLOURS, b"")):
        bits_in_all = bits_in_all * 2 // 3
    return bits_in_all // 8


def _text(found: bytes) -> str:
    return found.decode("ascii", "replace").strip("\0 ")
