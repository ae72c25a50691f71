"""The formats that are boxes within boxes: HEIF and AVIF (ISO/IEC 23008-12), JPEG XL, JPEG 2000."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from irisdrop.identity.parsing.content import Damaged, Span

MOST_BOXES: Final = 10_000


class Box(NamedTuple):
    """One box: its four-letter name and its body as [begin, end) in the file."""

    name: bytes
    begin: int
    end: int


def boxes(file: BinaryIO, begin: int, end: int) -> Iterator[Box]:
    """The boxes that follow one another in [begin, end); raises Damaged where one is longer than that."""
    at = begin
    for _ in range(MOST_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        head = file.read(16)
        length, body = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), at + 16
        stop = end if length == 0 else at + length
        if stop > end or stop < body:
            raise Damaged("a part of the file is longer than the file")
        yield Box(head[4:8], body, stop)
        at = stop
    raise Damaged("the file has too many parts")


def walk_boxes(file: BinaryIO, size: int) -> Span | None:
    """None: only that every box is whole; raises Damaged where one is not."""
    for _ in boxes(file, 0, size):
        pass
    return None


def walk_jxl(file: BinaryIO, size: int) -> Span | None:
    """Where JPEG XL's Exif box lies; a bare code stream has none, and no length to compare."""
    file.seek(0)
    if file.read(2) == b"\xff\x0a":
        return None
    exif = None
    for box in boxes(file, 0, size):
        if box.name == b"Exif":
            exif = _behind_offset(file, Span(box.begin, box.end))
        elif box.name == b"brob":
            file.seek(box.begin)
            if file.read(4) == b"Exif":
                raise Damaged("the Exif block is compressed in a way that can't be read")
    return exif


def walk_heif(file: BinaryIO, size: int) -> Span | None:
    """Where HEIF's Exif item lies; raises Damaged where a box is cut or the items are missing."""
    found = {box.name: box for box in boxes(file, 0, size)}
    if b"meta" not in found:
        raise Damaged("the HEIF ends before its picture")
    meta = found[b"meta"]
    parts = {box.name: box for box in boxes(file, meta.begin + 4, meta.end)}
    if b"iinf" not in parts or b"iloc" not in parts:
        raise Damaged("the HEIF has no items")
    item = _exif_item(file, parts[b"iinf"])
    if item is None:
        return None
    span = _located(file, parts[b"iloc"], item, parts.get(b"idat"))
    if span.end > size:
        raise Damaged("an item of the HEIF is longer than the file")
    return _behind_offset(file, span)


def _behind_offset(file: BinaryIO, span: Span) -> Span:
    """An Exif item begins with the distance to its TIFF header."""
    file.seek(span.begin)
    return Span(span.begin + 4 + int.from_bytes(file.read(4), "big"), span.end)


def _exif_item(file: BinaryIO, iinf: Box) -> int | None:
    file.seek(iinf.begin)
    first = iinf.begin + (6 if file.read(1) == b"\0" else 8)
    for box in boxes(file, first, iinf.end):
        file.seek(box.begin)
        body = file.read(min(20, box.end - box.begin))
        wide = 4 if body[:1] == b"\x03" else 2
        if box.name == b"infe" and body[:1] >= b"\x02" and body[6 + wide : 10 + wide] == b"Exif":
            return int.from_bytes(body[4 : 4 + wide], "big")
    return None


def _located(file: BinaryIO, iloc: Box, item: int, idat: Box | None) -> Span:
    """Where an item's one extent lies (ISO/IEC 14496-12, 8.11.3)."""
    file.seek(iloc.begin)
    body = Numbers(file.read(iloc.end - iloc.begin))
    version = body.take(1)
    body.take(3)
    sizes = body.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(body.take(wide)):
        number = body.take(wide)
        method = body.take(2) & 15 if version else 0
        body.take(2)
        base, extents = body.take(base_size), body.take(2)
        for _ in range(extents):
            body.take(index_size if version else 0)
            offset, length = base + body.take(offset_size), body.take(length_size)
            if number != item:
                continue
            if extents != 1 or method > 1 or (method == 1 and idat is None):
                raise Damaged("the Exif item of the HEIF lies in pieces")
            begin = offset + (idat.begin if method == 1 and idat else 0)
            return Span(begin, begin + length)
    raise Damaged("the Exif item of the HEIF is nowhere")


class Numbers:
    """Big-endian numbers one after another; running out of them is damage."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, width: int) -> int:
        if self._at + width > len(self._body):
            raise Damaged("the items of the HEIF are cut off")
        self._at += width
        return int.from_bytes(self._body[self._at - width : self._at], "big")
