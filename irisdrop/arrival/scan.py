"""The truth: what lies in the folder, compared with what is known of it, one folder at a time."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from irisdrop.arrival.distance import Answer, Distance, look, unanswered
from irisdrop.arrival.entries import Entry, Listed
from irisdrop.arrival.listings import Listings, Piece
from irisdrop.arrival.shapes import Shape
from irisdrop.arrival.system import fingerprint, reachable, shape, unchanged
from irisdrop.record.known import SIFT, Fingerprint, Known, KnownFolder, Remembered, Standing
from irisdrop.record.text import packed


class News(Enum):
    """How a path differs from what is known of it."""

    NEW = "new"
    CHANGED = "changed"
    PENDING = "pending"  # as it was seen, but its bytes were never read
    RACY = "racy"  # as it was read, but it was written while it was being read, as far as the clock can tell
    ADOPTED = "adopted"
    AGED = "aged"  # left alone at the first start, with other file ids or times than then
    NOT_PLAIN = "not plain"


@dataclass(frozen=True, slots=True)
class Found:
    """One path that needs something."""

    folder: str
    base: str
    news: News
    fingerprint: Fingerprint


@dataclass(slots=True)
class Batch:
    """A piece of one folder: what needs something, and which known names are gone."""

    folder: str
    found: list[Found] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """What a listing that is under way has told: names, and how many of them are known by now."""

    memory: KnownFolder
    names: set[str] = field(default_factory=set)
    noted: int = 0


@dataclass(slots=True)
class Scan:
    """One walk below a camera's folder. `known` counts paths that were known and are there, `fresh` those that get known
    by it; `unreadable` holds folders that could not be listed, below which nothing is gone; `hidden` has, of each entry that
    can't be looked at, the folder."""

    root: str
    camera: str
    memory: Known
    takes: Callable[[str], bool]
    distance: Distance | None = None
    known: int = 0
    fresh: int = 0
    entries: int = 0
    hidden: list[str] = field(default_factory=list)
    visited: set[str] = field(default_factory=set)
    unreadable: dict[str, OSError] = field(default_factory=dict)

    def walk(self, begin: str = "") -> Iterator[Batch]:
        """Every folder from `begin` (below the root, "" for itself) down, in pieces of at most a few hundred files.

        Where the folder is far, an empty piece whenever nothing came for a moment: who walks has other things to do.
        """
        if self.distance is not None and not self.distance.near:
            yield from self._walk_far(begin, self.distance)
            return
        folders = [begin]
        while folders:
            folder = folders.pop()
            self.visited.add(folder)
            try:
                yield from self._folder(folder, folders)
            except OSError as error:
                self._refused(folder, error)

    def lost_folders(self) -> Iterator[Batch]:
        """After a whole walk: folders in which something is known and which are no longer there."""
        for folder in self.memory.folders(self.camera):
            # One that appeared behind the walk's back was taken up by its event, and is no less there.
            if folder not in self.visited and not self._below_unreadable(folder) and not self._there(folder):
                yield Batch(
                    folder, gone=[name for name, standing in self._of(folder).names() if _forgettable(standing)]
                )

    def _refused(self, folder: str, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # removed meanwhile: the next walk tells what of it is gone
            self.unreadable[folder] = error

    def _folder(self, folder: str, folders: list[str]) -> Iterator[Batch]:
        memory = self._of(folder)
        before = self.known
        with os.scandir(reachable(below(self.root, folder))) as listing:
            while entries := list(itertools.islice(listing, SIFT)):
                begun = time.perf_counter()
                batch = self._piece(folder, entries, memory, folders)
                if self.distance is not None:
                    self.distance.notice(len(entries), time.perf_counter() - begun)
                yield batch
        if memory.count() > self.known - before:
            yield Batch(folder, gone=self._gone(folder, memory))

    def _walk_far(self, begin: str, distance: Distance) -> Iterator[Batch]:
        listings = Listings(distance.listers)
        folders, seen = [begin], dict[str, _Seen]()
        try:
            while folders or seen:
                while folders and listings.room:
                    folder = folders.pop()
                    self.visited.add(folder)
                    seen[folder] = _Seen(self._of(folder))
                    listings.begin(folder, below(self.root, folder))
                piece = listings.next()
                if piece is None:
                    yield Batch(begin)
                elif not piece.ended:
                    yield self._come(piece, seen[piece.folder], folders, distance)
                else:
                    yield from self._ended(piece, seen.pop(piece.folder), distance)
        finally:
            listings.close()

    def _come(self, piece: Piece, seen: _Seen, folders: list[str], distance: Distance) -> Batch:
        before = self.known + self.fresh
        batch = self._piece(piece.folder, piece.entries, seen.memory, folders, distance)
        seen.noted += self.known + self.fresh - before
        seen.names.update(entry.name for entry in piece.entries)
        return batch

    def _ended(self, piece: Piece, seen: _Seen, distance: Distance) -> Iterator[Batch]:
        """What was not listed is gone where it is not there: a share is not listed once more for that."""
        if piece.error is not None:
            self._refused(piece.folder, piece.error)
        elif seen.memory.count() > seen.noted:
            missed = [
                name for name, standing in seen.memory.names() if name not in seen.names and _forgettable(standing)
            ]
            for begin in range(0, len(missed), SIFT):
                names = missed[begin : begin + SIFT]
                answers = distance.looks([below(self.root, piece.folder, name) for name in names])
                gone = [name for name, answer in zip(names, answers, strict=False) if _says_gone(answer)]
                yield Batch(piece.folder, gone=gone)

    def _piece(
        self,
        folder: str,
        entries: Sequence[Entry],
        memory: KnownFolder,
        folders: list[str],
        distance: Distance | None = None,
    ) -> Batch:
        batch = Batch(folder)
        self.entries += len(entries)
        known = memory.sift([entry.name for entry in entries])
        self.known += len(known)
        if distance is not None:
            self._look_at_late(entries, known, distance)
        for entry in entries:
            remembered = known.get(packed(entry.name))
            if remembered is None:
                if entry.is_dir(follow_symlinks=False) and not entry.is_symlink() and _is_folder(entry):
                    folders.append(f"{folder}{os.sep}{entry.name}" if folder else entry.name)
                    continue
                if not self.takes(entry.name):
                    continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError:
                self.hidden.append(folder)  # one bad inode delays none of the others
                continue
            if remembered is not None and unchanged(status, remembered) and remembered[4] in _AT_REST:
                continue
            if remembered is not None and shape(status) is Shape.FOLDER:
                # A folder has the name that a file had: it is walked, and the file is gone.
                folders.append(f"{folder}{os.sep}{entry.name}" if folder else entry.name)
                if _forgettable(remembered[4]):
                    batch.gone.append(entry.name)
                continue
            news = differs(status, remembered)
            if news is not None:
                self.fresh += remembered is None
                batch.found.append(Found(folder, entry.name, news, fingerprint(status)))
        return batch

    def _look_at_late(self, entries: Sequence[Entry], known: dict[bytes, Remembered], distance: Distance) -> None:
        """What was not looked at right beside its listing, as far as anybody wants to know."""
        late = [
            entry
            for entry in entries
            if isinstance(entry, Listed)
            and entry.answer is None
            and (packed(entry.name) in known or (not entry.is_dir() and self.takes(entry.name)))
        ]
        for entry, answer in zip(late, distance.looks([entry.path for entry in late]), strict=False):
            entry.answer = answer
        for entry in late:
            entry.answer = entry.answer or unanswered()

    def _gone(self, folder: str, memory: KnownFolder) -> list[str]:
        with os.scandir(reachable(below(self.root, folder))) as listing:
            there = {entry.name for entry in listing}
        return [name for name, standing in memory.names() if name not in there and _forgettable(standing)]

    def _there(self, folder: str) -> bool:
        path = below(self.root, folder)
        answer = look(path) if self.distance is None else next(self.distance.looks([path]), None)
        if isinstance(answer, os.stat_result):
            return shape(answer) is Shape.FOLDER
        return answer is None or not _says_gone(answer)  # who can't be asked is not gone

    def _of(self, folder: str) -> KnownFolder:
        return self.memory.of(self.camera, folder)

    def _below_unreadable(self, folder: str) -> bool:
        return within(folder, self.unreadable)


def below(root: str, folder: str, base: str = "") -> str:
    """An absolute path from its parts."""
    path = f"{root}{os.sep}{folder}" if folder else root
    return f"{path}{os.sep}{base}" if base else path


def within(folder: str, folders: Iterable[str]) -> bool:
    """Whether a folder is one of some, or lies below one."""
    return any(not one or folder == one or folder.startswith(one + os.sep) for one in folders)


def differs(status: os.stat_result, remembered: Remembered | None) -> News | None:
    """What is new about a path, by `lstat` and what is known of it; None where nothing is."""
    seen = fingerprint(status)
    if remembered is not None and remembered[:4] == seen:
        return _UNCHANGED.get(remembered[4])
    kind = shape(status)
    if kind is Shape.FOLDER:
        return None
    if kind is Shape.OTHER:
        return News.NOT_PLAIN
    if remembered is None:
        return News.NEW
    # A share that was mounted again may number its files anew: what was left alone must not come in by that.
    if remembered[4] == Standing.LEFT_ALONE and remembered[0] == seen.size:
        return News.AGED
    return News.CHANGED


_UNCHANGED = {
    int(Standing.PENDING): News.PENDING,
    int(Standing.RACY): News.RACY,
    int(Standing.ADOPTED): News.ADOPTED,
}
_AT_REST = frozenset({int(Standing.SETTLED), int(Standing.LEFT_ALONE), int(Standing.REFUSED)})


def _forgettable(standing: int) -> bool:
    """What was left alone is remembered for ever: forgotten, it would be new when the share is back."""
    return standing not in (Standing.LEFT_ALONE, Standing.ADOPTED)


def _says_gone(answer: Answer) -> bool:
    return isinstance(answer, FileNotFoundError | NotADirectoryError)


def _is_folder(entry: Entry) -> bool:
    """A junction is a directory to Windows; its own `lstat` tells. Elsewhere the listing's word is enough."""
    return os.name != "nt" or shape(entry.stat(follow_symlinks=False)) is Shape.FOLDER
