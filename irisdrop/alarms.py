"""What is told about single images, until a person has acted: nothing stays red for ever that somebody has dealt with.

Each of these is raised by whoever finds it. It is over when a person gave the image to an order, released, discarded or
recalled it since; when a right receipt came; or where nothing can be done here, after the time in which it should have
been read. What happened stays in the image's history.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import AGENT, Journal
from irisdrop.record.queue import CONTRADICT
from irisdrop.record.text import moment
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.conditions import Condition
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

FRESH: Final = timedelta(minutes=1)  # what it is about may still be on its way into the journal
SUBJECT: Final = "image "
WRONG: Final = (f"{Code.RECEIPT_MISMATCH}: ", f"{Code.REJECTED_BY_PLATFORM}: ")  # why it was refused
ALARMS: Final = ("RECEIPT_ALARM", "RECEIPT_FAILED", "TWIN_CONFLICT", "ORDER_WITHDRAWN_LATE")


class Alarms:
    """Ends the conditions about single images. `late` is how long one is told about which nothing can be done here."""

    def __init__(self, journal: Journal, conditions: Conditions, clock: Clock, late: timedelta) -> None:
        self._journal = journal
        self._conditions = conditions
        self._clock = clock
        self._late = late

    def turn(self) -> None:
        """Every one whose time is over."""
        if not any(self._conditions.subjects(code) for code in ALARMS):
            return
        for condition in self._conditions.active():
            if condition.code in ALARMS and self._over(condition):
                self._conditions.clear(condition.code, condition.subject)

    def _over(self, condition: Condition) -> bool:
        age = self._clock.now() - moment(condition.since)
        if age < FRESH:
            return False
        try:
            image = self._journal.get(int(condition.subject.removeprefix(SUBJECT)))
        except (KeyError, ValueError):
            return True
        if condition.code == "TWIN_CONFLICT":
            return not any(_conflicting(twin) for twin in (image, *self._journal.twins(image)))
        told_long = condition.code == "ORDER_WITHDRAWN_LATE" and age >= self._late
        return told_long or self._dealt_with(condition, image)

    def _dealt_with(self, condition: Condition, image: ImageFile) -> bool:
        """Whether a person, or a right receipt, came after the last of what it tells: that is told once, however often."""
        since, dealt_with = moment(condition.since), False
        for step in self._journal.history(image.id):
            if step.at <= since:
                continue
            if step.who != AGENT or step.event == Event.CONFIRM:
                dealt_with = True
            elif step.event == CONTRADICT or (step.event == Event.REFUSE and step.why.startswith(WRONG)):
                dealt_with = False
        return dealt_with


def _conflicting(image: ImageFile) -> bool:
    return image.state is State.QUARANTINED and image.reason is Code.CONFLICTING_KEYS
