"""A key written into the Exif segment of a JPEG without moving anything that is there.

A new IFD0 is appended at the end of the segment: a copy of the old one with one entry more, or with one changed. Every
offset of the old one stays right, so thumbnail, MakerNote and sub-IFDs are where they were; for a tag of the Exif IFD
that one is copied in the same way. Outside the segment not a byte changes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

from irisdrop.platforms.jpeg import EXIF, NotJpeg, Segment, segments
from irisdrop.vocabulary.faults import Foreseen

EXIF_POINTER: Final = 0x8769
ASCII: Final = 2
BYTE: Final = 1
UNDEFINED: Final = 7
LONG: Final = 4
LARGEST: Final = 0xFFFF - 2  # of a segment's content
MPF: Final = b"MPF\0"

Kind = Literal["ascii", "xp", "comment"]


@dataclass(frozen=True, slots=True)
class Tag:
    """Where a stamp goes: its number, whether it lies in the Exif IFD, and how text is written there."""

    number: int
    sub: bool
    kind: Kind


# Text tags that a camera has no other use for (Exif 2.32 §4.6; XP*: Windows).
TAGS: Final[dict[str, Tag]] = {
    "0th.DocumentName": Tag(0x010D, False, "ascii"),
    "0th.ImageDescription": Tag(0x010E, False, "ascii"),
    "0th.PageName": Tag(0x011D, False, "ascii"),
    "0th.Artist": Tag(0x013B, False, "ascii"),
    "0th.HostComputer": Tag(0x013C, False, "ascii"),
    "0th.Copyright": Tag(0x8298, False, "ascii"),
    "0th.XPTitle": Tag(0x9C9B, False, "xp"),
    "0th.XPComment": Tag(0x9C9C, False, "xp"),
    "0th.XPAuthor": Tag(0x9C9D, False, "xp"),
    "0th.XPKeywords": Tag(0x9C9E, False, "xp"),
    "0th.XPSubject": Tag(0x9C9F, False, "xp"),
    "Exif.UserComment": Tag(0x9286, True, "comment"),
    "Exif.ImageUniqueID": Tag(0xA420, True, "ascii"),
    "Exif.CameraOwnerName": Tag(0xA430, True, "ascii"),
}


class Unstampable(Exception):
    """The stamp can't be put there without loss; the text holds no PHI."""


def tag_of(name: str) -> Tag:
    """The tag of a name, `0th.ImageDescription` or `ImageDescription`; raises Foreseen."""
    for known, tag in TAGS.items():
        if name.lower() in (known.lower(), known.partition(".")[2].lower()):
            return tag
    raise Foreseen("UNKNOWN_TAG", f"`{name}` is no Exif tag that can be stamped", f"use one of {', '.join(TAGS)}.")


def stamped(data: bytes, tag: Tag, text: str) -> bytes:
    """The JPEG with `text` in `tag`. Raises Unstampable where anything would be lost."""
    try:
        found = segments(data)
    except NotJpeg as error:
        raise Unstampable(str(error)) from None
    value = _value(tag, text)
    exifs = [one for one in found if one.marker == 0xE1 and data[one.content : one.content + 6] == EXIF]
    if len(exifs) > 1:
        raise Unstampable("it has two Exif segments, and readers differ in which they believe")
    if any(one.marker == 0xE2 and data[one.content : one.content + 4] == MPF for one in found):
        _check_pictures(data, found, exifs)
    made = _with_segment(data, exifs[0], tag, value) if exifs else _with_new_segment(data, found, tag, value)
    if read(made, tag) != text or _outside(made) != _outside(data):
        raise Unstampable("the stamp can't be read back")
    return made


def read(data: bytes, tag: Tag) -> str | None:
    """The text of a tag as `stamped` wrote it; None where there is none."""
    exifs = [one for one in segments(data) if one.marker == 0xE1 and data[one.content : one.content + 6] == EXIF]
    if not exifs:
        return None
    block = _Block(data[exifs[0].content + 6 : exifs[0].end])
    entries, _ = block.directory(block.first)
    if tag.sub:
        pointer = entries.get(EXIF_POINTER)
        if pointer is None:
            return None
        entries, _ = block.directory(block.unpack("I", pointer[8:12]))
    raw = entries.get(tag.number)
    return None if raw is None else _text(tag, block.value(raw))


def _value(tag: Tag, text: str) -> bytes:
    if not text or any(char < " " for char in text):
        raise Unstampable("there is nothing to stamp, or it holds control characters")
    if tag.kind == "xp":
        return text.encode("utf-16-le") + b"\0\0"
    if not text.isascii():
        raise Unstampable("its tag takes ASCII alone")
    return b"ASCII\0\0\0" + text.encode() if tag.kind == "comment" else text.encode() + b"\0"


def _text(tag: Tag, value: bytes) -> str:
    if tag.kind == "xp":
        return value.decode("utf-16-le", "replace").rstrip("\0")
    return (value[8:] if tag.kind == "comment" else value.rstrip(b"\0")).decode("ascii", "replace")


def _type(tag: Tag) -> int:
    return {"ascii": ASCII, "xp": BYTE, "comment": UNDEFINED}[tag.kind]


def _check_pictures(data: bytes, found: list[Segment], exifs: list[Segment]) -> None:
    """Several pictures in one file (CIPA DC-007): their places count from the MPF segment, so what grows must lie
    before it."""
    mpf = next(one for one in found if one.marker == 0xE2 and data[one.content : one.content + 4] == MPF)
    if exifs and exifs[0].begin > mpf.begin:
        raise Unstampable("its Exif segment lies behind the list of its pictures")


def _with_segment(data: bytes, segment: Segment, tag: Tag, value: bytes) -> bytes:
    content = data[segment.content : segment.end]
    grown = EXIF + _grown(content[6:], tag, value)
    if len(grown) > LARGEST:
        raise Unstampable("its Exif segment is full")
    # Fill bytes before the marker stay where they are.
    head = data[: segment.content - 2]
    return head + struct.pack(">H", len(grown) + 2) + grown + data[segment.end :]


def _with_new_segment(data: bytes, found: list[Segment], tag: Tag, value: bytes) -> bytes:
    """Behind JFIF, which must be first, else at the very beginning."""
    at = 2
    for one in found:
        if one.marker != 0xE0 or data[one.content : one.content + 4] not in (b"JFIF", b"JFXX"):
            break
        at = one.end
    empty = struct.pack("<2sHIHI", b"II", 42, 8, 0, 0)
    content = EXIF + _grown(empty, tag, value)
    return data[:at] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[at:]


def _grown(tiff: bytes, tag: Tag, value: bytes) -> bytes:
    block = _Block(tiff)
    entries, following = block.directory(block.first)
    if tag.sub:
        pointer = entries.get(EXIF_POINTER)
        inner, behind = block.directory(block.unpack("I", pointer[8:12])) if pointer else ({}, 0)
        inner[tag.number] = block.entry(tag.number, _type(tag), value)
        place = block.append(block.listed(inner, behind))
        entries[EXIF_POINTER] = struct.pack(f"{block.order}HHII", EXIF_POINTER, LONG, 1, place)
    else:
        entries[tag.number] = block.entry(tag.number, _type(tag), value)
    block.point(block.append(block.listed(entries, following)))
    return bytes(block.data)


class _Block:
    """A TIFF block that grows at its end alone."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
        if not self.order or len(data) < 8 or self.unpack("H", self.data[2:4]) != 42:
            raise Unstampable("its Exif segment can't be read")
        self.first = self.unpack("I", self.data[4:8])

    def unpack(self, form: str, raw: bytes | bytearray) -> int:
        """One number in the block's byte order."""
        number: int = struct.unpack(self.order + form, raw)[0]
        return number

    def directory(self, at: int) -> tuple[dict[int, bytes], int]:
        """The entries of an IFD by number, each as its twelve bytes, and where the next IFD is."""
        if at < 8 or at + 2 > len(self.data):
            raise Unstampable("its Exif segment can't be read")
        count = self.unpack("H", self.data[at : at + 2])
        end = at + 2 + 12 * count
        if end > len(self.data):
            raise Unstampable("its Exif segment can't be read")
        entries: dict[int, bytes] = {}
        for index in range(count):
            raw = bytes(self.data[at + 2 + 12 * index : at + 14 + 12 * index])
            number = self.unpack("H", raw[:2])
            if number in entries:
                raise Unstampable("its Exif segment names a tag twice")
            entries[number] = raw
        # Some writers leave the last IFD without a pointer to the next.
        following = self.unpack("I", self.data[end : end + 4]) if end + 4 <= len(self.data) else 0
        return entries, following

    def value(self, raw: bytes) -> bytes:
        """The bytes of an entry of a type that is one byte wide."""
        count = self.unpack("I", raw[4:8])
        if count <= 4:
            return raw[8 : 8 + count]
        at = self.unpack("I", raw[8:12])
        return bytes(self.data[at : at + count])

    def entry(self, number: int, kind: int, value: bytes) -> bytes:
        """An entry, its value appended where it is longer than four bytes."""
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{self.order}I", self.append(value))
        return struct.pack(f"{self.order}HHI", number, kind, len(value)) + place

    def listed(self, entries: dict[int, bytes], following: int) -> bytes:
        """An IFD as bytes, in ascending order as TIFF asks for."""
        rows = b"".join(entries[number] for number in sorted(entries))
        return struct.pack(f"{self.order}H", len(entries)) + rows + struct.pack(f"{self.order}I", following)

    def append(self, raw: bytes) -> int:
        """Put bytes at the end, at an even place; returns where."""
        if len(self.data) % 2:
            self.data += b"\0"
        at = len(self.data)
        self.data += raw
        return at

    def point(self, at: int) -> None:
        """Make `at` the place of IFD0."""
        self.data[4:8] = struct.pack(f"{self.order}I", at)


def _outside(data: bytes) -> bytes:
    """Everything but the Exif segment."""
    for one in segments(data):
        if one.marker == 0xE1 and data[one.content : one.content + 6] == EXIF:
            return data[: one.content - 4] + data[one.end :]
    return data
