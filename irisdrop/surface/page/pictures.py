"""Pictures for the page, drawn by children that can be killed, and remembered while there is room."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from irisdrop.identity.parsing import system
from irisdrop.identity.sandbox import environment
from irisdrop.vocabulary import processors

SECONDS: Final = 6.0  # for one picture
MEMORY: Final = 900 << 20  # bytes of address space of a child
REMEMBERED: Final = 48 << 20  # bytes of pictures
LARGEST: Final = 12 << 20  # bytes of one picture as it is sent to the browser
CHILDREN: Final = 2
RETIRE: Final = 60.0  # seconds without work


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, or why there is none (`large`, `damaged`, `unknown`, `none`, `slow`); `frames` counts those of the file."""

    jpeg: bytes
    frames: int
    why: str


class Pictures:
    """At most two are drawn at once; whoever asks meanwhile waits for a turn."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds, self._memory = seconds, memory
        self._turns = threading.Semaphore(CHILDREN)
        self._lock = threading.Lock()
        self._idle: list[subprocess.Popen[bytes]] = []
        self._busy: set[subprocess.Popen[bytes]] = set()
        self._known: OrderedDict[tuple[str, int, int], Picture] = OrderedDict()
        self._size = 0
        self._timer: threading.Timer | None = None
        self._closed = False

    def draw(self, file: Path, side: int, frame: int = 0) -> Picture:
        """One frame of a spool file with at most `side` pixels on its longer side."""
        key = (file.name, side, frame)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        with self._turns:
            found = self._drawn({"file": str(file), "side": side, "frame": frame, "seconds": self._seconds})
        self._remember(key, found)
        return found

    def pids(self) -> tuple[int, ...]:
        """The processes that are alive for us now."""
        with self._lock:
            return tuple(child.pid for child in (*self._idle, *self._busy))

    def close(self) -> None:
        """End every child."""
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._busy]
            self._idle = []
            if self._timer is not None:
                self._timer.cancel()
        for child in children:
            _end(child)

    # ------------------------------------------------------------------ within

    def _drawn(self, request: dict[str, Any]) -> Picture:
        child = self._take()
        if child is None:
            return Picture(b"", 0, "slow")
        late = threading.Event()

        def expire() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self._seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            found = _converse(child, request)
        finally:
            timer.cancel()
        if found is None or late.is_set():
            self._drop(child)
            return found or Picture(b"", 0, "slow" if late.is_set() else "damaged")
        self._give(child)
        return found

    def _take(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._closed:
                return None
            child = self._idle.pop() if self._idle else None
        child = child or _start(self._memory)
        with self._lock:
            self._busy.add(child)
        return child

    def _give(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._busy.discard(child)
            keep = not self._closed
            if keep:
                self._idle.append(child)
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(RETIRE, self._retire)
                self._timer.daemon = True
                self._timer.start()
        if not keep:
            _end(child)

    def _drop(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._busy.discard(child)
        _end(child)

    def _retire(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            _end(child)

    def _remember(self, key: tuple[str, int, int], found: Picture) -> None:
        if found.why == "slow":
            return  # the machine was busy; another time may do
        with self._lock:
            if key not in self._known:
                self._size += len(found.jpeg) + 200
            self._known[key] = found
            while self._size > REMEMBERED:
                _, old = self._known.popitem(last=False)
                self._size -= len(old.jpeg) + 200


def _start(memory: int) -> subprocess.Popen[bytes]:
    paths = [str(Path(__file__).parents[3]), *(path for path in sys.path if path)]
    start = f"import sys; sys.path[:] = {paths!r}; from irisdrop.surface.page.drawing import main; main({memory})"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", start],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        **system.quietly(),
    )
    processors.free(child.pid)  # a picture that is drawn takes nothing from the agent's own
    return child


def _converse(child: subprocess.Popen[bytes], request: dict[str, Any]) -> Picture | None:
    """The child's answer; None where it died over it."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
        line = child.stdout.readline(4096)
        if not line.endswith(b"\n"):
            return None
        head = json.loads(line)
        if head["length"] > LARGEST:
            return None
        jpeg = child.stdout.read(head["length"])
    except (OSError, ValueError):
        return None
    return Picture(jpeg, head["frames"], head["why"]) if len(jpeg) == head["length"] else None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # an unsent request is still in the buffer
                pipe.close()
