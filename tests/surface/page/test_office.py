"""What a person decides is done to all of the seen images or to none, as they were seen, and stands in the history."""

from __future__ import annotations

from typing import Any

import pytest

from irisdrop.record.journal import StaleImage
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State


def seen(images: Any) -> list[tuple[int, int]]:
    return [(image.id, image.version) for image in images]


def test_an_exam_goes_to_its_order_and_the_history_says_who_gave_it(clinic: Any) -> None:
    order = clinic.order("00815", "Muster^Anna")
    images = clinic.exam()
    clinic.office.assign(seen(images), clinic.choice(order), {}, "anna", frozenset())
    for image in images:
        now = clinic.journal.get(image.id)
        assert (now.state, now.entry, now.eye, now.assigned_by) == (
            State.MATCHED,
            order,
            image.readings[1].value,
            "anna",
        )
        assert clinic.journal.history(image.id)[-1].who == "anna"
    assert clinic.woken, "the agent is told at once"


def test_a_corrected_eye_goes_and_the_one_that_was_read_stays(clinic: Any) -> None:
    order, image = clinic.order("00815", "Muster^Anna"), clinic.refused(eye=None)
    clinic.office.assign(seen([image]), clinic.choice(order), {image.id: "L"}, "anna", frozenset())
    assert clinic.journal.get(image.id).eye == "L"
    other = clinic.refused(eye="R")
    clinic.office.assign(
        seen([other]), clinic.choice(order), {other.id: "L"}, "anna", frozenset({Code.CONFLICTING_KEYS})
    )
    now = clinic.journal.get(other.id)
    assert now.eye == "L" and ("ImageLaterality", "R") in {(r.key, r.value) for r in now.readings}


def test_a_stale_page_does_nothing_to_any_image(clinic: Any) -> None:
    order, images = clinic.order("00815", "Muster^Anna"), clinic.exam()
    looked_at = seen(images)
    clinic.office.discard(seen([images[2]]), "bert", "a test picture")
    for act in (
        lambda: clinic.office.assign(looked_at, clinic.choice(order), {}, "anna", frozenset()),
        lambda: clinic.office.release(looked_at, "anna"),
        lambda: clinic.office.discard(looked_at, "anna", "blurred"),
        lambda: clinic.office.undo(looked_at, "anna"),
    ):
        with pytest.raises(StaleImage):
            act()
    states = [clinic.journal.get(image.id).state for image in images]
    assert states == [State.QUARANTINED, State.QUARANTINED, State.DISCARDED, State.QUARANTINED]


def test_one_image_that_can_t_be_assigned_keeps_all_of_them(clinic: Any) -> None:
    order = clinic.order("00815", "Muster^Anna")
    images = [*clinic.exam(eyes="R"), clinic.refused(eye=None)]
    with pytest.raises(Foreseen):
        clinic.office.assign(seen(images), clinic.choice(order), {}, "anna", frozenset())
    assert {clinic.journal.get(image.id).state for image in images} == {State.QUARANTINED}


def test_a_decision_is_taken_back(clinic: Any) -> None:
    order, images = clinic.order("00815", "Muster^Anna"), clinic.exam()
    done = clinic.office.assign(seen(images), clinic.choice(order), {}, "anna", frozenset())
    clinic.office.undo(seen(done), "anna")
    assert {clinic.journal.get(image.id).state for image in images} == {State.QUARANTINED}
    done = clinic.office.discard(seen([clinic.journal.get(image.id) for image in images]), "anna", "blurred")
    clinic.office.undo(seen(done), "anna")
    assert len(clinic.office.quarantine()) == 1


def test_what_needs_a_person_is_seen_in_one_look(clinic: Any) -> None:
    assert clinic.office.standing().face == "well"
    clinic.exam()
    standing = clinic.office.standing()
    assert (standing.face, standing.exams) == ("person", 1)
    clinic.office.conditions.raise_("PLATFORM_DENIED", "platform")
    assert clinic.office.standing().face == "broken"


def test_a_pause_lasts_until_somebody_resumes_and_says_who_paused(clinic: Any) -> None:
    clinic.office.pause("anna")
    assert clinic.office.standing().paused_by == "anna"
    assert [condition.code for condition in clinic.office.conditions.active()] == ["PAUSED"]
    clinic.office.resume("anna")
    assert not clinic.office.standing().paused_by and not clinic.office.conditions.active()


def test_a_camera_that_fell_silent_while_patients_are_due_is_told(clinic: Any, monkeypatch: Any) -> None:
    from datetime import timedelta

    clinic.settled(b"\xff\xd8 an image", name="a.jpg")
    clinic.order("1", "Muster^Anna", minutes=50)
    later = clinic.clock.now() + timedelta(minutes=60)
    monkeypatch.setattr(clinic.office, "today", lambda: later - timedelta(hours=4))
    assert clinic.office.standing().silent == ()
    monkeypatch.setattr(clinic.clock, "now", lambda: later)
    assert clinic.office.standing().silent == ("room-2",)


def test_how_all_is_is_looked_at_once_for_all_who_ask_until_something_changed_or_ten_seconds_are_over(
    clinic: Any, monkeypatch: Any
) -> None:
    """A tray icon on every desk asks every two seconds, day and night."""
    from datetime import timedelta

    now, looks = [clinic.clock.now()], []
    counts = clinic.office.journal.counts
    monkeypatch.setattr(clinic.clock, "now", lambda: now[0])
    monkeypatch.setattr(clinic.office.journal, "counts", lambda: looks.append(1) or counts())
    assert clinic.office.known_standing() is None
    for _ in range(5):
        assert clinic.office.standing().face == "well"
    assert len(looks) == 1
    clinic.settled(b"\xff\xd8 an image", name="a.jpg")  # by another connection
    assert clinic.office.known_standing() is None
    assert clinic.office.standing().face == "working"
    assert clinic.office.known_standing() is not None
    now[0] += timedelta(seconds=10)
    assert clinic.office.known_standing() is None
    clinic.office.standing()
    now[0] -= timedelta(hours=1)  # the clock was set
    assert clinic.office.known_standing() is None
    assert len(looks) == 3


def test_the_worklist_is_found_by_name_number_and_birth_date(clinic: Any) -> None:
    clinic.order("000815", "Müller-Lüdenscheidt^Jörg", born="1961-03-07")
    clinic.order("4711", "Muster^Anna", born="1999-12-31")

    def found(text: str) -> list[str]:
        return [entry.keys["PatientID"] for entry in clinic.office.overview.search(text)]

    for text in ("müller", "MULLER", "jorg mull", "0815", "7.3.1961", "1961-03", "07/03/1961", "mul 000815"):
        assert found(text) == ["000815"], text
    for text in ("", "%", "_", "mul 4711", "nobody", "'; --"):
        assert found(text) == [], text
