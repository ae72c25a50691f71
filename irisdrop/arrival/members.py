"""Which members of a ZIP export are images, what is beside each, and whether it is no more than pictures are."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from irisdrop.arrival.directory import Hostile, Listed, content, listed
from irisdrop.arrival.sidecars import LARGEST
from irisdrop.arrival.system import open_plain
from irisdrop.vocabulary.images import MEMBER
from irisdrop.vocabulary.keys import canonical

log = logging.getLogger(__name__)

LARGEST_MEMBER: Final = 2 << 30  # bytes, where no configuration says more
MOST_UNPACKED: Final = 8 << 30  # bytes of all members together
RATIO: Final = 200  # a picture hardly shrinks; what shrinks to a two-hundredth is a bomb
SMALL: Final = 1 << 20  # a member so small may be an empty page,
SMALL_TOGETHER: Final = 64 << 20  # and so may many of them


class Taking(Protocol):
    """Which members of an archive are images, and what is beside each: a profile, or whoever has none yet."""

    def takes_image(self, base_name: str) -> bool: ...
    def companions_of(self, base_name: str) -> tuple[str, ...]: ...
    def unpacks(self, base_name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A member that is an image by its name, and what is beside it: the companion's name as the profile has it."""

    listed: Listed
    beside: tuple[tuple[str, Listed], ...]
    nested: bool
    digest: str = ""
    digests: tuple[str, ...] = ()  # of what is beside it

    @property
    def size(self) -> int:
        """Bytes that it takes in the spool."""
        return self.listed.size + sum(one.size for _, one in self.beside)


def chosen(members: list[Listed], profile: Taking) -> Iterator[Chosen]:
    """The members that are images by their names, and archives within it, each with its companions."""
    by_name: dict[str, list[Listed]] = {}
    for one in members:
        by_name.setdefault(_alike(one.path), []).append(one)
    taken = {one.path for one in members if profile.takes_image(one.path.rpartition("/")[2])}
    claimed = {beside for path in taken for _, beside in _companions(path, profile)}
    for one in members:
        folder, _, base = one.path.rpartition("/")
        if base.startswith("._") or "__MACOSX" in folder.split("/"):
            continue  # a Mac's notes on its files
        if one.path in taken:
            alone = len(by_name[_alike(one.path)]) == 1
            found = ((name, _beside(by_name, path, claimed, alone)) for name, path in _companions(one.path, profile))
            yield Chosen(one, tuple((name, it) for name, it in found if it is not None), nested=False)
        elif profile.unpacks(base):
            yield Chosen(one, (), nested=True)


def _companions(path: str, profile: Taking) -> Iterator[tuple[str, str]]:
    """The companions that a member may have: their names as the profile has them, and their paths."""
    folder, slash, base = path.rpartition("/")
    for name in profile.companions_of(base):
        yield name, f"{folder}{slash}{name}"


def _beside(by_name: dict[str, list[Listed]], path: str, claimed: Set[str], alone: bool) -> Listed | None:
    """A member's companion, whatever the case of its name; of two that differ in that alone, the one so written.

    One that is so written for another member is that one's, and of members that differ in case (not `alone`) nobody
    knows whose it would be.
    """
    found = by_name.get(_alike(path), [])
    exact = [one for one in found if one.path == path]
    if exact:
        return exact[0]
    return found[0] if alone and len(found) == 1 and found[0].path not in claimed else None


def _alike(path: str) -> str:
    """What two names have in common that differ in case or in how they write an umlaut."""
    return canonical(path).casefold()


def look(images: list[Chosen], size: int, largest: int) -> None:
    """How much the images of an archive of `size` bytes are: each, and all together. Raises Hostile."""
    for member in (*(one.listed for one in images), *(beside for one in images for _, beside in one.beside)):
        if member.size > largest:
            raise Hostile("a member is larger than this site accepts")
        if _bomb(member):
            raise Hostile("a member unpacks to far more than a picture would")
    if any(beside.size > LARGEST for one in images for _, beside in one.beside):
        raise Hostile("a companion file in it is larger than any should be")
    total = sum(one.size for one in images)
    if total > MOST_UNPACKED:
        raise Hostile("it unpacks to more than any export has")
    if total > SMALL_TOGETHER and total > RATIO * size:
        raise Hostile("it unpacks to far more than pictures would")


def _bomb(member: Listed) -> bool:
    return member.size > SMALL and member.size > RATIO * max(1, member.packed)


# ---------------------------------------------------------------------- for whoever only looks


def member_blocks(path: str) -> Iterator[bytes]:
    """The bytes of an archive's image by its path in the journal, as far as they can be read; whether they are still those
    that were read, their digest tells."""
    for sign in re.finditer(MEMBER, path):
        try:
            with os.fdopen(open_plain(path[: sign.start()]), "rb") as file:
                members = listed(file, os.fstat(file.fileno()).st_size) or []
                for one in members:
                    if one.path == path[sign.end() :] and not _bomb(one):
                        yield from content(file, one)
                        return
        except (OSError, Hostile) as error:
            log.info("an archive can't be read: %s", type(error).__name__)


def image_names(path: Path, taking: Taking, largest: int) -> list[str]:
    """The paths of an archive's images within it, none of which is unpacked. Raises Hostile."""
    with path.open("rb") as archive:
        return [one.listed.path for one in _images(archive, taking, largest)]


def each_image(path: Path, profile: Taking, largest: int, folder: Path) -> Iterator[tuple[str, Path, dict[str, Path]]]:
    """The images of an archive, by their path within it: one at a time, as a file in `folder`, with its companions by the
    names that the profile has for them; gone when the next is asked for. Raises Hostile."""
    with path.open("rb") as archive:
        for one in _images(archive, profile, largest):
            file, beside = folder / "image", {name: folder / str(n) for n, (name, _) in enumerate(one.beside)}
            _write(archive, one.listed, file)  # its own name may be none that this system has
            for name, companion in one.beside:
                _write(archive, companion, beside[name])
            yield one.listed.path, file, beside
            for left in folder.iterdir():
                left.unlink()


def _images(archive: BufferedReader, taking: Taking, largest: int) -> list[Chosen]:
    size = os.fstat(archive.fileno()).st_size
    members = listed(archive, size)
    if members is None:
        raise Hostile("it stopped before its end")
    found = list(chosen(members, taking))
    look(found, size, largest)
    return found


def _write(archive: BinaryIO, member: Listed, file: Path) -> None:
    with file.open("wb") as into:
        for block in content(archive, member):
            into.write(block)
