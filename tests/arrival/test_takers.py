"""Threads that read: newest first, large files apart, none left when there is nothing to do."""

from __future__ import annotations

import threading

import pytest

from irisdrop.arrival import takers as module
from irisdrop.arrival.takers import LARGE, Takers


def test_the_lowest_rank_goes_first() -> None:
    takers, gate, order, done = Takers("t", quick=1), threading.Event(), [], threading.Event()
    takers.put(1, 0.0, lambda: gate.wait(30) and None)
    for rank in (3.0, 1.0, 2.0):
        takers.put(1, rank, lambda rank=rank: order.append(rank))
    takers.put(1, 9.0, done.set)
    gate.set()
    assert done.wait(30)
    assert order == [1.0, 2.0, 3.0]
    takers.close(30)


def test_a_huge_file_does_not_delay_a_small_one() -> None:
    takers, gate, small = Takers("t"), threading.Event(), threading.Event()
    for _ in range(5):
        takers.put(LARGE + 1, 0.0, lambda: gate.wait(30) and None)
    takers.put(1, 0.0, small.set)
    assert small.wait(30)
    gate.set()
    takers.close(30)


def test_a_reading_that_hangs_does_not_delay_another() -> None:
    takers, gate, other = Takers("t"), threading.Event(), threading.Event()
    takers.put(1, 0.0, lambda: gate.wait(30) and None)
    takers.put(1, 1.0, other.set)
    assert other.wait(30)
    gate.set()
    takers.close(30)


def test_threads_end_when_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    takers, before, done = Takers("idle one"), threading.active_count(), threading.Event()
    takers.put(1, 0.0, done.set)
    assert done.wait(30)
    for thread in threading.enumerate():
        if "idle one" in thread.name:
            thread.join(30)
    assert threading.active_count() == before
    again = threading.Event()
    takers.put(1, 0.0, again.set)
    assert again.wait(30)
    takers.close(30)


def test_what_was_not_begun_is_dropped_at_the_end() -> None:
    takers, gate, begun, late = Takers("t", quick=1), threading.Event(), threading.Event(), threading.Event()
    takers.put(1, 0.0, lambda: begun.set() or (gate.wait(30) and None))
    assert begun.wait(30)
    takers.put(1, 0.0, late.set)
    takers.close()
    gate.set()
    takers.close(30)
    assert not late.is_set()


def test_a_thread_that_could_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that was short of threads for a moment would leave a camera without, for ever."""
    takers, begun, done = Takers("t", quick=1), threading.Event(), threading.Event()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            takers.put(1, 0.0, begun.set)
    takers.put(1, 1.0, done.set)
    assert begun.wait(30)
    assert done.wait(30)
    takers.close(30)
