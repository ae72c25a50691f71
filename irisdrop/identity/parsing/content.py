"""What a file is, by its bytes and never by its name, and whether all of it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

# An image is what a reading platform can show; everything else has a kind so that a fault can name it.
IMAGES: Final = frozenset({"jpeg", "png", "tiff", "webp", "heif", "jxl", "jp2", "bmp", "gif", "dicom"})

HEAD: Final = 4096


class Damaged(Exception):
    """The file can't be whole; the text says why, without anything that was read from it."""


class Misasked(ValueError):
    """What a profile asks for can't be followed in any file."""


class NoPicture(Exception):
    """The file is whole, and of a format that can hold a picture, but holds none."""


class Span(NamedTuple):
    """A region of the file: [begin, end) in bytes."""

    begin: int
    end: int


class Content(NamedTuple):
    """The kind of a file, what is wrong with it (None where nothing is), and where its Exif block lies."""

    kind: str
    flaw: str | None = None
    exif: Span | None = None


Walk = Callable[[BinaryIO, int], Span | None]

# Beginnings of formats, at offset 0. The longer one first where one begins like another.
SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x0a", "jxl-stream"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)


def examine(file: BinaryIO, size: int) -> Content:
    """The content of an open file of `size` bytes; a file that lacks a part has a `flaw`, and never raises for it."""
    if size == 0:
        return Content("empty", "the file is empty")
    file.seek(0)
    head = file.read(HEAD)
    kind = kind_of(head)
    if kind not in IMAGES:
        return Content(kind, _unfinished(head))
    try:
        return Content(kind, None, _walk(kind)(file, size))
    except Damaged as damage:
        return Content(kind, str(damage))
    except NoPicture:
        return Content(f"{kind}-object")


def kind_of(head: bytes) -> str:
    """The kind that the first bytes of a file show; `unknown` where none is recognised."""
    if head[128:132] == b"DICM":  # before all others: a DICOM preamble may hold a whole TIFF header
        return "dicom"
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return "jxl" if kind == "jxl-stream" else kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _brand(head)
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if _begins_like_dicom(head):
        return "dicom"
    return "unknown"


def _brand(head: bytes) -> str:
    length = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(length, len(head)), 4))}
    heif = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"avif", b"avis"}
    return "heif" if brands & heif else "video"


def _begins_like_dicom(head: bytes) -> bool:
    """Files without preamble begin with an element of group 0002 or 0008 that has a plausible length."""
    if len(head) < 8:
        return False
    if head[:2] in (b"\x02\0", b"\x08\0"):
        order = "little"
    elif head[:2] in (b"\0\x02", b"\0\x08"):
        order = "big"
    else:
        return False
    element = int.from_bytes(head[2:4], "little" if order == "little" else "big")
    if head[4:6] in (b"UL", b"UI", b"CS", b"SH", b"LO", b"OB", b"DA", b"TM", b"DT", b"AE", b"PN"):
        return True
    length = int.from_bytes(head[4:8], "little" if order == "little" else "big")
    return element <= 0x0070 and 0 < length <= 256 and length % 2 == 0


def _unfinished(head: bytes) -> str | None:
    if not head.strip(b"\0"):
        return "the file was made with its full size but never written"
    if any(signature.startswith(head) for signature, _ in SIGNATURES):
        return "the file ends within its first bytes"
    return None


def _walk(kind: str) -> Walk:
    # Imported here: a JPEG pays nothing for DICOM.
    from irisdrop.identity.parsing import boxes, chunks, jpeg, tiff

    if kind == "dicom":
        from irisdrop.identity.parsing import extent

        return extent.walk
    walks: dict[str, Walk] = {
        "jpeg": jpeg.walk,
        "png": chunks.walk_png,
        "webp": chunks.walk_webp,
        "bmp": chunks.walk_bmp,
        "gif": chunks.walk_gif,
        "tiff": tiff.walk,
        "heif": boxes.walk_heif,
        "jxl": boxes.walk_jxl,
        "jp2": boxes.walk_boxes,
    }
    return walks[kind]
