"""The threads that read files for one camera: few, daemons, and gone when there is nothing to read.

Their own, because a read from a share that hangs can't be interrupted: it must block neither another camera nor the
end of the process.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Final

from irisdrop.vocabulary import processors

LARGE: Final = 64 * 1024 * 1024
QUICK: Final = 8  # threads: each waits for the disk most of its time, and flushes that come together cost one
ARCHIVES: Final = 3  # threads: one of thousands of members delays no other
IDLE: Final = 10.0  # seconds
Job = Callable[[], None]


class _Lane:
    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._jobs: list[tuple[float, int, Job]] = []
        self._ready = threading.Condition()
        self._number = itertools.count()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def put(self, rank: float, job: Job) -> None:
        with self._ready:
            heapq.heappush(self._jobs, (rank, next(self._number), job))
            if self._idle >= len(self._jobs) or self._threads >= self._most:
                self._ready.notify()
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:  # the system has no more threads: another one takes the job, or whoever comes next
            with self._ready:
                self._threads -= 1
            raise

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._jobs.clear()
            self._ready.notify_all()

    def wait(self, until: float) -> None:
        with self._ready:
            self._ready.wait_for(lambda: self._threads == 0, timeout=max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Job | None:
        with self._ready:
            self._idle += 1
            self._ready.wait_for(lambda: bool(self._jobs) or self._closed, timeout=IDLE)
            self._idle -= 1
            if self._closed or not self._jobs:
                self._threads -= 1
                self._ready.notify_all()
                return None
            return heapq.heappop(self._jobs)[2]


class Takers:
    """Jobs in the order of their rank, lowest first; large files have a thread of their own, so that none of them
    delays a small one, and so have archives, whose size says nothing about how long they take."""

    def __init__(self, name: str, quick: int = QUICK) -> None:
        self._quick = _Lane(f"take {name}", quick)
        self._large = _Lane(f"take large {name}", 1)
        self._archives = _Lane(f"take archives {name}", ARCHIVES)

    def put(self, size: int, rank: float, job: Job, *, archive: bool = False) -> None:
        """Run `job` on a thread; it must not raise."""
        processors.suit(size)
        lane = self._archives if archive else self._large if size > LARGE else self._quick
        lane.put(rank, job)

    def close(self, within: float = 0.0) -> None:
        """Begin no more, and wait a few seconds for what runs; what hangs in the system is left behind."""
        lanes = (self._quick, self._large, self._archives)
        for lane in lanes:
            lane.close()
        until = time.monotonic() + within
        for lane in lanes:
            lane.wait(until)
