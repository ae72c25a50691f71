"""How far away the camera's folder is: on a server each question costs time, and one may never be answered.

Measured on a real CIFS mount (tests/README.md): what the server tells of a file together with its name is believed for
a second. Whoever first lists, thinks, and then asks for each file, asks the server twenty thousand times; whoever looks
right beside each name asks it 179 times. So a far folder is listed by threads of its own, in the small pieces in which
the server tells it; what is not known from the listing is asked by many threads at once; and nobody waits for ever.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from irisdrop.arrival.system import reachable
from irisdrop.arrival.takers import Takers
from irisdrop.record.system import network_file_system

T = TypeVar("T")

ANSWER: Final = 30.0  # seconds until a question that was not answered counts as refused
AGAIN: Final = 1.0  # the same, where an earlier question is still not answered
GLANCE: Final = 0.25  # seconds between looks at whether to stop
AT_ONCE: Final = 16  # questions under way
SLOW: Final = 0.003  # seconds: no local disk takes so long for what it has in memory
LONG: Final = 1.0  # seconds for a piece of a listing
FAR: Final = 0.008  # seconds for each of its entries: more than waiting for the interpreter costs
STRIKES: Final = 3  # slow answers until it is not chance

Answer = os.stat_result | OSError


class Distance:
    """Questions to one camera's folder, answered at once where it is near; for the lookout's thread alone."""

    def __init__(self, camera: str, root: str) -> None:
        self.near = False  # until it is known
        self._root = root
        self._askers = Takers(f"look {camera}", AT_ONCE)
        self.listers = Takers(f"list {camera}", AT_ONCE)
        self._asked: dict[object, float] = {}  # what is not answered yet, and since when
        self.stopped: Callable[[], bool] = lambda: False

    def learn(self) -> None:
        """See what kind of file system it is on; OSError where the folder is not there."""
        self.near = network_file_system(Path(reachable(self._root))) is None

    def notice(self, count: int, seconds: float) -> None:
        """So long it took to look at so many: what no name of a file system tells (FUSE has hundreds) shows in that."""
        if seconds > LONG and seconds / count > FAR:
            self.near = False

    def ask(self, question: Callable[[], T]) -> T:
        """Its answer or what it raises; TimeoutError where none comes."""
        if self.near:
            return question()
        for answer in self._together([question], rank=-1.0):
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise unanswered()

    def looks(self, paths: Sequence[str]) -> Iterator[Answer]:
        """What `lstat` says of each path, in their order; fewer where the agent stops.

        One after another while that is quick, by many threads where it is not.
        """
        slow = 0
        for number, path in enumerate(paths):
            if not self.near or slow >= STRIKES:
                yield from self._looks_together(paths[number:])
                return
            begun = time.perf_counter()
            answer = look(path)
            slow += time.perf_counter() - begun > SLOW
            yield answer

    def _looks_together(self, paths: Sequence[str]) -> Iterator[Answer]:
        for answer in self._together([partial(look, path) for path in paths]):
            if isinstance(answer, os.stat_result | OSError):
                yield answer
            else:
                raise answer

    def close(self) -> None:
        """Ask nothing more."""
        self._askers.close()
        self.listers.close()

    def _together(self, questions: Sequence[Callable[[], T]], rank: float = 0.0) -> Iterator[T | Exception]:
        """Answers in order, a TimeoutError where none comes; fewer where the agent stops."""
        box: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()
        over = threading.Event()
        for number, question in enumerate(questions):
            self._askers.put(0, rank, partial(self._answer, question, number, box, over))
        answers: dict[int, T | Exception] = {}
        silent, patience = time.monotonic(), AGAIN if self._hangs() else ANSWER
        try:
            for number in range(len(questions)):
                while number not in answers:
                    try:
                        found, answer = box.get(timeout=GLANCE)
                        answers[found], silent = answer, time.monotonic()
                    except queue.Empty:
                        if self.stopped():
                            return
                        if time.monotonic() - silent > patience:
                            answers = {one: unanswered() for one in range(len(questions))} | answers
                yield answers.pop(number)
        finally:
            over.set()

    def _answer(
        self,
        question: Callable[[], T],
        number: int,
        box: queue.SimpleQueue[tuple[int, T | Exception]],
        over: threading.Event,
    ) -> None:
        if over.is_set():
            return
        mark = object()
        self._asked[mark] = time.monotonic()
        try:
            answer: T | Exception = question()
        except Exception as error:  # noqa: BLE001 - raised where it was asked
            answer = error
        del self._asked[mark]
        box.put((number, answer))

    def _hangs(self) -> bool:
        """Whether an earlier question was given up and is still not answered."""
        return any(time.monotonic() - since >= ANSWER for since in list(self._asked.values()))


def look(path: str) -> Answer:
    """What `lstat` says, or why it says nothing."""
    try:
        return os.lstat(reachable(path))
    except OSError as error:
        return error


def unanswered() -> TimeoutError:
    """What a share that hangs would say if it said anything."""
    return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
