"""The list of members that ends a ZIP archive, and their bytes: no number that stands in it is believed unseen.

Our own, because `zipfile` unpacks bzip2 and LZMA without a bound, reads as many members as a list holds, and takes
members that share bytes (one file of 46 MB unpacks to 4.5 PB so). Stored and deflated members are what every export has.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final

MOST_MEMBERS: Final = 5000
LARGEST_DIRECTORY: Final = 8 << 20  # bytes of the list of members
LONGEST_NAME: Final = 4096  # bytes
BLOCK: Final = 1 << 20
COMMENT: Final = 65535  # bytes of the longest comment, which is the last that an archive has
STORED, DEFLATED = 0, 8
ENCRYPTED: Final = 0x2041  # plain, strong, and with a masked list
UTF8: Final = 0x0800
WIDE, NAME = 0x0001, 0x7075  # extra fields: sizes of more than 4 GB, the name in UTF-8
FULL: Final = 0xFFFFFFFF  # "it stands in the extra field"
DRIVE: Final = re.compile(r"[A-Za-z]:")

END: Final = struct.Struct("<4s4H2LH")
LOCATOR: Final = struct.Struct("<4sLQL")
WIDE_END: Final = struct.Struct("<4sQ2H2L4Q")
ENTRY: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")


class Hostile(Exception):
    """The archive is damaged, or made to harm; the text says how, without a name that stands in it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One member as the list has it. `path` has `/` on every system; `begin` is where its own header lies."""

    path: str
    raw: bytes
    begin: int
    packed: int
    size: int
    crc: int
    deflated: bool


def listed(file: BinaryIO, size: int) -> list[Listed] | None:
    """The members of an archive of `size` bytes, folders left out; None where the end of the list is not there yet.

    Raises Hostile where one of them, or the list, is nothing that an export has.
    """
    found = _end(file, size)
    if found is None:
        return None
    begin, length, count, base = found
    if count > MOST_MEMBERS or length > LARGEST_DIRECTORY:
        raise Hostile("it lists more members than any export has")
    file.seek(begin)
    members = list(_entries(file.read(length), count, base))
    # Nothing may lie within something else: a few bytes would unpack to a disk full.
    places = sorted((one.begin, one.begin + LOCAL.size + len(one.raw) + one.packed) for one in members)
    if any(end > following for (_, end), (following, _) in pairwise([*places, (begin, begin)])):
        raise Hostile("two of its members share their bytes")
    files = [one for one in members if not one.path.endswith("/")]
    if len({one.path for one in files}) != len(files):
        raise Hostile("two of its members have one name")
    return files


def content(file: BinaryIO, member: Listed) -> Iterator[bytes]:
    """The bytes of a member in blocks; raises Hostile where they are not those that the list promises."""
    size, crc = 0, 0
    for block in _unpacked(file, member):
        size += len(block)
        if size > member.size:
            raise Hostile("a member is larger than the archive says")
        crc = zlib.crc32(block, crc)
        yield block
    if size != member.size:
        raise Hostile("a member is shorter than the archive says")
    if crc != member.crc:
        raise Hostile("a member is damaged")


def _end(file: BinaryIO, size: int) -> tuple[int, int, int, int] | None:
    """Where the list begins, its length, how many members it has, and where the archive itself begins in the file."""
    begin = max(0, size - COMMENT - END.size - LOCATOR.size)
    file.seek(begin)
    tail = file.read(size - begin)
    at = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - END.size + 4))
    while at >= 0:
        _, _, _, _, count, length, offset, comment = END.unpack_from(tail, at)
        if at + END.size + comment <= len(tail):  # else these four bytes stand in a comment, or it is not all there
            break
        at = tail.rfind(b"PK\x05\x06", 0, at)
    if at < 0:
        return None
    after = begin + at
    if tail[max(0, at - LOCATOR.size) : at].startswith(b"PK\x06\x07"):
        after, count, length, offset = _wide_end(file, size, *LOCATOR.unpack_from(tail, at - LOCATOR.size)[2:3])
    first = after - length
    if first < offset:
        raise Hostile("its list of members is not where it should be")
    return first, length, count, first - offset


def _wide_end(file: BinaryIO, size: int, at: int) -> tuple[int, int, int, int]:
    """The second end record, of archives of more than 4 GB or 65,535 members, and of writers that always make one."""
    if at + WIDE_END.size > size:
        raise Hostile("its list of members is not where it should be")
    file.seek(at)
    mark, _, _, _, _, _, _, count, length, offset = WIDE_END.unpack(file.read(WIDE_END.size))
    if mark != b"PK\x06\x06":
        raise Hostile("its list of members is not where it should be")
    return at, count, length, offset


def _entries(directory: bytes, count: int, base: int) -> Iterator[Listed]:
    at = 0
    for _ in range(count):
        if at + ENTRY.size > len(directory) or directory[at : at + 4] != b"PK\x01\x02":
            raise Hostile("its list of members is damaged")
        fields = ENTRY.unpack_from(directory, at)
        ends = [at + ENTRY.size]
        for length in fields[10:13]:
            ends.append(ends[-1] + length)
        if ends[-1] > len(directory):
            raise Hostile("its list of members is damaged")
        yield _member(fields, directory[ends[0] : ends[1]], directory[ends[1] : ends[2]], base)
        at = ends[-1]
    if directory[at : at + 4] == b"PK\x01\x02":
        raise Hostile("it lists more members than it says")


def _member(fields: tuple[int, ...], raw: bytes, extra: bytes, base: int) -> Listed:
    _, _, _, flags, method, _, _, crc, packed, size, _, _, _, _, _, attributes, begin = fields
    others = _extra_fields(extra)
    if flags & ENCRYPTED:
        raise Hostile("its members are encrypted")
    if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Hostile("a member is a link or a device")
    path = _path(raw, flags, others.get(NAME, b""))
    if not path.endswith("/") and method not in (STORED, DEFLATED):
        raise Hostile("its members are packed in a way that no export is")
    wide = others.get(WIDE, b"")
    numbers = []
    for number in (size, packed, begin):
        if number == FULL:
            if len(wide) < 8:
                raise Hostile("its list of members is damaged")
            number, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        numbers.append(number)
    return Listed(path, raw, numbers[2] + base, numbers[1], numbers[0], crc, method == DEFLATED)


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        fields[kind] = extra[4 : 4 + length]
        extra = extra[4 + length :]
    return fields


def _path(raw: bytes, flags: int, other: bytes) -> str:
    """A member's name; raises Hostile where it leads out of the archive."""
    if not raw or b"\0" in raw or len(raw) > LONGEST_NAME:
        raise Hostile("a member's name is none that an export has")
    name = _text(raw, flags, other).replace("\\", "/")  # .NET before 4.6.1 wrote its own system's
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or DRIVE.match(name):
        raise Hostile("a member's name leads out of the archive")
    path = "/".join(part for part in parts if part not in ("", "."))
    if not path:
        raise Hostile("a member's name is none that an export has")
    return path + "/" if name.endswith("/") else path


def _text(raw: bytes, flags: int, other: bytes) -> str:
    """Many writers put UTF-8 and do not say so; text of the old code page is hardly ever that by chance."""
    if other[:1] == b"\x01" and other[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
        raw, flags = other[5:], flags | UTF8
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape") if flags & UTF8 else raw.decode("cp437")


def _unpacked(file: BinaryIO, member: Listed) -> Iterator[bytes]:
    file.seek(member.begin)
    header = file.read(LOCAL.size)
    if len(header) != LOCAL.size or header[:4] != b"PK\x03\x04":
        raise Hostile("a member is not where the archive says")
    name, extra = LOCAL.unpack(header)[9:11]
    if file.read(name) != member.raw:
        raise Hostile("a member is not the one that the archive says")
    file.seek(extra, 1)
    packed = _packed(file, member.packed)
    if not member.deflated:
        yield from packed
        return
    inflate = zlib.decompressobj(-15)
    try:
        for block in packed:
            while block and not inflate.eof:
                yield inflate.decompress(block, BLOCK)
                block = inflate.unconsumed_tail
        while not inflate.eof and (rest := inflate.decompress(b"", BLOCK)):
            yield rest
    except zlib.error:
        raise Hostile("a member is damaged") from None
    if not inflate.eof:
        raise Hostile("a member is shorter than the archive says")


def _packed(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        block = file.read(min(BLOCK, left))
        if not block:
            raise Hostile("a member is shorter than the archive says")
        left -= len(block)
        yield block
