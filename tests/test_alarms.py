"""What is told about an image ends when somebody has dealt with it, and not before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from irisdrop.alarms import Alarms
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event

WEEK = timedelta(days=7)
BY = "Dr. Muster"


def told(records: Any) -> list[str]:
    """What is still told, two minutes later."""
    records.clock.advance(120)
    Alarms(records.journal, records.conditions, records.clock, WEEK).turn()
    return [condition.code for condition in records.conditions.active()]


def delivered(records: Any) -> ImageFile:
    """A delivered image."""
    image = records.matched()
    found: ImageFile = records.attempts.confirm(image, Receipt("r1", image.digest or "", "E1", "R", "then"), "receipt")
    return found


@pytest.mark.parametrize("code", ["RECEIPT_ALARM", "RECEIPT_FAILED"])
@pytest.mark.parametrize("act", ["assign", "discard"])
def test_a_wrong_receipt_is_told_until_a_person_decides(records: Any, code: str, act: str) -> None:
    image = records.journal.refuse(records.matched(), Code.RECEIPT_MISMATCH, "for the test")
    records.conditions.raise_(code, f"image {image.id}")
    assert told(records) == [code]
    records.journal.move(image, Event(act), BY, "decided", **({"entry": "E1", "eye": "R"} if act == "assign" else {}))
    assert told(records) == []


def test_a_wrong_receipt_of_a_delivered_image_is_told_until_it_is_called_back(records: Any) -> None:
    image = delivered(records)
    records.conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
    records.journal.contradict(image, Code.RECEIPT_MISMATCH, "for the test")
    assert told(records) == ["RECEIPT_ALARM"]
    records.journal.move(image, Event.RECALL, BY, "wrong", reason=Code.ASSIGNED_ELSEWHERE)
    assert told(records) == []


def test_what_a_person_did_before_ends_nothing(records: Any) -> None:
    image = records.journal.refuse(records.identified(), Code.NO_KEYS, "for the test")
    image = records.journal.move(image, Event.RELEASE, BY, "again")
    image = records.journal.refuse(image, Code.RECEIPT_MISMATCH, "for the test")
    records.clock.advance(1)
    records.conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
    assert told(records) == ["RECEIPT_ALARM"]


def test_twins_are_told_until_the_one_in_quarantine_was_decided(records: Any) -> None:
    first = delivered(records)
    records.conditions.raise_("TWIN_CONFLICT", f"image {first.id}", "for the test")
    second = records.journal.refuse(records.identified(name="again.jpg"), Code.CONFLICTING_KEYS, "for the test")
    assert told(records) == ["TWIN_CONFLICT"]
    records.journal.move(second, Event.DISCARD, BY, "the same")
    assert told(records) == []


def test_what_is_not_in_the_journal_yet_ends_nothing(records: Any) -> None:
    """It is raised in the commit before."""
    first = delivered(records)
    records.conditions.raise_("TWIN_CONFLICT", f"image {first.id}", "for the test")
    Alarms(records.journal, records.conditions, records.clock, WEEK).turn()
    assert [condition.code for condition in records.conditions.active()] == ["TWIN_CONFLICT"]


def test_an_order_that_was_withdrawn_late_is_told_for_as_long_as_a_late_order_may_come(records: Any) -> None:
    image = delivered(records)
    records.conditions.raise_("ORDER_WITHDRAWN_LATE", f"image {image.id}")
    assert told(records) == ["ORDER_WITHDRAWN_LATE"]
    records.clock.advance(WEEK.total_seconds())
    assert told(records) == []


def test_other_conditions_are_left_alone(records: Any) -> None:
    records.conditions.raise_("ONE_EYE_ONLY", "image 1", "the right eye alone")
    assert told(records) == ["ONE_EYE_ONLY"]


@pytest.mark.parametrize("again", ["refused", "contradicted"])
def test_a_wrong_receipt_that_comes_soon_after_a_persons_decision_is_told(records: Any, again: str) -> None:
    """It is still told for the first one: nobody looked in between."""
    image = records.journal.refuse(records.matched(), Code.RECEIPT_MISMATCH, "for the test")
    records.conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
    records.clock.advance(3600)
    image = records.journal.move(image, Event.ASSIGN, BY, "decided", entry="E1", eye="R")
    records.clock.advance(20)
    if again == "refused":
        records.journal.refuse(image, Code.RECEIPT_MISMATCH, "for the test")
    else:
        image = records.attempts.confirm(image, Receipt("r1", image.digest or "", "E1", "R", "then"), "receipt")
        records.clock.advance(1)
        records.journal.contradict(image, Code.RECEIPT_MISMATCH, "for the test")
    records.conditions.raise_("RECEIPT_ALARM", f"image {image.id}")
    assert told(records) == ["RECEIPT_ALARM"]
