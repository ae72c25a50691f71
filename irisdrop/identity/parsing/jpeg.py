"""JPEG: segments, scans, and the end-of-image marker that must be there (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from irisdrop.identity.parsing.content import Damaged, Span

FIRST: Final = 4096  # bytes: a segment's marker is the next two, a scan's end may be far away
BLOCK: Final = 1 << 20

# In a scan, FF00 is a data byte, FFD0-FFD7 restart it, and FFFF is fill: whatever else follows FF is a marker.
MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
SCAN, END, APP1 = 0xDA, 0xD9, 0xE1


def walk(file: BinaryIO, size: int) -> Span | None:
    """Where the Exif block lies; raises Damaged where the picture does not come to its end.

    Bytes after the end are normal. A thumbnail's own end lies inside a segment, so it is never taken for the picture's.
    """
    at, exif, frame, scan = 2, None, False, False
    while True:
        marker, at = _marker(file, at)
        if marker == END:
            if not (frame and scan):
                raise Damaged("the JPEG ends before its picture begins")
            return exif
        if marker in ALONE:
            continue
        end = _segment_end(file, at, size)
        if marker == APP1 and exif is None and _is_exif(file, at):
            exif = Span(at + 8, end)
        frame = frame or (marker in FRAMES and _has_width(file, at))
        if marker == SCAN:
            scan = True
            # FFD9 can't be data: where a file ends with it, its last scan has ended.
            if frame and _last_two(file, size) == b"\xff\xd9":
                return exif
        at = end


def _marker(file: BinaryIO, at: int) -> tuple[int, int]:
    """The next marker at or after `at`, and the position behind it; stray bytes between segments are passed over."""
    file.seek(at)
    carried, most = b"", FIRST
    while block := file.read(most):
        joined = carried + block
        if found := MARKER.search(joined):
            behind = file.tell() - len(joined) + found.end()
            return joined[found.end() - 1], behind
        carried, most = joined[-1:], BLOCK
    raise Damaged("the JPEG ends before its end-of-image marker")


def _segment_end(file: BinaryIO, at: int, size: int) -> int:
    file.seek(at)
    length = int.from_bytes(file.read(2), "big")
    if length < 2 or at + length > size:
        raise Damaged("a segment of the JPEG is longer than the file")
    return at + length


def _is_exif(file: BinaryIO, at: int) -> bool:
    file.seek(at + 2)
    return file.read(6) == b"Exif\0\0"


def _has_width(file: BinaryIO, at: int) -> bool:
    file.seek(at + 5)
    return file.read(2) not in (b"", b"\0\0")


def _last_two(file: BinaryIO, size: int) -> bytes:
    file.seek(size - 2)
    return file.read(2)
