"""What settled is read on a few threads, and what was not begun when it ends is left for the next start."""

from __future__ import annotations

import threading
from typing import Any

from irisdrop.reading import AT_ONCE, THREADS, Readers


def test_what_was_not_begun_at_the_end_is_handed_out_by_nobody_and_fails_nobody(records: Any) -> None:
    """Each stop in a backlog was told as a failure of deciding."""
    images = [records.settled(f"{number}_R.jpg", b"picture %d" % number) for number in range(THREADS + 3)]
    begun, go = threading.Semaphore(0), threading.Event()

    def read(image: Any) -> int:
        begun.release()
        go.wait(60)
        return int(image.id)

    readers: Readers[int] = Readers(read, lambda: None)
    readers.give(images[:-1])
    for _ in range(THREADS):
        assert begun.acquire(timeout=30)
    assert readers.room() == AT_ONCE - THREADS - 2
    readers.close()
    readers.give(images[-1:])
    assert readers.room() == 0
    go.set()
    read_ids: list[int] = []
    while len(readers):
        read_ids += [future.result() for _, future in readers.done(30)]
    assert sorted(read_ids) == [image.id for image in images[:THREADS]]
