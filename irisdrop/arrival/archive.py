"""A ZIP export: its members are the images, and nothing of it is trusted before it was looked at."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import PurePosixPath
from typing import Final

from irisdrop.arrival.ending import ended
from irisdrop.arrival.system import open_plain, reachable
from irisdrop.arrival.take import Order, Outcome, Refused, SpoolFull, Stopped, agree, pour, refusal, spooling
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.spool import Incoming, Spool
from irisdrop.vocabulary.images import MEMBER

MOST_MEMBERS: Final = 5000
LARGEST_DIRECTORY: Final = 8 << 20  # bytes of the list of members
MOST_UNPACKED: Final = 8 << 30  # bytes of all members together
RATIO: Final = 200  # a picture hardly shrinks; what shrinks to a two-hundredth is a bomb
SMALL: Final = 1 << 20
BLOCK: Final = 1 << 20
TAIL: Final = 65557  # the end record and the longest comment
LOCATOR: Final = 20  # bytes of the ZIP64 locator, just before the end record
END: Final = struct.Struct("<4s4H2LH")


class Hostile(Exception):
    """The archive is damaged, or made to harm; the text says how, without a name that stands in it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One image of an archive whose bytes the spool keeps now; `path` is the one within the archive."""

    path: str
    digest: str
    size: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Every image of an archive is in the spool; `racy` as for a plain file."""

    members: tuple[Member, ...]
    racy: bool


@dataclass(frozen=True, slots=True)
class Unpackable:
    """The archive can't be unpacked, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The list of members that ends an archive is not there yet."""


def unpack(
    order: Order, profile: DeviceProfile, spool: Spool, now: float, stopped: Callable[[], bool]
) -> Unpacked | Unpackable | Unfinished | Outcome:
    """Copy an archive, look at all of it, and put its images into the spool; all of them or none is told.

    stat before opening, on the handle, and after the last byte must agree, as for a plain file.
    """
    try:
        agree(order, os.lstat(reachable(order.path)))
        with os.fdopen(open_plain(order.path), "rb") as file:
            agree(order, os.fstat(file.fileno()))
            if order.looked.size > order.largest:
                return Unpackable(f"it has {order.looked.size} bytes, more than this site accepts")
            if not _finished(file, order.looked.size):
                return Unpackable("it stopped before its end") if order.force else Unfinished()
            racy = order.looked.mtime_ns / 1e9 > now - 2.0
            return Unpacked(_through_copy(order, file, profile, spool, stopped), racy)
    except Refused as refused:
        return refused.outcome
    except (Hostile, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as damage:
        return Unpackable(str(damage) if isinstance(damage, Hostile) else "it is damaged")
    except OSError as error:
        return refusal(error)


def _finished(file: BufferedReader, size: int) -> bool:
    """Whether the end record is there; raises Hostile where the list of members is larger than any should be."""
    begin = max(0, size - TAIL)
    file.seek(begin)
    tail = file.read(TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        return False
    _, _, _, _, count, length, _, _ = END.unpack_from(tail, at)
    if tail[max(0, at - LOCATOR) : at].startswith(b"PK\x06\x07"):
        # A second end record for more than 4 GB, whose numbers would count instead of those that are checked here.
        raise Hostile("it is a ZIP64 archive, and no camera exports such a large one")
    if count > MOST_MEMBERS or length > LARGEST_DIRECTORY:
        raise Hostile("it lists more members than any export has")
    return True


def _through_copy(
    order: Order, file: BufferedReader, profile: DeviceProfile, spool: Spool, stopped: Callable[[], bool]
) -> tuple[Member, ...]:
    """Copy the archive, so that nobody changes it while it is read, and take its images from the copy."""
    if not spool.room(order.looked.size):
        raise Refused(SpoolFull())
    copy = spooling(spool.receive)
    try:
        pour(order, file, lambda block: spooling(lambda: copy.write(block)), stopped)
        with zipfile.ZipFile(copy.path) as archive:
            chosen = list(_chosen(archive, profile, order.largest))
            if not spool.room(sum(info.file_size for info in chosen)):
                raise Refused(SpoolFull())
            return tuple(_kept(order, archive, info, spool, stopped) for info in chosen)
    finally:
        copy.abandon()


def _chosen(archive: zipfile.ZipFile, profile: DeviceProfile, largest: int) -> Iterator[zipfile.ZipInfo]:
    """The members that are images by their names, after all members were looked at."""
    seen: set[str] = set()
    total = 0
    for info in archive.infolist():
        _look(info, largest)
        total += info.file_size
        name = info.filename.casefold()
        if name in seen:
            raise Hostile("two of its members have one name")
        seen.add(name)
    if total > MOST_UNPACKED or len(seen) > MOST_MEMBERS:
        raise Hostile("it unpacks to more than any export has")
    for info in archive.infolist():
        hidden = any(part.startswith((".", "__MACOSX")) for part in info.filename.split("/"))
        if not info.is_dir() and not hidden and profile.takes_image(info.filename.rpartition("/")[2]):
            yield info


def _look(info: zipfile.ZipInfo, largest: int) -> None:
    """One member: where it would lie, what it is, how much it is."""
    name = info.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not name or "\0" in info.orig_filename or "\\" in info.orig_filename or ":" in name:
        raise Hostile("a member's name is none that an export has")
    if name.startswith("/") or ".." in parts:
        raise Hostile("a member's name leads out of the archive")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Hostile("a member is a link or a device")
    if info.flag_bits & 1:
        raise Hostile("its members are encrypted")
    if info.file_size > largest:
        raise Hostile("a member is larger than this site accepts")
    if info.file_size > SMALL and info.file_size > RATIO * max(1, info.compress_size):
        raise Hostile("a member unpacks to far more than a picture would")


def _kept(
    order: Order, archive: zipfile.ZipFile, info: zipfile.ZipInfo, spool: Spool, stopped: Callable[[], bool]
) -> Member:
    """One member in the spool."""
    copy = spooling(spool.receive)
    try:
        with archive.open(info) as member:
            while block := member.read(BLOCK):
                if copy.size + len(block) > info.file_size:
                    raise Hostile("a member is larger than the archive says")
                _write(copy, block)
                if stopped():
                    raise Refused(Stopped())
        if copy.size != info.file_size:
            raise Hostile("a member is shorter than the archive says")
        with copy.path.open("rb") as whole:
            complete = copy.size > 0 and ended(whole, copy.size)
        suffix = f"{MEMBER}{info.filename}"
        origin = replace(order.origin, path=order.path + suffix, name=order.origin.name + suffix)
        digest = spooling(lambda: spool.keep(copy, origin))
        return Member(info.filename, digest, info.file_size, complete)
    except BaseException:
        copy.abandon()
        raise


def _write(copy: Incoming, block: bytes) -> None:
    spooling(lambda: copy.write(block))
