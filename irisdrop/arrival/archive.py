"""A ZIP export: its members are the images, and nothing of it is trusted before all of it was looked at."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from functools import partial
from io import BufferedReader
from typing import BinaryIO, Final

from irisdrop.arrival.directory import Hostile, Listed, content, listed
from irisdrop.arrival.ending import ended
from irisdrop.arrival.members import Chosen, chosen, look
from irisdrop.arrival.system import open_plain, reachable
from irisdrop.arrival.take import BLOCK, Order, Outcome, Refused, SpoolFull, Stopped, agree, pour, refusal, spooling
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.sources import Source
from irisdrop.record.spool import Spool
from irisdrop.record.text import shown
from irisdrop.vocabulary.images import MEMBER

MOST_ALIKE: Final = 100  # members of the same bytes: the note of these is written anew for each of them
NESTED: Final = "an archive within an archive is not opened"


@dataclass(frozen=True, slots=True)
class Member:
    """One image of an archive whose bytes the spool keeps, or (`new` False) that its path has already.

    `path` is the one within the archive; `flaw` is why nothing can be read from it; `beside` are its companions, by their
    paths in the journal, and `renewed` says that one of them is another than it was read by.
    """

    path: str
    digest: str
    size: int
    flaw: str | None = None
    new: bool = True
    renewed: bool = False
    beside: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Every image of an archive of these bytes is in the spool; `racy` as for a plain file, and `grown` says that they
    begin with those of `Order.beginning`."""

    members: tuple[Member, ...]
    racy: bool
    digest: str
    grown: bool = False


@dataclass(frozen=True, slots=True)
class Unpackable:
    """The archive can't be unpacked, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The list of members that ends an archive is not there yet."""


def unpack(
    order: Order,
    profile: DeviceProfile,
    spool: Spool,
    now: float,
    stopped: Callable[[], bool],
    known: Callable[[str], Set[str | None]] = lambda _: frozenset(),
    noted: Callable[[str, str], str | None] = lambda _, __: None,
) -> Unpacked | Unpackable | Unfinished | Outcome:
    """Copy an archive, look at all of it, and put its images into the spool; all of them or none is told.

    stat before opening, on the handle, and after the last byte must agree, as for a plain file. `known` are the digests
    that a member's path has already, `noted` that of a companion as the image beside it was last read with it.
    """
    try:
        agree(order, os.lstat(reachable(order.path)))
        with os.fdopen(open_plain(order.path), "rb") as file:
            agree(order, os.fstat(file.fileno()))
            if order.looked.size > order.largest:
                return Unpackable(f"it has {order.looked.size} bytes, more than this site accepts")
            members = listed(file, order.looked.size)
            if members is None:
                return Unpackable("it stopped before its end") if order.force else Unfinished()
            _foresee(order, members, profile, spool, known)
            racy = order.looked.mtime_ns / 1e9 > now - 2.0
            return replace(_through_copy(order, file, profile, spool, stopped, known, noted), racy=racy)
    except Refused as refused:
        return refused.outcome
    except Hostile as hostile:
        return _unpackable(order, str(hostile))
    except OSError as error:
        return refusal(error)


def _unpackable(order: Order, detail: str) -> Unpackable | Outcome:
    """An archive that is being written on looks damaged for a moment, and is not to be blamed for it."""
    try:
        agree(order, os.lstat(reachable(order.path)))
    except Refused as refused:
        return refused.outcome
    except OSError as error:
        return refusal(error)
    return Unpackable(detail)


def _foresee(
    order: Order, members: list[Listed], profile: DeviceProfile, spool: Spool, known: Callable[[str], Set[str | None]]
) -> None:
    """Refuse before it is copied what would be refused after it; what is not known yet needs room beside the copy."""
    images = list(chosen(members, profile))
    look(images, order.looked.size, order.largest)
    needed = order.looked.size + sum(one.size for one in images if not known(_path(order, one)))
    limit = spool.budget.limit
    if limit is not None and needed > limit:
        raise Hostile("it holds more than the spool may")
    with _room(spool, needed):  # asked for, so that confirmed copies go for it
        pass


def _through_copy(
    order: Order,
    file: BufferedReader,
    profile: DeviceProfile,
    spool: Spool,
    stopped: Callable[[], bool],
    known: Callable[[str], Set[str | None]],
    noted: Callable[[str, str], str | None],
) -> Unpacked:
    """Copy the archive, so that nobody changes it while it is read, and take its images from the copy."""
    size = order.looked.size
    with _room(spool, size):
        copy = spooling(spool.receive)
        try:
            pour(order, file, lambda block: spooling(lambda: copy.write(block)), stopped)
            with spooling(lambda: copy.path.open("rb")) as archive:
                every = _looked_through(order, archive, copy.size, profile, stopped)
                fresh = [one for one in every if one.digest not in known(_path(order, one))]
                with _room(spool, sum(one.size for one in fresh)):
                    for one in fresh:
                        _keep(order, archive, one, spool, stopped)
                new = {one.listed.path for one in fresh}
                found = tuple(_member(order, archive, one, spool, new, noted) for one in every)
                return Unpacked(found, racy=False, digest=copy.digest, grown=_grown(archive, order.beginning))
        finally:
            # On a full disk the copy is what must go first.
            with contextlib.suppress(OSError):
                copy.abandon()


def _grown(archive: BinaryIO, beginning: tuple[int, str] | None) -> bool:
    """Whether an archive begins with bytes of this size and digest: what was refused at its path was only its beginning."""
    if beginning is None:
        return False
    left, digest = beginning[0], hashlib.sha256()
    archive.seek(0)
    while left and (block := archive.read(min(left, BLOCK))):
        digest.update(block)
        left -= len(block)
    return not left and digest.hexdigest() == beginning[1]


@contextlib.contextmanager
def _room(spool: Spool, size: int) -> Iterator[None]:
    with spool.promise(size) as enough:
        if not enough:
            raise Refused(SpoolFull())
        yield


# ---------------------------------------------------------------------- looking


def _looked_through(
    order: Order, archive: BinaryIO, size: int, profile: DeviceProfile, stopped: Callable[[], bool]
) -> list[Chosen]:
    """The members that are images, with their digests: each was unpacked once, and is what the list says."""
    members = listed(archive, size)
    if members is None:
        raise Hostile("it stopped before its end")
    images = list(chosen(members, profile))
    look(images, size, order.largest)
    every = [_hashed(archive, one, stopped) for one in images]
    if any(count > MOST_ALIKE for count in Counter(one.digest for one in every).values()):
        raise Hostile("more of its members are the same picture than any export has")
    return every


def _hashed(archive: BinaryIO, one: Chosen, stopped: Callable[[], bool]) -> Chosen:
    digests = []
    for member in (one.listed, *(beside for _, beside in one.beside)):
        digest = hashlib.sha256()
        for block in content(archive, member):
            digest.update(block)
            if stopped():
                raise Refused(Stopped())
        digests.append(digest.hexdigest())
    return replace(one, digest=digests[0], digests=tuple(digests[1:]))


# ---------------------------------------------------------------------- keeping


def _keep(order: Order, archive: BinaryIO, one: Chosen, spool: Spool, stopped: Callable[[], bool]) -> None:
    """One member in the spool, its companions first: a crash leaves no image there without them."""
    path = _path(order, one)
    copy = spooling(spool.receive)
    try:
        for block in content(archive, one.listed):
            spooling(partial(copy.write, block))
            if stopped():
                raise Refused(Stopped())
        for name, beside in one.beside:
            text = b"".join(content(archive, beside))
            spooling(partial(spool.keep_companion, one.digest, path, name, text))
        origin = replace(order.origin, path=path, name=f"{order.origin.name}{MEMBER}{shown(one.listed.path)}")
        spooling(lambda: spool.keep(copy, origin))
    except BaseException:
        with contextlib.suppress(OSError):
            copy.abandon()
        raise


def _member(
    order: Order,
    archive: BinaryIO,
    one: Chosen,
    spool: Spool,
    new: set[str],
    noted: Callable[[str, str], str | None],
) -> Member:
    path, size, image = one.listed.path, one.listed.size, _path(order, one)
    listed_beside = zip(one.beside, one.digests, strict=True)
    beside = tuple(Source(f"{order.path}{MEMBER}{it.path}", digest) for (_, it), digest in listed_beside)
    if path in new:
        flaw = NESTED if one.nested else _flaw(spool, one)
        return Member(path, one.digest, size, flaw, beside=beside)
    renewed = False
    for (name, companion), source in zip(one.beside, beside, strict=True) if spool.holds(one.digest) else ():
        text = b"".join(content(archive, companion))
        kept = spool.companion(one.digest, image, name)
        if not kept.is_file() or kept.read_bytes() != text:
            spooling(partial(spool.keep_companion, one.digest, image, name, text))
            renewed = True
        # Spooled by a life that ended before it was noted: the image was read by the former one.
        renewed = renewed or noted(source.path, image) not in (None, source.digest)
    return Member(path, one.digest, size, new=False, renewed=renewed, beside=beside)


def _flaw(spool: Spool, one: Chosen) -> str | None:
    """Why nothing can be read from a member whose bytes are ours now."""
    if one.listed.size == 0:
        return "it is empty"
    with spooling(lambda: spool.file(one.digest).open("rb")) as whole:
        return None if ended(whole, one.listed.size) else "it stopped before the end of its format"


def _path(order: Order, one: Chosen) -> str:
    """The path that a member has in the journal."""
    return f"{order.path}{MEMBER}{one.listed.path}"
