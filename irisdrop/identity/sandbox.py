"""Parsers in children that can be killed: a file that hangs, crashes or swells one costs that file, never the agent."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from irisdrop.identity.contents import Contents, Element, Note, Tag, Wanted
from irisdrop.identity.parsing import system
from irisdrop.vocabulary import processors

LONGEST_ANSWER: Final = 8 << 20
NEVER: Final = math.inf
PAUSED: Final = 2.0  # seconds too late to be only a busy machine
STARTS: Final = 30.0  # seconds that a child may take to start: whatever else the machine does, no file is to blame

Failure = Literal["hung", "crashed", "memory"]


class ParserFailed(Exception):
    """A parser hung, crashed, or took too much memory on a file: the file is to blame."""

    def __init__(self, kind: Failure) -> None:
        super().__init__(kind)
        self.kind: Failure = kind


class ParserUnstartable(RuntimeError):
    """No parser could be started: the installation is to blame, and no file."""


class ParsersClosed(RuntimeError):
    """The parsers were closed while a file was being read: nothing is known about it."""


class Child:
    """One child process; used by one thread at a time."""

    def __init__(self, memory: int) -> None:
        self._process = subprocess.Popen(
            command(memory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            **system.quietly(),
        )
        processors.free(self._process.pid)
        self.ready = False
        self.expired = False
        self.until = 0.0  # monotonic; when its answer must have come
        self.idle_since = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self) -> None:
        """Wait until it can be asked; raises ParserUnstartable."""
        assert self._process.stdout is not None
        self.ready = bool(self._process.stdout.readline(LONGEST_ANSWER))
        if not self.ready:
            raise ParserUnstartable("no parser process could be started")

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The child's answer; raises ParserFailed, after which the child is of no more use.

        Whoever holds the child ends it by `expire` where no answer comes in time.
        """
        return self._converse(json.dumps(request).encode() + b"\n")

    def _converse(self, line: bytes) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        with contextlib.suppress(OSError):  # it died; what it last said tells why
            stdin.write(line)
            stdin.flush()
        answer = stdout.readline(LONGEST_ANSWER)
        if not answer.endswith(b"\n"):
            raise ParserFailed("hung" if self.expired else "crashed")
        found: dict[str, Any] = json.loads(answer)
        if "memory" in found:
            raise ParserFailed("memory")
        return found

    def expire(self) -> None:
        """Kill the process: whoever waits for its answer learns that it hung."""
        self.expired = True
        with contextlib.suppress(OSError):  # it may be ending already: whoever watches has others to watch
            self._process.kill()

    def end(self) -> None:
        """Kill the process and wait for it; a second time does nothing."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # an unsent request is still in the buffer
                    pipe.close()


def command(memory: int) -> list[str]:
    """How to start a child: without `site` and the environment's wishes, with the modules that we see ourselves."""
    paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
    start = f"import sys; sys.path[:] = {paths!r}; from irisdrop.identity.parsing.child import main; main({memory})"
    return [sys.executable, "-I", "-S", "-X", "utf8", "-c", start]


def environment() -> dict[str, str]:
    """What the child needs to know of our environment: nothing but what an interpreter needs to start."""
    return {name: os.environ[name] for name in ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH") if name in os.environ}


class Parsers:
    """A warm pool of children; safe for any number of threads.

    `size` children are kept, `seconds` is the most that one file may take, `memory` the most address space of a child in
    bytes, and children go after `retire` seconds without work. A thread never waits longer than `queue` seconds for its
    turn: then a child of its own is started, so that a file that hangs delays no other.
    """

    def __init__(
        self,
        size: int = 1,
        seconds: float = 5.0,
        memory: int = 512 << 20,
        retire: float = 60.0,
        queue: float = 0.25,
    ) -> None:
        self._seconds, self._memory, self._retire, self._queue = seconds, memory, retire, queue
        self._turns = threading.Semaphore(size)
        self._size = size
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._changed = threading.Condition(self._lock)
        self._next_look = NEVER  # monotonic; when the children are looked at, NEVER where nobody looks
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, file: Path, wanted: Wanted) -> Contents:
        """What `file` contains.

        Raises ParserFailed where the file broke its parser, OSError where it can't be opened or read, ParserUnstartable
        and ParsersClosed where nothing can be said about it.
        """
        request = {
            "file": str(file),
            "exif": sorted(wanted.exif),
            "dicom": sorted(wanted.dicom),
            "all": wanted.everything,
            "sidecars": [
                [one.rule, str(one.file), one.format, list(one.places), one.encoding] for one in wanted.sidecars
            ],
            "seconds": self._seconds,
        }
        in_turn = self._turns.acquire(timeout=self._queue)
        try:
            try:
                answer = self._ask(request)
            except ParserFailed as failure:
                # A child may also be killed from outside; only a file that kills two of them is to blame.
                if failure.kind != "crashed":
                    raise
                answer = self._ask(request)
        finally:
            if in_turn:
                self._turns.release()
        return _contents(file, answer)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        child = self._take()
        try:
            if not child.ready:
                child.begin()
                self._limit(child, self._seconds)
            answer = child.ask(request)
        except BaseException as error:
            self._drop(child)
            if self._closed:
                raise ParsersClosed("the parsers were closed") from error
            raise
        self._give(child)
        return answer

    def _take(self) -> Child:
        with self._lock:
            if self._closed:
                raise ParsersClosed("the parsers were closed")
            child = self._idle.pop() if self._idle else None
        child = child or Child(self._memory)
        try:
            self._limit(child, self._seconds if child.ready else STARTS)
        except BaseException:  # nobody could watch it: the system has no more threads
            self._drop(child)
            raise
        return child

    def _limit(self, child: Child, seconds: float) -> None:
        with self._lock:
            child.until = time.monotonic() + seconds
            self._busy.add(child)
            self._look_before(child.until)

    def _drop(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
        child.end()

    def _give(self, child: Child) -> None:
        with self._lock:
            # One whose time was up just after it had answered would be found dead by the next file.
            keep = not self._closed and not child.expired and len(self._idle) < self._size
            if keep:
                self._busy.discard(child)
                child.idle_since = time.monotonic()
                self._idle.append(child)
                self._look_before(child.idle_since + self._retire)
        if not keep:
            self._drop(child)

    def _look_before(self, until: float) -> None:
        """See to it that somebody looks at the children at a time; one thread does for all files that are read."""
        if self._next_look == NEVER:
            threading.Thread(target=self._keep_watch, name="parsers", daemon=True).start()
        elif self._next_look > until:
            self._changed.notify()
        self._next_look = min(self._next_look, until)

    def _keep_watch(self) -> None:
        """End the children that take too long, and those that had no work for long."""
        gone: list[Child] = []
        while True:
            for child in gone:
                child.end()
            with self._changed:
                now = time.monotonic()
                if now - self._next_look > PAUSED:
                    # We were stopped, or the machine slept: so were the children, and none of them is to blame.
                    for child in self._busy:
                        child.until = max(child.until, now + self._seconds)
                for child in self._busy:
                    if child.until <= now:
                        child.until = NEVER
                        child.expire()
                gone = [child for child in self._idle if child.idle_since + self._retire <= now]
                self._idle = [child for child in self._idle if child not in gone]
                looks = [child.until for child in self._busy]
                self._next_look = min(looks + [child.idle_since + self._retire for child in self._idle], default=NEVER)
                if self._next_look == NEVER and not gone:
                    return
                if not gone:
                    self._changed.wait(self._next_look - now)

    def pids(self) -> tuple[int, ...]:
        """The processes that are alive for us now."""
        with self._lock:
            return tuple(child.pid for child in (*self._idle, *self._busy))

    def close(self) -> None:
        """End every child; whoever waits for one gets ParsersClosed."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = tuple(self._busy)
            self._changed.notify()
        for child in idle:
            child.end()
        for child in busy:
            child.expire()


def _contents(file: Path, answer: dict[str, Any]) -> Contents:
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]), str(file))
    return Contents(
        kind=answer["kind"],
        flaw=answer["flaw"],
        exif=tuple(Tag(*tag) for tag in answer["exif"]),
        dicom=tuple(Element(asked, place, tuple(values)) for asked, place, values in answer["dicom"]),
        sidecars=tuple(Note(rule, place, tuple(values)) for rule, place, values in answer["sidecars"]),
        failed=answer["failed"],
    )
