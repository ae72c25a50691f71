"""The reference platform's worklist: entries put by the program, and files that are loaded again when they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final

from irisdrop.platforms.entries import parse_entry, standing, wire_entry
from irisdrop.platforms.worklist_file import TornFile, read_listing
from irisdrop.reference.storage import Storage
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.orders import WorklistEntry

EVERY: Final = 0.5
Print = tuple[int, int, int]  # mtime_ns, size, inode

log = logging.getLogger("irisdrop.reference")


class Worklist:
    """The open orders of a reference platform."""

    def __init__(self, storage: Storage, files: Sequence[Path], clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._loaded: dict[Path, Print | None] = dict.fromkeys(files)
        self._seen: dict[Path, Print | None] = dict.fromkeys(files)
        self.faults: dict[Path, tuple[str, ...]] = {}

    def put(self, entries: Iterable[WorklistEntry | Mapping[str, object]]) -> None:
        """Open entries or change them. Raises EntryFault where one can't be read."""
        wires = [wire_entry(entry) if isinstance(entry, WorklistEntry) else dict(entry) for entry in entries]
        for wire in wires:
            parse_entry(wire, UTC)
        self._storage.put_entries(wires, "program")

    def withdraw(self, entry_id: str, why: str) -> None:
        """Withdraw one entry: `cancelled`, `replaced` or `completed`."""
        self._storage.withdraw({entry_id: standing(why)})

    def load(self) -> None:
        """Load every file now, as it is."""
        for path in self._loaded:
            self._load(path)

    def watch(self, stopping: threading.Event) -> None:
        """Load files that have changed, until `stopping` is set."""
        while not self._clock.wait(stopping, EVERY):
            self.look()

    def look(self) -> None:
        """Load each file that has changed since it was loaded, and not since the last look: it is written slowly."""
        for path, loaded in self._loaded.items():
            now, before = _print(path), self._seen[path]
            self._seen[path] = now
            if now is not None and now != loaded and now == before:
                self._load(path)

    def _load(self, path: Path) -> None:
        found = _print(path)
        try:
            listing = read_listing(path)
        except (TornFile, OSError) as error:
            why = str(error) if isinstance(error, TornFile) else f"it can't be read ({type(error).__name__})"
            if isinstance(error, TornFile):
                self._loaded[path] = found  # reading it again helps only when it has changed
            self._tell(path, (f"{why}; the last good list stays",))
            return
        self._storage.replace_entries(listing.entries, listing.withdrawn, str(path))
        self._loaded[path] = found if found == _print(path) else None
        self._tell(path, tuple(listing.faults))

    def _tell(self, path: Path, faults: tuple[str, ...]) -> None:
        if faults and faults != self.faults.get(path):
            for fault in faults[:20]:
                log.warning("%s: %s", path.name, fault)
        self.faults[path] = faults


def _print(path: Path) -> Print | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
