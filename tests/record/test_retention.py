"""The journal forgets how it came to its decisions; what proves a delivery stays, and nothing is ever sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from irisdrop.matching.twins import twin_of
from irisdrop.record.retention import Retention
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.orders import Standing
from irisdrop.vocabulary.states import Event, State

YEAR = timedelta(days=365)


@pytest.fixture
def deliver(records: Any) -> Callable[[int], Any]:
    """One image on its whole way, with an attempt and a receipt."""

    def delivered(number: int) -> Any:
        image = records.matched(name=f"{number:06}_R.jpg", content=b"picture %d" % number)
        attempt = records.attempts.begin(image)
        with records.journal.transaction():
            receipt = Receipt(f"r{number}", image.digest, image.entry, "R", "then")
            image = records.attempts.confirm(records.journal.get(image.id), receipt, "receipt")
            records.attempts.end(attempt, "delivered")
        return image

    return delivered


def forget(records: Any) -> int:
    return sum(iter(lambda: Retention(records.journal.database).forget(records.clock.now() - YEAR), 0))


def test_proof_of_delivery_stays_and_the_way_to_it_goes(records: Any, deliver: Callable[[int], Any]) -> None:
    image = deliver(1)
    records.clock.advance(366 * 86400)
    assert forget(records) == 1
    assert [step.event for step in records.journal.history(image.id)] == ["confirm"]
    assert records.attempts.receipt(image.id).digest == image.digest
    assert records.attempts.of(image.id) == []
    assert records.journal.decision(image.id) is None
    assert records.journal.get(image.id).state is State.DELIVERED
    assert forget(records) == 0


def test_what_is_younger_or_has_not_ended_is_left_as_it_is(records: Any, deliver: Callable[[int], Any]) -> None:
    waiting = records.matched(name="9_R.jpg", content=b"waits")
    records.clock.advance(366 * 86400)
    young = deliver(2)
    assert forget(records) == 0
    assert len(records.journal.history(waiting.id)) > 2
    assert len(records.journal.history(young.id)) > 4


def test_a_file_that_still_lies_in_its_folder_is_never_taken_for_a_new_one(
    records: Any, deliver: Callable[[int], Any]
) -> None:
    image = deliver(3)
    records.clock.advance(366 * 86400)
    forget(records)
    again = records.journal.settle(
        records.arrival("000003_R.jpg"), image.digest, image.size, arrived=records.clock.now(), live=True, racy=False
    )
    assert again is None
    other = records.settled("copy_R.jpg", b"picture 3")
    assert twin_of(other, image.readings, records.journal.with_digest(image.digest)) is not None


def test_images_that_vanished_unread_and_closed_orders_without_images_go(records: Any) -> None:
    (seen,) = records.journal.see([records.arrival("gone_R.jpg")], live=True)
    records.journal.move(seen, Event.VANISH, "irisdrop", "it is gone")
    records.sync(records.entry("E1"), records.entry("E2", standing=Standing.COMPLETED))
    records.clock.advance(366 * 86400)
    assert forget(records) == 2
    with pytest.raises(KeyError):
        records.journal.get(seen.id)
    assert records.orders.get("E2") is None
    assert records.orders.get("E1") is not None


def test_years_of_images_need_no_more_room_a_year_and_no_more_handles(
    records: Any, deliver: Callable[[int], Any]
) -> None:
    """Rows, not hours: each year brings the same images; what the journal grows by a year is what proof needs."""
    sizes, handles = [], []
    for year in range(5):
        for number in range(120):
            deliver(1000 * year + number)
        records.clock.advance(366 * 86400)
        forget(records)
        records.journal.database.fold()
        page = records.journal.database.row("PRAGMA page_size")[0]
        free = records.journal.database.row("PRAGMA freelist_count")[0]
        sizes.append(records.journal.database.row("PRAGMA page_count")[0] * page)
        handles.append(len(list(Path("/proc/self/fd").iterdir())))
        assert free * page < 64 * 1024
    grown = [after - before for before, after in pairwise(sizes)]
    assert max(grown) < 1.5 * min(grown) + 16384
    assert max(grown) / 120 < 3000  # bytes that the proof of one image takes, with its indexes and audit records
    assert handles[0] == handles[-1]
