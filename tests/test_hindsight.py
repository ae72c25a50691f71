"""What an edited profile would have made of past images is told, in a thread that nothing waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_site import PROFILE

from irisdrop.hindsight import Hindsight, moved, summary
from irisdrop.profiles.config import Config, parse_config
from irisdrop.profiles.profile import parse_profile
from irisdrop.record.orders import Orders
from irisdrop.replay import Change, Changed, Replayed
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.decisions import Matched
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event

if TYPE_CHECKING:
    from tests.conftest import FakeClock, Records

OTHER_PATIENT = PROFILE.replace("match:", "clean: {PatientID: [{replace: {'000815': '000816'}}]}\nmatch:")
PREFIXED = PROFILE.replace("'(?P<PatientID>", "'(?:77-)?(?P<PatientID>")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A site with one camera."""
    return parse_config(
        "state: state\nsite: {zone: UTC}\nplatform: {kind: http, url: 'http://127.0.0.1:9'}\n"
        "cameras:\n  - {name: room-2, profile: ./camera.yaml, folder: exports}\n",
        tmp_path / "irisdrop.yaml",
    )


@pytest.fixture
def look(records: Records, config: Config) -> Callable[[str | None], dict[str, str]]:
    """Replays an edited profile, if there is one; returns what is told then, by code."""

    def looked(text: str | None) -> dict[str, str]:
        edited = {} if text is None else {"room-2": parse_profile(text, "camera.yaml")}
        Hindsight(
            config, records.journal, records.orders, records.spool, records.conditions, records.clock, edited
        ).turn(threading.Event())
        assert edited == {}
        return {condition.code: condition.detail for condition in records.conditions.active()}

    return looked


def past(records: Records, number: str, readings: Sequence[Reading], entry: str) -> None:
    """A past image that was matched with an order by PROFILE."""
    profile = parse_profile(PROFILE, "camera.yaml")
    records.journal.keep_profile(profile.digest, profile.name, profile.text)
    image = records.settled(f"{number}_R.jpg", number.encode())
    image = records.journal.identify(image, tuple(readings), profile.digest, "read")
    order = records.orders.get(entry)
    assert order is not None
    decision = Matched(order, "R", None, (), ("PatientID",), (), ())
    records.journal.decide(image, decision, event=Event.MATCH, why="matched")


@pytest.fixture
def two_orders(records: Records, read: Callable[..., tuple[Reading, ...]]) -> None:
    """A past image of one of two patients."""
    records.sync(records.entry("E1"), records.entry("E2", PatientID="000816"))
    past(records, "000815", read(PatientID="000815", ImageLaterality="R"), "E1")


@pytest.mark.usefixtures("two_orders")
def test_an_edit_that_moves_past_images_to_another_order_is_an_error_that_names_them(
    look: Callable[[str | None], dict[str, str]],
) -> None:
    told = look(OTHER_PATIENT)
    assert told["PROFILE_MOVES"] == "image 1"
    assert told["PROFILE_CHANGES"] == "1 moved to another order (of 1 looked at)"
    assert look(PROFILE) == {}


@pytest.mark.usefixtures("two_orders")
def test_an_edit_that_matches_or_refuses_others_is_a_notice(
    records: Records, look: Callable[[str | None], dict[str, str]]
) -> None:
    records.journal.refuse(records.settled("77-000816_R.jpg", b"prefixed"), Code.NO_KEYS, "nothing")
    assert look(PREFIXED) == {"PROFILE_CHANGES": "1 newly matched (of 2 looked at)"}
    refusing = PROFILE.replace(r"\d+)_", r"9\d+)_").replace("000815", "900815")
    assert look(refusing) == {"PROFILE_CHANGES": "1 newly refused (of 2 looked at)"}


@pytest.mark.usefixtures("two_orders")
def test_what_was_told_goes_after_its_time(look: Callable[[str | None], dict[str, str]], clock: FakeClock) -> None:
    look(OTHER_PATIENT)
    clock.advance(timedelta(days=1, hours=1).total_seconds())
    assert set(look(None)) == {"PROFILE_MOVES"}
    clock.advance(timedelta(days=7).total_seconds())
    assert look(None) == {}


def test_the_words_say_how_many_and_what_was_not_looked_at() -> None:
    changed = [Changed(number, "a" * 64, Change.MOVED, "E1", "E2") for number in range(1, 8)]
    found = Replayed(900, 2, whole=False, changed=[*changed, Changed(9, "a" * 64, Change.OTHER_EYE, "E1", "E1")])
    assert summary(found) == (
        "7 moved to another order, 1 moved to the other eye "
        "(of 900 looked at, not all in the time there is, 2 could not be read again)"
    )
    assert moved(found) == "image 1, 2, 3, 4, 5 and 3 more"
    assert summary(Replayed(3)) == "nothing would change (of 3 looked at)"


def test_ten_thousand_past_images_take_less_than_ten_seconds_and_end_at_once_when_told(
    records: Records, config: Config, read: Callable[..., tuple[Reading, ...]]
) -> None:
    clock = SystemClock()
    numbers = [f"{number:06}" for number in range(10_000)]
    records.sync(*(records.entry(f"E{number}", PatientID=number) for number in numbers))
    profile = parse_profile(PROFILE, "camera.yaml")
    records.journal.keep_profile(profile.digest, profile.name, profile.text)
    with records.journal.transaction():
        for at, number in enumerate(numbers):
            arrival = records.arrival(f"{number}_R.jpg")
            image = records.journal.settle(
                arrival, f"{at:064x}", 1, arrived=clock.now().astimezone(UTC), live=True, racy=False
            )
            assert image is not None
            records.journal.identify(image, read(PatientID=number, ImageLaterality="R"), profile.digest, "read")
    edited = {"room-2": parse_profile(OTHER_PATIENT, "camera.yaml")}
    made = Hindsight(config, records.journal, Orders(records.journal.database, clock), records.spool,
                     records.conditions, clock, edited)  # fmt: skip
    begin = time.process_time()  # what other programs of the machine take is not its own
    found = made.replayed("room-2", edited["room-2"], threading.Event())
    assert (found.looked_at, found.whole) == (10_000, True)
    assert time.process_time() - begin < 10
    stopped = threading.Event()
    stopped.set()
    assert made.replayed("room-2", edited["room-2"], stopped).looked_at == 0
    edited.clear()  # another edit took its place
    assert made.replayed("room-2", parse_profile(PROFILE, "camera.yaml"), threading.Event()).looked_at == 0
