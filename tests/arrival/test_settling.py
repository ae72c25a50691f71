"""When a file counts as complete, by handed-in monotonic time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irisdrop.arrival.settling import Pending, Settling, Verdict, next_look, next_try, verdict
from irisdrop.record.known import Fingerprint

SETTLE, GIVE_UP = 2.0, 60.0


def pending(size: int = 100, base: str = "a.jpg", **changes: object) -> Pending:
    arrived = datetime(2025, 1, 14, tzinfo=UTC)
    made = Pending("", base, Fingerprint(size, 1, 1, 1), arrived, live=True, seen=0.0, life=0.0)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def judged(made: Pending, now: float, done: bool | None = None) -> Verdict:
    return verdict(made, now, SETTLE, GIVE_UP, done)


def test_a_file_is_not_taken_before_its_quiet_time_is_over() -> None:
    assert judged(pending(), 1.99) is Verdict.WAIT
    assert judged(pending(), 2.0) is Verdict.READY


def test_an_empty_file_is_never_ready() -> None:
    assert judged(pending(size=0), 59.9) is Verdict.WAIT
    assert judged(pending(size=0), 60.0) is Verdict.GIVE_UP


def test_a_file_without_its_end_waits_until_it_is_given_up() -> None:
    assert judged(pending(incomplete=True), 59.9) is Verdict.WAIT
    assert judged(pending(incomplete=True), 60.0) is Verdict.GIVE_UP


def test_the_companion_replaces_waiting() -> None:
    assert judged(pending(), 0.0, done=True) is Verdict.READY
    assert judged(pending(), 30.0, done=False) is Verdict.WAIT
    assert judged(pending(size=0), 0.0, done=True) is Verdict.WAIT


def test_giving_up_is_never_earlier_than_the_quiet_time() -> None:
    assert verdict(pending(), 1.0, settle=2.0, give_up=0.5, done=None) is Verdict.WAIT


def test_what_is_read_once_more_is_ready_when_it_is_looked_at() -> None:
    assert judged(pending(racy=True), 0.0) is Verdict.READY


def test_a_sign_of_life_begins_the_quiet_time_anew() -> None:
    followed, made = Settling(), pending(incomplete=True)
    followed.add(made, 2.0)
    followed.alive(made, 1.5, SETTLE, Fingerprint(200, 2, 2, 1))
    assert followed.due(2.0, 10) == []
    assert followed.next() == 3.5
    assert followed.due(3.5, 10) == [made]
    assert not made.incomplete


def test_a_file_that_is_being_taken_is_not_due() -> None:
    followed, made = Settling(), pending()
    followed.add(made, 0.0)
    made.taking = True
    assert followed.due(5.0, 10) == []
    assert followed.next() is None


def test_a_file_that_was_let_go_is_not_due() -> None:
    followed, made = Settling(), pending()
    followed.add(made, 0.0)
    followed.drop(made)
    assert followed.due(5.0, 10) == []
    assert len(followed) == 0


def test_at_most_so_many_are_due_at_once() -> None:
    followed = Settling()
    for number in range(5):
        followed.add(pending(base=f"{number}.jpg"), 0.0)
    assert len(followed.due(1.0, 3)) == 3
    assert len(followed.due(1.0, 3)) == 2


def test_a_blocked_file_is_tried_less_and_less_often_but_for_ever() -> None:
    waits = [next_try(pending(blocked=count), 0.0) for count in range(40)]
    assert waits[0] == 0.5
    assert waits == sorted(waits)
    assert waits[-1] == 30.0


@given(
    now=st.floats(0, 1e6),
    life=st.floats(0, 1e6),
    settle=st.floats(0.01, 600),
    give_up=st.floats(0.01, 600),
    size=st.integers(0, 3),
    incomplete=st.booleans(),
)
def test_whoever_must_wait_is_looked_at_again_but_not_in_a_busy_loop(
    now: float, life: float, settle: float, give_up: float, size: int, incomplete: bool
) -> None:
    made = pending(size=size, incomplete=incomplete, life=min(life, now))
    if verdict(made, now, settle, give_up, None) is Verdict.WAIT:
        look = next_look(made, now, settle, give_up)
        assert look >= now
        assert look <= now + max(2.0, settle)
        ends = made.life + max(give_up, settle)
        assert look >= min(now + 0.25, made.life + settle, ends)


@pytest.mark.parametrize("quiet", [0.0, 1.0, 1.999])
def test_age_by_mtime_is_no_proof(quiet: float) -> None:
    """A file whose mtime lies years back is as young as its last sign of life."""
    old = pending()
    old.fingerprint = Fingerprint(100, 1_000_000_000, 1_000_000_000, 1)
    assert judged(old, quiet) is Verdict.WAIT
