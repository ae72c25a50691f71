"""What becomes of the files in the export folders once the platform has their images: `after: {move}` or `{delete}`.

An image goes when it is delivered, an archive when all of its images are, a companion file when its images have gone and
no other needs it. Each only where its bytes are still those that were read: what else lies there is on its own way.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from irisdrop.arrival.ground import stands
from irisdrop.profiles.config import CameraSettings
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.journal import Journal
from irisdrop.record.sources import Source, Sources
from irisdrop.record.system import sync_folder
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.marks import mark

log = logging.getLogger(__name__)

STAYS: Final = timedelta(minutes=1)  # a companion file, after its images: another of the same name may be coming
PAGE: Final = 500  # files of a kind that one turn looks at
LONGEST: Final = 60  # minutes between tries for a file that can't go: to look at it is to read it whole, from a share
MOST_STUCK: Final = 50_000  # files whose next try is remembered


@dataclass(frozen=True, slots=True)
class _Going:
    """A file with the bytes that were read of it; `name` is its path below the camera's folder, `other` sets it apart
    where one of its name has been moved before, `words` tell it to a person."""

    path: Path
    digest: str
    name: str
    other: str
    words: str


@dataclass(slots=True)
class _Place:
    """Behind which file of each kind the next turn of a camera goes on: what can't go now must not hold up the rest."""

    image: int = 0
    archive: str = ""
    companion: str = ""


class Clearance:
    """Clears away what is done with, of one camera after another."""

    def __init__(self, journal: Journal, clock: Clock, profiles: Mapping[str, DeviceProfile]) -> None:
        self._journal = journal
        self._sources = Sources(journal.database)
        self._clock = clock
        self._profiles = profiles
        self._places: dict[str, _Place] = {}
        self._stuck: dict[Path, tuple[int, float]] = {}  # how often a file could not go, and when it is tried next

    def clear(self, camera: CameraSettings) -> None:
        """What of a camera has its time come, a page of each kind at a time; what can't be moved or deleted now stays and is
        tried again."""
        if not stands(self._journal, camera.name, camera.folder):
            return  # on a share that is away nothing is gone
        before = self._clock.now() - timedelta(seconds=camera.after.delete_after or 0.0)
        place = self._places.setdefault(camera.name, _Place())
        images = self._journal.sources_left(camera.name, before, PAGE, place.image)
        place.image = images[-1].id if len(images) == PAGE else 0
        for image in images:
            words = f"the source of image {image.id}"
            going = _Going(Path(image.path), image.digest or "", image.name, str(image.id), words)
            if self._gone(camera, going):
                self._journal.source_cleared(image.id)
        archives = self._sources.archives_done(camera.name, before, PAGE, place.archive)
        place.archive = archives[-1].path if len(archives) == PAGE else ""
        for archive in archives:
            self._go(camera, archive, "an archive")
        profile = self._profiles.get(camera.name)
        if profile is not None:
            self._companions(camera, profile, place)

    def _companions(self, camera: CameraSettings, profile: DeviceProfile, place: _Place) -> None:
        needed: dict[str, set[str]] = {}
        companions = self._sources.companions_done(camera.name, self._clock.now() - STAYS, PAGE, place.companion)
        place.companion = companions[-1].path if len(companions) == PAGE else ""
        for companion in companions:
            folder, base = os.path.split(companion.path)
            try:
                if folder not in needed:
                    needed[folder] = _needed(folder, profile)
                written = Path(companion.path).lstat().st_mtime
            except FileNotFoundError:
                written = 0.0
            except OSError:
                continue  # the folder can't be read now
            if abs(self._clock.now().timestamp() - written) < STAYS.total_seconds():
                continue  # with the same words for the next image, which is coming
            if base.casefold() not in needed[folder]:
                self._go(camera, companion, "a companion file")

    def _go(self, camera: CameraSettings, source: Source, words: str) -> None:
        try:
            name = str(Path(source.path).relative_to(os.path.abspath(camera.folder)))  # noqa: PTH100 - as arrival has it
        except ValueError:
            self._sources.forget(source)  # the camera's folder is another now
            return
        if self._gone(camera, _Going(Path(source.path), source.digest, name, source.digest[:8], words)):
            self._sources.forget(source)

    def _gone(self, camera: CameraSettings, going: _Going) -> bool:
        """Whether nothing is left to do for a file; one that could not go is tried less and less often."""
        now = self._clock.monotonic()
        count, when = self._stuck.get(going.path, (0, now))
        if now < when:
            return False
        try:
            _clear(camera, going)
        except OSError as error:
            log.info("%s stays for now: %s", going.words, type(error).__name__)
            if len(self._stuck) >= MOST_STUCK:
                self._stuck.clear()
            self._stuck[going.path] = count + 1, now + 60 * (min(LONGEST, 2**count) - 0.5)
            return False
        self._stuck.pop(going.path, None)
        return True


def _needed(folder: str, profile: DeviceProfile) -> set[str]:
    """The names, in lower case, of the companion files of the images that lie in a folder now."""
    try:
        with os.scandir(folder) as found:
            names = [item.name for item in found if profile.takes_image(item.name)]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {companion.casefold() for name in names for companion in profile.companions_of(name)}


def _clear(camera: CameraSettings, going: _Going) -> None:
    """Move or delete a file, only if the bytes on disk are still those that were read."""
    source = going.path
    if source.is_symlink() or not source.is_file():
        return
    with source.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != going.digest:
            return  # the camera used the name again: this is another export, on its own way
        read = os.fstat(file.fileno())
    mark("source.before")
    _make_sure(source, read)
    if camera.after.move is None:
        source.unlink()
    else:
        target = camera.after.move / going.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = beside(target, going.other)
        _move(source, target, read, going.digest)
    mark("source.after")


def beside(target: Path, other: str) -> Path:
    """Where a file is moved whose name is taken there."""
    return target.with_name(f"{target.stem}.{other}{target.suffix}")


def _make_sure(source: Path, read: os.stat_result) -> None:
    """That a path still is the file that was read, which takes seconds on a share; OSError where it is not."""
    now = source.lstat()
    if not os.path.samestat(now, read) or (now.st_size, now.st_mtime_ns) != (read.st_size, read.st_mtime_ns):
        raise OSError(errno.EBUSY, "it was written while it was read")


def _move(source: Path, target: Path, read: os.stat_result, digest: str) -> None:
    """By renaming, or to another file system by a copy that is whole and on its disk before the source goes."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{target.name}.part")
        shutil.copy2(source, draft)
        with draft.open("rb+") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise OSError(errno.EBUSY, "it was written while it was copied") from error
            os.fsync(file.fileno())
        _make_sure(source, read)
        draft.rename(target)
        sync_folder(target.parent)
        source.unlink()
