"""Folders of a share that are listed by several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pytest

from irisdrop.arrival import distance, listings
from irisdrop.arrival.entries import Entry, Listed
from irisdrop.arrival.listings import Listings, Piece
from irisdrop.arrival.takers import Takers


@pytest.fixture
def threads() -> Iterator[Takers]:
    made = Takers("list room-2")
    yield made
    made.close(10)


def until_something(walk: Listings) -> Piece:
    for _ in range(240):
        if (piece := walk.next()) is not None:
            return piece
    raise AssertionError("nothing came for a minute")


def test_a_listing_that_waited_for_whoever_compares_is_not_taken_for_one_that_hangs(
    threads: Takers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who compares may be busy with a slow file for longer than an answer may take."""
    now, compares, answer = [1000.0], threading.Event(), threading.Event()

    def listed(folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:
        yield [Listed(folder, "a.jpg", 0)]
        assert compares.wait(60)
        with turn:
            assert answer.wait(60)
        yield [Listed(folder, "b.jpg", 0)]

    monkeypatch.setattr(listings, "listed", listed)
    monkeypatch.setattr(listings, "time", SimpleNamespace(monotonic=lambda: now[0]))
    walk = Listings(threads)
    walk.begin("x", "/x")
    assert [entry.name for entry in until_something(walk).entries] == ["a.jpg"]
    compares.set()
    now[0] += distance.ANSWER + 10
    assert walk.next() is None  # its look takes a moment
    now[0] += distance.ANSWER - 1
    assert walk.next() is None
    answer.set()
    assert [entry.name for entry in until_something(walk).entries] == ["b.jpg"]
    assert until_something(walk) == Piece("x", [], ended=True)
    walk.close()


def test_one_that_hangs_is_given_up_and_what_it_tells_later_counts_for_nothing(
    threads: Takers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked, answer = [1000.0], threading.Event(), threading.Event()

    def listed(folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:  # noqa: ARG001
        asked.set()
        assert answer.wait(60)
        yield [Listed(folder, "a.jpg", 0)]

    monkeypatch.setattr(listings, "listed", listed)
    monkeypatch.setattr(listings, "time", SimpleNamespace(monotonic=lambda: now[0]))
    walk = Listings(threads)
    walk.begin("x", "/x")
    assert asked.wait(60)
    now[0] += distance.ANSWER + 1
    given_up = until_something(walk)
    assert given_up.ended
    assert isinstance(given_up.error, TimeoutError)
    answer.set()
    assert walk.next() is None
    walk.close()
