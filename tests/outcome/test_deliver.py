"""From MATCHED to DELIVERED, to the real reference platform: each image once, whatever fails."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop.outcome import deliver as module
from irisdrop.outcome.deliver import Courier
from irisdrop.record.database import Damaged
from irisdrop.record.journal import PAUSED
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.deliveries import Parcel, Postponed, Receipt, Refused
from irisdrop.vocabulary.orders import Standing, Withdrawal
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State


def codes(delivery: Any) -> set[str]:
    return {row["code"] for row in delivery.records.journal.database.rows("SELECT code FROM conditions")}


def test_an_image_is_delivered_with_the_platforms_receipt(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.turn()
    assert delivery.state(image) == "DELIVERED"
    told = delivery.reference.receipts()
    assert [(one["digest"], one["entry"], one["ImageLaterality"]) for one in told] == [(image.digest, "E1", "R")]
    assert delivery.records.attempts.receipt(image.id).id == told[0]["id"]
    assert (delivery.reference.folder / "images" / image.digest).read_bytes() == b"picture 0"
    assert [attempt.outcome for attempt in delivery.records.attempts.of(image.id)] == ["delivered"]


def test_the_memory_of_an_image_is_given_back_once_the_platform_has_it_and_not_before(
    delivery: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unloaded: list[str] = []
    monkeypatch.setattr(delivery.records.spool, "unload", unloaded.append)
    image = delivery.matched(delivery.order())
    delivery.platform.answers = [Postponed("429", 90.0)]
    delivery.turn()
    assert unloaded == []  # its bytes are read again
    clock.advance(91)
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"
    assert unloaded == [image.digest]


def test_the_newest_exam_goes_first(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    images = []
    for number in range(5):
        images.append(delivery.matched(entry, number))
        clock.advance(60)
    delivery.turn()
    assert delivery.platform.sent == [image.digest for image in reversed(images)]


def test_an_attempt_is_committed_before_the_first_byte(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    seen: list[Any] = []

    def looks(parcel: Parcel) -> Any:
        seen.append(delivery.records.attempts.open_attempt(image.id))
        return delivery.platform.platform.deliver(parcel)

    delivery.platform.answers = [looks]
    delivery.turn()
    assert [attempt.entry for attempt in seen] == ["E1"]
    assert delivery.state(image) == "DELIVERED"


def test_an_outage_of_days_drains_by_itself(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    delivery.reference.stop()
    images = [delivery.matched(entry, number) for number in range(12)]
    for _ in range(2000):
        delivery.turn()
        clock.advance(delivery.courier.idle_seconds())
    assert len(delivery.platform.sent) + len(delivery.platform.asked) < 2000
    clock.advance(3 * 86400)
    delivery.turn()
    assert codes(delivery) == {"PLATFORM_UNREACHABLE"}
    assert {delivery.state(image) for image in images} == {"MATCHED"}
    delivery.reference.start()
    assert delivery.drain() < 120
    assert codes(delivery) == set()
    assert sorted(one["digest"] for one in delivery.reference.receipts()) == sorted(image.digest for image in images)


def test_while_the_platform_is_away_a_backlog_does_not_knock_a_thousand_times(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    for number in range(60):
        delivery.matched(entry, number)
    delivery.platform.always = lambda _: Postponed("no route", condition="PLATFORM_UNREACHABLE")
    begin = clock.monotonic()
    while clock.monotonic() - begin < 3600:
        delivery.turn()
        clock.advance(delivery.courier.idle_seconds())
    assert len(delivery.platform.sent) < 600  # one knock in a quarter of a minute, on the mean


def test_retry_after_is_honoured(delivery: Any, clock: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.platform.answers = [Postponed("429", 90.0)]
    delivery.turn()
    clock.advance(89.9)
    delivery.turn()
    assert len(delivery.platform.sent) == 1
    clock.advance(10)
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"


def test_a_wrong_token_halts_delivery_and_a_renewed_one_resumes_it(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    images = [delivery.matched(entry, number) for number in range(6)]
    delivery.reference.stop()
    delivery.reference.token = "another"
    delivery.reference.start()
    delivery.turn()
    assert len(delivery.platform.sent) == 1  # no other image would fare better
    assert codes(delivery) == {"PLATFORM_DENIED"}
    for _ in range(50):
        delivery.turn()
        clock.advance(delivery.courier.idle_seconds())
    assert {delivery.state(image) for image in images} == {"MATCHED"}
    delivery.reference.stop()
    delivery.reference.token = "a-token-for-tests"
    delivery.reference.start()
    delivery.drain()
    assert codes(delivery) == set()
    assert {delivery.state(image) for image in images} == {"DELIVERED"}


def test_an_image_that_the_platform_can_not_take_does_not_block_the_others(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    others = [delivery.matched(entry, number) for number in range(5)]
    clock.advance(60)
    poison = delivery.matched(entry, 99)  # the newest, so it is always the first to be tried
    broken = Postponed("500", condition="PLATFORM_UNREACHABLE")
    delivery.platform.always = lambda parcel: broken if parcel.digest == poison.digest else None
    for _ in range(40):
        delivery.turn()
        clock.advance(delivery.courier.idle_seconds())
    assert {delivery.state(image) for image in others} == {"DELIVERED"}
    assert delivery.state(poison) == "MATCHED"
    delivery.platform.always = lambda _: None
    delivery.drain()
    assert delivery.state(poison) == "DELIVERED"


def test_an_image_that_breaks_our_own_code_does_not_block_the_others(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    others = [delivery.matched(entry, number) for number in range(5)]
    clock.advance(60)
    poison = delivery.matched(entry, 99)

    def breaks(parcel: Parcel) -> None:
        if parcel.digest == poison.digest:
            raise RuntimeError

    delivery.platform.always = breaks
    for _ in range(60):
        try:
            delivery.turn()
        except RuntimeError:
            clock.advance(1)
        clock.advance(delivery.courier.idle_seconds())
    assert {delivery.state(image) for image in others} == {"DELIVERED"}
    assert delivery.state(poison) == "MATCHED"
    delivery.platform.always = lambda _: None
    delivery.drain()
    assert delivery.state(poison) == "DELIVERED"
    assert delivery.records.attempts.left_open() == []


@pytest.mark.parametrize("code", [Code.REJECTED_BY_PLATFORM, Code.TOO_LARGE])
def test_a_refusal_is_final_and_the_next_image_goes_on(delivery: Any, code: Code) -> None:
    entry = delivery.order()
    first, second = delivery.matched(entry, 1), delivery.matched(entry, 2)
    delivery.platform.answers = [Refused(code, "the platform answered 422")]
    delivery.turn()
    assert sorted([delivery.state(first), delivery.state(second)]) == ["DELIVERED", "QUARANTINED"]
    refused = delivery.records.journal.in_state(State.QUARANTINED)[0]
    assert refused.reason is code


def test_a_lost_acknowledgement_leaves_one_receipt(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.platform.answers = [delivery.platform.loses]
    delivery.turn()
    assert delivery.state(image) == "MATCHED"
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"
    assert len(delivery.reference.receipts()) == 1
    assert delivery.platform.asked == [image.digest]
    assert len(delivery.platform.sent) == 1  # found by asking: the bytes did not go again


def test_a_lost_acknowledgement_of_an_eye_that_the_platform_decides_is_found_too(delivery: Any) -> None:
    image = delivery.matched(delivery.order(), eye="U")
    delivery.platform.answers = [Postponed("cut")]
    found = Receipt("r1", image.digest, "E1", "R", "2025-01-14T09:31:00Z")
    delivery.platform.find = lambda _: found
    delivery.turn()
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"
    assert delivery.records.attempts.receipt(image.id).eye == "R"


def test_after_a_crash_the_platform_is_asked_before_anything_is_sent_again(delivery: Any) -> None:
    entry = delivery.order()
    arrived, lost = delivery.matched(entry, 1), delivery.matched(entry, 2)
    for image in (arrived, lost):
        delivery.records.attempts.begin(image)
    delivery.platform.loses(delivery.courier._parcel(arrived, delivery.records.attempts.open_attempt(arrived.id)))
    delivery.platform.sent.clear()

    delivery.records.close()
    delivery.records.open()
    delivery.open()
    delivery.courier.resume()
    assert delivery.records.attempts.left_open() == []
    delivery.drain()
    assert sorted(delivery.platform.asked) == sorted([arrived.digest, lost.digest])
    assert delivery.platform.sent == [lost.digest]
    assert len(delivery.reference.receipts()) == 2
    assert {delivery.state(arrived), delivery.state(lost)} == {"DELIVERED"}


def test_an_image_that_reached_another_order_before_a_crash_is_not_sent_to_this_one(delivery: Any) -> None:
    delivery.order("E1")
    other = delivery.order("E2")
    image = delivery.matched(other)
    attempt = delivery.records.attempts.begin(image)
    delivery.platform.platform.deliver(delivery.courier._parcel(image, attempt))
    delivery.courier.resume()
    # The order was withdrawn meanwhile, and another one fitted.
    image = delivery.records.journal.get(image.id)
    decision = (delivery.records.journal.decision(image.id) or "").replace("E2", "E1")
    with delivery.records.journal.transaction():
        delivery.records.journal.note(image, entry="E1", decision=decision)
    delivery.turn()
    image = delivery.records.journal.get(image.id)
    assert (image.state, image.reason) == (State.QUARANTINED, Code.ASSIGNED_ELSEWHERE)
    assert [one["entry"] for one in delivery.reference.receipts()] == ["E2"]


def test_an_order_that_the_platform_withdrew_first_is_unmatched(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.reference.server.worklist.withdraw("E1", "cancelled")
    delivery.turn()
    assert delivery.state(image) == "IDENTIFIED"
    assert delivery.records.journal.get(image.id).entry is None
    assert delivery.records.orders.get("E1").standing is Standing.CANCELLED
    assert delivery.unmatched == 1
    assert delivery.reference.receipts() == []


def test_a_persons_image_goes_back_to_a_person_where_its_order_is_withdrawn(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.records.journal.note(image, assigned_by="Dr. Muster")
    delivery.reference.server.worklist.withdraw("E1", "cancelled")
    delivery.turn()
    image = delivery.records.journal.get(image.id)
    assert (image.state, image.reason) == (State.QUARANTINED, Code.ORDER_WITHDRAWN)


def test_an_order_that_the_source_withdrew_is_not_sent_to(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.records.sync(full=False, withdrawn=(Withdrawal("E1", Standing.COMPLETED),))
    delivery.turn()
    assert delivery.platform.sent == []
    assert delivery.unmatched == 1
    assert delivery.state(image) == "MATCHED"


def test_a_receipt_for_another_order_is_an_alarm_and_never_a_delivery(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.platform.answers = [Refused(Code.RECEIPT_MISMATCH, "the receipt names another order")]
    delivery.turn()
    image = delivery.records.journal.get(image.id)
    assert (image.state, image.reason) == (State.QUARANTINED, Code.RECEIPT_MISMATCH)
    assert codes(delivery) == {"RECEIPT_ALARM"}


def test_an_image_that_the_platform_has_elsewhere_keeps_the_receipt_to_correct(delivery: Any) -> None:
    delivery.order("E1")
    other = delivery.order("E2")
    first = delivery.matched(delivery.records.entry("E1"), 1)
    delivery.turn()
    receipt = delivery.records.attempts.receipt(first.id)
    again = delivery.records.matched(other, name="again_R.jpg", content=b"picture 1")
    delivery.turn()
    again = delivery.records.journal.get(again.id)
    assert (again.state, again.reason, again.replaces) == (State.QUARANTINED, Code.ASSIGNED_ELSEWHERE, receipt.id)
    assert len(delivery.reference.receipts()) == 1


def test_only_a_person_corrects_what_the_platform_has_confirmed(delivery: Any) -> None:
    """An image that was refused as ASSIGNED_ELSEWHERE, and released, must not take its old order's place by itself."""
    delivery.order("E1")
    first = delivery.matched(delivery.records.entry("E1"), 1)
    delivery.turn()
    receipt = delivery.records.attempts.receipt(first.id)
    again = delivery.records.matched(delivery.order("E2"), name="again_R.jpg", content=b"picture 1")
    delivery.records.journal.note(again, replaces=receipt.id)
    delivery.turn()
    assert [one["entry"] for one in delivery.reference.receipts()] == ["E1"]
    image = delivery.records.journal.get(again.id)
    person = {"state": "MATCHED", "entry": "E2", "eye": "R", "assigned_by": "Dr. Muster", "next_try": None}
    delivery.records.journal.note(image, **person)
    delivery.turn()
    told = delivery.reference.receipts()
    assert [(one["entry"], one.get("replaces")) for one in told] == [("E1", None), ("E2", receipt.id)]


def test_damaged_bytes_are_never_sent_and_are_read_again_when_they_are_mended(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.records.spool.file(image.digest).write_bytes(b"picture 1")
    delivery.turn()
    now = delivery.records.journal.get(image.id)
    # What was matched may have been read from the damaged bytes.
    assert (now.state, now.entry, now.profile) == (State.IDENTIFIED, None, None)
    assert delivery.records.spool.sound(image.digest)
    assert delivery.reference.held() == set()
    assert delivery.unmatched == 1


def test_damaged_bytes_whose_source_is_gone_are_unreadable(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    Path(image.path).unlink()
    delivery.records.spool.file(image.digest).write_bytes(b"picture 1")
    delivery.turn()
    now = delivery.records.journal.get(image.id)
    assert (now.state, now.reason) == (State.QUARANTINED, Code.UNREADABLE)


def test_damaged_bytes_of_a_persons_image_are_mended_and_sent(delivery: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.records.journal.note(image, assigned_by="Dr. Muster")
    delivery.records.spool.file(image.digest).write_bytes(b"picture 1")
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"
    assert delivery.reference.held() == {hashlib.sha256(b"picture 0").hexdigest()}


def test_several_workers_deliver_each_image_once_and_stop_when_told(delivery: Any, records: Any) -> None:
    entry = delivery.order()
    images = [delivery.matched(entry, number) for number in range(40)]
    courier = Courier(
        records.journal, records.spool, records.orders, delivery.platform, records.conditions, SystemClock(), workers=4
    )
    records.clock.set(SystemClock().now())
    stop = threading.Event()
    thread = threading.Thread(target=courier.run, args=(stop,), daemon=True)
    thread.start()
    ended = threading.Event()
    for _ in range(600):
        if not records.journal.in_state(State.MATCHED, limit=1):
            break
        ended.wait(0.05)
    stop.set()
    courier.woken.set()
    thread.join(60)
    assert not thread.is_alive()
    assert sorted(delivery.platform.sent) == sorted(image.digest for image in images)
    assert len(delivery.reference.receipts()) == 40


class Quick(SystemClock):
    """Waits a hundredth of the time, and counts how often nobody had ended it."""

    in_vain = 0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        ended = event.wait(seconds / 100)
        self.in_vain += not ended
        return ended


def test_while_nothing_is_due_one_thread_looks_for_all_and_asks_only_whether_anything_changed(
    delivery: Any, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WATCHED", 6000.0)
    entry, clock, together = delivery.order(), Quick(), threading.Barrier(4)
    records.clock.set(clock.now())

    def waits_for_the_others(_: Parcel) -> None:
        together.wait(60)

    delivery.platform.always = waits_for_the_others
    courier = Courier(
        records.journal, records.spool, records.orders, delivery.platform, records.conditions, clock, workers=4
    )
    asked: list[int] = []
    due = courier.attempts.due
    monkeypatch.setattr(courier.attempts, "due", lambda *more: asked.append(1) or due(*more))
    stop, pause = threading.Event(), threading.Event()
    thread = threading.Thread(target=courier.run, args=(stop,), daemon=True)
    thread.start()
    while clock.in_vain < 20:
        pause.wait(0.02)
    assert len(asked) <= 16
    with records.journal.transaction():  # as a command of another process does, which can wake nobody
        images = [delivery.matched(entry, number) for number in range(4)]
    for _ in range(1200):
        if not records.journal.in_state(State.MATCHED, limit=1):
            break
        pause.wait(0.05)
    assert {delivery.state(image) for image in images} == {"DELIVERED"}
    stop.set()
    courier.woken.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_paused_courier_with_an_image_that_is_due_looks_every_few_seconds(delivery: Any) -> None:
    delivery.matched(delivery.order())
    delivery.records.journal.set_meta(PAUSED, "anna")
    assert delivery.courier.idle_seconds() == module.LONGEST_IDLE


def test_a_wall_clock_that_is_set_back_by_a_day_holds_nothing_up(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    waiting, undoable = delivery.matched(entry, 1), delivery.matched(entry, 2)
    until = stamp(clock.now() + timedelta(seconds=15))
    delivery.records.journal.note(undoable, assigned_by="Dr. Muster", not_before=until)
    delivery.platform.answers = [Postponed("500"), Postponed("500")]
    delivery.turn()
    clock.set(clock.now() - timedelta(days=1))
    delivery.records.sync(entry)
    assert delivery.drain() < 120
    assert {delivery.state(waiting), delivery.state(undoable)} == {"DELIVERED"}


def test_a_wall_clock_that_was_set_back_while_nothing_ran_holds_nothing_up(delivery: Any, clock: Any) -> None:
    image = delivery.matched(delivery.order())
    delivery.platform.answers = [Postponed("500")]
    delivery.turn()
    clock.set(clock.now() - timedelta(days=1))
    delivery.open()
    delivery.courier.resume()
    assert delivery.drain() < 60
    assert delivery.state(image) == "DELIVERED"


@pytest.mark.parametrize(
    ("column", "value"),
    [("eye", "'L'"), ("entry", "'E2'"), ("decision", "replace(decision, 'E1', 'E2')"), ("decision", "'{'")],
)
def test_an_order_or_eye_that_lost_a_bit_is_never_sent_and_is_decided_again(
    delivery: Any, column: str, value: str
) -> None:
    """It leaves a value that could be, so no page, index or text tells of it; the decision stands there twice."""
    entry = delivery.order()
    delivery.order("E2")
    image = delivery.matched(entry)
    with delivery.records.journal.transaction():
        # The order that the value names is as old as the other one: its number of change betrays nothing.
        delivery.records.journal.database.execute("UPDATE entries SET change = 1")
        delivery.records.journal.database.execute(f"UPDATE images SET entry_change = 1, {column} = {value}")
    delivery.turn()
    assert delivery.platform.sent == []
    assert delivery.state(image) == "IDENTIFIED"
    now = delivery.records.journal.get(image.id)
    assert (now.entry, now.eye) == (None, None)
    assert delivery.records.journal.undecided() == [now]


def test_an_order_that_a_person_chose_is_sent_whatever_was_decided_before(delivery: Any) -> None:
    delivery.order()
    image = delivery.matched(delivery.order("E2"))
    delivery.records.journal.note(image, entry="E1", eye="L", assigned_by="anna")
    delivery.turn()
    assert delivery.state(image) == "DELIVERED"


def test_what_was_begun_with_others_is_not_sent_by_an_old_look_where_the_line_became_slow(
    delivery: Any, clock: Any
) -> None:
    """Sixteen attempts may be one commit, but an order that was withdrawn since is seen, and a newer exam goes first."""
    entry, withdrawn = delivery.order(), delivery.order("E2")
    for number in range(40):  # a fast line: many are begun at once
        delivery.matched(entry, number)
    delivery.turn()
    delivery.platform.sent.clear()
    begun = [delivery.matched(withdrawn, number) for number in range(50, 55)]
    clock.advance(60)
    first, stop = delivery.matched(entry, 60), threading.Event()
    newer: list[Any] = []

    def slow(parcel: Parcel) -> None:
        if parcel.digest == first.digest:
            assert len(delivery.records.attempts.left_open()) == 6
            clock.advance(30)
            newer.append(delivery.matched(entry, 61))
            delivery.records.sync(full=False, withdrawn=(Withdrawal("E2", Standing.CANCELLED),))
        elif newer and parcel.digest == newer[0].digest:
            stop.set()

    delivery.platform.always = slow
    one = Courier(
        delivery.records.journal,
        delivery.records.spool,
        delivery.records.orders,
        delivery.platform,
        delivery.records.conditions,
        clock,
        workers=1,
    )
    one._pace = 0.001
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert delivery.platform.sent == [first.digest, newer[0].digest]
    assert delivery.records.attempts.left_open() == []
    outcomes = {attempt.outcome for image in begun for attempt in delivery.records.attempts.of(image.id)}
    assert outcomes == {"put back before its first byte"}


def test_an_image_that_lost_its_eye_holds_up_none_that_would_be_begun_with_it(delivery: Any, clock: Any) -> None:
    entry = delivery.order()
    other = delivery.matched(entry)
    clock.advance(60)
    flipped = delivery.matched(entry, 1)
    with delivery.records.journal.transaction():
        delivery.records.journal.database.execute(
            "UPDATE images SET eye = NULL, assigned_by = 'somebody' WHERE id = ?", (flipped.id,)
        )
    delivery.courier._pace = 0.001
    begun = delivery.courier._take(16)
    assert begun is not None
    assert begun[0].id == other.id
    assert delivery.state(flipped) == "QUARANTINED"  # a person gave it, so a person is asked
    assert delivery.platform.sent == []


def test_a_journal_that_takes_no_answer_and_no_word_of_that_lets_nobody_wait_for_ever(
    delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = delivery.matched(delivery.order())

    def damaged(*_: Any) -> None:
        raise Damaged("a page")

    with monkeypatch.context() as patch:
        patch.setattr(delivery.courier.attempts, "confirm", damaged)
        patch.setattr(delivery.records.conditions, "note_failure", damaged)
        sending = threading.Thread(target=delivery.courier.deliver_next, daemon=True)
        sending.start()
        sending.join(60)
        assert not sending.is_alive()
    delivery.drain()
    assert delivery.state(image) == "DELIVERED"
    assert len(delivery.reference.receipts()) == 1
    assert delivery.platform.asked == [image.digest]  # before anything was sent again
    assert delivery.platform.sent == [image.digest]


def test_what_a_courier_that_was_told_to_stop_still_sends_is_not_sent_by_the_next_one(delivery: Any) -> None:
    """An edited configuration waits some seconds for the stages to end; an upload over a slow line takes longer."""
    image, records = delivery.matched(delivery.order()), delivery.records
    begun, go = threading.Event(), threading.Event()

    def slow(_: Parcel) -> None:
        begun.set()
        go.wait(60)

    delivery.platform.always = slow
    sending = threading.Thread(target=delivery.courier.deliver_next, daemon=True)
    sending.start()
    assert begun.wait(30)
    following = Courier(
        *(records.journal, records.spool, records.orders, delivery.platform, records.conditions, records.clock),
        former=delivery.courier,
    )
    following.resume()
    assert not following.deliver_next()
    go.set()
    sending.join(60)
    assert delivery.state(image) == "DELIVERED"
    assert delivery.platform.sent == [image.digest]
    assert [attempt.outcome for attempt in records.attempts.of(image.id)] == ["delivered"]
    assert codes(delivery) == set()
    assert not following.deliver_next()


def test_while_one_image_knocks_at_a_platform_that_is_away_the_others_wait_and_do_not_ask_all_the_time(
    delivery: Any, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs lets it knock for minutes."""
    entry, clock = delivery.order(), SystemClock()
    knocking, answer, asked = threading.Event(), threading.Event(), []
    records.clock.set(clock.now() - timedelta(seconds=60))
    for number in range(8):
        delivery.matched(entry, number)
    records.clock.set(clock.now())

    def hangs(_: Parcel) -> None:
        knocking.set()
        answer.wait(60)

    courier = Courier(
        records.journal, records.spool, records.orders, delivery.platform, records.conditions, clock, workers=4
    )
    courier._gate.failures = 1  # of an image that waits for its next try now
    delivery.platform.always = hangs
    due = courier.attempts.due
    monkeypatch.setattr(courier.attempts, "due", lambda *more: asked.append(1) or due(*more))
    stop, pause = threading.Event(), threading.Event()
    thread = threading.Thread(target=courier.run, args=(stop,), daemon=True)
    thread.start()
    assert knocking.wait(60)
    pause.wait(1)
    assert len(delivery.platform.sent) == 1
    assert len(asked) < 20
    answer.set()
    for _ in range(1200):
        if not records.journal.in_state(State.MATCHED, limit=1):
            break
        pause.wait(0.05)
    assert len(delivery.reference.receipts()) == 8
    stop.set()
    courier.woken.set()
    thread.join(30)
    assert not thread.is_alive()
