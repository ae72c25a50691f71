"""SETTLED → MATCHED, with real parsers and a real journal: what waits, what is decided again, and what never stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop import decide as module
from irisdrop import reading
from irisdrop.decide import Decider
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.worklist import Worklist
from irisdrop.platforms import WorklistUnavailable
from irisdrop.profiles.config import parse_config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.reference.retina import draw
from irisdrop.vocabulary.deliveries import Postponed, Receipt
from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State

CONFIG = """
platform: {kind: http, url: "http://127.0.0.1:1/v1"}
worklist: {from: platform}
site: {id: S1, zone: UTC}
cameras: [{name: room-2, profile: topcon-nw400, folder: exports}]
"""


class Platform:
    """Has the receipts that a test gives it, and is never sent anything."""

    def __init__(self) -> None:
        self.has: dict[str, Receipt] = {}
        self.away = False
        self.asked: list[str] = []

    def find(self, digest: str) -> Receipt | Postponed | None:
        self.asked.append(digest)
        return Postponed("no route") if self.away else self.has.get(digest)

    def deliver(self, parcel: Any) -> Any:
        raise AssertionError(parcel)

    def close(self) -> None:
        pass


class Source:
    """Answers what the test tells it to."""

    answer: Any = None

    def changes(self, cursor: str | None) -> WorklistChanges:
        if isinstance(self.answer, WorklistUnavailable):
            raise self.answer
        found, self.answer = self.answer, WorklistChanges((), (), cursor, full=False)
        return found or WorklistChanges((), (), cursor, full=False)

    def close(self) -> None:
        pass


class Room:
    """One decider; images are real JPEGs, told apart by bytes behind their end."""

    def __init__(self, records: Any, folder: Path, profile: DeviceProfile, parsers: Parsers) -> None:
        self.records = records
        self.source, self.platform, self.profile = Source(), Platform(), profile
        self.profiles: dict[str, DeviceProfile] = {"room-2": profile}
        self.picture = draw(5, "R", b"")
        self.config = parse_config(CONFIG, folder / "irisdrop.yaml")
        self.parsers = parsers
        self.open()

    def open(self) -> None:
        """A decider as a start makes it."""
        records = self.records
        self.worklist = Worklist(records.orders, self.source, records.conditions, records.clock, 900.0)
        self.decider = Decider(
            self.config,
            records.journal,
            records.spool,
            self.worklist,
            self.platform,
            records.conditions,
            records.clock,
            self.parsers,
            self.profiles.get,
            lambda: None,
        )

    def sync(self, *entries: Any, full: bool = False, withdrawn: tuple[Withdrawal, ...] = ()) -> None:
        """One answer of the source, and what follows from it."""
        self.source.answer = WorklistChanges(entries, withdrawn, "c", full)
        self.worklist.sync()
        self.decider.finish()

    def settled(self, name: str = "000815_R.jpg", number: int = 0, **more: Any) -> ImageFile:
        image: ImageFile = self.records.settled(name, self.picture + bytes([number]), **more)
        return image

    def decided(self, name: str = "000815_R.jpg", number: int = 0, **more: Any) -> ImageFile:
        image = self.settled(name, number, **more)
        self.decider.finish()
        return self.now(image)

    def now(self, image: ImageFile) -> ImageFile:
        found: ImageFile = self.records.journal.get(image.id)
        return found

    def codes(self) -> set[str]:
        return {row["code"] for row in self.records.journal.database.rows("SELECT code FROM conditions")}


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    running = Parsers(size=2)
    yield running
    running.close()


@pytest.fixture
def room(records: Any, tmp_path: Path, profile: Callable[..., DeviceProfile], parsers: Parsers) -> Iterator[Room]:
    made = Room(records, tmp_path, profile(patience=3600.0, within=86400.0), parsers)
    yield made
    made.decider.close()


def test_an_image_with_its_order_is_matched_with_what_was_read(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    assert (image.state, image.entry, image.eye) == (State.MATCHED, "E1", "R")
    assert {reading.key: reading.value for reading in image.readings} == {"PatientID": "000815", "ImageLaterality": "R"}
    assert [step.event for step in room.records.journal.history(image.id)][-2:] == ["identify", "match"]


def test_an_image_without_order_waits_and_is_matched_when_the_order_comes(room: Room, clock: Any) -> None:
    room.sync(full=True)
    image = room.decided()
    assert image.state is State.IDENTIFIED
    clock.advance(1800)
    room.sync(room.records.entry())
    assert room.now(image).state is State.MATCHED


def test_patience_has_an_end(room: Room, clock: Any) -> None:
    room.sync(full=True)
    image = room.decided()
    for _ in range(61):
        clock.advance(60)
        room.sync()
    now = room.now(image)
    assert (now.state, now.reason) == (State.QUARANTINED, Code.NO_WORKLIST_ENTRY)


def test_patience_stands_still_while_the_list_is_stale(room: Room, clock: Any) -> None:
    room.sync(full=True)
    image = room.decided()
    room.source.answer = WorklistUnavailable("no route")
    for _ in range(100):
        clock.advance(3600)
        assert room.worklist.sync() is None
        room.decider.finish()
    assert room.now(image).state is State.IDENTIFIED
    room.source.answer = None
    room.sync()
    assert room.now(image).state is State.IDENTIFIED
    room.sync(room.records.entry(start=clock.now() - timedelta(hours=100)))
    assert room.now(image).state is State.MATCHED


def test_nothing_is_matched_on_a_stale_list(room: Room, clock: Any) -> None:
    room.sync(room.records.entry())
    clock.advance(901)
    image = room.decided()
    assert image.state is State.IDENTIFIED
    room.sync()
    assert room.now(image).state is State.IDENTIFIED  # nothing changed, but the list is fresh again
    room.decider.entries_changed([])
    room.decider.finish()
    assert room.now(image).state is State.MATCHED


def test_nothing_is_decided_away_before_the_first_sync(room: Room, clock: Any) -> None:
    image = room.decided()
    clock.advance(86400)
    room.decider.finish()
    assert room.now(image).state is State.IDENTIFIED


def test_a_late_order_finds_an_image_that_is_in_quarantine_already(room: Room, clock: Any) -> None:
    room.sync(full=True)
    image = room.decided()
    clock.advance(900)
    room.sync()
    for _ in range(5):
        clock.advance(900)
        room.sync()
    assert room.now(image).reason is Code.NO_WORKLIST_ENTRY
    room.sync(room.records.entry())
    assert room.now(image).state is State.MATCHED
    assert "a late order came" in room.records.journal.history(image.id)[-1].why


def test_a_late_order_comes_too_late_after_seven_days(room: Room, clock: Any) -> None:
    room.sync(full=True)
    image = room.settled()
    room.decider.finish()
    room.records.journal.refuse(room.now(image), Code.NO_WORKLIST_ENTRY, "no order")
    clock.advance(7 * 86400 + 1)
    room.sync(room.records.entry(start=clock.now() - timedelta(days=7)))
    assert room.now(image).state is State.QUARANTINED


def test_a_late_order_is_found_after_a_crash_between_its_sync_and_the_decision(room: Room) -> None:
    """The list was synced by a process that died, or by `worklist sync`: nobody told the decider."""
    room.sync(full=True)
    image = room.decided()
    waiting = room.decided("000816_R.jpg", 1)
    room.records.journal.refuse(room.now(image), Code.NO_WORKLIST_ENTRY, "no order")
    room.records.sync(room.records.entry(), room.records.entry("E2", PatientID="000816"), full=False)
    room.open()
    room.decider.finish()
    assert room.now(image).state is State.MATCHED
    assert room.now(waiting).state is State.MATCHED


def test_what_is_refused_for_another_reason_stays_with_the_person(room: Room) -> None:
    room.sync(room.records.entry("E1"), room.records.entry("E2"))
    image = room.decided()
    assert image.reason is Code.AMBIGUOUS
    room.sync(withdrawn=(Withdrawal("E2", Standing.CANCELLED),))
    assert room.now(image).state is State.QUARANTINED


@pytest.mark.parametrize("why", [Standing.CANCELLED, Standing.REPLACED, Standing.COMPLETED])
def test_an_order_that_is_withdrawn_after_the_match_is_unmatched(room: Room, why: Standing) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.sync(withdrawn=(Withdrawal("E1", why),))
    now = room.now(image)
    assert (now.state, now.entry, now.eye) == (State.IDENTIFIED, None, None)
    told = [step.why for step in room.records.journal.history(image.id) if step.event == "unmatch"]
    assert told == ["its order was withdrawn"]


def test_an_order_that_was_replaced_hands_its_image_to_the_new_one(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.sync(room.records.entry("E2"), withdrawn=(Withdrawal("E1", Standing.REPLACED),))
    now = room.now(image)
    assert (now.state, now.entry) == (State.MATCHED, "E2")


def test_an_order_that_became_another_patients_is_unmatched(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.sync(room.records.entry(PatientID="000816"))
    assert room.now(image).state is State.IDENTIFIED


def test_an_order_that_was_changed_and_still_fits_keeps_its_image(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.sync(room.records.entry(PatientName="Muster^Anna"))
    now = room.now(image)
    assert now.state is State.MATCHED
    room.records.attempts.begin(now)


def test_a_persons_order_that_changed_or_was_withdrawn_goes_back_to_a_person(room: Room) -> None:
    room.sync(room.records.entry())
    images = [room.decided(), room.decided("000815_L.jpg", 1)]
    for image in images:
        room.records.journal.note(image, assigned_by="Dr. Muster")
    room.sync(room.records.entry(PatientID="000816"))
    for image in images:
        now = room.now(image)
        assert (now.state, now.reason) == (State.QUARANTINED, Code.ORDER_WITHDRAWN)


def test_what_is_on_its_way_is_left_alone(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.records.attempts.begin(image)
    room.sync(withdrawn=(Withdrawal("E1", Standing.CANCELLED),))
    assert room.now(image).state is State.MATCHED


def test_an_order_that_is_withdrawn_after_delivery_is_told(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.records.attempts.confirm(image, Receipt("r1", image.digest or "", "E1", "R", "now"), "receipt")
    room.sync(withdrawn=(Withdrawal("E1", Standing.CANCELLED),))
    assert room.codes() == {"ORDER_WITHDRAWN_LATE"}
    assert room.now(image).state is State.DELIVERED


def test_an_order_that_is_completed_after_delivery_is_as_it_should_be(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    room.records.attempts.confirm(image, Receipt("r1", image.digest or "", "E1", "R", "now"), "receipt")
    room.sync(withdrawn=(Withdrawal("E1", Standing.COMPLETED),))
    assert room.codes() == set()


def test_the_same_picture_again_is_a_duplicate(room: Room) -> None:
    room.sync(room.records.entry())
    room.decided("a/000815_R.jpg")
    again = room.decided("b/000815_R.jpg")
    assert again.state is State.DUPLICATE


def test_the_same_picture_with_another_name_is_a_conflict_and_its_twin_is_told(room: Room) -> None:
    room.sync(room.records.entry(), room.records.entry("E2", PatientID="000816"))
    first = room.decided("000815_R.jpg")
    again = room.decided("000816_R.jpg")
    assert (again.state, again.reason) == (State.QUARANTINED, Code.CONFLICTING_KEYS)
    assert room.now(first).state is State.MATCHED
    assert "TWIN_CONFLICT" in room.codes()


def test_two_exports_of_the_same_bytes_at_once_are_one_and_its_duplicate(room: Room) -> None:
    room.sync(room.records.entry())
    images = [room.settled(f"{number}/000815_R.jpg") for number in range(20)]
    room.decider.finish()
    states = sorted(str(room.now(image).state) for image in images)
    assert states == ["DUPLICATE"] * 19 + ["MATCHED"]


def test_what_can_not_be_read_has_its_reason_and_never_no_keys(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.records.settled("000815_R.jpg", b"this is no picture")
    room.decider.finish()
    assert room.now(image).reason in (Code.NOT_AN_IMAGE, Code.UNREADABLE)


def test_damaged_bytes_are_mended_from_the_source_and_read(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.settled()
    room.records.spool.file(image.digest).unlink()
    room.decider.finish()
    room.decider.finish()
    assert room.now(image).state is State.MATCHED


def test_bytes_that_are_gone_with_their_source_are_unreadable(room: Room) -> None:
    image = room.settled()
    room.records.spool.file(image.digest).unlink()
    Path(image.path).unlink()
    room.decider.finish()
    assert (room.now(image).state, room.now(image).reason) == (State.QUARANTINED, Code.UNREADABLE)


def test_a_failure_of_ours_is_a_condition_and_no_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.sync(room.records.entry())
    sound, poison = room.settled("000815_R.jpg", 1), room.settled("000815_L.jpg", 2)
    real = reading.identify

    def breaks(profile: Any, export: Any, parsers: Any) -> Any:
        if export.name == "000815_L.jpg":
            raise PermissionError
        return real(profile, export, parsers)

    monkeypatch.setattr(reading, "identify", breaks)
    room.decider.turn()
    for _ in range(20):
        room.decider.turn()
    assert room.now(sound).state is State.MATCHED
    assert room.now(poison).state is State.SETTLED
    assert room.codes() == {"STAGE_FAILED"}
    monkeypatch.setattr(reading, "identify", real)
    room.decider.finish()
    assert room.now(poison).state is State.MATCHED
    assert room.codes() == set()


def test_a_decision_that_fails_is_for_a_person_and_holds_nobody_up(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.sync(room.records.entry())
    real = module.match

    def breaks(readings: Any, *args: Any) -> Any:
        if any(reading.value == "L" for reading in readings):
            raise OverflowError("1961-02-03")
        return real(readings, *args)

    monkeypatch.setattr(module, "match", breaks)
    sound, poison = room.settled("000815_R.jpg", 1), room.settled("000815_L.jpg", 2)
    room.decider.finish()
    assert room.now(sound).state is State.MATCHED
    now = room.now(poison)
    assert (now.state, now.reason, now.detail) == (
        *(State.QUARANTINED, Code.PROFILE_FAULT),
        "deciding failed (OverflowError)",
    )


def test_what_waits_is_read_again_by_a_profile_that_was_edited(
    room: Room, profile: Callable[..., DeviceProfile]
) -> None:
    room.sync(room.records.entry(PatientID="815"))
    image = room.decided()
    assert image.state is State.IDENTIFIED
    room.profiles["room-2"] = profile(
        more="clean: {PatientID: [{strip_prefix: '000'}]}\n", within=None, patience=3600.0
    )
    room.decider.finish()
    now = room.now(image)
    assert (now.state, now.entry) == (State.MATCHED, "E1")
    assert now.profile == room.profiles["room-2"].digest != image.profile


# Cameras write the number with a 0 in front; until the edit a profile kept it, and it was somebody else's number.
MENDED = "clean: {PatientID: [{strip_prefix: '0'}]}\n"


def test_what_the_former_profile_read_is_not_decided_by_the_edited_one_when_an_order_comes_at_once(
    room: Room, profile: Callable[..., DeviceProfile]
) -> None:
    room.sync(full=True)
    image = room.decided()
    room.profiles["room-2"] = profile(more=MENDED, patience=3600.0, within=86400.0)
    room.sync(room.records.entry("E1"), room.records.entry("E2", PatientID="00815"))
    now = room.now(image)
    assert (now.entry, now.profile) == ("E2", room.profiles["room-2"].digest)


def test_an_order_that_changed_hands_its_image_on_by_what_the_edited_profile_reads(
    room: Room, profile: Callable[..., DeviceProfile]
) -> None:
    room.sync(room.records.entry("E1"))
    image = room.decided()
    assert image.entry == "E1"
    room.profiles["room-2"] = profile(more=MENDED, patience=3600.0, within=86400.0)
    room.sync(room.records.entry("E1", PatientID="000999"), room.records.entry("E2"))
    assert room.now(image).state is State.IDENTIFIED
    assert {r.value for r in room.now(image).readings if r.key == "PatientID"} == {"00815"}


@pytest.mark.parametrize("others", [{}, {"E2": "00815"}])
def test_a_late_order_is_never_matched_by_what_the_former_profile_read(
    room: Room, clock: Any, profile: Callable[..., DeviceProfile], others: dict[str, str]
) -> None:
    room.sync(full=True)
    image = room.decided()
    for _ in range(6):
        clock.advance(900)
        room.sync()
    assert room.now(image).reason is Code.NO_WORKLIST_ENTRY
    room.profiles["room-2"] = profile(more=MENDED, patience=3600.0, within=86400.0)
    room.sync(room.records.entry("E1"), *(room.records.entry(one, PatientID=number) for one, number in others.items()))
    assert room.now(image).entry == next(iter(others), None)


def test_a_late_order_that_the_edited_profile_reads_too_is_matched_by_it(
    room: Room, clock: Any, profile: Callable[..., DeviceProfile]
) -> None:
    room.sync(full=True)
    image = room.decided()
    for _ in range(6):
        clock.advance(900)
        room.sync()
    room.profiles["room-2"] = profile(more="clean: {PatientID: [trim]}\n", patience=3600.0, within=86400.0)
    room.sync(room.records.entry("E1"))
    now = room.now(image)
    assert (now.state, now.entry, now.profile) == (State.MATCHED, "E1", room.profiles["room-2"].digest)


def test_a_camera_that_is_configured_no_more_keeps_the_clock_that_it_had(room: Room, clock: Any) -> None:
    """Its images go on to their end, and by the time that its clock shows they may be another order's."""
    room.records.journal.use_clock("room-2", timedelta(days=2))
    room.config = parse_config(CONFIG.replace("room-2", "room-3"), room.config.path)
    room.decider.close()
    room.open()
    taken = (clock.now() - timedelta(days=2)).isoformat()
    image = room.records.identified(Reading("AcquisitionDateTime", taken, taken, "filename:AcquisitionDateTime"))
    decision = room.decider.decision(image, room.profile)
    assert decision.taken is not None
    assert decision.taken.begin == clock.now()


def test_an_order_that_comes_with_a_changed_companion_is_not_matched_by_the_former_one(
    room: Room, read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be read again is not decided before it was."""
    room.sync(full=True)
    image = room.decided()
    journal = room.records.journal
    journal.note(image, profile=None, readings=read(PatientID="000999", ImageLaterality="R"))
    with monkeypatch.context() as busy:
        busy.setattr(room.decider, "_read", lambda _: None)
        room.sync(room.records.entry(PatientID="000999"))
        assert room.now(image).state is State.IDENTIFIED
    room.sync(room.records.entry("E2"))
    assert room.now(image).entry == "E2"


def test_what_is_matched_or_in_quarantine_keeps_its_decision_when_the_profile_is_edited(
    room: Room, profile: Callable[..., DeviceProfile]
) -> None:
    room.sync(room.records.entry())
    matched, refused = room.decided(), room.decided("000816_X.jpg", 1)
    assert refused.reason is Code.EYE_UNKNOWN
    room.profiles["room-2"] = profile(more="clean: {PatientID: [{strip_prefix: '000'}]}\n")
    room.decider.finish()
    assert room.now(matched) == matched
    assert room.now(refused) == refused


# ---------------------------------------------------------------------- recovered images


def recovered(room: Room, name: str = "000815_R.jpg", number: int = 0) -> ImageFile:
    return room.settled(name, number, ask_first=True)


def test_recovered_bytes_that_the_platform_has_are_delivered_without_an_order_on_the_list(room: Room) -> None:
    room.sync(full=True)
    image = recovered(room)
    receipt = Receipt("r1", image.digest or "", "E-old", "R", "then", patient_id="000815")
    room.platform.has[image.digest or ""] = receipt
    room.decider.finish()
    assert room.now(image).state is State.DELIVERED
    assert room.records.attempts.receipt(image.id).id == "r1"


def test_recovered_bytes_that_the_platform_does_not_have_go_the_usual_way(room: Room) -> None:
    room.sync(room.records.entry())
    image = recovered(room)
    room.decider.finish()
    assert room.platform.asked == [image.digest]
    now = room.now(image)
    assert (now.state, now.ask_first) == (State.MATCHED, True)


def test_recovered_bytes_wait_while_the_platform_can_not_say(room: Room, clock: Any) -> None:
    room.sync(room.records.entry())
    image = recovered(room)
    room.platform.away = True
    room.decider.turn()
    clock.advance(2)
    room.decider.turn()
    assert len(room.platform.asked) == 1  # once in a while
    assert room.now(image).state is State.SETTLED
    assert room.codes() == {"PLATFORM_UNREACHABLE"}
    room.platform.away = False
    clock.advance(6)
    room.decider.finish()
    assert room.now(image).state is State.MATCHED
    assert room.codes() == set()


def test_a_receipt_for_somebody_else_does_not_deliver_a_recovered_image(room: Room) -> None:
    """Another export of the same bytes earned it: this one is asked about again before it is sent, and refused."""
    room.sync(room.records.entry())
    image = recovered(room)
    receipt = Receipt("r1", image.digest or "", "E9", "R", "then", patient_id="000816")
    room.platform.has[image.digest or ""] = receipt
    room.decider.finish()
    now = room.now(image)
    assert (now.state, now.entry, now.ask_first) == (State.MATCHED, "E1", True)


def test_of_two_recovered_exports_of_the_same_bytes_only_one_has_the_receipt(room: Room) -> None:
    room.sync(full=True)
    first, second = recovered(room, "000815_R.jpg"), recovered(room, "000816_R.jpg")
    room.platform.has[first.digest or ""] = Receipt("r1", first.digest or "", "E1", "R", "then", patient_id="000815")
    room.decider.finish()
    assert room.now(first).state is State.DELIVERED
    assert room.now(second).reason is Code.CONFLICTING_KEYS


def test_a_restart_decides_nothing_twice(room: Room) -> None:
    room.sync(room.records.entry())
    image = room.decided()
    decision = room.records.journal.decision(image.id)
    room.open()
    room.decider.finish()
    assert room.now(image) == image
    assert room.records.journal.decision(image.id) == decision


# ---------------------------------------------------------------------- at rest


def test_while_nothing_waits_it_asks_only_whether_anything_changed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """And sees what another process wrote, which can wake nobody."""
    turns, ticks, stop = [0], [0], threading.Event()
    turn, pause = room.decider.turn, threading.Event()

    def counted() -> bool:
        turns[0] += 1
        return turn()

    def wait(event: threading.Event, seconds: float) -> bool:
        ticks[0] += 1
        return event.wait(seconds / 250)

    monkeypatch.setattr(room.decider, "turn", counted)
    monkeypatch.setattr(room.records.clock, "wait", wait)
    room.sync(room.records.entry())
    thread = threading.Thread(target=room.decider.run, args=(stop,), daemon=True)
    thread.start()
    while ticks[0] < 20:
        pause.wait(0.02)
    assert turns[0] <= 3
    image = room.settled()
    for _ in range(1200):
        if room.records.journal.get(image.id).state is State.MATCHED:
            break
        pause.wait(0.05)
    assert room.records.journal.get(image.id).state is State.MATCHED
    stop.set()
    room.decider.woken.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_decider_that_is_told_to_stop_just_before_it_forgets_who_woke_it_ends(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, woken = threading.Event(), room.decider.woken
    forget = woken.clear

    def told_in_between() -> None:
        stop.set()
        woken.set()
        forget()

    monkeypatch.setattr(woken, "clear", told_in_between)
    monkeypatch.setattr(room.records.clock, "wait", lambda event, seconds: event.wait(min(seconds, 0.05)))
    thread = threading.Thread(target=room.decider.run, args=(stop,), daemon=True)
    thread.start()
    thread.join(20)
    ended = not thread.is_alive()
    woken.set()
    thread.join(20)
    assert ended


def test_what_came_last_is_read_first(room: Room, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room.sync(full=True)
    images = []
    for number in range(100):
        images.append(room.settled(f"{number:06}_R.jpg", number))
        clock.advance(1)
    given: list[int] = []
    give = room.decider._readers.give

    def noted(some: list[ImageFile]) -> None:
        given.extend(image.id for image in some)
        give(some)

    monkeypatch.setattr(room.decider._readers, "give", noted)
    room.decider.finish()
    assert given == [image.id for image in reversed(images)]
    assert {room.now(image).state for image in images} == {State.IDENTIFIED}


def test_a_backlog_that_waited_for_its_orders_is_decided_in_a_few_commits_and_the_newest_first(
    room: Room, clock: Any
) -> None:
    room.sync(full=True)
    images = []
    for number in range(40):
        images.append(room.settled(f"{number:06}_R.jpg", number))
        clock.advance(1)
    room.decider.finish()
    assert {room.now(image).state for image in images} == {State.IDENTIFIED}
    room.source.answer = WorklistChanges(
        tuple(room.records.entry(f"E{number}", PatientID=f"{number:06}") for number in range(40)), (), "c", full=False
    )
    room.worklist.sync()
    database, commits = room.records.journal.database, []
    database._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    room.decider.finish()
    database._connection.set_trace_callback(None)
    assert {room.now(image).state for image in images} == {State.MATCHED}
    assert len(commits) < 10
    rows = database.rows("SELECT image FROM history WHERE event = 'match' ORDER BY id")
    assert [row["image"] for row in rows] == [image.id for image in reversed(images)]
