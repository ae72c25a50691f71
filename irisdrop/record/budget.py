"""How much room the spool may take: up to a limit of its own, and never the last of the disk.

The journal, its log and the rest of the machine live on the same disk. So a reserve of it stays free, whatever the
limit says, and images that would take from it wait in the export folder, where they lie safely.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

RESERVE: Final = 1 << 30  # bytes that stay free where the configuration says nothing,
SHARE: Final = 20  # on a small disk this part of it
UNKNOWN: Final = 1 << 62  # bytes: more than any disk has
AHEAD: Final = 256 << 20  # bytes at most that are made free before anybody waits for them
GONE: Final = 60.0  # seconds after which who was refused and did not ask again waits no more: it asks every few


class Budget:
    """What is taken and promised, in bytes; asked by every thread that copies, so each answer is one step.

    `limit` None: as much as the disk has. `reserve` None: the smaller of 1 GiB and 5 % of the disk; 0: nobody looks.
    """

    def __init__(
        self, folder: Path, limit: int | None, reserve: int | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.reserve = reserve
        self.used = 0
        self.on_short: Callable[[], None] = lambda: None  # called where a promise could not be given
        self._folder = folder
        self._promised = 0
        self._monotonic = monotonic
        self._largest = 0  # of those that were refused
        self._asked = 0.0  # when it asked last, monotonic
        self._counting = threading.Lock()

    def count(self, size: int) -> None:
        """Note that so many bytes came, or went where `size` is negative."""
        with self._counting:
            self.used += size

    def short(self, size: int) -> int:
        """How many bytes are lacking before `size` more may come in; 0 where they may."""
        wanted = self._promised + size
        of_limit = 0 if self.limit is None else self.used + wanted - self.limit
        return max(0, of_limit, wanted - self._spare())

    @contextmanager
    def promise(self, size: int) -> Iterator[bool]:
        """Hold `size` bytes while a copy is made, so that several at once don't take the same room; False where they
        are not to be had. What is promised and already written counts twice for a moment, never not at all."""
        with self._counting:
            enough = self.short(size) == 0
            self._promised += size if enough else 0
            # What is larger than the limit itself finds no room, whatever goes for it.
            if not enough and (self.limit is None or size <= self.limit) and size >= self._wanted():
                self._largest, self._asked = size, self._monotonic()
        if not enough:
            self.on_short()
        try:
            yield enough
        finally:
            with self._counting:
                self._promised -= size if enough else 0

    def lacking(self) -> int:
        """How many bytes must go so that who waits, and the next few, find room."""
        with self._counting:
            return self.short(max(self._wanted(), self._ahead()))

    def sufficient(self) -> bool:
        """Whether whoever was refused would find room now; then nobody is remembered as waiting."""
        with self._counting:
            enough = self.short(self._wanted()) == 0
            self._largest = 0 if enough else self._largest
        return enough

    def words(self, size: int) -> str:
        """Why `size` bytes may not come in, for a person."""
        if self.limit is not None and self.used + self._promised + size > self.limit:
            return f"its limit of {_shown(self.limit)} is reached"
        return f"only the reserve of {_shown(self._reserve())} is left on the disk"

    def _wanted(self) -> int:
        """Of whoever still waits: a file that was taken away tells nobody."""
        return self._largest if self._monotonic() - self._asked <= GONE else 0

    def _reserve(self) -> int:
        return kept_free(self._folder, self.reserve)

    def _spare(self) -> int:
        """Bytes of the disk above its reserve; a folder that can't be asked is told by the copy that fails."""
        if self.reserve == 0:
            return UNKNOWN
        try:
            return shutil.disk_usage(self._folder).free - self._reserve()
        except OSError:
            return UNKNOWN

    def _ahead(self) -> int:
        try:
            whole = self.limit or shutil.disk_usage(self._folder).total
        except OSError:
            return 0
        return min(AHEAD, whole // SHARE)


def kept_free(folder: Path, reserve: int | None) -> int:
    """The bytes of a folder's disk that no image takes, by the `reserve` of the configuration."""
    return min(RESERVE, shutil.disk_usage(folder).total // SHARE) if reserve is None else reserve


def _shown(size: int) -> str:
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"
