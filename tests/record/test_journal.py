"""The journal: a state and its history are one commit, and nobody acts on an old look."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from irisdrop.record.database import Damaged
from irisdrop.record.journal import Journal, StaleImage
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, ImpossibleTransition, State


def test_a_state_and_its_history_are_one_commit(records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    image = records.settled()
    told = records.journal.history(image.id)

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Journal, "_write_history", broken)
    with pytest.raises(RuntimeError):
        records.journal.move(image, Event.IDENTIFY, "irisdrop", "read")
    assert records.journal.get(image.id) == image
    assert records.journal.history(image.id) == told


def test_a_move_that_the_table_does_not_have_changes_nothing(records: Any) -> None:
    image = records.settled()
    with pytest.raises(ImpossibleTransition):
        records.journal.move(image, Event.CONFIRM, "irisdrop", "?")
    assert records.journal.get(image.id) == image


def test_each_change_makes_a_new_version_and_an_old_look_changes_nothing(records: Any) -> None:
    image = records.settled()
    read = records.journal.identify(image, (), "p", "read")
    assert read.version == image.version + 1
    with pytest.raises(StaleImage):
        records.journal.identify(image, (), "p", "read")
    with pytest.raises(StaleImage):
        records.journal.note(image, detail="?")
    assert records.journal.get(image.id) == read


def test_another_process_can_not_act_on_an_old_look_either(records: Any) -> None:
    image = records.settled()
    other = Journal.open(records.state / "journal.db", records.clock)
    other.refuse(other.get(image.id), Code.NO_KEYS, "?", who="a person")
    with pytest.raises(StaleImage):
        records.journal.identify(image, (), "p", "read")
    other.close()


def test_the_journal_tells_every_state_of_an_image_when_by_whom_and_why(records: Any, clock: Any) -> None:
    image = records.settled()
    clock.advance(1)
    image = records.journal.identify(image, (), "p", "read by a profile")
    clock.advance(1)
    image = records.journal.refuse(image, Code.NO_KEYS, "nothing says whose it is")
    clock.advance(60)
    records.journal.move(image, Event.DISCARD, "Dr. Muster", "a test picture")
    told = [
        (step.at.second, step.event, step.before, step.after, step.who, step.why)
        for step in records.journal.history(image.id)
    ]
    assert told == [
        (0, "see", None, "SEEN", "irisdrop", "appeared in the folder"),
        (0, "settle", "SEEN", "SETTLED", "irisdrop", "complete and spooled"),
        (1, "identify", "SETTLED", "IDENTIFIED", "irisdrop", "read by a profile"),
        (2, "refuse", "IDENTIFIED", "QUARANTINED", "irisdrop", "NO_KEYS: nothing says whose it is"),
        (2, "discard", "QUARANTINED", "DISCARDED", "Dr. Muster", "a test picture"),
    ]
    assert records.journal.since(image.id) == clock.now()


def test_the_same_path_and_digest_are_the_same_image_whatever_the_mtime(records: Any) -> None:
    first = records.settled()
    arrival = records.arrival()
    newer = arrival.__class__(**{**_fields(arrival), "fingerprint": arrival.fingerprint._replace(mtime_ns=99)})
    again = records.journal.settle(newer, first.digest, 7, arrived=records.clock.now(), live=True, racy=False)
    assert again is None
    assert records.journal.counts()[State.SETTLED] == 1


def test_new_bytes_at_an_old_path_are_a_new_image(records: Any) -> None:
    first = records.settled(content=b"one")
    second = records.settled(content=b"two")
    assert first.id != second.id
    assert [image.digest for image in records.journal.at_path(first.path)] == [first.digest, second.digest]


def test_the_same_bytes_at_two_paths_are_two_images(records: Any) -> None:
    first, second = records.settled("a_R.jpg"), records.settled("b_R.jpg")
    assert first.digest == second.digest
    assert records.journal.with_digest(first.digest) == [first, second]


def test_a_partial_is_superseded_by_the_file_that_grew_on(records: Any) -> None:
    partial = records.journal.refuse(records.settled(content=b"begin"), Code.UNREADABLE, "it stopped")
    whole = records.settled(content=b"begin and end", grown=True)
    assert records.journal.get(partial.id).state is State.DISCARDED
    assert whole.state is State.SETTLED


def test_a_path_in_no_encoding_is_kept_exactly(records: Any) -> None:
    name = "caf\udce9_R.jpg"
    arrival = records.arrival()
    arrival = arrival.__class__(**{**_fields(arrival), "base": name, "path": f"/exports/{name}"})
    image = records.journal.settle(arrival, "a" * 64, 1, arrived=records.clock.now(), live=True, racy=False)
    assert image.path == f"/exports/{name}"
    assert image.name == "caf\ufffd_R.jpg"


def test_readings_come_back_as_they_were_read_even_what_is_no_unicode(records: Any) -> None:
    readings = (
        Reading("PatientID", "000815", " 815", "exif:0th.X"),
        Reading("PatientName", "\ud800", "\ud800", "sidecar:x"),
        Reading("PatientBirthDate", "31", "31", "filename:PatientBirthDate", "not a date"),
    )
    image = records.identified(*readings)
    assert image.readings == readings
    assert records.journal.get(image.id).readings == readings


def test_stages_page_through_a_state_oldest_first(records: Any) -> None:
    images = [records.settled(f"{number}_R.jpg", str(number).encode()) for number in range(5)]
    first = records.journal.in_state(State.SETTLED, limit=2)
    rest = records.journal.in_state(State.SETTLED, limit=9, beyond=first[-1].id)
    assert [image.id for image in first + rest] == [image.id for image in images]


def test_time_in_the_journal_sorts_as_text_and_comes_back_exactly() -> None:
    moments = [datetime(2, 1, 1, tzinfo=UTC), datetime(2025, 1, 14, 9, 30, tzinfo=UTC)]
    moments.append(moments[-1] + timedelta(microseconds=1))
    assert [moment(stamp(one)) for one in moments] == moments
    assert sorted(map(stamp, reversed(moments))) == list(map(stamp, moments))


def test_counts_name_every_state(records: Any) -> None:
    records.settled()
    assert records.journal.counts() == {state: int(state is State.SETTLED) for state in State}
    assert records.journal.counts_by_camera() == {"room-2": {State.SETTLED: 1}}


def test_a_recovered_image_is_asked_for_before_it_is_sent(records: Any, clock: Any) -> None:
    image = records.journal.recover("room-2", "/x/a.jpg", "a.jpg", "a" * 64, 1, clock.now(), live=True)
    assert (image.state, image.ask_first, image.live) == (State.SETTLED, True, True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE images SET state = 'SETTLEE'",
        "UPDATE images SET readings = '[[]'",
        "UPDATE images SET digest = replace(digest, substr(digest, 1, 1), 'g')",
        "UPDATE images SET digest = NULL",
        "UPDATE images SET reason = 'NO_KEYT'",
    ],
)
def test_a_row_that_nobody_can_have_written_is_damage(records: Any, change: str) -> None:
    records.settled()
    records.journal.check()
    with records.journal.transaction():
        records.journal.database.execute(change)
    with pytest.raises(Damaged):
        records.journal.check()


def test_the_decision_is_kept_with_its_whole_trace(records: Any) -> None:
    image = records.matched()
    kept = json.loads(records.journal.decision(image.id) or "")
    assert kept["decision"] == "matched"
    assert kept["entry"] == "E1"
    assert set(kept) >= {"key_set", "taken", "candidates", "trace", "deciding", "eye"}


def _fields(arrival: Any) -> dict[str, Any]:
    return {name: getattr(arrival, name) for name in ("camera", "folder", "base", "path", "fingerprint")}


@pytest.mark.parametrize("then", ["gone", "another archive", "another file", "the same"])
def test_an_archive_that_was_to_be_looked_at_again_is_not_lost_where_its_file_goes_before(
    records: Any, then: str
) -> None:
    """Its bytes are ours, and nobody would have known whose they are."""
    journal = records.journal
    refused = journal.refuse(records.settled(name="x.zip"), Code.UNREADABLE, "it can't be opened")
    journal.move(refused, Event.RELOOK, "anna", "released", reason=None, detail=None)
    arrival = records.arrival("x.zip")
    if then == "gone":
        journal.vanish(arrival.camera, arrival.folder, arrival.base, arrival.path)
    elif then == "another archive":
        journal.open_archive(arrival, 2, "b" * 64)
    else:
        records.settled(name="x.zip", content=b"another" if then == "another file" else b"picture")
    found = journal.get(refused.id)
    assert (found.state, found.digest) == (
        State.SETTLED if then == "the same" else State.QUARANTINED,
        refused.digest,
    )


def test_an_archive_that_is_opened_after_its_release_is_no_image_any_more(records: Any) -> None:
    refused = records.journal.refuse(records.settled(name="x.zip"), Code.UNREADABLE, "it can't be opened")
    records.journal.move(refused, Event.RELOOK, "anna", "released", reason=None, detail=None)
    records.journal.open_archive(records.arrival("x.zip"), 2, refused.digest)
    found = records.journal.get(refused.id)
    assert (found.state, found.digest) == (State.VANISHED, None)
