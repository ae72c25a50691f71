"""Kind `folder`: each image is copied into a folder, local, mounted or UNC, under a name by a template.

A copy takes its name only when it is whole and on the disk, and never that of another file; what lies there then is
read back before the image counts as delivered.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.platforms.system import put_into_place
from irisdrop.platforms.template import NoValue, checked_template, filled
from irisdrop.vocabulary.deliveries import Answer, Confirmed, Damaged, Parcel, Postponed, Receipt, Refused
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.marks import mark
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

TEMPLATE: Final = "{PatientID}/{TakenDate}_{ImageLaterality}_{digest}{ext}"
BLOCK: Final = 1 << 20
MOST_NAMES: Final = 1000


class FolderPlatform:
    """Delivers by copying. `marker` is a file that must lie in the folder: without the share there is none."""

    def __init__(self, folder: Path, template: str, zone: tzinfo, marker: str | None = None) -> None:
        self._folder = folder
        self._template = checked_template(template)
        self._zone = zone
        self._marker = marker
        self._device: int | None = None

    def deliver(self, parcel: Parcel) -> Answer:
        """Copy, name, read back. The same image again finds its copy and changes nothing."""
        try:
            below = filled(self._template, parcel, self._zone)
        except NoValue as missing:
            return Refused(Code.REJECTED_BY_PLATFORM, str(missing))
        try:
            away = self._away()
            if away is not None:
                return away
            target = self._folder / below
            target.parent.mkdir(parents=True, exist_ok=True)
            return self._copy(parcel, target)
        except PermissionError:
            return Postponed("the account may not write into the folder", condition="PLATFORM_DENIED", halts=True)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "no number")
            return Postponed(f"the folder can't be written ({name})", condition="PLATFORM_UNREACHABLE")

    def find(self, digest: str) -> None:  # noqa: ARG002
        """A folder can't be asked by digest; `deliver` finds the copy by its name."""
        return

    def confirmations(self) -> None:
        """What was read back is all that a folder says."""
        return

    def close(self) -> None:
        """Nothing is held."""

    def _away(self) -> Postponed | None:
        """A share that is not there: its mount point would be an empty folder of the local disk."""
        if not self._folder.is_dir():
            return Postponed("the folder is not there", condition="PLATFORM_UNREACHABLE", halts=True)
        if self._marker is not None and not (self._folder / self._marker).is_file():
            return Postponed("the folder lacks its marker file", condition="PLATFORM_STRANGE", halts=True)
        device = self._folder.stat().st_dev
        if self._device not in (None, device):
            return Postponed("another disk lies where the folder was", condition="PLATFORM_STRANGE", halts=True)
        self._device = device
        return None

    def _copy(self, parcel: Parcel, target: Path) -> Answer:
        for name in _names(target):
            if name.exists():
                if _digest(name) == parcel.digest:
                    return _confirmed(parcel, name.relative_to(self._folder))
                continue
            part = target.with_name(f".irisdrop-{secrets.token_hex(6)}.part")
            try:
                if not _written(parcel, part):
                    return Damaged("the spooled bytes no longer have their digest")
                mark("folder.rename.before")
                put_into_place(part, name)
                mark("folder.rename.after")
            except FileExistsError:
                continue  # another agent took the name since
            finally:
                part.unlink(missing_ok=True)
            if _digest(name) != parcel.digest:
                return Postponed("what lies in the folder is not what was written", condition="PLATFORM_STRANGE")
            return _confirmed(parcel, name.relative_to(self._folder))
        return Refused(Code.REJECTED_BY_PLATFORM, f"{MOST_NAMES} other files have the name that the template gives")


def open_platform(config: Config) -> FolderPlatform:
    """The folder of a configuration. Raises Foreseen where its template can't be used."""
    if config.platform is None:
        raise Foreseen("NO_PLATFORM", "the configuration names no platform", "add `platform:` to it.")
    options = config.platform.options
    return FolderPlatform(options["path"], options["template"] or TEMPLATE, config.site.zone, options["marker"])


def _names(target: Path) -> Iterator[Path]:
    """The template's name, then numbered ones: what lies there is never overwritten."""
    yield target
    for number in range(2, MOST_NAMES):
        yield target.with_name(f"{target.stem}.{number}{target.suffix}")


def _written(parcel: Parcel, part: Path) -> bool:
    """Copy the spooled bytes and flush them; False where they no longer have their digest."""
    digest = hashlib.sha256()
    try:
        source = Path(parcel.file).open("rb", buffering=0)  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return False
    with source, part.open("xb", buffering=0) as copy:
        while block := source.read(BLOCK):
            digest.update(block)
            view = memoryview(block)
            while view:
                view = view[copy.write(view) :]
        os.fsync(copy.fileno())
    return digest.hexdigest() == parcel.digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _confirmed(parcel: Parcel, below: Path) -> Confirmed:
    """A copy's receipt; its id says nothing about whom."""
    about = "\x1f".join((parcel.digest, parcel.entry, parcel.eye, below.as_posix()))
    return Confirmed(
        Receipt(
            id=f"folder-{hashlib.sha256(about.encode()).hexdigest()[:24]}",
            digest=parcel.digest,
            entry=parcel.entry,
            eye=parcel.eye,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            replaces=parcel.replaces,
        )
    )
