"""Is the format's own end there? Asked of a file that has gone quiet, by its content, in bounded reads.

A writer that pauses, a share that stalls and a camera that preallocates all look quiet. What is no known format
counts as ended: identity will judge it. Bytes after the end are normal (JPEG trailers, DICOM padding).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO, Final

from irisdrop.arrival.ending_dicom import dicom_ended

TAIL: Final = 64 * 1024
SCAN: Final = 1024 * 1024
MOST_SEGMENTS: Final = 4096
MOST_CHUNKS: Final = 65536


def ended(file: BinaryIO, size: int) -> bool:
    """Whether the end of the file's format lies within its `size` bytes; moves the file's position.

    True for an unknown format or a structure that can't be followed; OSError where the file can't be read.
    """
    file.seek(0)
    head = file.read(132)
    for begins, check in _FORMATS:
        if begins(head):
            try:
                return check(file, size)
            except struct.error:
                return False  # the file ends within a header
    return True


def _jpeg_ended(file: BinaryIO, size: int) -> bool:
    picture = _start_of_scan(file, size)
    if picture is None:
        return True
    if picture >= size:
        return False
    begin = max(picture, size - TAIL)
    file.seek(begin)
    if b"\xff\xd9" in file.read(TAIL):
        return True
    # A long trailer may hide the end: within the scan FF is always followed by 00 or a restart marker.
    file.seek(picture)
    last = b""
    while block := file.read(SCAN):
        if b"\xff\xd9" in last + block[:1] or b"\xff\xd9" in block:
            return True
        last = block[-1:]
    return False


def _start_of_scan(file: BinaryIO, size: int) -> int | None:
    """Where the picture's own data begin: behind the segments, whose thumbnails have ends of their own.

    `size` where the file ends before it; None where the segments make no sense.
    """
    at = 2
    for _ in range(MOST_SEGMENTS):
        file.seek(at)
        marker = file.read(4)
        if len(marker) < 4:
            return size
        if marker[0] != 0xFF:
            return None
        if marker[1] == 0xFF:  # fill byte
            at += 1
            continue
        length = int.from_bytes(marker[2:4], "big")
        if length < 2:
            return None
        at += 2 + length
        if marker[1] == 0xDA:
            return at
    return None


def _png_ended(file: BinaryIO, size: int) -> bool:
    file.seek(max(8, size - TAIL))
    if b"IEND\xaeB`\x82" in file.read(TAIL):
        return True
    at = 8
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if at > size:
            return False
        if kind == b"IEND":
            return True
    return True


def _bmp_ended(file: BinaryIO, size: int) -> bool:
    file.seek(2)
    (declared,) = struct.unpack("<I", file.read(4))
    return bool(size >= declared)  # 0 in files of careless writers


def _webp_ended(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    (declared,) = struct.unpack("<I", file.read(4))
    return bool(size >= declared + 8)


def _boxes_ended(file: BinaryIO, size: int) -> bool:
    """HEIC, AVIF and JPEG 2000 are boxes, one behind the other."""
    at = 0
    seen: set[bytes] = set()
    for _ in range(MOST_SEGMENTS):
        if at == size:
            return bool(seen & {b"mdat", b"meta", b"moov", b"jp2c"})
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length == 0:  # to the end of the file, wherever that is
            return True
        if length < 8:
            return bool(seen & {b"mdat", b"jp2c"})  # bytes after the end
        seen.add(kind)
        at += length
        if at > size:
            return False
    return True


def _tiff_ended(file: BinaryIO, size: int) -> bool:
    from irisdrop.arrival.ending_tiff import reach

    needed = reach(file, size)
    return needed is None or needed <= size


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_dicom(head: bytes) -> bool:
    # Files without preamble begin with group 0002 or 0008, little endian, an element below 0100, and a VR or a
    # short length.
    bare = head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00"
    return head[128:132] == b"DICM" or (bare and (head[4:6].isalpha() or head[6:8] == b"\x00\x00"))


_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, int], bool]], ...]] = (
    (_is_dicom, dicom_ended),  # first: a preamble may be a TIFF's head (PS3.10 7.1)
    (_begins(b"\xff\xd8\xff"), _jpeg_ended),
    (_begins(b"\x89PNG\r\n\x1a\n"), _png_ended),
    (_begins(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), _tiff_ended),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _webp_ended),
    (lambda head: head[4:8] == b"ftyp" or head[4:8] == b"jP  ", _boxes_ended),
    (_begins(b"BM"), _bmp_ended),
)
