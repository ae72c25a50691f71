"""The life of an image as a literal table; `record.journal` is the only one that moves along it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an image is on its way."""

    SEEN = "SEEN"
    SETTLED = "SETTLED"
    IDENTIFIED = "IDENTIFIED"
    MATCHED = "MATCHED"
    UPLOADED = "UPLOADED"
    DELIVERED = "DELIVERED"
    DUPLICATE = "DUPLICATE"
    QUARANTINED = "QUARANTINED"
    DISCARDED = "DISCARDED"
    VANISHED = "VANISHED"


class Event(StrEnum):
    """What moves an image from one state to the next."""

    SETTLE = "settle"
    VANISH = "vanish"
    IDENTIFY = "identify"
    MATCH = "match"
    RECOGNISE = "recognise"
    UNMATCH = "unmatch"
    UPLOAD = "upload"
    CONFIRM = "confirm"
    RESEND = "resend"
    REFUSE = "refuse"
    # by a person
    RELEASE = "release"
    RELOOK = "relook"  # release of an image that was never spooled: there are no bytes of ours to start from
    ASSIGN = "assign"
    DISCARD = "discard"
    UNDO = "undo"
    RECALL = "recall"
    # by the agent, out of quarantine
    REMATCH = "rematch"  # a late order came
    SUPERSEDE = "supersede"  # a partial whose path grew on


S, E = State, Event

TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (S.SEEN, E.SETTLE): S.SETTLED,
    (S.SEEN, E.VANISH): S.VANISHED,
    (S.SEEN, E.REFUSE): S.QUARANTINED,
    (S.SETTLED, E.IDENTIFY): S.IDENTIFIED,
    (S.SETTLED, E.REFUSE): S.QUARANTINED,
    (S.IDENTIFIED, E.IDENTIFY): S.IDENTIFIED,
    (S.IDENTIFIED, E.MATCH): S.MATCHED,
    (S.IDENTIFIED, E.RECOGNISE): S.DUPLICATE,
    (S.IDENTIFIED, E.REFUSE): S.QUARANTINED,
    (S.MATCHED, E.UPLOAD): S.UPLOADED,
    (S.MATCHED, E.UNMATCH): S.IDENTIFIED,
    (S.MATCHED, E.REFUSE): S.QUARANTINED,
    (S.MATCHED, E.UNDO): S.QUARANTINED,
    (S.UPLOADED, E.CONFIRM): S.DELIVERED,
    (S.UPLOADED, E.RESEND): S.MATCHED,
    (S.UPLOADED, E.REFUSE): S.QUARANTINED,
    (S.DELIVERED, E.RECALL): S.QUARANTINED,
    (S.QUARANTINED, E.RELEASE): S.SETTLED,
    (S.QUARANTINED, E.RELOOK): S.SEEN,
    (S.QUARANTINED, E.ASSIGN): S.MATCHED,
    (S.QUARANTINED, E.DISCARD): S.DISCARDED,
    (S.QUARANTINED, E.REMATCH): S.MATCHED,
    (S.QUARANTINED, E.SUPERSEDE): S.DISCARDED,
    (S.DISCARDED, E.UNDO): S.QUARANTINED,
}

# An image in one of these needs nothing more; its spool file may go after `keep`.
ENDED: Final[frozenset[State]] = frozenset({S.DELIVERED, S.DUPLICATE, S.DISCARDED, S.VANISHED})


class ImpossibleTransition(Exception):
    """The table has no such move: a fault of ours, never of the image."""


def after(state: State, event: Event) -> State:
    """The state that `event` leads to from `state`; raises ImpossibleTransition where the table has none."""
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise ImpossibleTransition(f"{event} is not possible in state {state}") from None
