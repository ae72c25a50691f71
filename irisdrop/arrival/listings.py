"""Folders of a share, listed by some threads at once: what each finds comes as it comes, and none waits for another."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from irisdrop.arrival import distance
from irisdrop.arrival.distance import GLANCE, unanswered
from irisdrop.arrival.entries import Entry
from irisdrop.arrival.system import listed
from irisdrop.arrival.takers import Takers

AT_ONCE: Final = 8  # folders
AHEAD: Final = 32  # pieces that wait to be compared


@dataclass(frozen=True, slots=True)
class Piece:
    """Some entries of a folder; the last piece of each is empty and says how its listing ended."""

    folder: str
    entries: list[Entry]
    ended: bool = False
    error: OSError | None = None


@dataclass(slots=True)
class _Question:
    """A listing that is under way; `since` its last sign of life, None while it waits for us."""

    since: float | None
    over: threading.Event = field(default_factory=threading.Event)


class Listings:
    """Listings of one walk, by threads that all walks of a camera share."""

    def __init__(self, threads: Takers) -> None:
        self._threads = threads
        self._box: queue.Queue[Piece] = queue.Queue(AHEAD)
        self._open: dict[str, _Question] = {}
        # Held by who compares: whoever looked at the same time would wait 5 ms for the interpreter after each look, and
        # what the server told would be stale before the last one.
        self._turn = threading.Lock()
        self._held: float | None = None  # since when we hold it

    @property
    def room(self) -> bool:
        """Whether one more may begin."""
        return len(self._open) < AT_ONCE

    def begin(self, folder: str, path: str) -> None:
        """List a folder that lies at a path."""
        question = self._open[folder] = _Question(time.monotonic())
        self._threads.put(0, 0.0, partial(self._list, folder, path, question))

    def next(self) -> Piece | None:
        """The next piece of any of them; None where none came in a short while."""
        self._let_look()
        try:
            piece = self._box.get(timeout=GLANCE)
        except queue.Empty:
            return self._given_up()
        finally:
            self._held = time.monotonic() if self._turn.acquire(timeout=GLANCE) else None
        if piece.folder not in self._open:
            return None  # of one that was given up
        if piece.ended:
            del self._open[piece.folder]
        return piece

    def close(self) -> None:
        """What is under way ends as soon as the share answers."""
        for question in self._open.values():
            question.over.set()
        self._open.clear()
        self._let_look()

    def _let_look(self) -> None:
        if self._held is None:
            return
        held, self._held = time.monotonic() - self._held, None
        for question in self._open.values():
            if question.since is not None:
                question.since += held  # it may have waited for us all the while
        self._turn.release()

    def _given_up(self) -> Piece | None:
        now = time.monotonic()
        for folder, question in self._open.items():
            if question.since is not None and now - question.since > distance.ANSWER:
                question.over.set()
                del self._open[folder]
                return Piece(folder, [], ended=True, error=unanswered())
        return None

    def _list(self, folder: str, path: str, question: _Question) -> None:
        error: OSError | None = None
        try:
            question.since = time.monotonic()
            for entries in listed(path, self._turn):
                self._put(Piece(folder, entries), question)
                if question.over.is_set():
                    return
        except OSError as refused:
            error = refused
        self._put(Piece(folder, [], ended=True, error=error), question)

    def _put(self, piece: Piece, question: _Question) -> None:
        question.since = None
        while not question.over.is_set():
            try:
                self._box.put(piece, timeout=GLANCE)
                break
            except queue.Full:
                continue
        question.since = time.monotonic()
