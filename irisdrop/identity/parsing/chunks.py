"""The formats that are a row of chunks with lengths: PNG (W3C), WebP (RIFF), and the ends of BMP and GIF."""

from __future__ import annotations

import zlib
from typing import BinaryIO, Final

from irisdrop.identity.parsing.content import Damaged, Span

BLOCK: Final = 1 << 20


def walk_png(file: BinaryIO, size: int) -> Span | None:
    """Where PNG's eXIf chunk lies; raises Damaged where a chunk is cut, a critical one is wrong, or IEND is missing."""
    at, exif, picture = 8, None, False
    while True:
        file.seek(at)
        head = file.read(8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or at + 12 + length > size:
            raise Damaged("the PNG ends before its end chunk")
        if not name.isalpha():
            raise Damaged("the PNG is broken between two chunks")
        critical = name[:1].isupper()
        if critical and _crc(file, name, length) != int.from_bytes(file.read(4), "big"):
            raise Damaged("a chunk of the PNG has a wrong checksum")
        if name == b"eXIf":
            exif = Span(at + 8, at + 8 + length)
        picture = picture or name == b"IDAT"
        if name == b"IEND":
            if not picture:
                raise Damaged("the PNG has no picture")
            return exif
        at += 12 + length


def _crc(file: BinaryIO, name: bytes, length: int) -> int:
    crc = zlib.crc32(name)
    while length:
        block = file.read(min(BLOCK, length))
        crc, length = zlib.crc32(block, crc), length - len(block)
        if not block:
            break
    return crc


def walk_webp(file: BinaryIO, size: int) -> Span | None:
    """Where WebP's EXIF chunk lies; raises Damaged where the file is shorter than it says or has no picture."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    if end > size:
        raise Damaged("the WebP is shorter than it says")
    at, exif, picture = 12, None, False
    while at + 8 <= end:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if at + 8 + length > end:
            raise Damaged("a chunk of the WebP is longer than the file")
        if head[:4] == b"EXIF":
            # Some programs write JPEG's Exif header before the block, some don't.
            skip = 6 if file.read(6) == b"Exif\0\0" else 0
            exif = Span(at + 8 + skip, at + 8 + length)
        picture = picture or head[:4] in (b"VP8 ", b"VP8L", b"ANMF")
        at += 8 + length + length % 2
    if not picture:
        raise Damaged("the WebP has no picture")
    return exif


def walk_bmp(file: BinaryIO, size: int) -> Span | None:
    """None, as BMP has no Exif; raises Damaged where the file is shorter than it says."""
    file.seek(2)
    declared, _, offset = (int.from_bytes(file.read(4), "little") for _ in range(3))
    if max(declared, offset + 1) > size:
        raise Damaged("the BMP is shorter than it says")
    return None


def walk_gif(file: BinaryIO, size: int) -> Span | None:
    """None, as GIF has no Exif; raises Damaged where its trailer is missing."""
    file.seek(max(0, size - 1024))
    if not file.read().rstrip(b"\0").endswith(b";"):
        raise Damaged("the GIF ends before its trailer")
    return None
