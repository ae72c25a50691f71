"""The life of an image, written a second time."""

from __future__ import annotations

import pytest

from irisdrop.vocabulary.states import ENDED, TRANSITIONS, Event, ImpossibleTransition, State, after

TABLE = """
SEEN         settle     SETTLED
SEEN         vanish     VANISHED
SEEN         refuse     QUARANTINED
SETTLED      identify   IDENTIFIED
SETTLED      refuse     QUARANTINED
IDENTIFIED   identify   IDENTIFIED
IDENTIFIED   match      MATCHED
IDENTIFIED   recognise  DUPLICATE
IDENTIFIED   refuse     QUARANTINED
MATCHED      upload     UPLOADED
MATCHED      unmatch    IDENTIFIED
MATCHED      refuse     QUARANTINED
MATCHED      undo       QUARANTINED
UPLOADED     confirm    DELIVERED
UPLOADED     resend     MATCHED
UPLOADED     refuse     QUARANTINED
DELIVERED    recall     QUARANTINED
QUARANTINED  release    SETTLED
QUARANTINED  relook     SEEN
QUARANTINED  assign     MATCHED
QUARANTINED  discard    DISCARDED
QUARANTINED  rematch    MATCHED
QUARANTINED  supersede  DISCARDED
DISCARDED    undo       QUARANTINED
"""

ROWS = [tuple(line.split()) for line in TABLE.split("\n") if line]


def test_the_table_is_the_one_of_the_design() -> None:
    assert {(str(state), str(event), str(to)) for (state, event), to in TRANSITIONS.items()} == set(ROWS)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_what_is_not_in_the_table_is_impossible(state: State, event: Event) -> None:
    lead = {(before, name): to for before, name, to in ROWS}
    if (str(state), str(event)) in lead:
        assert after(state, event) == lead[(str(state), str(event))]
    else:
        with pytest.raises(ImpossibleTransition):
            after(state, event)


def test_a_duplicate_and_a_vanished_image_are_at_their_end_for_ever() -> None:
    left = {str(state) for state, _ in TRANSITIONS}
    assert {str(state) for state in State} - left == {"DUPLICATE", "VANISHED"}


def test_only_ended_images_let_their_bytes_go() -> None:
    assert sorted(ENDED) == ["DELIVERED", "DISCARDED", "DUPLICATE", "VANISHED"]


def test_nothing_is_delivered_that_was_not_uploaded_and_nothing_uploaded_without_an_order() -> None:
    assert {state for (state, _), to in TRANSITIONS.items() if to is State.DELIVERED} == {State.UPLOADED}
    assert {state for (state, _), to in TRANSITIONS.items() if to is State.UPLOADED} == {State.MATCHED}
