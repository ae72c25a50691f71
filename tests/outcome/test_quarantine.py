"""What a person decides: checked against what the person saw, one commit each, and never silently against a fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from irisdrop.outcome.quarantine import Quarantine
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.orders import Standing, Withdrawal
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

BY = "Dr. Muster"


@dataclass
class Fact:
    code: Code
    words: str


class Desk:
    """A quarantine whose objections the test chooses."""

    def __init__(self, delivery: Any) -> None:
        self.facts: list[Fact] = []
        self.asked: list[tuple[int, str, str]] = []
        self.delivery, self.records = delivery, delivery.records
        self.quarantine = Quarantine(
            self.records.journal, self.records.orders, self.records.spool, self.records.clock, self.against, 15.0
        )

    def against(self, image: Any, entry: Any, eye: str) -> list[Fact]:
        self.asked.append((image.id, entry.id, eye))
        return self.facts

    def refused(self, code: Code = Code.NO_WORKLIST_ENTRY, *readings: Any, **more: Any) -> Any:
        """An image in quarantine."""
        return self.records.journal.refuse(self.records.identified(*readings, **more), code, "for the test")

    def now(self, image: Any) -> Any:
        return self.records.journal.get(image.id)


@pytest.fixture
def desk(delivery: Any) -> Desk:
    delivery.order("E1")
    delivery.order("E2", PatientID="000816")
    return Desk(delivery)


def test_an_assigned_image_goes_to_the_order_when_undo_is_over_and_not_before(desk: Desk, clock: Any) -> None:
    image = desk.quarantine.assign(desk.refused().id, "E1", by=BY, eye="R")
    assert (image.state, image.entry, image.eye, image.assigned_by) == (State.MATCHED, "E1", "R", BY)
    clock.advance(14.9)
    desk.delivery.turn()
    assert desk.delivery.platform.sent == []
    clock.advance(0.2)
    desk.delivery.turn()
    assert desk.now(image).state is State.DELIVERED
    assert [(step.who, step.why) for step in desk.records.journal.history(image.id) if step.event == "assign"] == [
        (BY, f"assigned to an order by {BY}")
    ]


def test_undo_takes_an_assignment_back_with_all_that_belongs_to_it(desk: Desk, clock: Any) -> None:
    image = desk.refused(Code.EYE_UNKNOWN)
    desk.quarantine.assign(image.id, "E1", by=BY, eye="L")
    back = desk.quarantine.undo(image.id, by=BY)
    assert (back.state, back.reason, back.entry, back.eye, back.assigned_by, back.not_before) == (
        *(State.QUARANTINED, Code.EYE_UNKNOWN),
        *(None, None, None, None),
    )
    clock.advance(60)
    desk.delivery.turn()
    assert desk.delivery.platform.sent == []


def test_an_eye_that_was_taken_back_is_not_chosen_again_by_itself(desk: Desk) -> None:
    image = desk.refused()
    desk.quarantine.assign(image.id, "E1", by=BY, eye="L")
    desk.quarantine.undo(image.id, by=BY)
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(image.id, "E1", by=BY)
    assert refused.value.code == "EYE_NEEDED"


def test_the_eye_that_the_image_says_need_not_be_named(desk: Desk, read: Any) -> None:
    image = desk.refused(Code.NO_WORKLIST_ENTRY, *read(ImageLaterality="L"))
    assert desk.quarantine.assign(image.id, "E1", by=BY).eye == "L"
    both = desk.refused(
        Code.CONFLICTING_KEYS,
        *read(("ImageLaterality", "L", "exif:x"), ImageLaterality="R"),
        name="2_R.jpg",
        content=b"2",
    )
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(both.id, "E1", by=BY)
    assert refused.value.code == "EYE_NEEDED"


def test_every_check_is_made_again_for_the_eye_that_was_chosen(desk: Desk) -> None:
    image = desk.refused()
    desk.quarantine.assign(image.id, "E2", by=BY, eye="L")
    assert desk.asked == [(image.id, "E2", "L")]


def test_a_contradiction_needs_to_be_named_and_is_kept(desk: Desk) -> None:
    image = desk.refused(Code.PATIENT_MISMATCH)
    desk.facts = [
        Fact(Code.PATIENT_MISMATCH, "PatientBirthDate of exif:x is not the order's"),
        Fact(Code.CLOCK_IMPLAUSIBLE, "exif:y is after the image arrived"),
    ]
    for despite in ((), (Code.PATIENT_MISMATCH,)):
        with pytest.raises(Foreseen) as refused:
            desk.quarantine.assign(image.id, "E1", by=BY, eye="R", despite=despite)
        assert refused.value.code == "CONTRADICTED"
        assert "--despite CLOCK_IMPLAUSIBLE" in refused.value.remedy
    assert desk.now(image) == image
    desk.quarantine.assign(
        image.id, "E1", by=BY, eye="R", despite=[Code.PATIENT_MISMATCH, Code.CLOCK_IMPLAUSIBLE], why="I saw her"
    )
    told = desk.records.journal.history(image.id)[-1].why
    assert "I saw her" in told
    assert "despite PATIENT_MISMATCH (PatientBirthDate of exif:x is not the order's)" in told
    assert "despite CLOCK_IMPLAUSIBLE" in told


@pytest.mark.parametrize("act", ["assign", "release", "discard", "undo", "recall"])
def test_nobody_acts_on_an_image_that_changed_since_it_was_looked_at(desk: Desk, act: str) -> None:
    image = desk.refused()
    if act == "undo":
        image = desk.quarantine.assign(image.id, "E1", by=BY, eye="R")
    if act == "recall":
        image = desk.records.matched(desk.records.entry(), name="2_R.jpg", content=b"2")
        desk.delivery.turn()
        image = desk.now(image)
    more: dict[str, Any] = {"assign": {"entry": "E1", "eye": "R"}, "discard": {"why": "?"}, "recall": {"why": "?"}}
    seen = image.version
    desk.records.journal.note(image, detail="somebody else was here")
    with pytest.raises(Foreseen) as refused:
        getattr(desk.quarantine, act)(image.id, by=BY, version=seen, **more.get(act, {}))
    assert refused.value.code == "CHANGED"
    assert desk.now(image).state is image.state
    getattr(desk.quarantine, act)(image.id, by=BY, version=seen + 1, **more.get(act, {}))
    assert desk.now(image).state is not image.state


def test_of_two_persons_the_first_decides_and_the_second_is_told(desk: Desk) -> None:
    image = desk.refused()
    desk.quarantine.assign(image.id, "E1", by=BY, eye="R")
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(image.id, "E2", by="another", eye="R")
    assert refused.value.code == "WRONG_STATE"
    assert desk.now(image).entry == "E1"


@pytest.mark.parametrize("why", [Standing.CANCELLED, Standing.REPLACED])
def test_an_order_that_was_withdrawn_can_not_be_chosen(desk: Desk, why: Standing) -> None:
    desk.records.sync(full=False, withdrawn=(Withdrawal("E1", why),))
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(desk.refused().id, "E1", by=BY, eye="R")
    assert refused.value.code == "ORDER_WITHDRAWN"


def test_an_order_that_is_not_there_can_not_be_chosen(desk: Desk) -> None:
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(desk.refused().id, "E9", by=BY, eye="R")
    assert refused.value.code == "NO_SUCH_ENTRY"


def test_what_was_never_spooled_can_be_looked_at_again_and_not_assigned(desk: Desk, clock: Any) -> None:
    journal = desk.records.journal
    image = journal.turn_away(
        desk.records.arrival("link.jpg"), Code.NOT_A_PLAIN_FILE, "a link", arrived=clock.now(), live=True
    )
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.assign(image.id, "E1", by=BY, eye="R")
    assert refused.value.code == "NO_BYTES"
    assert desk.quarantine.release(image.id, by=BY).state is State.SEEN


def test_a_released_image_begins_anew(desk: Desk) -> None:
    image = desk.refused(Code.PROFILE_FAULT)
    released = desk.quarantine.release(image.id, by=BY)
    assert (released.state, released.reason, released.digest) == (State.SETTLED, None, image.digest)


def test_a_receipt_for_somebody_else_is_not_released_away(desk: Desk) -> None:
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.release(desk.refused(Code.RECEIPT_MISMATCH).id, by=BY)
    assert refused.value.code == "NOT_RELEASABLE"


def test_an_order_withdrawn_since_does_not_make_it_releasable(desk: Desk) -> None:
    image = desk.refused(Code.RECEIPT_MISMATCH)
    desk.quarantine.assign(image.id, "E1", by=BY, eye="R")
    desk.records.journal.refuse(desk.now(image), Code.ORDER_WITHDRAWN, "for the test")
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.release(image.id, by=BY)
    assert refused.value.code == "NOT_RELEASABLE"


def test_a_right_receipt_ends_what_a_wrong_one_began(desk: Desk, clock: Any) -> None:
    image = desk.refused(Code.RECEIPT_MISMATCH)
    desk.quarantine.assign(image.id, "E1", by=BY, eye="R")
    clock.advance(60)
    desk.delivery.turn()
    assert desk.now(image).state is State.DELIVERED
    desk.quarantine.recall(image.id, by=BY, why="for the test")
    assert desk.quarantine.release(image.id, by=BY).state is State.SETTLED


def test_what_a_later_receipt_contradicted_is_called_back_and_not_released(desk: Desk) -> None:
    """Released, it would go to the same order again."""
    image = desk.records.matched(desk.records.entry())
    desk.delivery.turn()
    desk.records.journal.contradict(desk.now(image), Code.RECEIPT_MISMATCH, "for the test")
    desk.quarantine.recall(image.id, by=BY, why="for the test")
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.release(image.id, by=BY)
    assert refused.value.code == "NOT_RELEASABLE"


def test_a_discarded_image_keeps_its_bytes_and_can_be_taken_back(desk: Desk) -> None:
    image = desk.refused(Code.NO_KEYS)
    assert desk.quarantine.discard(image.id, by=BY, why="a test picture").state is State.DISCARDED
    assert desk.records.spool.holds(image.digest)
    back = desk.quarantine.undo(image.id, by=BY)
    assert (back.state, back.reason) == (State.QUARANTINED, Code.NO_KEYS)


def test_what_irisdrop_matched_itself_is_not_undone(desk: Desk) -> None:
    image = desk.records.matched(desk.records.entry())
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.undo(image.id, by=BY)
    assert refused.value.code == "NOT_ASSIGNED"


def test_what_is_on_its_way_is_not_undone(desk: Desk, clock: Any) -> None:
    image = desk.quarantine.assign(desk.refused().id, "E1", by=BY, eye="R")
    clock.advance(16)
    desk.records.attempts.begin(desk.now(image))
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.undo(image.id, by=BY)
    assert refused.value.code == "BEING_SENT"


def test_a_recalled_image_corrects_the_platforms_receipt(desk: Desk, clock: Any) -> None:
    image = desk.records.matched(desk.records.entry())
    desk.delivery.turn()
    first = desk.records.attempts.receipt(image.id)
    recalled = desk.quarantine.recall(image.id, by=BY, why="it is Berta's")
    assert (recalled.state, recalled.reason, recalled.replaces) == (
        *(State.QUARANTINED, Code.ASSIGNED_ELSEWHERE),
        first.id,
    )
    desk.quarantine.assign(image.id, "E2", by=BY, eye="L")
    clock.advance(16)
    desk.delivery.turn()
    assert desk.now(image).state is State.DELIVERED
    told = desk.delivery.reference.receipts()
    assert [(one["entry"], one["ImageLaterality"], one.get("replaces")) for one in told] == [
        ("E1", "R", None),
        ("E2", "L", first.id),
    ]
    again = desk.quarantine.recall(image.id, by=BY, why="no, Anna's")
    assert again.replaces == told[1]["id"]


def test_a_correction_whose_acknowledgement_was_lost_makes_one_receipt(desk: Desk, clock: Any) -> None:
    image = desk.records.matched(desk.records.entry())
    desk.delivery.turn()
    desk.quarantine.recall(image.id, by=BY, why="it is Berta's")
    desk.quarantine.assign(image.id, "E2", by=BY, eye="R")
    clock.advance(16)
    desk.delivery.platform.answers = [desk.delivery.platform.loses]
    desk.delivery.drain()
    assert desk.now(image).state is State.DELIVERED
    assert len(desk.delivery.reference.receipts()) == 2
    assert desk.records.attempts.receipt(image.id).entry == "E2"


def test_a_recalled_and_released_image_does_not_correct_by_itself(desk: Desk) -> None:
    image = desk.records.matched(desk.records.entry())
    desk.delivery.turn()
    desk.quarantine.recall(image.id, by=BY, why="look again")
    assert desk.quarantine.release(image.id, by=BY).replaces is None


def test_an_image_elsewhere_is_moved_by_a_person(desk: Desk, clock: Any) -> None:
    """Another agent delivered the same bytes to another order: the refusal brought its receipt."""
    desk.records.matched(desk.records.entry())
    desk.delivery.turn()
    other = desk.records.matched(desk.records.orders.get("E2"), name="000816_R.jpg")
    desk.delivery.turn()
    assert desk.now(other).reason is Code.ASSIGNED_ELSEWHERE
    desk.quarantine.assign(other.id, "E2", by=BY, eye="R")
    clock.advance(16)
    desk.delivery.turn()
    assert desk.now(other).state is State.DELIVERED
    assert [one["entry"] for one in desk.delivery.reference.receipts()] == ["E1", "E2"]


def test_there_is_no_image_of_that_number(desk: Desk) -> None:
    with pytest.raises(Foreseen) as refused:
        desk.quarantine.discard(99, by=BY, why="?")
    assert refused.value.code == "NO_SUCH_IMAGE"
