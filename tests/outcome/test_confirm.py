"""From UPLOADED to DELIVERED by what the platform says later, or to a person where it says something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from irisdrop.outcome.confirm import Confirmer
from irisdrop.platforms import ConfirmationsUnavailable
from irisdrop.vocabulary.deliveries import Parcel, Said, Uploaded
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State


class Queue:
    """A platform that takes everything, and says later what a test puts into `messages`."""

    within = 3600.0

    def __init__(self) -> None:
        self.messages: list[Said] = []
        self.known: list[bool] = []
        self.away = False
        self.says_nothing = False

    def confirmations(self) -> Queue | None:
        return None if self.says_nothing else self

    def receive(self, keep: Callable[[Said], bool], wait: float) -> int:  # noqa: ARG002
        if self.away:
            raise ConfirmationsUnavailable("the queue does not answer")
        found, self.messages = self.messages, []
        self.known += [keep(said) for said in found]
        return len(found)

    def close(self) -> None:
        pass


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def confirmer(records: Any, queue: Queue) -> Confirmer:
    return Confirmer(records.journal, records.orders, queue, records.conditions, records.clock)  # type: ignore[arg-type]


@pytest.fixture
def uploaded(delivery: Any) -> ImageFile:
    """An image that a platform took, stamped."""

    def takes(parcel: Parcel) -> Uploaded:
        return Uploaded(hashlib.sha256(parcel.digest.encode()).hexdigest(), "ref-1", "in the container")

    image: ImageFile = delivery.matched(delivery.order("E1", AccessionNumber="A-1"))
    delivery.platform.answers = [takes]
    delivery.turn()
    return image


def said(**more: Any) -> Said:
    """A receipt for that image, right but for `more`."""
    right = {"id": "T1", "reference": "ref-1", "succeeded": True, "order": "A-1", "patient": "000815", "receipt": "77"}
    return Said(**(right | {"at": "2025-01-14T10:00:00Z", "text": "{}"} | more))  # type: ignore[arg-type]


def codes(delivery: Any) -> set[str]:
    return {row["code"] for row in delivery.records.journal.database.rows("SELECT code FROM conditions")}


def test_what_was_sent_is_journaled_beside_what_was_exported(delivery: Any, uploaded: ImageFile) -> None:
    assert delivery.state(uploaded) == "UPLOADED"
    (attempt,) = delivery.records.attempts.of(uploaded.id)
    sent = hashlib.sha256(str(uploaded.digest).encode()).hexdigest()
    assert (attempt.outcome, attempt.sent, attempt.reference) == ("uploaded", sent, "ref-1")
    delivery.turn()
    assert len(delivery.platform.sent) == 1


def test_a_receipt_delivers_and_carries_the_digest_that_left(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue
) -> None:
    queue.messages = [said()]
    assert confirmer.turn(0.0)
    assert (delivery.state(uploaded), queue.known) == ("DELIVERED", [True])
    receipt = delivery.records.attempts.receipt(uploaded.id)
    sent = hashlib.sha256(str(uploaded.digest).encode()).hexdigest()
    assert (receipt.id, receipt.digest, receipt.entry, receipt.eye) == ("77", sent, "E1", "R")


@pytest.mark.parametrize(
    ("more", "code", "condition"),
    [
        ({"patient": "000816"}, Code.RECEIPT_MISMATCH, "RECEIPT_ALARM"),
        ({"order": "A-2"}, Code.RECEIPT_MISMATCH, "RECEIPT_ALARM"),
        ({"patient": None}, Code.RECEIPT_MISMATCH, "RECEIPT_ALARM"),
        ({"succeeded": False}, Code.REJECTED_BY_PLATFORM, "RECEIPT_FAILED"),
        ({"succeeded": False, "patient": "000816"}, Code.RECEIPT_MISMATCH, "RECEIPT_ALARM"),
    ],
)
def test_another_word_is_an_alarm_for_a_person(
    delivery: Any,
    uploaded: ImageFile,
    confirmer: Confirmer,
    queue: Queue,
    more: dict[str, Any],
    code: Code,
    condition: str,
) -> None:
    queue.messages = [said(**more)]
    confirmer.turn(0.0)
    image = delivery.records.journal.get(uploaded.id)
    assert (image.state, image.reason) == (State.QUARANTINED, code)
    assert condition in codes(delivery)


def test_what_the_platform_refused_is_uploaded_anew_when_a_person_releases_it(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue
) -> None:
    queue.messages = [said(succeeded=False)]
    confirmer.turn(0.0)
    seen: list[int] = []

    def takes(parcel: Parcel) -> Uploaded:
        seen.append(parcel.uploads)
        return Uploaded(parcel.digest, f"ref-{parcel.uploads + 1}", "in the container")

    journal = delivery.records.journal
    image = journal.move(journal.get(uploaded.id), Event.ASSIGN, "somebody", "again", entry="E1", eye="R")
    delivery.platform.answers = [takes]
    delivery.turn()
    assert (seen, delivery.state(image)) == ([1], "UPLOADED")
    queue.messages = [said(id="T2", reference="ref-2")]
    confirmer.turn(0.0)
    assert delivery.state(image) == "DELIVERED"


def test_a_receipt_that_comes_before_its_upload_is_noted_is_kept_for_it(
    delivery: Any, confirmer: Confirmer, queue: Queue
) -> None:
    queue.messages = [said()]
    confirmer.turn(0.0)
    assert queue.known == [False]
    image = delivery.matched(delivery.order("E1", AccessionNumber="A-1"))
    delivery.platform.answers = [Uploaded("0" * 64, "ref-1", "in the container")]
    delivery.turn()
    confirmer.turn(0.0)
    assert delivery.state(image) == "DELIVERED"


def test_the_same_message_again_changes_nothing(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue
) -> None:
    for _ in range(2):
        queue.messages = [said()]
        confirmer.turn(0.0)
    assert delivery.state(uploaded) == "DELIVERED"
    events = [step.event for step in delivery.records.journal.history(uploaded.id)]
    assert events.count("confirm") == 1


@pytest.mark.parametrize(
    ("more", "condition", "words"),
    [
        ({"patient": "000816"}, "RECEIPT_ALARM", "RECEIPT_MISMATCH: a later receipt names another PatientID"),
        ({"order": "A-2"}, "RECEIPT_ALARM", "RECEIPT_MISMATCH: a later receipt names another AccessionNumber"),
        (
            {"succeeded": False},
            "RECEIPT_FAILED",
            "REJECTED_BY_PLATFORM: after its receipt the platform said that it could not file it",
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_later_word_against_what_was_delivered_is_told_and_moves_nothing(
    delivery: Any,
    uploaded: ImageFile,
    confirmer: Confirmer,
    queue: Queue,
    more: dict[str, Any],
    condition: str,
    words: str,
    together: bool,
) -> None:
    queue.messages = [said()]
    if not together:
        confirmer.turn(0.0)
        before = delivery.records.journal.get(uploaded.id)
    queue.messages.append(said(id="T2", **more))
    for _ in range(2):
        confirmer.turn(0.0)
    image = delivery.records.journal.get(uploaded.id)
    assert image.state is State.DELIVERED
    assert together or image == before
    assert delivery.records.attempts.receipt(uploaded.id).id == "77"
    assert codes(delivery) == {condition}
    steps = delivery.records.journal.history(uploaded.id)
    assert [(step.event, step.why) for step in steps[-2:]] == [("confirm", "receipt 77"), ("contradict", words)]
    assert delivery.records.journal.mismatched(uploaded.id) is (condition == "RECEIPT_ALARM")


@pytest.mark.parametrize("more", [{}, {"patient": None, "order": None}, {"patient": "000816"}])
def test_a_later_word_by_either_number_of_a_merged_patient_is_no_alarm(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue, more: dict[str, Any]
) -> None:
    """The platform confirmed it under the first number, and the order has another one since."""
    queue.messages = [said()]
    confirmer.turn(0.0)
    delivery.order("E1", AccessionNumber="A-1", PatientID="000816")
    queue.messages = [said(id="T2", **more)]
    confirmer.turn(0.0)
    assert (delivery.state(uploaded), codes(delivery)) == ("DELIVERED", set())
    assert delivery.records.attempts.said_of(State.DELIVERED) == []


def test_a_later_word_about_an_image_that_was_called_back_meanwhile_moves_nothing(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.messages = [said()]
    confirmer.turn(0.0)
    journal, attempts = delivery.records.journal, delivery.records.attempts
    attempts.keep_said(said(id="T2", patient="000816"))
    (seen,) = attempts.said_of(State.DELIVERED)
    journal.move(seen[0], Event.RECALL, "somebody", "for the test", reason=Code.ASSIGNED_ELSEWHERE)
    monkeypatch.setattr(confirmer._attempts, "said_of", lambda state: [seen] if state is State.DELIVERED else [])
    confirmer.turn(0.0)
    monkeypatch.undo()
    assert [step.event for step in journal.history(uploaded.id)][-2:] == ["confirm", "recall"]
    assert codes(delivery) == set()


def test_a_receipt_that_never_comes_is_a_condition_until_it_comes(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue, clock: Any
) -> None:
    confirmer.turn(0.0)
    assert "RECEIPT_OVERDUE" not in codes(delivery)
    clock.advance(timedelta(hours=2).total_seconds())
    confirmer.turn(0.0)
    assert "RECEIPT_OVERDUE" in codes(delivery)
    queue.messages = [said()]
    confirmer.turn(0.0)
    confirmer.turn(0.0)
    assert delivery.state(uploaded) == "DELIVERED"
    assert "RECEIPT_OVERDUE" not in codes(delivery)


def test_a_queue_that_is_away_is_told_and_what_is_kept_is_acted_on_all_the_same(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue
) -> None:
    delivery.records.attempts.keep_said(said())
    queue.away = True
    assert not confirmer.turn(0.0)
    assert "RECEIPTS_UNREACHABLE" in codes(delivery)
    assert delivery.state(uploaded) == "DELIVERED"
    queue.away = False
    assert confirmer.turn(0.0)
    assert "RECEIPTS_UNREACHABLE" not in codes(delivery)


def test_where_nothing_is_said_later_uploaded_is_the_end_and_no_condition(
    delivery: Any, uploaded: ImageFile, confirmer: Confirmer, queue: Queue, clock: Any
) -> None:
    queue.says_nothing = True
    clock.advance(timedelta(days=30).total_seconds())
    assert confirmer.turn(0.0)
    assert delivery.state(uploaded) == "UPLOADED"
    assert codes(delivery) == set()
