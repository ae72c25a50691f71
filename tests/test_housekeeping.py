"""What is done once a minute."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from irisdrop import housekeeping
from irisdrop.housekeeping import Housekeeping
from irisdrop.profiles.config import Config, parse_config
from irisdrop.profiles.profile import load_profile
from irisdrop.record.copies import Copies
from irisdrop.record.spool import Origin
from irisdrop.record.text import stamp
from irisdrop.recovery import recover
from irisdrop.vocabulary.deliveries import Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event


def configured(folder: Path, clock: str = "0m") -> Config:
    camera = f"{{name: room-2, profile: optos-daytona, folder: exports, clock: {clock}}}"
    return parse_config(f"site: {{zone: UTC}}\ncameras:\n  - {camera}\n", folder / "irisdrop.yaml")


def clock_told(records: Any, config: Config) -> list[str]:
    keeper = Housekeeping(config, records.journal, records.spool, records.conditions, records.clock)
    keeper.tell_clocks()
    return [one.detail for one in records.conditions.active() if one.code == "CLOCK_DRIFT"]


@pytest.mark.parametrize(("behind", "setting"), [(47, "47m"), (-60, "-1h")])
def test_a_clock_that_is_off_is_told_with_the_setting_that_corrects_it(
    records: Any, read: Any, tmp_path: Path, behind: int, setting: str
) -> None:
    """Until it is corrected there: then it is told no more."""
    for number in range(6):
        taken = records.clock.now() - timedelta(minutes=behind)
        said = read(PatientID="000815", AcquisitionDateTime=taken.isoformat())
        records.identified(*said, name=f"{number}.jpg", content=b"picture %d" % number)
        records.clock.advance(600)
    (detail,) = clock_told(records, configured(tmp_path))
    assert f"`clock: {setting}`" in detail
    assert clock_told(records, configured(tmp_path, setting)) == []


def told(records: Any, config: Config, code: str) -> list[tuple[str, str]]:
    Housekeeping(config, records.journal, records.spool, records.conditions, records.clock).tell_series()
    return [(one.subject, one.detail) for one in records.conditions.active() if one.code == code]


def test_an_exam_of_one_eye_is_told_until_the_other_eye_comes(records: Any, tmp_path: Path) -> None:
    config = configured(tmp_path)
    records.matched(name="1.jpg", content=b"1")
    assert told(records, config, "ONE_EYE_ONLY") == []  # the other may still come
    records.clock.advance(900)
    assert told(records, config, "ONE_EYE_ONLY") == [("image 1", "the right eye alone")]
    records.matched(eye="L", name="2.jpg", content=b"2")
    assert told(records, config, "ONE_EYE_ONLY") == []


def test_an_exam_of_two_eyes_is_whole_however_many_images_came_between(records: Any, tmp_path: Path) -> None:
    """Seven hundred of one day: the first eye's picture is no longer among the newest, and is not missing."""
    config = configured(tmp_path)
    profile = replace(load_profile("optos-daytona", base=tmp_path), expect=1)
    both, single = records.entry("E1"), records.entry("E2")
    with records.journal.transaction():
        records.matched(both, name="first.jpg", content=b"first")
        for number in range(700):
            entry = records.entry(f"N{number // 2}", PatientID=f"{number // 2:06}")
            records.matched(entry, eye="RL"[number % 2], name=f"{number}.jpg", content=b"%d" % number)
        records.matched(both, eye="L", name="last.jpg", content=b"last")
        alone = records.matched(single, name="single.jpg", content=b"single")
    records.clock.advance(900)
    assert told(records, config, "ONE_EYE_ONLY") == [(f"image {alone.id}", "the right eye alone")]
    house = Housekeeping(config, records.journal, records.spool, records.conditions, records.clock, {"room-2": profile})
    house.tell_series()
    assert [one.code for one in records.conditions.active()] == ["ONE_EYE_ONLY"]


def test_missing_fields_are_told_until_they_come(records: Any, tmp_path: Path) -> None:
    config = configured(tmp_path)
    profile = replace(load_profile("optos-daytona", base=tmp_path), expect=2)

    def missing() -> list[tuple[str, str]]:
        house = Housekeeping(
            config, records.journal, records.spool, records.conditions, records.clock, {"room-2": profile}
        )
        house.tell_series()
        return [(one.subject, one.detail) for one in records.conditions.active() if one.code == "FIELDS_MISSING"]

    for number, eye in enumerate("RRL", 1):
        records.matched(eye=eye, name=f"{number}.jpg", content=b"%d" % number)
    records.clock.advance(900)
    assert missing() == [("image 3", "1 of 2 pictures of the left eye")]
    records.matched(eye="L", name="4.jpg", content=b"4")
    assert missing() == []
    records.clock.advance(900)
    assert missing() == []


def test_a_days_images_are_counted_again_only_where_something_changed_or_an_exam_ends(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = Housekeeping(configured(tmp_path), records.journal, records.spool, records.conditions, records.clock)
    counted: list[int] = []
    series = house.tell_series
    monkeypatch.setattr(house, "tell_series", lambda: [counted.append(1), series()])
    records.matched(eye="R", name="1.jpg", content=b"1")

    def turns(minutes: int) -> int:
        before = len(counted)
        for _ in range(minutes):
            records.clock.advance(60)
            house.turn()
        return len(counted) - before

    assert turns(9) == 9  # its exam goes on
    assert turns(2) == 2
    assert [one.code for one in records.conditions.active()] == ["ONE_EYE_ONLY"]
    assert turns(30) <= 2
    records.matched(eye="L", name="2.jpg", content=b"2")
    assert turns(1) == 1
    assert records.conditions.active() == []
    assert turns(10) >= 9
    assert turns(50) <= 2
    assert turns(70) <= 2  # an hour


def test_a_rebuilt_journal_is_told_at_every_start_for_a_week_and_then_no_more(records: Any, tmp_path: Path) -> None:
    def told_after(seconds: float) -> bool:
        records.clock.advance(seconds)
        recover(records.journal, records.spool, records.conditions)
        keeper(records, tmp_path).turn()
        return any(one.code == "JOURNAL_REBUILT" for one in records.conditions.active())

    records.journal.set_meta("rebuilt", stamp(records.clock.now()))
    assert told_after(0)
    assert told_after(7 * DAY - 1)
    assert not told_after(1)
    assert not told_after(1)


def test_a_number_that_changes_and_changes_back_is_told_with_the_images(
    records: Any, read: Any, tmp_path: Path
) -> None:
    for number, patient in enumerate(["000815", "000851", "000815"]):
        stamp = records.clock.now().isoformat()
        said = read(PatientID=patient, AcquisitionDateTime=stamp)
        records.identified(*said, name=f"{number}.jpg", content=b"%d" % number)
        records.clock.advance(12)
    ((subject, detail),) = told(records, configured(tmp_path), "IDENTITY_FLICKERS")
    assert subject == "image 2"
    assert detail == "PatientID of image 2 differs from images 1 and 3 around it"


# ---------------------------------------------------------------------- the spool

DAY = 86400


def keeper(records: Any, folder: Path, after: str = "{leave: true}") -> Housekeeping:
    text = (
        f"spool: {{keep: 7d}}\ncameras:\n  - {{name: room-2, profile: topcon-nw400, folder: exports, after: {after}}}\n"
    )
    config = parse_config(text, folder / "irisdrop.yaml")
    return Housekeeping(config, records.journal, records.spool, records.conditions, records.clock)


def delivered(records: Any, name: str = "000815_R.jpg", content: bytes = b"picture") -> ImageFile:
    image = records.matched(name=name, content=content)
    receipt = Receipt(f"r{image.id}", image.digest, "E1", "R", "then")
    found: ImageFile = records.attempts.confirm(image, receipt, "receipt")
    return found


def test_bytes_go_a_week_after_their_image_was_delivered_and_not_before(records: Any, tmp_path: Path) -> None:
    image = delivered(records)
    house = keeper(records, tmp_path)
    records.clock.advance(7 * DAY)
    house.turn()
    assert records.spool.holds(image.digest)
    records.clock.advance(1)
    house.turn()
    assert not records.spool.holds(image.digest)
    assert list(records.spool.digests()) == []


def test_bytes_of_which_the_platform_took_its_receipt_back_never_go(records: Any, tmp_path: Path) -> None:
    """After a week a person who had not looked yet had nothing left to send again."""
    image = records.matched()
    done = records.attempts.confirm(image, Receipt("r1", image.digest, "E1", "R", "then"), "receipt")
    records.journal.contradict(done, Code.REJECTED_BY_PLATFORM, "after its receipt it could not file it")
    assert Copies(records.journal.database).confirmed_at(image.digest) is None
    records.clock.advance(30 * 86400)
    keeper(records, tmp_path).turn()
    assert records.spool.holds(image.digest)


@pytest.mark.parametrize("state", ["SETTLED", "IDENTIFIED", "MATCHED", "QUARANTINED"])
def test_bytes_of_an_image_on_its_way_never_go(records: Any, tmp_path: Path, state: str) -> None:
    """Not even where another image of the same bytes has long been delivered."""
    delivered(records, "a/000815_R.jpg")
    made = {"SETTLED": records.settled, "IDENTIFIED": records.identified, "MATCHED": records.matched}
    image = made.get(state, records.identified)(name="b/000815_R.jpg")
    if state == "QUARANTINED":
        image = records.journal.refuse(image, Code.NO_WORKLIST_ENTRY, "none")
    records.clock.advance(999 * DAY)
    keeper(records, tmp_path).turn()
    assert records.spool.holds(image.digest)


SILENT = "kind: iris, organization: G, container: images, connection_string: {env: X}, stamp: {exif: Artist}"


@pytest.mark.parametrize(
    ("platform", "uploaded", "goes"),
    [
        (f"{{{SILENT}}}", "", False),
        (f"{{{SILENT}}}", ", uploaded: 90d", True),
        (f"{{{SILENT}, events: owner, events_queue: e, events_keep: kept}}", ", uploaded: 90d", False),
        ("{kind: http, url: 'https://reading.example/v1'}", ", uploaded: 90d", False),
        ("{kind: dimse, host: pacs, port: 104, called: PACS, receipt: none}", ", uploaded: 90d", True),
        ("{kind: dimse, host: pacs, port: 104, called: PACS}", ", uploaded: 90d", False),
    ],
    ids=["never", "chosen", "events", "http", "no query", "query"],
)
def test_a_copy_that_nobody_confirms_goes_by_the_sites_own_choice_alone(
    records: Any, tmp_path: Path, platform: str, uploaded: str, goes: bool
) -> None:
    image = records.matched()
    records.journal.move(image, Event.UPLOAD, "irisdrop", "in the container")
    camera = "{name: room-2, profile: topcon-nw400, folder: exports, after: {move: done}}"
    text = f"platform: {platform}\nspool: {{keep: 7d{uploaded}}}\nworklist: {{from: csv, path: o.csv}}\ncameras: [{camera}]\n"
    config = parse_config(text, tmp_path / "irisdrop.yaml")
    house = Housekeeping(config, records.journal, records.spool, records.conditions, records.clock)
    records.clock.advance(90 * DAY - 1)
    house.turn()
    assert records.spool.holds(image.digest)
    records.clock.advance(2)
    house.turn()
    assert records.spool.holds(image.digest) is not goes
    assert Path(image.path).exists()


def test_the_week_begins_anew_for_bytes_that_come_again(records: Any, tmp_path: Path) -> None:
    image = delivered(records, "a/000815_R.jpg")
    records.clock.advance(8 * DAY)
    again = records.identified(name="b/000815_R.jpg")
    records.journal.move(again, Event.RECOGNISE, "irisdrop", "twin")
    records.clock.advance(6 * DAY)
    house = keeper(records, tmp_path)
    house.turn()
    assert records.spool.holds(image.digest)
    records.clock.advance(2 * DAY)
    house.turn()
    assert not records.spool.holds(image.digest)


def test_bytes_that_are_settled_while_the_old_ones_go_stay(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera writes the same picture again in the very moment: between the question and the deletion."""
    image = delivered(records, "a/000815_R.jpg")
    records.clock.advance(8 * DAY)
    house = keeper(records, tmp_path)
    real = house._goes

    def settles(digest: str) -> Any:
        goes = real(digest)
        monkeypatch.setattr(house, "_goes", real)
        records.settled("b/000815_R.jpg")
        return goes

    monkeypatch.setattr(house, "_goes", settles)
    house.turn()
    assert records.spool.holds(image.digest)


def test_a_spool_of_which_nothing_may_go_yet_is_looked_through_once_an_hour(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A week of a busy clinic is thousands of files; what goes meanwhile, goes to the second."""
    image = delivered(records)
    records.clock.advance(7 * DAY - 1800)
    looks: list[int] = []
    real = records.spool.digests
    monkeypatch.setattr(records.spool, "digests", lambda: [looks.append(1), *real()][1:])
    house = keeper(records, tmp_path)
    for _ in range(30):
        house.turn()
        records.clock.advance(60)
    assert looks == [1]
    assert records.spool.holds(image.digest)
    records.clock.advance(1)
    house.turn()
    assert not records.spool.holds(image.digest)
    records.clock.advance(3601)
    house.turn()
    assert len(looks) == 3


def test_bytes_that_no_image_of_the_journal_owns_are_kept_for_recovery(records: Any, tmp_path: Path) -> None:
    copy = records.spool.receive()
    copy.write(b"of a journal that was lost")
    digest = records.spool.keep(copy, Origin("room-2", "/x", "x", records.clock.now(), live=True))
    records.clock.advance(999 * DAY)
    keeper(records, tmp_path).turn()
    assert records.spool.holds(digest)


def refused(records: Any, size: int) -> None:
    """An image of so many bytes found no room."""
    with records.spool.budget.promise(size) as enough:
        assert not enough


def test_confirmed_copies_go_before_their_week_is_over_so_that_no_arrival_waits(records: Any, tmp_path: Path) -> None:
    """The oldest first, and no more of them than room is needed."""
    images = []
    for number in range(4):
        images.append(delivered(records, f"{number}/000815_R.jpg", b"picture %d" % number))
        records.clock.advance(60)
    house = keeper(records, tmp_path)
    records.spool.budget.limit = 40
    records.conditions.raise_("SPOOL_FULL", "spool", "full")
    house.turn()
    assert all(records.spool.holds(image.digest) for image in images[1:])
    refused(records, 15)
    assert house.woken.is_set()
    house.clear_spool()
    assert [records.spool.holds(image.digest) for image in images] == [False, False, True, True]
    assert records.spool.room(15)
    assert records.conditions.subjects("SPOOL_FULL") == []


@pytest.mark.parametrize("state", ["SETTLED", "IDENTIFIED", "MATCHED", "QUARANTINED", "DISCARDED", "no receipt"])
def test_what_only_we_may_have_never_makes_room(records: Any, tmp_path: Path, state: str) -> None:
    """A discard can be taken back, and what is on its way has no receipt; though another image of the bytes has one."""
    delivered(records, "a/000815_R.jpg")
    if state == "no receipt":
        with records.journal.transaction():
            records.journal.database.execute("UPDATE images SET receipt = NULL")
        digest = records.journal.get(1).digest
    else:
        made = {"SETTLED": records.settled, "IDENTIFIED": records.identified, "MATCHED": records.matched}
        image = made.get(state, records.identified)(name="b/000815_R.jpg")
        if state in ("QUARANTINED", "DISCARDED"):
            image = records.journal.refuse(image, Code.NO_WORKLIST_ENTRY, "none")
        if state == "DISCARDED":
            records.journal.move(image, Event.DISCARD, "anna", "blurred")
        digest = image.digest
    records.spool.budget.limit = 10
    refused(records, 9)
    keeper(records, tmp_path).clear_spool()
    assert records.spool.holds(digest)


def test_copies_of_duplicates_go_with_the_copy_that_was_confirmed(records: Any, tmp_path: Path) -> None:
    image = delivered(records, "a/000815_R.jpg")
    again = records.identified(name="b/000815_R.jpg")
    records.journal.move(again, Event.RECOGNISE, "irisdrop", "twin")
    records.spool.budget.limit = 10
    refused(records, 9)
    keeper(records, tmp_path).clear_spool()
    assert not records.spool.holds(image.digest)


# ---------------------------------------------------------------------- delivered sources


def test_a_source_is_left_where_it_is_unless_told_otherwise(records: Any, tmp_path: Path) -> None:
    image = delivered(records)
    records.clock.advance(999 * DAY)
    keeper(records, tmp_path).turn()
    assert Path(image.path).read_bytes() == b"picture"


def test_a_source_is_deleted_after_so_many_days_and_only_when_delivered(records: Any, tmp_path: Path) -> None:
    image = delivered(records)
    waiting = records.matched(name="000815_L.jpg", content=b"waits")
    refused = records.journal.refuse(records.settled("x.jpg", b"x"), Code.NO_KEYS, "?")
    house = keeper(records, tmp_path, "{delete: 3d}")
    house.turn()
    assert Path(image.path).exists()
    records.clock.advance(3 * DAY + 1)
    house.turn()
    assert not Path(image.path).exists()
    assert Path(waiting.path).exists()
    assert Path(refused.path).exists()


def test_a_source_with_other_bytes_than_were_delivered_is_not_touched(records: Any, tmp_path: Path) -> None:
    """The camera used the name again: what lies there is another image."""
    image = delivered(records)
    Path(image.path).write_bytes(b"the next patient")
    records.clock.advance(4 * DAY)
    keeper(records, tmp_path, "{delete: 3d}").turn()
    assert Path(image.path).read_bytes() == b"the next patient"


def test_a_link_in_the_place_of_a_source_is_not_followed(records: Any, tmp_path: Path) -> None:
    image = delivered(records)
    other = tmp_path / "other"
    other.write_bytes(b"picture")
    Path(image.path).unlink()
    Path(image.path).symlink_to(other)
    records.clock.advance(4 * DAY)
    keeper(records, tmp_path, "{delete: 3d}").turn()
    assert other.exists()
    assert Path(image.path).is_symlink()


def test_a_delivered_source_is_moved_with_its_folders(records: Any, tmp_path: Path) -> None:
    image = delivered(records, "patient 1/000815_R.jpg")
    keeper(records, tmp_path, "{move: done}").turn()
    records.clock.advance(1)
    keeper(records, tmp_path, "{move: done}").turn()
    assert not Path(image.path).exists()
    assert (tmp_path / "done" / "patient 1" / "000815_R.jpg").read_bytes() == b"picture"


def test_a_moved_source_never_takes_the_place_of_another(records: Any, tmp_path: Path) -> None:
    house = keeper(records, tmp_path, "{move: done}")
    for content in (b"one", b"two"):
        delivered(records, content=content)
        records.clock.advance(1)
        house.turn()
    assert sorted(path.read_bytes() for path in (tmp_path / "done").iterdir()) == [b"one", b"two"]


def test_a_source_that_can_not_be_moved_stays_and_is_tried_again(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = delivered(records)
    records.clock.advance(1)
    house = keeper(records, tmp_path, "{move: done}")
    real = Path.mkdir

    def fails(*_: Any, **__: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "mkdir", fails)
    house.turn()
    assert Path(image.path).exists()
    monkeypatch.setattr(Path, "mkdir", real)
    records.clock.advance(60)
    house.turn()
    assert not Path(image.path).exists()


def test_a_source_is_moved_to_another_file_system_too(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = delivered(records)
    records.clock.advance(1)
    real = Path.rename

    def elsewhere(self: Path, target: Path) -> Path:
        if self.parent.name == "exports":
            raise OSError(errno.EXDEV, "cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", elsewhere)
    keeper(records, tmp_path, "{move: done}").turn()
    assert not Path(image.path).exists()
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "done").iterdir()] == [("000815_R.jpg", b"picture")]


# ---------------------------------------------------------------------- counts


def test_who_waits_for_a_person_is_told_until_nobody_does(records: Any, tmp_path: Path) -> None:
    image = records.journal.refuse(records.settled(), Code.NO_KEYS, "?")
    house = keeper(records, tmp_path)
    house.tell_counts()
    assert [(one.code, one.detail) for one in records.conditions.active()] == [("QUARANTINE_WAITING", "1 images")]
    records.journal.move(image, Event.DISCARD, "Dr. Muster", "a test picture")
    house.tell_counts()
    assert records.conditions.active() == []


def test_images_of_a_camera_that_is_configured_no_more_are_told_until_their_end(records: Any, tmp_path: Path) -> None:
    image = records.matched(camera="room-9")
    house = keeper(records, tmp_path)
    house.tell_counts()
    assert [(one.code, one.subject) for one in records.conditions.active()] == [("CAMERA_UNCONFIGURED", "room-9")]
    records.attempts.confirm(image, Receipt("r1", image.digest, "E1", "R", "then"), "receipt")
    records.clock.advance(2)
    house.tell_counts()
    assert records.conditions.active() == []


def test_a_share_that_hangs_keeps_nothing_else_from_being_cleared(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question to it is answered never: it is asked once, and the spool is cleared without it until it answers."""
    monkeypatch.setattr(housekeeping, "PATIENCE", 0.2)
    image = delivered(records)
    house = keeper(records, tmp_path, "{delete: 1d}")
    records.clock.advance(8 * DAY)
    answered, asked, real = threading.Event(), [], Path.stat

    def hang(path: Path, **options: Any) -> os.stat_result:
        if path == records.exports and not answered.is_set():
            asked.append(path)
            answered.wait(60)
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", hang)
    for _ in range(3):
        house.turn()
    assert not records.spool.holds(image.digest)
    assert len(asked) == 1
    answered.set()
    until = time.monotonic() + 60
    while Path(image.path).exists():
        assert time.monotonic() < until
        house.turn()
