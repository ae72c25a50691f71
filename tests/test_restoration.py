"""A copy that can't be read back is told, and comes again by itself as soon as its bytes are anywhere."""

from __future__ import annotations

import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from irisdrop.arrival.members import member_blocks
from irisdrop.profiles.config import After, CameraSettings
from irisdrop.record.copies import LOST
from irisdrop.record.journal import AGENT
from irisdrop.record.spool import Origin
from irisdrop.recovery import moved
from irisdrop.restoration import Restoration
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State


@pytest.fixture
def restoration(records: Any) -> Restoration:
    return Restoration(records.journal, records.spool, records.conditions, records.clock)


def lost(records: Any, name: str = "1_R.jpg", content: bytes = b"picture 1", **changes: Any) -> ImageFile:
    """An image whose copy lost its bytes while its source had gone."""
    image = records.matched(name=name, content=content)
    records.spool.file(image.digest).write_bytes(b"pictur? 1")
    Path(image.path).unlink()
    refused: ImageFile = records.journal.refuse(image, Code.UNREADABLE, LOST, **changes)
    return refused


def state(records: Any, image: ImageFile) -> State:
    found: State = records.journal.get(image.id).state
    return found


def test_it_is_told_with_what_to_do_and_stays_until_its_bytes_are_there(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    restoration.turn()
    assert state(records, image) is State.QUARANTINED
    assert [one.detail for one in records.conditions.active() if one.code == "SPOOL_UNREADABLE"] == ["1 images"]
    assert "put it there again" in (records.journal.get(image.id).detail or "")


def test_a_disk_that_reads_again_needs_no_person(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    restoration.turn()
    records.spool.file(image.digest).write_bytes(b"picture 1")
    records.clock.advance(60)
    restoration.turn()
    assert state(records, image) is State.SETTLED
    assert records.conditions.subjects("SPOOL_UNREADABLE") == []


def test_a_file_that_is_put_back_mends_its_copy(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    restoration.turn()
    Path(image.path).write_bytes(b"picture 1")
    records.clock.advance(60)
    restoration.turn()
    assert state(records, image) is State.SETTLED
    assert records.spool.sound(image.digest)


def test_another_picture_under_its_name_mends_nothing(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    Path(image.path).write_bytes(b"picture 2")
    restoration.turn()
    assert state(records, image) is State.QUARANTINED


def test_the_same_picture_under_another_name_mends_it(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    records.settled("other_R.jpg", b"picture 1")
    restoration.turn()
    assert state(records, image) is State.SETTLED


@pytest.mark.parametrize("taken", [False, True])
def test_a_source_that_was_moved_after_delivery_mends_it(
    records: Any, restoration: Restoration, tmp_path: Path, taken: bool
) -> None:
    image = lost(records, "day/1_R.jpg")
    target = tmp_path / "done"
    camera = CameraSettings("room-2", "any", records.exports, after=After(move=target))
    (target / "day").mkdir(parents=True)
    if taken:
        (target / "day" / "1_R.jpg").write_bytes(b"an earlier picture of its name")
    (target / "day" / (f"1_R.{image.id}.jpg" if taken else "1_R.jpg")).write_bytes(b"picture 1")
    records.spool.moved = partial(moved, [camera], records.journal)
    restoration.turn()
    assert state(records, image) is State.SETTLED
    assert records.spool.sound(image.digest)


def test_the_archive_in_which_it_came_mends_it(records: Any, restoration: Restoration) -> None:
    records.spool.member = member_blocks
    path = records.exports / "day.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1_R.jpg", b"picture 1")
    image = lost(records, "1_R.jpg")
    shutil.rmtree(records.spool.file(image.digest).parent)
    inside = Origin("room-2", f"{path}!a/1_R.jpg", "day.zip!a/1_R.jpg", records.clock.now(), True)
    records.spool.elsewhere = lambda _: [inside]
    restoration.turn()
    assert state(records, image) is State.SETTLED
    assert records.spool.sound(image.digest)


@pytest.mark.parametrize("decided", [{"assigned_by": "anna"}, {"replaces": "r1"}])
def test_what_a_person_decided_is_decided_by_nobody_else(
    records: Any, restoration: Restoration, decided: dict[str, str]
) -> None:
    """Released, a recalled image would go to the order that it was recalled from."""
    image = lost(records, **decided)
    Path(image.path).write_bytes(b"picture 1")
    restoration.turn()
    assert state(records, image) is State.QUARANTINED
    assert "can be read again" in (records.journal.get(image.id).detail or "")
    assert records.spool.sound(image.digest)
    assert records.conditions.subjects("SPOOL_UNREADABLE") == []


def test_what_never_was_whole_is_left_to_a_person(records: Any, restoration: Restoration) -> None:
    image = records.matched(name="1_R.jpg", content=b"picture 1")
    refused = records.journal.refuse(image, Code.UNREADABLE, "it stopped before the end of its format")
    restoration.turn()
    assert records.journal.get(refused.id) == refused


def test_a_disk_that_stays_bad_is_asked_less_and_less_often(
    records: Any, restoration: Restoration, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(records.spool, "sound", lambda digest: asked.append(digest) or False)
    lost(records)
    for _ in range(24 * 60):
        restoration.turn()
        records.clock.advance(60)
    assert 24 <= len(asked) <= 36


def test_a_full_disk_says_nothing_about_the_source(
    records: Any, restoration: Restoration, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = lost(records)

    def full(_: str) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as bounded:
        bounded.setattr(records.spool, "mend", full)
        restoration.turn()
    assert state(records, image) is State.QUARANTINED
    Path(image.path).write_bytes(b"picture 1")
    records.clock.advance(60)
    restoration.turn()
    assert state(records, image) is State.SETTLED


def test_the_history_says_who_brought_it_back(records: Any, restoration: Restoration) -> None:
    image = lost(records)
    Path(image.path).write_bytes(b"picture 1")
    restoration.turn()
    last = records.journal.history(image.id)[-1]
    assert (last.event, last.who) == (Event.RELEASE, AGENT)


def test_a_copy_that_is_whole_when_it_is_looked_at_and_lost_when_it_is_read_is_tried_less_and_less_often(
    records: Any, restoration: Restoration
) -> None:
    """A disk reads as it likes; and what can't be read may be the companion file beside the copy."""
    image = lost(records)
    records.spool.file(image.digest).write_bytes(b"picture 1")
    released = 0
    for _ in range(6 * 60):
        restoration.turn()
        now = records.journal.get(image.id)
        if now.state is State.SETTLED:
            released += 1
            records.journal.refuse(now, Code.UNREADABLE, LOST)
        records.clock.advance(60)
    assert 6 <= released <= 13
    assert records.conditions.subjects("SPOOL_UNREADABLE") == ["spool"]
    records.clock.advance(86400)
    restoration.turn()
    assert state(records, image) is State.SETTLED
