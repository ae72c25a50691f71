"""What a listing tells of a name: the words that `os.scandir` has for it, also where the names come in another way."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from typing import Final, Protocol

PIECE: Final = 100  # entries


class Entry(Protocol):
    """One name in a folder; links are not followed where the caller says so."""

    @property
    def name(self) -> str:
        """Base name."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""

    def is_symlink(self) -> bool:
        """Whether it is a link."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """What `lstat` says, asked once."""


class Listed:
    """A name, its kind as the listing has it (`stat.S_IFMT`, 0 where it does not say), and what `lstat` answered.

    Links are never followed.
    """

    __slots__ = ("answer", "folder", "kind", "name")

    def __init__(self, folder: str, name: str, kind: int) -> None:
        self.folder = folder
        self.name = name
        self.kind = kind
        self.answer: os.stat_result | OSError | None = None

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{self.folder}{os.sep}{self.name}"

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        """Whether it is a folder; False where nobody says."""
        return stat.S_ISDIR(self._kind())

    def is_symlink(self) -> bool:
        """Whether it is a link; False where nobody says."""
        return stat.S_ISLNK(self._kind())

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002
        """What `lstat` says, asked once."""
        if self.answer is None:
            self.look()
        if isinstance(self.answer, os.stat_result):
            return self.answer
        raise self.answer or FileNotFoundError

    def look(self, folder: int | None = None) -> None:
        """Ask; by a handle of the folder it costs no look at what lies on the way."""
        try:
            if folder is None:
                self.answer = os.lstat(self.path)
            else:
                self.answer = os.stat(self.name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            self.answer = error

    def _kind(self) -> int:
        if not self.kind:
            try:
                self.kind = stat.S_IFMT(self.stat().st_mode)
            except OSError:
                return 0
        return self.kind


def in_pieces(folder: str) -> Iterator[list[Entry]]:
    """As `os.scandir` lists them."""
    with os.scandir(folder) as listing:
        while piece := list(itertools.islice(listing, PIECE)):
            yield list(piece)
