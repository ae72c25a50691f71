"""Archives and companion files that are done with; images themselves are in test_housekeeping."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from irisdrop.clearance import Clearance
from irisdrop.profiles.config import parse_config
from irisdrop.record.sources import Source, Sources
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event

DAY = 86400
ARCHIVED = b"an archive of two"


class Room:
    """One camera whose delivered files are moved or deleted."""

    def __init__(self, records: Any, folder: Path, profile: Any) -> None:
        self.records, self.folder, self.profile = records, folder, profile
        self.archive = records.exports / "day 1" / "x.zip"
        self.sources = Sources(records.journal.database)
        self.clearance = Clearance(records.journal, records.clock, {"room-2": profile})

    def clear(self, after: str = "{move: done}") -> None:
        """One turn, a little later."""
        self.records.clock.advance(61)
        text = f"cameras:\n  - {{name: room-2, profile: topcon-nw400, folder: exports, after: {after}}}\n"
        (camera,) = parse_config(text, self.folder / "irisdrop.yaml").cameras
        self.clearance.clear(camera)

    def packed(self, content: bytes = ARCHIVED) -> None:
        """The archive lies in its folder and was read."""
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        self.archive.write_bytes(content)
        read = Source(str(self.archive), hashlib.sha256(content).hexdigest())
        self.sources.note_archive("room-2", read, self.records.clock.now())

    def member(self, name: str, content: bytes, *, delivered: bool = True) -> ImageFile:
        """An image of the archive, which itself lies nowhere."""
        image: ImageFile = self.records.matched(name=f"day 1/x.zip!{name}", content=content)
        Path(image.path).unlink()
        return self.deliver(image) if delivered else image

    def member_of(self, archive: str) -> ImageFile:
        """A delivered image of an archive of that name below the camera's folder."""
        image: ImageFile = self.records.matched(name=f"{archive}!a.jpg", content=archive.encode())
        Path(image.path).unlink()
        return self.deliver(image)

    def deliver(self, image: ImageFile) -> ImageFile:
        """The platform has it."""
        receipt = Receipt(f"r{image.id}", image.digest or "", "E1", "R", "then")
        found: ImageFile = self.records.attempts.confirm(image, receipt, "receipt")
        return found

    def picture(self, name: str, companion: str, *, text: bytes = b"<E/>", delivered: bool = True) -> ImageFile:
        """An image that was read with a companion file beside it."""
        image = self.records.matched(name=name, content=name.encode())
        beside = self.records.exports / companion
        beside.write_bytes(text)
        read = Source(str(beside), hashlib.sha256(text).hexdigest())
        self.sources.note_companions("room-2", image.path, [read], self.records.clock.now())
        return self.deliver(image) if delivered else image

    def lying(self) -> list[str]:
        """What is in the camera's folder."""
        found = (path for path in self.records.exports.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.records.exports)) for path in found)

    def moved(self) -> list[str]:
        """What was moved."""
        found = (path for path in (self.folder / "done").rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder / "done")) for path in found)


@pytest.fixture
def room(records: Any, tmp_path: Path, profile: Any) -> Room:
    made = profile()
    sidecar = SimpleNamespace(kind="sidecar", file="{stem}.xml", keys=("PatientID",))
    take = replace(made.files, take=("*.jpg", "*.png"), archives=("*.zip",))
    return Room(records, tmp_path, replace(made, files=take, read=(*made.read, sidecar)))


# ---------------------------------------------------------------------- images


@pytest.mark.parametrize("after", ["{move: done}", "{delete: 0d}"])
def test_a_picture_that_comes_while_the_one_before_it_is_read_is_not_taken_for_it(
    room: Room, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """To read a large one from a share takes seconds, and the camera uses its name again meanwhile."""
    image = room.deliver(room.records.matched(name="a.jpg", content=b"delivered"))
    real = hashlib.file_digest

    def read(file: Any, how: str) -> Any:
        found = real(file, how)
        draft = Path(image.path).with_suffix(".part")
        draft.write_bytes(b"a later one")
        draft.rename(image.path)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", read)
        room.clear(after)
    assert Path(image.path).read_bytes() == b"a later one"
    room.clear(after)
    assert (room.lying(), room.moved()) == (["a.jpg"], [])


@pytest.mark.parametrize("after", ["{move: done}", "{delete: 0d}"])
def test_what_the_platform_took_its_receipt_back_of_stays_until_it_has_a_right_one(room: Room, after: str) -> None:
    """It may not have it after all."""
    journal = room.records.journal
    image = room.deliver(room.records.matched(name="a.jpg", content=b"delivered"))
    member = room.member("b.jpg", b"another", delivered=False)
    room.packed()
    for one in (image, room.deliver(member)):
        journal.contradict(one, Code.REJECTED_BY_PLATFORM, "after its receipt it could not file it")
    room.clear(after)
    assert room.lying() == ["a.jpg", "day 1/x.zip"]
    for one in (image, journal.get(member.id)):
        given = journal.move(one, Event.RECALL, "anna", "sent again", reason=Code.ASSIGNED_ELSEWHERE)
        room.deliver(journal.move(given, Event.ASSIGN, "anna", "the same", assigned_by="anna"))
    room.clear(after)
    assert room.lying() == []


def test_nothing_is_gone_from_a_share_that_is_away(room: Room) -> None:
    """It comes back with everything, which goes then."""
    room.deliver(room.records.matched(name="a.jpg", content=b"delivered"))
    exports, away = room.records.exports, room.folder / "away"
    status = exports.stat()
    room.records.journal.set_meta("root room-2", f"{status.st_dev}:{status.st_ino}")
    exports.rename(away)
    room.clear()
    exports.mkdir()  # the place where it is mounted
    room.clear()
    exports.rmdir()
    away.rename(exports)
    room.clear()
    assert (room.lying(), room.moved()) == ([], ["a.jpg"])


def test_files_that_cant_be_moved_hold_up_no_others(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of each kind whose folder takes nothing, before one that goes; and they go once they can."""
    monkeypatch.setattr("irisdrop.clearance.PAGE", 2)
    (room.folder / "done").mkdir()
    (room.folder / "done" / "day 0").write_bytes(b"a file where the folder would be")
    for number in range(5):
        room.records.exports.joinpath("day 0").mkdir(exist_ok=True)
        held = Path(room.picture(f"day 0/{number}.jpg", f"day 0/{number}.xml").path)
        room.archive = held.with_suffix(".zip")
        room.packed()
        room.member_of(f"day 0/{number}.zip")
    room.archive = room.records.exports / "day 1" / "x.zip"
    room.packed()
    room.member("a.jpg", b"a")
    room.picture("z.jpg", "z.xml")
    for _ in range(8):
        room.clear()
    assert room.moved() == ["day 0", "day 1/x.zip", "z.jpg", "z.xml"]
    (room.folder / "done" / "day 0").unlink()
    room.records.clock.advance(3600)
    for _ in range(12):
        room.clear()
    assert room.lying() == []


def test_a_file_that_cant_be_moved_is_read_less_and_less_often(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time the whole of it comes from the share."""
    room.deliver(room.records.matched(name="a.jpg", content=b"delivered"))
    (room.folder / "done").write_bytes(b"a file where the folder would be")
    read: list[float] = []
    real = hashlib.file_digest

    def counted(file: Any, how: str) -> Any:
        read.append(room.records.clock.monotonic())
        return real(file, how)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    for _ in range(240):
        room.clear()
    assert 8 <= len(read) <= 10
    assert read[1] - read[0] < 90 < 1800 < read[-1] - read[-2] < 3700
    (room.folder / "done").unlink()
    room.records.clock.advance(3600)
    room.clear()
    assert room.moved() == ["a.jpg"]


# ---------------------------------------------------------------------- archives


def test_an_archive_goes_when_all_of_its_images_are_delivered_and_not_before(room: Room) -> None:
    room.packed()
    room.member("a.jpg", b"a")
    other = room.member("b/c.jpg", b"c", delivered=False)
    room.clear()
    assert room.lying() == ["day 1/x.zip"]
    room.deliver(other)
    room.clear()
    assert (room.lying(), room.moved()) == ([], ["day 1/x.zip"])


@pytest.mark.parametrize("end", ["refused", "discarded"])
def test_an_archive_with_an_image_that_nobody_has_stays(room: Room, end: str) -> None:
    room.packed()
    room.member("a.jpg", b"a")
    other = room.records.journal.refuse(room.member("b.jpg", b"b", delivered=False), Code.NO_KEYS, "?")
    if end == "discarded":
        room.records.journal.move(other, Event.DISCARD, "Dr. Muster", "blurred")
    room.records.clock.advance(99 * DAY)
    room.clear("{delete: 1d}")
    assert room.lying() == ["day 1/x.zip"]


def test_a_duplicate_within_an_archive_holds_it_until_its_twin_is_delivered(room: Room) -> None:
    room.packed()
    twin = room.records.matched(name="twin.jpg", content=b"a")
    image = room.records.identified(name="day 1/x.zip!a.jpg", content=b"a")
    Path(image.path).unlink()
    room.records.journal.move(image, Event.RECOGNISE, "irisdrop", "the same")
    room.clear()
    assert "day 1/x.zip" in room.lying()
    room.deliver(twin)
    room.clear()
    assert room.lying() == []


def test_an_archive_that_was_written_anew_is_not_touched(room: Room) -> None:
    """It has not been read yet: nobody knows what is in it."""
    room.packed()
    room.member("a.jpg", b"a")
    room.archive.write_bytes(b"another archive")
    room.clear()
    assert room.archive.read_bytes() == b"another archive"
    room.packed(b"another archive")  # it is read, and holds one more
    other = room.member("b.jpg", b"b", delivered=False)
    room.clear()
    assert room.lying() == ["day 1/x.zip"]
    room.deliver(other)
    room.clear()
    assert room.moved() == ["day 1/x.zip"]


def test_an_archive_of_which_no_image_is_known_stays(room: Room) -> None:
    room.packed()
    room.clear()
    assert room.lying() == ["day 1/x.zip"]


def test_an_archive_is_deleted_so_many_days_after_its_last_delivery(room: Room) -> None:
    room.packed()
    room.member("a.jpg", b"a")
    room.records.clock.advance(2 * DAY)
    room.member("b.jpg", b"b")
    room.records.clock.advance(2 * DAY)
    room.clear("{delete: 3d}")
    assert room.lying() == ["day 1/x.zip"]
    room.records.clock.advance(DAY)
    room.clear("{delete: 3d}")
    assert room.lying() == []


def test_an_archive_whose_name_begins_as_anothers_is_another(room: Room) -> None:
    room.packed()
    room.member("a.jpg", b"a")
    room.records.matched(name='day 1/x.zip"b.jpg', content=b"b")
    room.records.matched(name="day 1/x.zip.jpg", content=b"c")
    room.clear()
    assert room.moved() == ["day 1/x.zip"]


def test_a_moved_archive_takes_no_others_place(room: Room) -> None:
    for content in (b"first", b"second"):
        room.packed(content)
        room.member("a.jpg", content)
        room.clear()
    assert len(room.moved()) == 2
    assert room.lying() == []


# ---------------------------------------------------------------------- companion files


def test_a_companion_goes_a_minute_after_its_image(room: Room) -> None:
    room.picture("a.jpg", "a.xml")
    room.picture("b.jpg", "b.xml", delivered=False)
    room.clear()
    assert room.lying() == ["b.jpg", "b.xml"]
    assert room.moved() == ["a.jpg", "a.xml"]


def test_a_companion_that_another_image_needs_stays(room: Room) -> None:
    room.picture("a.jpg", "a.xml")
    waiting = room.picture("a.png", "a.xml", delivered=False)
    room.clear()
    assert room.lying() == ["a.png", "a.xml"]
    room.deliver(waiting)
    room.clear()
    assert room.lying() == []


def test_a_companion_that_was_just_written_for_the_next_image_stays(room: Room) -> None:
    """With the same words as for the last one: the same patient, and the same eye."""
    room.picture("a.jpg", "a.xml")
    coming = room.records.clock.now().timestamp() + 61
    os.utime(room.records.exports / "a.xml", (coming, coming))
    room.clear()
    assert room.lying() == ["a.xml"]
    room.clear()
    assert room.lying() == []


def test_a_companion_of_an_image_that_was_not_read_yet_stays(room: Room) -> None:
    room.picture("a.jpg", "A.xml")
    (room.records.exports / "a.png").write_bytes(b"just written")
    room.clear()
    assert room.lying() == ["A.xml", "a.png"]


def test_a_companion_with_other_bytes_than_were_spooled_stays(room: Room) -> None:
    room.picture("a.jpg", "a.xml")
    (room.records.exports / "a.xml").write_bytes(b"<E>changed</E>")
    room.clear()
    assert room.lying() == ["a.xml"]


def test_a_companion_of_an_image_whose_source_stays_is_left_with_it(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.picture("a.jpg", "a.xml")
    real = Path.rename

    def locked(self: Path, target: Path) -> Path:
        if self.suffix == ".jpg":
            raise PermissionError
        return real(self, target)

    monkeypatch.setattr(Path, "rename", locked)
    room.clear()
    assert room.lying() == ["a.jpg", "a.xml"]
    monkeypatch.setattr(Path, "rename", real)
    room.clear()
    assert room.lying() == []


def test_a_companion_that_was_read_again_goes_with_the_bytes_that_were_read_last(room: Room) -> None:
    image = room.picture("a.jpg", "a.xml", delivered=False)
    changed = b"<E>corrected</E>"
    (room.records.exports / "a.xml").write_bytes(changed)
    read = Source(str(room.records.exports / "a.xml"), hashlib.sha256(changed).hexdigest())
    room.sources.note_companions("room-2", image.path, [read], room.records.clock.now())
    room.deliver(image)
    room.clear()
    assert room.lying() == []


def test_what_was_read_is_forgotten_when_it_is_gone_and_at_the_latest_with_the_journals_keep(room: Room) -> None:
    def noted() -> int:
        return len(room.records.journal.database.rows("SELECT 1 FROM sources"))

    room.packed()
    room.member("a.jpg", b"a")
    room.picture("b.jpg", "b.xml")
    room.clear()
    assert noted() == 0
    room.packed()
    room.records.clock.advance(DAY)
    assert room.sources.forget_before(room.records.clock.now(), 10) == 1
    assert noted() == 0
