"""The one reading of a file: its bytes go into the spool while they are hashed, or nothing happened."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from irisdrop.arrival.ending import ended
from irisdrop.arrival.shapes import Shape
from irisdrop.arrival.system import fingerprint, in_the_cloud, open_plain, reachable, shape
from irisdrop.record.known import Fingerprint
from irisdrop.record.spool import Origin, Spool

T = TypeVar("T")

BLOCK: Final = 1024 * 1024
HELD: Final = 256 * 1024  # bytes: what is no longer is read at once
RACY: Final = 2.0  # seconds: the coarsest clock of a file system that we meet (FAT)


@dataclass(frozen=True, slots=True)
class Order:
    """What to take: the file, how it looked when it was found ready, and what is known of its path.

    `digests` are those of the images that the path has; `beginning` is size and digest of a partial that these bytes
    may begin with. `force` takes it without the format's end.
    """

    path: str
    looked: Fingerprint
    origin: Origin
    largest: int
    digests: frozenset[str]
    beginning: tuple[int, str] | None
    force: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """The bytes are durable in the spool, or belong to an image that the path has already (`new` False)."""

    digest: str
    size: int
    racy: bool
    new: bool
    grown: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The format's end is not there yet."""


@dataclass(frozen=True, slots=True)
class Changed:
    """It changed before or while it was read; the copy was thrown away."""


@dataclass(frozen=True, slots=True)
class Gone:
    """It is no longer there."""


@dataclass(frozen=True, slots=True)
class Locked:
    """It can't be opened now: held by somebody, not ours to read, or only in a cloud."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotPlain:
    """It is no plain file any more."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """It has more bytes than this site accepts."""

    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The system can't read it (a bad sector, a broken share)."""

    errno: int


@dataclass(frozen=True, slots=True)
class SpoolFailed:
    """The spool can't be written: the disk is full, its quota is used up, or it is read-only."""

    detail: str


@dataclass(frozen=True, slots=True)
class SpoolFull:
    """The spool has reached its limit."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The agent stops; the copy was thrown away."""


Outcome = (
    Taken | Incomplete | Changed | Gone | Locked | NotPlain | TooLarge | Unreadable | SpoolFailed | SpoolFull | Stopped
)

# What `open` and `lstat` say, in words of arrival. ESTALE and EIO are the share's or the disk's: Unreadable.
_REFUSALS: Final[dict[int, Callable[[OSError], Outcome]]] = {
    errno.ENOENT: lambda _: Gone(),
    errno.ENOTDIR: lambda _: Gone(),
    errno.ELOOP: lambda _: NotPlain(),
    errno.ENXIO: lambda _: NotPlain(),
    errno.EACCES: lambda error: Locked(_words(error)),
    errno.EPERM: lambda error: Locked(_words(error)),
    errno.EBUSY: lambda error: Locked(_words(error)),
    errno.EAGAIN: lambda error: Locked(_words(error)),
    errno.ETXTBSY: lambda error: Locked(_words(error)),
}


class Held(io.BytesIO):
    """The bytes of a small file, which are read once, whatever is asked of them; its handle is the file's.

    One byte more than its size is asked for: a file that grew shows.
    """

    def __init__(self, file: io.FileIO, size: int) -> None:
        self._file = file
        content, count = memoryview(bytearray(size + 1)), 0
        while count <= size and (more := file.readinto(content[count:])):
            count += more
        super().__init__(content[:count])

    def fileno(self) -> int:
        """The handle of the file."""
        return self._file.fileno()


Opened = io.BufferedReader | Held


class Refused(Exception):
    """Ends a reading with its outcome; nothing is kept."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def take(order: Order, spool: Spool, now: float, stopped: Callable[[], bool]) -> Outcome:
    """Read the file once into the spool; `now` is the wall clock in seconds, asked every block whether it `stopped`.

    stat before opening, on the handle, and after the last byte must agree, else it is Changed and nothing is kept.
    """
    try:
        agree(order, os.lstat(reachable(order.path)))
        with io.FileIO(open_plain(order.path)) as file:
            agree(order, os.fstat(file.fileno()))
            size = order.looked.size
            return _read(order, Held(file, size) if size <= HELD else io.BufferedReader(file), spool, now, stopped)
    except Refused as refused:
        return refused.outcome
    except OSError as error:
        return refusal(error)


def refusal(error: OSError) -> Outcome:
    """What the system's refusal means here."""
    answer = _REFUSALS.get(error.errno or 0)
    return Unreadable(error.errno or 0) if answer is None else answer(error)


def agree(order: Order, status: os.stat_result) -> None:
    """Raise Refused where the file is not the one that was looked at."""
    if shape(status) is not Shape.PLAIN:
        raise Refused(NotPlain())
    if fingerprint(status) != order.looked:
        raise Refused(Changed())
    if in_the_cloud(status):
        raise Refused(Locked("it is only in the cloud"))


def _read(order: Order, file: Opened, spool: Spool, now: float, stopped: Callable[[], bool]) -> Taken:
    size = order.looked.size
    if size > order.largest:
        raise Refused(TooLarge(size))
    complete = size > 0 and ended(file, size)
    if not complete and not order.force:
        raise Refused(Incomplete())
    racy = order.looked.mtime_ns / 1e9 > now - RACY
    if order.digests:
        # A touched file, a share that came back with other times: not worth a copy if these are the same bytes.
        known = hashlib.sha256()
        pour(order, file, known.update, stopped)
        if known.hexdigest() in order.digests:
            return Taken(known.hexdigest(), size, racy, new=False, grown=False, complete=complete)
    with spool.promise(size) as enough:
        if not enough:
            raise Refused(SpoolFull())
        digest, grown = _copy(order, file, spool, stopped)
    return Taken(digest, size, racy, new=True, grown=grown, complete=complete)


def _copy(order: Order, file: Opened, spool: Spool, stopped: Callable[[], bool]) -> tuple[str, bool]:
    """The digest under which the spool keeps the bytes now, and whether they begin with the earlier partial's."""
    copy = spooling(spool.receive)
    try:
        grown = False
        beginning, digest = order.beginning or (-1, "")

        def write(block: memoryview) -> None:
            nonlocal grown
            if copy.size < beginning <= copy.size + len(block):
                cut = beginning - copy.size
                spooling(lambda: copy.write(block[:cut]))
                grown = copy.digest == digest
                block = block[cut:]
            spooling(lambda: copy.write(block))

        pour(order, file, write, stopped)
        grown = grown or (beginning == 0 and copy.size > 0)
        return spooling(lambda: spool.keep(copy, order.origin)), grown
    except BaseException:
        # On a full disk the partial copy is what must go first.
        with contextlib.suppress(OSError):
            copy.abandon()
        raise


def pour(order: Order, file: Opened, into: Callable[[memoryview], object], stopped: Callable[[], bool]) -> None:
    """Read the whole file, block by block, and make sure that it is the one that was looked at."""
    file.seek(0)
    buffer = memoryview(bytearray(min(BLOCK, order.looked.size + 1)))
    passed = 0
    while count := file.readinto(buffer):
        passed += count
        if passed > order.looked.size:
            raise Refused(Changed())
        into(buffer[:count])
        if stopped():
            raise Refused(Stopped())
    agree(order, os.fstat(file.fileno()))
    agree(order, os.lstat(reachable(order.path)))
    if passed != order.looked.size:
        raise Refused(Changed())


def spooling(act: Callable[[], T]) -> T:
    """Tell a failure of our disk from one of the camera's."""
    try:
        return act()
    except OSError as error:
        raise Refused(SpoolFailed(_words(error))) from error


def _words(error: OSError) -> str:
    """What the system says, without the file's name."""
    return os.strerror(error.errno) if error.errno else "unknown"
