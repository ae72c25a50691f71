"""What wakes the page's loop from the agent's threads."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from irisdrop.surface.page.bell import Bell


def test_every_listener_is_woken_once_by_many_rings_of_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    bell, calls = Bell(), []

    async def hears() -> list[float]:
        loop = asyncio.get_running_loop()
        soon, begun = loop.call_soon_threadsafe, loop.time()
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *what: [calls.append(1), soon(*what)])
        with bell.heard() as one, bell.heard() as other:
            for _ in range(100):
                bell.ring()
            await asyncio.gather(bell.wait(one, 60), bell.wait(other, 60))
            threading.Thread(target=bell.ring).start()
            await bell.wait(one, 60)
            return [loop.time() - begun]

    assert asyncio.run(hears())[0] < 50
    assert len(calls) == 2


def test_a_ring_between_two_waits_is_not_missed() -> None:
    bell = Bell()

    async def looks() -> list[str]:
        seen: list[str] = []
        with bell.heard() as rung:
            bell.ring()
            await bell.wait(rung, 60)
            bell.ring()  # while it looks
            seen.append("looked")
            await bell.wait(rung, 60)
            seen.append("looked again")
        return seen

    assert asyncio.run(asyncio.wait_for(looks(), 50)) == ["looked", "looked again"]


def test_where_nobody_listens_or_the_loop_has_ended_ringing_does_nothing() -> None:
    bell = Bell()
    bell.ring()
    left: list[Any] = []

    async def listens() -> None:
        heard = bell.heard()
        left.append((heard, heard.__enter__()))

    asyncio.run(listens())
    bell.ring()
    bell.ring()


def test_without_a_ring_the_wait_ends_by_itself() -> None:
    bell = Bell()

    async def waits() -> bool:
        with bell.heard() as rung:
            await bell.wait(rung, 0.01)
            return rung.is_set()

    assert not asyncio.run(waits())
