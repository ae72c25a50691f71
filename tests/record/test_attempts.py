"""Attempts: noted before the first byte, one at a time, and only to the order that was meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from irisdrop.record.journal import StaleImage
from irisdrop.record.text import stamp
from irisdrop.vocabulary.decisions import Capture, Matched
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.orders import Standing, Withdrawal
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

MORNING = datetime(2025, 1, 14, 8, 0, tzinfo=UTC)


def receipt(image: Any, number: str = "r1") -> Receipt:
    return Receipt(number, image.digest, image.entry, image.eye, "2025-01-14T09:31:00Z")


def test_an_attempt_is_open_until_it_has_an_outcome(records: Any) -> None:
    image = records.matched()
    attempt = records.attempts.begin(image)
    assert records.attempts.left_open() == [attempt]
    records.attempts.end(attempt, "cut")
    assert records.attempts.left_open() == []
    assert records.attempts.of(image.id)[0].outcome == "cut"


def test_an_image_is_never_sent_by_two_at_once(records: Any) -> None:
    image = records.matched()
    records.attempts.begin(image)
    with pytest.raises(StaleImage):
        records.attempts.begin(image)


def test_an_image_that_changed_is_not_sent(records: Any) -> None:
    image = records.matched()
    records.journal.note(image, detail="a person looked")
    with pytest.raises(StaleImage):
        records.attempts.begin(image)


def test_an_image_without_order_is_not_sent(records: Any) -> None:
    with pytest.raises(StaleImage):
        records.attempts.begin(records.settled())


@pytest.mark.parametrize("why", [Standing.CANCELLED, Standing.REPLACED, Standing.COMPLETED])
def test_nothing_is_sent_to_an_order_that_was_withdrawn(records: Any, why: Standing) -> None:
    image = records.matched()
    records.sync(full=False, withdrawn=(Withdrawal("E1", why),))
    with pytest.raises(StaleImage):
        records.attempts.begin(image)
    assert records.journal.unsure_of_order() == [image]


def test_nothing_is_sent_to_an_order_that_was_changed_since_it_was_chosen(records: Any) -> None:
    image = records.matched()
    records.sync(records.entry(PatientID="000816"), full=False)
    with pytest.raises(StaleImage):
        records.attempts.begin(image)
    assert records.journal.unsure_of_order() == [image]


def test_an_order_that_is_told_again_as_it_was_is_still_the_one(records: Any) -> None:
    image = records.matched()
    assert records.sync(records.entry()) == []
    assert records.journal.unsure_of_order() == []
    records.attempts.begin(image)


def test_nothing_is_sent_to_another_source_before_its_first_answer(records: Any) -> None:
    records.orders.standing_since("one")
    image = records.matched()
    records.orders.standing_since("another")
    assert not records.journal.unsure_of_order()
    with pytest.raises(StaleImage):
        records.attempts.begin(image)
    records.sync(records.entry())
    records.attempts.begin(image)


def test_a_person_may_send_to_a_completed_order_and_irisdrop_may_not(records: Any) -> None:
    image = records.matched()
    records.sync(full=False, withdrawn=(Withdrawal("E1", Standing.COMPLETED),))
    image = records.journal.refuse(image, Code.NO_WORKLIST_ENTRY, "completed")
    image = records.journal.move(image, Event.ASSIGN, "a person", "late", entry="E1", eye="R", assigned_by="a person")
    assert records.journal.unsure_of_order() == []
    records.attempts.begin(image)


def test_an_order_is_not_taken_away_while_its_image_is_on_its_way(records: Any) -> None:
    image = records.matched()
    records.attempts.begin(image)
    records.sync(full=False, withdrawn=(Withdrawal("E1", Standing.CANCELLED),))
    assert records.journal.unsure_of_order() == []


def test_the_newest_exam_is_due_first_and_what_waits_is_not(records: Any, clock: Any) -> None:
    images = []
    for number in range(4):
        clock.advance(60)
        images.append(records.matched(name=f"{number}_R.jpg", content=bytes([number])))
    waiting = records.journal.note(images[3], next_try=stamp(clock.now() + timedelta(seconds=9)))
    undoable = records.journal.note(images[2], not_before=stamp(clock.now() + timedelta(seconds=15)))
    assert [image.id for image in records.attempts.due(9)] == [images[1].id, images[0].id]
    assert [image.id for image in records.attempts.due(1, frozenset({images[1].id}))] == [images[0].id]
    clock.advance(10)
    assert records.attempts.due(9)[0].id == waiting.id
    clock.advance(6)
    assert [image.id for image in records.attempts.due(9)][1] == undoable.id


def test_it_is_known_when_the_next_is_due_whoever_is_on_its_way(records: Any, clock: Any) -> None:
    assert records.attempts.next_due() is None
    busy = records.matched(name="1_R.jpg", content=b"1")
    waiting = records.matched(name="2_R.jpg", content=b"2")
    later = clock.now() + timedelta(seconds=30)
    records.journal.note(waiting, next_try=stamp(later))
    assert records.attempts.next_due() == clock.now()
    assert records.attempts.next_due(frozenset({busy.id})) == later
    assert records.attempts.next_due(frozenset({busy.id, waiting.id})) is None


def test_uploaded_and_delivered_are_one_commit_with_the_receipt(records: Any) -> None:
    image = records.matched()
    done = records.attempts.confirm(image, receipt(image), "receipt r1")
    assert done.state is State.DELIVERED
    assert [step.after for step in records.journal.history(image.id)][-2:] == ["UPLOADED", "DELIVERED"]
    assert records.attempts.receipt(image.id) == receipt(image)


def test_a_platform_that_gives_one_receipt_to_two_images_leaves_both_proofs_and_an_alarm_on_each(records: Any) -> None:
    one, two = records.matched(content=b"one"), records.matched(content=b"two", name="b.jpg")
    records.attempts.confirm(one, receipt(one), "receipt r1")
    records.attempts.confirm(two, receipt(two), "receipt r1")
    assert [records.attempts.receipt(image.id) for image in (one, two)] == [receipt(one), receipt(two)]
    raised = records.conditions.subjects("RECEIPT_ALARM")
    assert raised == [f"image {one.id}", f"image {two.id}"]
    assert [records.journal.mismatched(image.id) for image in (one, two)] == [True, True]
    assert records.journal.get(two.id).state is State.DELIVERED


def test_the_same_receipt_once_more_is_one_and_for_a_twin_of_the_same_bytes_no_alarm(records: Any) -> None:
    one, twin = records.matched(), records.matched(name="b.jpg")
    done = records.attempts.confirm(one, receipt(one), "receipt r1")
    assert twin.digest == one.digest
    records.attempts.confirm(twin, receipt(twin), "receipt r1")
    assert records.attempts.receipt(one.id) == records.attempts.receipt(twin.id) == receipt(one)
    assert records.conditions.subjects("RECEIPT_ALARM") == []
    rows = records.journal.database.rows("SELECT id FROM receipts")
    assert len(rows) == 2
    assert done.state is State.DELIVERED


def test_a_receipt_that_can_not_be_kept_delivers_nothing(records: Any) -> None:
    image = records.matched()
    records.journal.note(image, detail="changed")
    with pytest.raises(StaleImage):
        records.attempts.confirm(image, receipt(image), "receipt r1")
    assert records.journal.get(image.id).state is State.MATCHED
    assert records.attempts.receipt(image.id) is None


def test_when_the_platform_is_back_nobody_waits(records: Any, clock: Any) -> None:
    image = records.journal.note(records.matched(), next_try=stamp(clock.now() + timedelta(hours=1)))
    assert records.attempts.due(9) == []
    records.attempts.clear_waits()
    assert [one.id for one in records.attempts.due(9)] == [image.id]


def test_of_one_days_exams_the_one_that_arrived_last_is_due_first(records: Any, clock: Any) -> None:
    """Many cameras tell the day alone."""
    day = Capture(MORNING.replace(hour=0), MORNING.replace(hour=0) + timedelta(days=1), "filename:AcquisitionDate")
    records.sync(records.entry())
    images = []
    for number in range(3):
        clock.advance(60)
        image = records.identified(name=f"{number}_R.jpg", content=bytes([number]))
        decision = Matched(records.entry(), "R", day, (), ("PatientID",), (), ())
        images.append(records.journal.decide(image, decision, event=Event.MATCH, why="matched by PatientID"))
    assert [image.id for image in records.attempts.due(9)] == [image.id for image in reversed(images)]


def test_several_attempts_are_begun_in_one_commit_and_what_can_not_be_is_told(records: Any, clock: Any) -> None:
    images = []
    for number in range(4):
        clock.advance(60)
        entry = records.entry(f"E{number}", PatientID=f"{number:06}")
        images.append(records.matched(entry, name=f"{number}_R.jpg", content=bytes([number]) * 100))
    records.sync(full=False, withdrawn=(Withdrawal("E2", Standing.CANCELLED),))
    left = records.attempts.begin(images[3])
    begun, held = records.attempts.begin_due(9, frozenset(), 1000)
    assert [image.id for image, _ in begun] == [images[1].id, images[0].id]
    assert {image.id for image in held} == {images[2].id, images[3].id}
    assert records.attempts.left_open() == [left, *(attempt for _, attempt in begun)]


def test_large_images_are_begun_one_by_one(records: Any, clock: Any) -> None:
    for number in range(3):
        clock.advance(60)
        records.matched(name=f"{number}_R.jpg", content=bytes([number]) * 100)
    begun, _ = records.attempts.begin_due(9, frozenset(), 50)
    assert len(begun) == 1
