"""A folder that is far: each question costs time, and one may never be answered."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from irisdrop.arrival import distance as distances
from irisdrop.arrival import listings
from irisdrop.arrival.distance import AT_ONCE, Distance
from irisdrop.arrival.entries import Entry, Listed
from irisdrop.arrival.scan import Scan
from irisdrop.vocabulary.clock import SystemClock
from irisdrop.vocabulary.states import State

Listing = Callable[[str, AbstractContextManager[object]], Iterator[list[Entry]]]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Distance]:
    """A distance to a share."""
    made = Distance("room-2", str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def share(site, monkeypatch):
    """The camera's folder is one of a server, as far as the system tells."""
    monkeypatch.setattr(distances, "network_file_system", lambda _: "cifs")
    return site


def put(folder: Path, count: int) -> list[str]:
    for number in range(count):
        (folder / f"{number:03}.jpg").write_bytes(b"%d" % number)
    return [str(folder / f"{number:03}.jpg") for number in range(count)]


class Crowd:
    """Looks that are answered only when many are asked at once, as far away as they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
        self.asked = 0
        self.together = threading.Barrier(least)
        self._real = os.lstat
        self._guard = threading.Lock()
        monkeypatch.setattr(os, "lstat", self)

    def __call__(self, path: str, **options: object) -> os.stat_result:
        with self._guard:
            self.asked += 1
        self.together.wait(30)
        return self._real(path, **options)


def test_looks_at_a_share_are_under_way_together(far, tmp_path, monkeypatch) -> None:
    """One after another, twenty thousand looks over 100 ms would take half an hour."""
    paths = put(tmp_path, 4 * AT_ONCE)
    crowd = Crowd(monkeypatch, AT_ONCE)
    answers = list(far.looks(paths))
    assert [answer.st_size for answer in answers] == [len(str(number)) for number in range(4 * AT_ONCE)]
    assert crowd.asked == len(paths)


def test_looks_that_turn_out_slow_in_a_folder_of_this_machine_are_under_way_together(
    far, tmp_path, monkeypatch
) -> None:
    far.near = True
    paths = put(tmp_path, 100)
    real, under_way, most = os.lstat, [0], [0]

    def slow(path: str) -> os.stat_result:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        time.sleep(0.02)  # the answer of the slow disk, not a wait of the test
        under_way[0] -= 1
        return real(path)

    monkeypatch.setattr(os, "lstat", slow)
    assert all(isinstance(answer, os.stat_result) for answer in far.looks(paths))
    assert most[0] > 1


def test_a_quick_disk_is_asked_by_one_thread(far, tmp_path, monkeypatch) -> None:
    far.near = True
    paths, threads, real = put(tmp_path, 500), set(), os.lstat

    def look(path: str) -> os.stat_result:
        threads.add(threading.get_ident())
        return real(path)

    monkeypatch.setattr(os, "lstat", look)
    monkeypatch.setattr(distances, "SLOW", 30.0)  # the machine that runs the tests may be busy
    assert len(list(far.looks(paths))) == 500
    assert threads == {threading.get_ident()}


def test_an_answer_that_says_no_is_an_answer(far, tmp_path) -> None:
    (path,) = put(tmp_path, 1)
    there, gone = far.looks([path, path + ".gone"])
    assert isinstance(there, os.stat_result)
    assert isinstance(gone, FileNotFoundError)


def test_a_share_that_hangs_hangs_nobody_and_is_asked_again(far, monkeypatch) -> None:
    monkeypatch.setattr(distances, "ANSWER", 0.5)
    answered = threading.Event()
    with pytest.raises(TimeoutError):
        far.ask(lambda: answered.wait(60))
    with pytest.raises(TimeoutError):
        for _ in range(AT_ONCE):
            far.ask(lambda: answered.wait(60))
    answered.set()
    assert far.ask(lambda: answered.wait(60))


def test_what_goes_wrong_in_a_question_is_raised_where_it_was_asked(far) -> None:
    with pytest.raises(ZeroDivisionError):
        far.ask(lambda: 1 // 0)


def test_a_disk_that_shows_to_be_slow_is_far_from_then_on(far) -> None:
    far.near = True
    far.notice(500, 0.9)
    far.notice(100_000, 20.0)
    assert far.near
    far.notice(84, 1.7)
    assert not far.near


def test_what_is_not_known_from_the_listing_is_asked_at_once_and_only_where_a_profile_takes_it(
    tmp_path, site, far, monkeypatch
) -> None:
    exports = tmp_path / "share"
    exports.mkdir()
    put(exports, 2 * AT_ONCE)
    for number in range(50):
        (exports / f"{number}.txt").write_bytes(b"")

    def unlooked(folder: str, _: AbstractContextManager[object]) -> Iterator[list[Entry]]:
        yield [Listed(folder, name, 0o100000) for name in sorted(one.name for one in Path(folder).iterdir())]

    monkeypatch.setattr(listings, "listed", unlooked)
    crowd = Crowd(monkeypatch, AT_ONCE)
    scan = Scan(str(exports), "room-2", site.journal.known, site.profile.takes, far)
    found = [one.base for batch in scan.walk() for one in batch.found]
    assert len(found) == crowd.asked == 2 * AT_ONCE


class Tap:
    """A listing that comes in pieces when it is let: the first piece at once, the next when `go_on` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: str, first: int = 1) -> None:
        self.go_on, self.waits = threading.Event(), threading.Event()
        self.error: OSError | None = None
        self._folder, self._first, self._real = folder, first, listings.listed
        monkeypatch.setattr(listings, "listed", self)

    def __call__(self, folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:
        entries = [entry for piece in self._real(folder, turn) for entry in piece]
        if not folder.endswith(self._folder):
            yield entries
            return
        entries.sort(key=lambda entry: entry.name)
        yield entries[: self._first]
        self.waits.set()
        self.go_on.wait(60)
        if self.error is not None:
            raise self.error
        yield entries[self._first :]


def test_the_first_files_of_a_share_are_taken_while_it_is_still_being_listed(share, picture, monkeypatch) -> None:
    tap = Tap(monkeypatch, "exports", first=3)
    for number in range(9):
        share.drop(f"{number}.jpg", picture(b"%d" % number))
    lookout = share.watch()
    share.wait_settled(3)
    assert lookout.scans == 0
    tap.go_on.set()
    share.wait_settled(9)


@pytest.mark.parametrize("error", [None, OSError(errno.EIO, "Input/output error")])
def test_an_unfinished_or_failing_listing_does_not_say_that_the_others_are_gone(
    share, picture, monkeypatch, error
) -> None:
    """beats#51694."""
    for number in range(9):
        share.drop(f"{number}.jpg", picture(b"%d" % number))
    share.watch()
    share.wait_settled(9)
    share.stop()
    tap = Tap(monkeypatch, "exports")
    tap.error = error
    lookout = share.watch()
    assert tap.waits.wait(30)
    if error is not None:
        tap.go_on.set()
        share.wait(lambda: share.told("FOLDER_UNREADABLE") != [])
        assert lookout.scans == 0
    share.stop()
    assert len(share.journal.known.folder("room-2", "")) == 9
    assert share.journal.counts()[State.SETTLED] == 9


def test_a_folder_whose_listing_hangs_holds_up_no_other_and_is_told(share, picture, monkeypatch) -> None:
    monkeypatch.setattr(distances, "ANSWER", 1.0)
    tap = Tap(monkeypatch, "p")
    for name in ("p/a.jpg", "p/b.jpg", "q/c.jpg", "d.jpg"):
        share.drop(name, picture(name.encode()))
    lookout = share.watch()
    share.wait_settled(3)
    share.wait(lambda: share.told("FOLDER_UNREADABLE") != [])
    tap.go_on.set()
    share.wait_settled(4)
    share.wait(lambda: lookout.scans > 0 and share.told("FOLDER_UNREADABLE") == [])


def test_a_share_that_hangs_is_told_and_does_not_hold_up_the_end(share, picture, monkeypatch) -> None:
    monkeypatch.setattr(distances, "ANSWER", 0.5)
    share.drop("a.jpg", picture(b"a"))
    lookout = share.watch()
    share.wait_settled(1)
    answered, real = threading.Event(), Path.stat

    def hang(path: Path, **options: object) -> os.stat_result:
        if path == share.exports:
            answered.wait(60)
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", hang)
    share.wait(lambda: share.told("FOLDER_UNREADABLE") != [])
    begun = time.monotonic()
    share.stop()
    assert time.monotonic() - begun < 30
    answered.set()
    monkeypatch.undo()
    assert lookout.scans > 0


def test_stopping_in_the_middle_of_a_slow_listing_waits_for_nothing(share, picture, monkeypatch) -> None:
    tap = Tap(monkeypatch, "exports")
    for number in range(5):
        share.drop(f"{number}.jpg", picture(b"%d" % number))
    share.watch()
    share.wait_settled(1)
    begun = time.monotonic()
    share.stop()
    assert time.monotonic() - begun < 20 and not tap.go_on.is_set()
    assert share.told("FOLDER_UNREADABLE") == []
    tap.go_on.set()


def test_what_is_gone_from_a_share_is_asked_for_and_not_listed_once_more(share, picture, monkeypatch) -> None:
    for number in range(5):
        share.drop(f"{number}.jpg", picture(b"%d" % number))
    share.watch()
    share.wait_settled(5)
    share.stop()
    (share.exports / "3.jpg").unlink()
    listed, real = [], listings.listed

    def counted(folder: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:
        listed.append(folder)
        return real(folder, turn)

    monkeypatch.setattr(listings, "listed", counted)
    lookout = share.watch()
    share.wait(lambda: lookout.scans >= 1)
    share.stop()
    assert len(listed) <= lookout.scans + 1
    assert sorted(share.journal.known.folder("room-2", "")) == ["0.jpg", "1.jpg", "2.jpg", "4.jpg"]


class Sleeping(SystemClock):
    """The wall clock of a machine that can sleep for hours; its monotonic one stands still meanwhile."""

    slept = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.slept


def test_what_appears_while_the_machine_sleeps_in_the_middle_of_a_listing_did_not_appear_while_we_watched(
    share, picture, monkeypatch
) -> None:
    """Its arrival would have stood in for the time of its capture; a slow share is being listed most of the time."""
    clock = share.clock = Sleeping()
    share.camera = replace(share.camera, watch="poll")
    share.drop("a.jpg", picture(b"a"))
    lookout = share.watch()
    share.wait(lambda: lookout.watching)
    tap = Tap(monkeypatch, "exports")
    assert tap.waits.wait(30)
    clock.slept = timedelta(hours=3)
    share.drop("b.jpg", picture(b"b"))
    tap.go_on.set()
    share.wait_settled(2)
    (image,) = [image for image in share.images() if image.name == "b.jpg"]
    assert not image.live
    share.wait(lambda: lookout.watching)
    share.drop("c.jpg", picture(b"c"))
    share.wait_settled(3)
    (image,) = [image for image in share.images() if image.name == "c.jpg"]
    assert image.live


def test_a_folder_that_nobody_may_read_takes_nothing_from_what_appears_beside_it(share, picture, monkeypatch) -> None:
    """`System Volume Information` on a drive: no arrival stood in for the time of a capture any more."""
    tap = Tap(monkeypatch, "p")
    tap.error = PermissionError(errno.EACCES, "Permission denied")
    tap.go_on.set()
    share.drop("p/a.jpg", picture(b"a"))
    share.drop("p/b.jpg", picture(b"b"))
    lookout = share.watch()
    share.wait(lambda: lookout.watching and share.told("FOLDER_UNREADABLE") != [])
    share.drop("q/c.jpg", picture(b"c"))
    share.wait(lambda: any(image.name == "q/c.jpg" and image.digest for image in share.images()))
    tap.error = None
    share.wait_settled(3)
    live = {image.name: image.live for image in share.images()}
    assert live.pop("p/a.jpg") is False  # found in the piece of the listing that came
    assert live == {"p/b.jpg": False, "q/c.jpg": True}
