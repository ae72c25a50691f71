"""Exif tags as text: names, directories, and the encodings that UserComment and the XP tags hide in."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Collection, Iterator
from typing import BinaryIO, Final, NamedTuple

from irisdrop.identity.parsing.content import Damaged, Span
from irisdrop.identity.parsing.tiff import Entry, Tiff

EXIF_POINTER, GPS_POINTER, INTEROP_POINTER = 0x8769, 0x8825, 0xA005
POINTERS: Final = {EXIF_POINTER: "Exif", GPS_POINTER: "GPS", INTEROP_POINTER: "Interop"}
XP: Final = {
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
CODED: Final = frozenset({0x9286, 0x001B, 0x001C})  # UserComment, GPSProcessingMethod, GPSAreaInformation

# Names of Exif 3.0 that exifread does not have, or spells in its own way.
NAMES: Final = {
    **XP,
    0x9003: "DateTimeOriginal",
    0x9004: "DateTimeDigitized",
    0x0132: "DateTime",
    0x9010: "OffsetTime",
    0x9011: "OffsetTimeOriginal",
    0x9012: "OffsetTimeDigitized",
    0x9286: "UserComment",
    0xA420: "ImageUniqueID",
    0xA430: "CameraOwnerName",
    0xA431: "BodySerialNumber",
    0xA432: "LensSpecification",
    0xA433: "LensMake",
    0xA434: "LensModel",
    0xA435: "LensSerialNumber",
    0xA436: "ImageTitle",
    0xA437: "Photographer",
    0xA438: "ImageEditor",
    0xC62F: "CameraSerialNumber",
}
GPS_NAMES: Final = {0x001D: "GPSDateStamp"}
OTHER_NAMES: Final = {
    "CameraOwnerName": 0xA430,
    "OwnerName": 0xA430,
    "SerialNumber": 0xA431,
    "ModifyDate": 0x0132,
    "CreateDate": 0x9004,
}


class Tag(NamedTuple):
    """One tag: its directory (`0th`, `Exif`, `GPS`, `Interop`, `MakerNote`), its name, its value as text."""

    directory: str
    name: str
    text: str


def read_tags(file: BinaryIO, span: Span | None, wanted: Collection[str] | None) -> list[Tag]:
    """The tags of `wanted` (`Name` or `Directory.Name`; None for all) that the Exif block holds.

    Raises Damaged where the block, or a wanted tag of it, can't be read: nothing that is there is passed over.
    """
    if span is None:
        return []
    tiff = Tiff(file, span)
    if tiff.big:
        raise Damaged("the tags of a BigTIFF can't be read")
    names = _names()
    found = [
        Tag(directory, asked, text)
        for directory, entry in _entries(tiff)
        for asked in _asked(directory, entry, names, wanted)
        if (text := as_text(tiff, entry))
    ]
    if wanted is None or any(name.startswith("MakerNote.") for name in wanted):
        found += _maker_notes(file, span, wanted)
    return found


def _entries(tiff: Tiff) -> Iterator[tuple[str, Entry]]:
    """Each entry with the directory that it stands in."""
    if not tiff.first:
        return
    zeroth, thumbnail = tiff.directory(tiff.first)
    yield from (("0th", entry) for entry in zeroth)
    for name, entries in _below(tiff, zeroth):
        yield from ((name, entry) for entry in entries)
    if thumbnail:
        yield from (("1st", entry) for entry in tiff.directory(thumbnail)[0])


def _below(tiff: Tiff, entries: list[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    for entry in entries:
        if entry.tag in POINTERS:
            inner = tiff.directory(tiff.pointer(entry))[0]
            yield POINTERS[entry.tag], inner
            if entry.tag == EXIF_POINTER:
                yield from _below(tiff, [pointer for pointer in inner if pointer.tag == INTEROP_POINTER])


def _names() -> dict[str, dict[int, str]]:
    from exifread.tags.exif import EXIF_TAGS, GPS_TAGS, INTEROP_TAGS

    general, place, interop = (
        {tag: str(entry[0]) for tag, entry in table.items()} for table in (EXIF_TAGS, GPS_TAGS, INTEROP_TAGS)
    )
    general |= NAMES
    return {"0th": general, "1st": general, "Exif": general, "GPS": place | GPS_NAMES, "Interop": interop}


def _asked(
    directory: str, entry: Entry, names: dict[str, dict[int, str]], wanted: Collection[str] | None
) -> Iterator[str]:
    """The names without directory under which an entry was asked for; its own name where everything is."""
    if entry.tag in POINTERS:
        return
    name = names[directory].get(entry.tag, f"0x{entry.tag:04X}")
    if wanted is None:
        yield name
        return
    others = [
        other
        for other, tag in OTHER_NAMES.items()
        if tag == entry.tag and directory in ("0th", "Exif") and other != name
    ]
    for candidate in (name, f"0x{entry.tag:04X}", *others):
        # The thumbnail's directory says nothing about the picture unless it is named.
        if f"{directory}.{candidate}" in wanted or (candidate in wanted and directory != "1st"):
            yield candidate
            return


def as_text(tiff: Tiff, entry: Entry) -> str:
    """An entry's value as a person would write it; empty where there is nothing in it."""
    found = tiff.value(entry)
    if entry.tag in XP and entry.type in (1, 7):
        return _until_nul(found[: len(found) // 2 * 2].decode("utf-16-le", "replace"))
    if entry.tag in CODED and entry.type in (1, 2, 7):
        return comment(found, tiff.order)
    if entry.type in (2, 129):
        return plain(found)
    if entry.type in (1, 7):
        return plain(found) if _is_printable(found) else found[:64].hex()
    numbers = tiff.numbers(entry)
    if entry.type in (5, 10):
        return " ".join(f"{over}/{under}" for over, under in zip(numbers[::2], numbers[1::2], strict=True))
    return " ".join(str(number) for number in numbers)


def plain(found: bytes) -> str:
    """Exif says ASCII; programs write UTF-8, and old ones the code page of Western Europe."""
    found = found.split(b"\0", 1)[0]
    try:
        return found.decode()
    except UnicodeDecodeError:
        return found.decode("cp1252", "replace")


def comment(found: bytes, order: str) -> str:
    """UserComment: eight bytes that name its code, then the text (Exif 3.0, 4.6.6.4)."""
    code, body = found[:8], found[8:]
    if code == b"UNICODE\0":
        return _until_nul(_utf16(body, order))
    if code == b"JIS\0\0\0\0\0":
        return _until_nul(_japanese(body))
    if code in (b"ASCII\0\0\0", bytes(8)):
        return plain(body)
    return plain(found)  # a program that left the code out


def _utf16(body: bytes, order: str) -> str:
    """UTF-16 in the order of its mark, else that of the side where Latin letters have their zero, else the block's."""
    body = body[: len(body) // 2 * 2]
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    text = body.rstrip(b"\0")
    zeros_first, zeros_second = text[::2].count(0), text[1::2].count(0)
    if zeros_first != zeros_second:
        order = "big" if zeros_first > zeros_second else "little"
    return body.decode("utf-16-be" if order == "big" else "utf-16-le", "replace")


def _japanese(body: bytes) -> str:
    for encoding in ("iso2022_jp", "euc_jp", "shift_jis"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("iso2022_jp", "replace")


def _until_nul(text: str) -> str:
    return text.split("\0", 1)[0]


def _is_printable(found: bytes) -> bool:
    try:
        text = found.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return False
    return all(unicodedata.category(letter) not in ("Cc", "Cn", "Co", "Cs") for letter in text)


def _maker_notes(file: BinaryIO, span: Span, wanted: Collection[str] | None) -> list[Tag]:
    """MakerNotes by exifread, which can take for ever on a damaged one: only where a profile asks for it."""
    import exifread

    # The block alone: exifread finds it in few containers, and answers with nothing where it does not.
    file.seek(span.begin)
    block = file if span.begin == 0 else io.BytesIO(file.read(span.end - span.begin))
    tags = exifread.process_file(block, details=True, extract_thumbnail=False, truncate_tags=False)
    found = []
    for key, tag in tags.items():
        directory, _, name = key.partition(" ")
        if directory == "MakerNote" and (wanted is None or f"MakerNote.{name}" in wanted):
            found.append(Tag("MakerNote", name, str(tag.printable)))
    return found
