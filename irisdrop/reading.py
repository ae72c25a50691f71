"""Reads settled images on a few threads, so that one that hangs its parser delays no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, Generic, TypeVar

from irisdrop.vocabulary.images import ImageFile

Said = TypeVar("Said")

THREADS: Final = 4  # a hanging file holds one for five seconds
AT_ONCE: Final = 64
TOGETHER: Final = 0.02  # seconds in which what is read is gathered for one commit


class Readers(Generic[Said]):
    """Images that are being read; what was read is handed out once."""

    def __init__(self, read: Callable[[ImageFile], Said], on_read: Callable[[], None]) -> None:
        self._read = read
        self._on_read = on_read
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._running: dict[int, tuple[ImageFile, Future[Said]]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def room(self) -> int:
        """How many more images may be given now."""
        return AT_ONCE - len(self._running)

    def give(self, images: Iterable[ImageFile]) -> None:
        """Begin to read those that are not being read already."""
        for image in images:
            if image.id not in self._running:
                future = self._pool.submit(self._read, image)
                self._running[image.id] = (image, future)
                future.add_done_callback(lambda _: self._on_read())

    def done(self, seconds: float) -> list[tuple[ImageFile, Future[Said]]]:
        """What has been read, waiting for the first at most so long; oldest image first."""
        if not self._running:
            return []
        futures = [future for _, future in self._running.values()]
        if wait(futures, timeout=seconds, return_when=FIRST_COMPLETED).done:
            wait(futures, timeout=TOGETHER)
        finished = sorted(number for number, (_, future) in self._running.items() if future.done())
        return [self._running.pop(number) for number in finished]

    def close(self) -> None:
        """Begin nothing more; what is being read is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
