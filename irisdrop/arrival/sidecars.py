"""The files that a camera writes beside an image: waited for, spooled with it, and read again where one comes late."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
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
from irisdrop.record.journal import AGENT, Journal, StaleImage
from irisdrop.record.known import Fingerprint
from irisdrop.record.overview import Overview
from irisdrop.record.sources import Source, Sources
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ARCHIVE, ImageFile
from irisdrop.vocabulary.states import Event, State

LARGEST: Final = 16 << 20  # bytes; what is larger is no sidecar
MISSING: Final = "its companion file"  # how identity begins to say that one is missing
LATE: Final = timedelta(days=7)
AT_ONCE: Final = 200  # images looked after in one turn: on a share each look takes its time
FORGET: Final = 900.0  # seconds after which a file that no image waits for is forgotten


@dataclass(slots=True)
class _Look:
    """How a companion file looked, since when, and how it looked when its bytes were spooled."""

    seen: Fingerprint
    since: float
    used: float
    taken: Fingerprint | None = None


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
        return all(rest)

    def keep(self, digest: str, folder: str, base: str) -> list[Source]:
        """Spool what is there, before its image settles.

        What is no plain file, or too large, is not there. Raises Changing, or OSError where one can't be read now.
        """
        kept = []
        for name in self.profile().companions_of(base):
            path = self._find(below(self.root, folder), name)
            if path is not None:
                try:
                    content, seen = read(path)
                except OSError as error:
                    if isinstance(refusal(error), Locked | Unreadable) and not isinstance(error, NotOne):
                        raise
                    continue
                self.spool.keep_companion(digest, below(self.root, folder, base), name, content)
                now = self.clock.monotonic()
                self._looks[path] = _Look(seen, now, now, seen)
                kept.append(Source(path, hashlib.sha256(content).hexdigest()))
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
            if ARCHIVE.search(image.name) is None and image.digest is not None and self._renewed(image, profile):
                self._read_again(image)
        if not self._beyond:
            oldest = self.clock.monotonic() - FORGET
            for path in [path for path, look in list(self._looks.items()) if look.used < oldest]:
                del self._looks[path]

    def renewed(self, path: str, digest: str) -> None:
        """The companion of an archive's image is another one now, and spooled: an image that it can still decide is read
        again."""
        for image in self.journal.at_path(path):
            if image.digest == digest and (image.state is State.SETTLED or image in self._waiting(image.id - 1, 1)):
                self._read_again(image)

    def _waiting(self, beyond: int, limit: int) -> list[ImageFile]:
        since = self.clock.now() - LATE
        return Overview(self.journal.database).before_match(self.camera, since, MISSING, beyond, limit)

    def _renewed(self, image: ImageFile, profile: DeviceProfile) -> bool:
        """Whether a companion file holds something else than what is spooled; then that is spooled now."""
        assert image.digest is not None
        renewed = False
        folder, base = os.path.split(image.path)
        for name in profile.companions_of(base):
            path = self._find(folder, name)
            if path is None or not self._rests(path, self.clock.monotonic(), profile.settle):
                continue
            look = self._looks[path]
            if look.taken == look.seen:
                continue
            try:
                content, seen = read(path)
            except OSError:
                continue  # the next look tells
            kept = self.spool.companion(image.digest, image.path, name)
            if not kept.is_file() or kept.read_bytes() != content:
                self.spool.keep_companion(image.digest, image.path, name, content)
                renewed = True
            source = Source(path, hashlib.sha256(content).hexdigest())
            Sources(self.journal.database).note_companions(self.camera, image.path, [source], self.clock.now())
            look.taken = seen
        return renewed

    def _read_again(self, image: ImageFile) -> None:
        try:
            if image.state is State.QUARANTINED:
                self.journal.move(image, Event.RELEASE, AGENT, "its companion file came, or was changed")
            else:
                self.journal.note(image, profile=None)  # read by no profile any more, so it is read again
        except StaleImage:
            return  # somebody was quicker
        self.on_changed()

    def _rests(self, path: str, now: float, settle: float) -> bool:
        """Whether a file has looked the same for so long, and holds something."""
        try:
            seen = fingerprint(os.lstat(reachable(path)))
        except OSError:
            return False
        before = self._looks.get(path)
        if before is None or before.seen != seen:
            self._looks[path] = _Look(seen, now, now, before.taken if before else None)
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
