"""The files that a camera writes beside an image: waited for, spooled with it, and read again where one comes late."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePath
from typing import Final

from irisdrop.arrival.scan import below
from irisdrop.arrival.settling import Pending
from irisdrop.arrival.shapes import Shape
from irisdrop.arrival.system import fingerprint, open_plain, reachable, shape
from irisdrop.arrival.take import Locked, Unreadable, refusal
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.journal import AGENT, Journal
from irisdrop.record.known import Fingerprint, Standing
from irisdrop.record.overview import Overview
from irisdrop.record.sources import Source, Sources
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ARCHIVE, ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

LARGEST: Final = 16 << 20  # bytes; what is larger is no sidecar
MISSING: Final = "its companion file"  # how identity begins to say that one is missing
LATE: Final = timedelta(days=7)
AT_ONCE: Final = 200  # images looked after in one turn: on a share each look takes its time
RECENT: Final = 10  # pictures of one name whose companion files are looked at: a camera may use one name for ever
FORGET: Final = 86_400.0  # seconds after which a file that no image waits for is forgotten


@dataclass(slots=True)
class _Look:
    """How a companion file looked, since when, and how it looked when it was last read for each image, by their paths."""

    seen: Fingerprint
    since: float
    used: float
    taken: dict[str, Fingerprint] = field(default_factory=dict)


@dataclass(slots=True)
class Sidecars:
    """The companion files of one camera's images. `on_changed` is called when an image is to be read again."""

    camera: str
    root: str
    journal: Journal
    spool: Spool
    clock: Clock
    profile: Callable[[], DeviceProfile]
    on_changed: Callable[[], None]
    _looks: dict[str, _Look] = field(default_factory=dict)
    _beyond: int = 0

    def ready(self, pending: Pending, now: float) -> bool:
        """Whether an image needs to wait no longer: its companion files are at rest, or they did not come in time.

        Those of an archive's images are within it.
        """
        profile = self.profile()
        names = () if profile.unpacks(pending.base) else profile.companions_of(pending.base)
        if not names or now - pending.life >= max(profile.sidecar_wait, profile.settle):
            return True
        paths = [self._find(below(self.root, pending.folder), name) for name in names]
        # Every one of them is looked at, so that all begin to rest at once.
        rest = [path is not None and self._rests(path, now, profile.settle) for path in paths]
        if not all(rest):
            return False
        image = below(self.root, pending.folder, pending.base)
        return pending.racy or not any(self._left_over(path, image) for path in paths if path is not None)

    def _left_over(self, path: str, image: str) -> bool:
        """Whether a companion file is still the one of an earlier picture, whose name the camera used again."""
        earlier = self._earlier(image)
        if not earlier or _unread(earlier[-1]):  # what comes now may be the whole of what was cut off
            return False
        look = self._looks[path]
        if image not in look.taken:
            try:
                content, seen = read(path)
            except OSError:
                return False  # whoever spools it tells
            if not self._of_another(earlier, image, path, content, seen):
                return False
            look.taken[image] = seen
        return _written(look.taken[image]) == _written(look.seen)

    def _earlier(self, path: str, digest: str | None = None) -> list[ImageFile]:
        """The other pictures that lay at a path."""
        return [image for image in self.journal.at_path(path) if image.digest not in (None, digest)]

    def _of_another(self, earlier: list[ImageFile], image: str, path: str, content: bytes, seen: Fingerprint) -> bool:
        """Whether the bytes of a companion file were read with an earlier picture and not written since."""
        look = self._looks.get(path)
        taken = look.taken.get(image) if look is not None else None
        if not earlier or (taken is not None and _written(taken) != _written(seen)):
            return False
        if Sources(self.journal.database).companion(path, image) == hashlib.sha256(content).hexdigest():
            return True
        # The journal forgets what it noted, and a rebuilt one never knew.
        some = [one.digest for one in earlier[-RECENT:] if one.digest is not None]
        kept = (self.spool.companion(digest, image, name) for digest in some for name in self._names(image))
        return any(file.is_file() and file.read_bytes() == content for file in kept)

    def _names(self, image: str) -> tuple[str, ...]:
        return self.profile().companions_of(os.path.basename(image))  # noqa: PTH119 - a name need not be Unicode

    def try_to_open(self, folder: str, base: str) -> None:
        """Raise OSError where a companion file of an image can't be opened now."""
        for name in self.profile().companions_of(base):
            path = self._find(below(self.root, folder), name)
            if path is not None:
                try:
                    os.close(open_plain(path))
                except OSError as error:
                    if isinstance(refusal(error), Locked | Unreadable):
                        raise

    def keep(self, digest: str, folder: str, base: str, *, grown: bool = False) -> list[Source]:
        """Spool what is there, before its image settles.

        What is no plain file, or too large, is not there, nor is what an earlier picture of the same name left behind,
        of which this one has not `grown`. Raises Changing, or OSError where one can't be read now.
        """
        kept = []
        image = below(self.root, folder, base)
        earlier = [] if grown else self._earlier(image, digest)
        for name in self.profile().companions_of(base):
            path = self._find(below(self.root, folder), name)
            if path is not None:
                try:
                    content, seen = read(path)
                except OSError as error:
                    if isinstance(refusal(error), Locked | Unreadable) and not isinstance(error, NotOne):
                        raise
                    continue
                if not self._of_another(earlier, image, path, content, seen):
                    self.spool.keep_companion(digest, image, name, content)
                    kept.append(Source(path, hashlib.sha256(content).hexdigest()))
                self._note(path, image, seen)
        return kept

    def tend(self) -> None:
        """Look after images that are not matched yet, some at a time: one whose companion file came late or changed is
        read again."""
        profile = self.profile()
        if not profile.companions_of("x.x"):
            return
        waiting = self._waiting(self._beyond, AT_ONCE)
        self._beyond = waiting[-1].id if len(waiting) == AT_ONCE else 0
        for image in waiting:
            within = ARCHIVE.search(image.name) is not None or profile.unpacks(os.path.basename(image.path))  # noqa: PTH119
            if not within and image.digest is not None:
                self._look_after(image, profile)
        if not self._beyond:
            oldest = self.clock.monotonic() - FORGET
            for path in [path for path, look in list(self._looks.items()) if look.used < oldest]:
                del self._looks[path]

    def renewed(self, path: str, digest: str, beside: Iterable[Source]) -> None:
        """The companion of an archive's image is another one now, and spooled: an image that it can still decide is read
        again."""
        with self.journal.transaction():  # so that a crash before it finds other bytes noted than are spooled
            Sources(self.journal.database).note_companions(self.camera, path, beside, self.clock.now())
            for image in self.journal.at_path(path):
                if image.digest == digest:
                    self._read_again(image.id)

    def _waiting(self, beyond: int, limit: int) -> list[ImageFile]:
        since = self.clock.now() - LATE
        return Overview(self.journal.database).before_match(self.camera, since, MISSING, beyond, limit)

    def _look_after(self, image: ImageFile, profile: DeviceProfile) -> None:
        renewed = self._renewed(image, profile)
        if not renewed:
            return
        with self.journal.transaction():  # so that a crash before it finds other bytes noted than are spooled
            Sources(self.journal.database).note_companions(self.camera, image.path, renewed, self.clock.now())
            self._read_again(image.id)

    def _renewed(self, image: ImageFile, profile: DeviceProfile) -> list[Source]:
        """The companion files that hold something else than an image was read by; that is spooled now."""
        renewed = []
        folder, base = os.path.split(image.path)
        for name in profile.companions_of(base):
            path = self._find(folder, name)
            if path is None or not self._rests(path, self.clock.monotonic(), profile.settle):
                continue
            if self._looks[path].taken.get(image.path) == self._looks[path].seen or not self._lies_there(image):
                continue
            try:
                content, seen = read(path)
            except OSError:
                continue  # the next look tells
            if self._is_news(image, path, name, content, seen):
                self.spool.keep_companion(image.digest or "", image.path, name, content)
                renewed.append(Source(path, hashlib.sha256(content).hexdigest()))
            self._note(path, image.path, seen)
        return renewed

    def _is_news(self, image: ImageFile, path: str, name: str, content: bytes, seen: Fingerprint) -> bool:
        kept = self.spool.companion(image.digest or "", image.path, name)
        if not kept.is_file():
            return not self._of_another(self._earlier(image.path, image.digest), image.path, path, content, seen)
        noted = Sources(self.journal.database).companion(path, image.path)
        if noted is None:
            return kept.read_bytes() != content or (image.detail or "").startswith(MISSING)
        return kept.read_bytes() != content or noted != hashlib.sha256(content).hexdigest()

    def _lies_there(self, image: ImageFile) -> bool:
        """Whether an image's file is the one that was read: else what lies beside it is another picture's by now."""
        folder, base = os.path.split(image.path)
        known = self.journal.known.get(self.camera, folder[len(self.root) + 1 :], base)
        try:
            seen = fingerprint(os.lstat(reachable(image.path)))
        except OSError:
            return False
        if known is None or known.fingerprint != seen or known.standing not in (Standing.SETTLED, Standing.RACY):
            return False
        return self.journal.at_path(image.path)[-1].id == image.id

    def _read_again(self, number: int) -> None:
        """By what is spooled now, if that can still decide it."""
        with self.journal.transaction():  # nobody moves it meanwhile
            since = self.clock.now() - LATE
            for image in Overview(self.journal.database).before_match(self.camera, since, MISSING, number - 1, 1):
                if image.id != number:
                    return
                if image.state is State.QUARANTINED:
                    self.journal.move(image, Event.RELEASE, AGENT, "its companion file came, or was changed")
                else:
                    self.journal.note(image, profile=None)  # read by no profile any more, so it is read again
                self.journal.database.afterwards(self.on_changed)

    def _note(self, path: str, image: str, seen: Fingerprint) -> None:
        """A companion file was read for an image, and looked so."""
        now = self.clock.monotonic()
        look = self._looks.get(path)
        if look is None or look.seen != seen:
            look = self._looks[path] = _Look(seen, now, now, look.taken if look else {})
        look.used = now
        look.taken[image] = seen

    def _rests(self, path: str, now: float, settle: float) -> bool:
        """Whether a file has looked the same for so long, and holds something."""
        try:
            seen = fingerprint(os.lstat(reachable(path)))
        except OSError:
            return False
        before = self._looks.get(path)
        if before is None or before.seen != seen:
            self._looks[path] = _Look(seen, now, now, before.taken if before else {})
            return False
        before.used = now
        return seen.size > 0 and now - before.since >= settle

    def _find(self, folder: str, name: str) -> str | None:
        """The path of a companion file, its extension in either case."""
        plain = PurePath(name)
        for suffix in dict.fromkeys((plain.suffix, plain.suffix.lower(), plain.suffix.upper())):
            path = os.path.join(folder, plain.stem + suffix)  # noqa: PTH118 - a name need not be Unicode
            if os.path.lexists(reachable(path)):
                return path
        return None


def _unread(image: ImageFile) -> bool:
    return image.state is State.QUARANTINED and image.reason is Code.UNREADABLE


def _written(seen: Fingerprint) -> tuple[int, int]:
    """What tells that a file was written: a share that is mounted again has other ids and times of change."""
    return seen.size, seen.mtime_ns


class NotOne(OSError):
    """It is no plain file, or larger than any companion file."""


class Changing(OSError):
    """It is being written."""


def read(path: str) -> tuple[bytes, Fingerprint]:
    """The bytes of a companion file and how it looked; raises Changing, NotOne, or OSError where it can't be read."""
    descriptor = open_plain(path)
    try:
        status = os.fstat(descriptor)
        if shape(status) is not Shape.PLAIN or status.st_size > LARGEST:
            raise NotOne("no companion file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
        if fingerprint(os.fstat(descriptor)) != fingerprint(status) or len(content) != status.st_size:
            raise Changing("it changes")
    finally:
        os.close(descriptor)
    return content, fingerprint(status)
