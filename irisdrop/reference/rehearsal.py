"""Plays a plan: each camera writes its files into its folder as cameras do, and late orders come late."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from irisdrop.reference.plan import APART, Export, LateOrder, Plan
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.orders import WorklistEntry

PIECES: Final = 6
PAUSE: Final = 0.12  # seconds between two pieces of a file that is written slowly

Told = Callable[[Export, str], None]
Order = Callable[[WorklistEntry], None]


class Rehearsal:
    """The cameras of one plan, each in a thread of its own.

    Files are written below `root/<camera>/`. `order` is called with each late order when it comes; `told` with each
    export and the digest of its bytes just before its last byte is written, from the thread of its camera.
    """

    def __init__(self, plan: Plan, root: Path, order: Order, told: Told, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        self._root, self._order, self._told = root, order, told
        self.failures: list[Exception] = []
        self._rested: dict[Path, float] = {}
        cameras = sorted({export.camera for export in plan.exports})
        for camera in cameras:
            (root / camera).mkdir(parents=True, exist_ok=True)
        parts: list[tuple[Callable[..., None], Sequence[Export | LateOrder]]] = [(self._calls, plan.late)]
        parts += [(self._shoot, [export for export in plan.exports if export.camera == camera]) for camera in cameras]
        self._threads = [threading.Thread(target=self._play, args=part, daemon=True) for part in parts]

    def start(self) -> None:
        """Begin; the plan's seconds count from now."""
        self._begin = self._clock.monotonic()
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until everything is written and every order has come. Raises what a camera failed with."""
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def stop(self) -> None:
        """Stop before the end; a file that is being written stays as it is."""
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _play(self, act: Callable[[Export | LateOrder], None], items: Sequence[Export | LateOrder]) -> None:
        try:
            for item in items:
                left = self._begin + item.at - self._clock.monotonic()
                if self._clock.wait(self._stopping, max(0.0, left)):
                    return
                act(item)
        except OSError as error:
            self.failures.append(error)

    def _calls(self, late: LateOrder) -> None:
        self._order(late.entry)

    def _shoot(self, export: Export) -> None:
        content = export.content()
        path = self._root / export.camera / export.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # On a slow machine the first picture may have come late, and no agent can save what was overwritten at once.
        if self._clock.wait(self._stopping, max(0.0, self._rested.get(path, 0.0) - self._clock.monotonic())):
            return
        digest = hashlib.sha256(content).hexdigest()
        if export.pace == "renamed":
            aside = path.with_name(path.name + ".part")
            aside.write_bytes(content)
            self._told(export, digest)
            aside.replace(path)
        elif export.pace == "burst":
            self._told(export, digest)
            path.write_bytes(content)
        else:
            self._slowly(path, content, lambda: self._told(export, digest))
        self._rested[path] = self._clock.monotonic() + APART

    def _slowly(self, path: Path, content: bytes, told: Callable[[], None]) -> None:
        size = len(content) // PIECES + 1
        pieces = [content[begin : begin + size] for begin in range(0, len(content), size)]
        with path.open("wb", buffering=0) as file:
            for piece in pieces[:-1]:
                file.write(piece)
                if self._clock.wait(self._stopping, PAUSE):
                    return
            told()
            file.write(pieces[-1])
