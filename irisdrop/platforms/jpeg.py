"""The segments of a JPEG file, read without decoding a pixel (ITU-T T.81, Annex B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EXIF: Final = b"Exif\0\0"
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MOST_SEGMENTS: Final = 4096


class NotJpeg(Exception):
    """The segments can't be followed; the text holds no PHI."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment: its marker's second byte, where it begins, where the next begins, its content's begin."""

    marker: int
    begin: int
    end: int
    content: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame header says. `process` is the SOF's number, `rgb` that no colour transform was applied."""

    process: int
    bits: int
    rows: int
    columns: int
    components: int
    rgb: bool


def segments(data: bytes | memoryview) -> list[Segment]:
    """Every segment up to and with the first scan's header. Raises NotJpeg."""
    if bytes(data[:2]) != b"\xff\xd8":
        raise NotJpeg("it does not begin as a JPEG")
    found: list[Segment] = []
    at = 2
    while len(found) < MOST_SEGMENTS:
        begin = at
        while at + 1 < len(data) and data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1  # fill bytes
        if at + 4 > len(data) or data[at] != 0xFF:
            raise NotJpeg("its segments can't be followed")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data) or marker in (0x00, 0xD8, 0xD9):
            raise NotJpeg("its segments can't be followed")
        found.append(Segment(marker, begin, at + 2 + length, at + 4))
        at += 2 + length
        if marker == 0xDA:
            return found
    raise NotJpeg("it has too many segments")


def frame(data: bytes | memoryview) -> Frame:
    """The frame header. Raises NotJpeg."""
    adobe: int | None = None
    for one in segments(data):
        content = bytes(data[one.content : one.end])
        if one.marker == 0xEE and content[:5] == b"Adobe" and len(content) >= 12:
            adobe = content[11]
        if one.marker in FRAMES:
            if len(content) < 6 or len(content) < 6 + 3 * content[5]:
                raise NotJpeg("its frame header is cut")
            names = bytes(content[6 + 3 * index] for index in range(content[5]))
            rgb = content[5] == 3 and (adobe == 0 or (adobe is None and names == b"RGB"))
            rows, columns = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
            if not rows or not columns:
                raise NotJpeg("it does not say how large it is")
            return Frame(one.marker - 0xC0, content[0], rows, columns, content[5], rgb)
    raise NotJpeg("it has no frame")
