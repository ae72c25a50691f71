"""Hints that something may have changed, from watchdog; supervised, because they stop coming without a word.

Events overflow (watchdog#391), a network error kills the emitter while the observer looks alive, a share written by
others never tells (paperless-ngx#1975). Nothing here is believed: each hint only says where to look.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from irisdrop.arrival.system import EVENTS_OF_WRITING

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

MOST_HINTS: Final = 20_000  # beyond, one scan is cheaper than so many looks
FOLDER_EVENTS: Final = ("DirCreatedEvent", "DirMovedEvent", "DirDeletedEvent")


@dataclass(slots=True)
class Hints:
    """Absolute paths of files that were written or removed, of folders that appeared, and whether some were lost."""

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    lost: bool = False


class Watch:
    """The event source of one folder; `on_hint` is called from its thread and must only wake somebody."""

    def __init__(self, folder: str, on_hint: Callable[[], None]) -> None:
        self._written = folder
        self._root = ""
        self._on_hint = on_hint
        self._guard = threading.Lock()
        self._hints = Hints()
        self._observer: BaseObserver | None = None
        self._removed = False
        self.heard = False  # whether an event ever came since it was armed

    @property
    def armed(self) -> bool:
        """Whether it was armed and not disarmed since."""
        return self._observer is not None

    def arm(self) -> None:
        """Begin to watch; OSError where the system has no more watches, or the folder is gone."""
        from watchdog import events
        from watchdog.observers import Observer

        self.disarm()
        # inotify does not follow a link, and a clinic's folder may well be one; its events name the real place.
        self._root = os.path.realpath(self._written)
        names = (*EVENTS_OF_WRITING, "FileDeletedEvent", *FOLDER_EVENTS)
        handler = events.FileSystemEventHandler()
        handler.dispatch = self._take  # type: ignore[method-assign]
        observer = Observer()
        observer.daemon = True
        self._removed, self.heard = False, False
        # watchdog warns, with the path of a patient's folder, where it meets a new folder twice.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        wanted = [getattr(events, name) for name in names]
        try:
            observer.schedule(handler, self._root, recursive=True, event_filter=wanted)
            observer.start()
        except BaseException:
            observer.stop()  # a thread of it may run already
            raise
        self._observer = observer

    def disarm(self) -> None:
        """Stop watching; its threads end by themselves."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()

    def sound(self) -> bool:
        """Whether every thread that events pass through lives, and the folder is the one that was armed."""
        observer = self._observer
        if observer is None or self._removed:
            return False
        # The reader of the system's events is a thread that the observer keeps for itself.
        kept = [part for part in vars(observer).values() if isinstance(part, threading.Thread)]
        threads = [observer, *observer.emitters, *kept]
        return len(threads) > 1 and all(thread.is_alive() for thread in threads)

    def drain(self) -> Hints:
        """What came since the last time."""
        with self._guard:
            hints, self._hints = self._hints, Hints()
        return hints

    def _take(self, event: Any) -> None:
        name = type(event).__name__
        with self._guard:
            self.heard = True
            hints = self._hints
            if name == "DirDeletedEvent":
                if self._as_written(event.src_path) == self._written:
                    self._removed = True
            elif len(hints.files) >= MOST_HINTS:
                hints.lost = True
            elif event.is_directory:
                hints.folders.add(self._as_written(event.dest_path or event.src_path))
            else:
                hints.files.update(self._as_written(path) for path in (event.src_path, event.dest_path) if path)
        self._on_hint()

    def _as_written(self, path: bytes | str) -> str:
        text = os.fsdecode(path)
        if text == self._root or text.startswith(self._root + os.sep):
            return self._written + text[len(self._root) :]
        return text
