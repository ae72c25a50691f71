"""A camera's first start: old files are known and not taken, also after the journal was lost."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from irisdrop.arrival.starts import Starts
from irisdrop.record.known import Standing
from irisdrop.vocabulary.states import State

DAY = 86400.0


def aged(path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def test_older_files_are_left_alone_and_counted(site, picture) -> None:
    for name, days in (("old.jpg", 3), ("p/older.jpg", 300), ("recent.jpg", 0.5)):
        aged(site.drop(name, picture(name.encode())), days)
    site.lookout().once()
    assert [image.name for image in site.images()] == ["recent.jpg"]
    assert site.journal.left_alone("room-2") == 2
    assert site.told("FILES_KNOWN") == ["room-2"]


def test_age_counts_at_the_first_start_only(site, picture) -> None:
    site.lookout().once()
    aged(site.drop("old.jpg", picture(b"o")), 3000)
    site.lookout().once()
    assert [image.name for image in site.images(State.SETTLED)] == ["old.jpg"]


def test_an_old_file_that_is_written_again_is_taken(site, picture) -> None:
    path = site.drop("old.jpg", picture(b"o"))
    aged(path, 3)
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    path.write_bytes(picture(b"new"))
    site.wait_settled(1)


def test_an_old_file_that_is_written_again_with_its_old_time_is_taken(site, picture) -> None:
    path = site.drop("old.jpg", picture(b"o"))
    aged(path, 3)
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    path.write_bytes(picture(b"new one", 3000))
    aged(path, 3)
    site.wait_settled(1)


def test_an_event_outweighs_an_old_time_and_an_equal_size(site, picture) -> None:
    site.camera = replace(site.camera, rescan=60.0)
    path = site.drop("old.jpg", picture(b"o"))
    aged(path, 3)
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    draft = site.drop("draft", picture(b"n"))
    aged(draft, 3)
    draft.rename(path)
    site.wait_settled(1)


def test_an_old_file_that_was_being_written_at_the_first_scan_is_taken_but_did_not_appear(site, picture) -> None:
    """The camera's clock says 2012, and it closed the file only after the scan had passed."""
    site.camera = replace(site.camera, rescan=60.0)
    path = site.drop("old.jpg", picture(b"o"))
    aged(path, 3)
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    path.open("r+b").close()
    (image,) = site.wait_settled(1)
    assert not image.live


def test_adopted_files_are_taken_and_did_not_appear_while_we_watched(site, picture) -> None:
    aged(site.drop("old.jpg", picture(b"1")), 3)
    aged(site.drop("older.jpg", picture(b"2")), 30)
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    assert site.journal.known.adopt("room-2", int((time.time() - 10 * DAY) * 1e9)) == 1
    lookout.rescan()
    (image,) = site.wait_settled(1)
    assert image.name == "old.jpg"
    assert not image.live
    assert site.journal.left_alone("room-2") == 1
    site.journal.known.adopt("room-2", 0)
    lookout.rescan()
    site.wait_settled(2)
    site.wait(lambda: site.told("FILES_KNOWN") == [])


def test_a_lost_journal_neither_takes_old_files_nor_misses_new_ones(site, picture) -> None:
    aged(site.drop("old.jpg", picture(b"o")), 3)
    site.drop("sent.jpg", picture(b"s"))
    site.lookout().once()
    site.journal.close()
    for part in site.state.glob("journal.db*"):
        part.unlink()
    aged(site.drop("between.jpg", picture(b"b")), 0.9)
    site.open()
    site.lookout().once()
    assert sorted(image.name for image in site.images(State.SETTLED)) == ["between.jpg", "sent.jpg"]
    # The lost journal may have sent them: the platform is asked first.
    assert all(image.ask_first for image in site.images(State.SETTLED))
    site.drop("later.jpg", picture(b"l"))
    site.lookout().once()
    assert [image.name for image in site.images(State.SETTLED) if not image.ask_first] == ["later.jpg"]


def test_a_first_scan_that_was_cut_off_is_still_the_first(site, picture) -> None:
    aged(site.drop("old.jpg", picture(b"o")), 1.5)
    Starts(site.state).note("room-2", site.clock.now())
    site.lookout().once()
    assert site.images() == []
    assert site.journal.known.count("room-2", Standing.LEFT_ALONE) == 1


def test_each_camera_has_its_own_start(site) -> None:
    starts = Starts(site.state)
    now = site.clock.now()
    starts.note("room-2", now)
    starts.note("room-3", now)
    assert starts.of("room-2") == starts.of("room-3") == now
    assert starts.of("room-4") is None


def test_a_damaged_note_of_the_starts_is_none(site) -> None:
    (site.state / "cameras.json").write_text('{"first_start": {"room-2": 5}')
    assert Starts(site.state).of("room-2") is None


def test_existing_is_a_setting(site, picture) -> None:
    site.camera = replace(site.camera, existing=10 * DAY)
    aged(site.drop("old.jpg", picture(b"o")), 3)
    site.lookout().once()
    assert len(site.images(State.SETTLED)) == 1
