"""Events are a hint: what becomes of a file when they are late, lost, or never come."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from irisdrop.arrival import mode as modes
from irisdrop.arrival import supervision as supervising
from irisdrop.arrival import watch as watching
from irisdrop.arrival.mode import Mode, Way
from irisdrop.arrival.watch import Watch
from irisdrop.vocabulary.states import State


def watched(site):
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    return lookout


@pytest.fixture
def seldom(site):
    """A site whose scans are so rare that only events can be quick."""
    site.camera = replace(site.camera, rescan=60.0)
    return site


def test_an_event_is_enough(seldom, picture) -> None:
    watched(seldom)
    seldom.drop("a.jpg", picture(b"a"))
    seldom.wait_settled(1)


def test_events_of_reading_are_not_asked_for(tmp_path) -> None:
    """Our own reading of each file must not wake us again."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    woken = threading.Event()
    watch = Watch(str(tmp_path), woken.set)
    watch.arm()
    for _ in range(20):
        (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(b"x")
    assert woken.wait(30)
    hints = watch.drain()
    assert hints.files == {str(tmp_path / "b.jpg")}
    watch.disarm()


def test_a_watcher_that_died_is_started_again_and_misses_nothing(seldom, picture) -> None:
    """watchdog#1065: the polling watcher dies when the share drops."""
    lookout = watched(seldom)
    observer = lookout._supervision._watch._observer
    assert observer is not None
    for emitter in observer.emitters:
        emitter.stop()
        emitter.join(30)
    seldom.drop("a.jpg", picture(b"a"))
    seldom.wait_settled(1)
    assert seldom.told("WATCHER_RESTARTED") == ["room-2"]
    seldom.drop("b.jpg", picture(b"b"))
    seldom.wait_settled(2)


def test_a_reader_of_events_that_died_is_noticed(seldom, picture) -> None:
    """watchdog reads the system's events on a thread of its own: without it the emitters live on and hear nothing."""
    lookout = watched(seldom)
    observer = lookout._supervision._watch._observer
    reader = next(part for part in vars(observer).values() if isinstance(part, threading.Thread))
    reader.stop()
    reader.join(30)
    seldom.drop("a.jpg", picture(b"a"))
    seldom.wait_settled(1)
    assert seldom.told("WATCHER_RESTARTED") == ["room-2"]


@pytest.mark.parametrize("turn", range(10))
def test_nested_folders_made_at_once_lose_no_event(seldom, picture, turn) -> None:
    watched(seldom)
    for number in range(5):
        seldom.drop(f"{turn}/{number}/deep/{number}.jpg", picture(str(number).encode()))
    seldom.wait_settled(5)


def test_a_folder_that_is_removed_and_made_again_is_watched_again(seldom, picture) -> None:
    lookout = watched(seldom)
    seldom.exports.rmdir()
    seldom.exports.mkdir()
    seldom.wait(lambda: lookout._supervision._watch.sound() and lookout.watching)
    seldom.drop("a.jpg", picture(b"a"))
    seldom.wait_settled(1)
    seldom.drop("b.jpg", picture(b"b"))
    seldom.wait_settled(2)


def test_a_folder_that_another_took_the_place_of_is_watched_again(seldom, picture) -> None:
    lookout = watched(seldom)
    before = lookout._supervision._armed_on
    seldom.exports.rename(seldom.exports.with_name("archive"))
    seldom.exports.mkdir()
    seldom.wait(lambda: lookout._supervision._armed_on not in ("", before))
    seldom.drop("a.jpg", picture(b"a"))
    seldom.wait_settled(1)


def test_more_hints_than_are_worth_following_become_one_scan(seldom, picture, monkeypatch) -> None:
    monkeypatch.setattr(watching, "MOST_HINTS", 5)
    watched(seldom)
    for number in range(200):
        seldom.drop(f"{number}.jpg", picture(str(number).encode(), 300))
    seldom.wait_settled(200, 20)


BURST = """
import os, sys
folder, count, sample = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "rb").read()
for number in range(count):
    handle = os.open(f"{folder}/{number}.jpg", os.O_CREAT | os.O_WRONLY)
    os.write(handle, sample + b"%d" % number)
    os.close(handle)
"""
MANY = 60_000


@pytest.fixture
def deaf(monkeypatch):
    """The thread that reads the system's events, which can be held up; counts the queues that overflowed."""
    from watchdog.observers.inotify_c import InotifyFD

    hears, overflows = threading.Event(), []
    hears.set()
    read, handle = InotifyFD._read_event_buffer, InotifyFD.handle_event

    def held(self, size):
        content = read(self, size)
        hears.wait(60)
        return content

    def counted(self, event):
        if event.is_queue_overflow:
            overflows.append(event)
        handle(self, event)

    monkeypatch.setattr(InotifyFD, "_read_event_buffer", held)
    monkeypatch.setattr(InotifyFD, "handle_event", counted)
    yield hears, overflows
    hears.set()


@pytest.mark.timeout(240)
def test_a_burst_of_sixty_thousand_files_overflows_the_queue_of_events_and_strands_none(site, picture, deaf) -> None:
    """watchdog#391, libuv#626: the system's queue holds 16,384 events; the scan finds the rest within its period."""
    hears, overflows = deaf
    assert int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) < MANY
    site.camera = replace(site.camera, rescan=5.0)
    site.profile = replace(site.profile, settle=600.0, give_up=900.0)  # they arrive, and none is read
    lookout = watched(site)
    sample = site.drop("sample.jpg", picture(b"burst", 50))
    site.wait(lambda: site.journal.counts()[State.SEEN] == 1)
    hears.clear()
    subprocess.run([sys.executable, "-c", BURST, str(site.exports), str(MANY), str(sample)], check=True)
    hears.set()
    site.wait(lambda: overflows)
    look = threading.Event()
    site.wait(lambda: look.wait(0.5) or site.journal.counts()[State.SEEN] == MANY + 1, 90)
    assert site.told("WATCHER_RESTARTED") == []
    assert lookout._supervision._watch.sound()
    heard = threading.Event()
    lookout._supervision._watch._on_hint = heard.set
    site.drop("after.jpg", picture(b"after"))
    assert heard.wait(30), "no event came after the overflow"
    site.wait(lambda: site.journal.counts()[State.SEEN] == MANY + 2)


def test_a_share_inside_a_local_tree_is_found_by_the_scan_while_events_come_from_the_rest(
    site, picture, monkeypatch
) -> None:
    """paperless-ngx#13146: a mixed tree. That events come from one part says nothing about another."""
    share, take = site.exports / "share", Watch._take
    share.mkdir()
    monkeypatch.setattr(Watch, "_take", lambda self, event: None if "/share" in event.src_path else take(self, event))
    watched(site)
    for number in range(6):
        site.drop(f"{number}.jpg", picture(b"local%d" % number))
        site.drop(f"share/{number}.jpg", picture(b"remote%d" % number))
        site.wait_settled(2 * number + 2)
    assert len({image.digest for image in site.images()}) == len(site.images()) == 12


def test_a_network_file_system_is_polled_and_says_so(site, picture, monkeypatch) -> None:
    """paperless-ngx#1975: no events on SMB."""
    monkeypatch.setattr(modes, "network_file_system", lambda _: "cifs")
    lookout = watched(site)
    assert lookout._supervision.mode.way is Way.POLL
    assert not lookout._supervision._watch.armed
    assert site.told("FOLDER_POLLED") == ["room-2"]
    site.drop("a.jpg", picture(b"a"))
    (image,) = site.wait_settled(1)
    assert image.live


def test_a_folder_whose_events_never_come_is_polled_after_the_probe(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(supervising, "PROBE_WAIT", 0.2)
    monkeypatch.setattr(Watch, "_take", lambda *_: None)
    lookout = watched(site)
    site.wait(lambda: lookout._supervision.mode.way is Way.POLL)
    assert "file of our own" in lookout._supervision.mode.why
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)


def test_a_local_folder_is_proven_by_the_probe_which_leaves_nothing(site) -> None:
    lookout = watched(site)
    site.wait(lambda: lookout._supervision.mode.way is Way.EVENTS)
    assert site.told("FOLDER_POLLED") == []
    assert list(site.exports.iterdir()) == []


def test_where_we_may_not_write_events_are_used_but_not_relied_on(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(supervising, "probe", lambda _: None)
    lookout = watched(site)
    assert lookout._supervision.mode.way is Way.UNPROVEN
    assert site.told("FOLDER_POLLED") == ["room-2"]
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)
    site.wait(lambda: lookout._supervision.mode.way is Way.EVENTS and not site.told("FOLDER_POLLED"))


def test_events_that_stay_out_again_and_again_end_in_polling(site, picture, monkeypatch) -> None:
    site.camera = replace(site.camera, rescan=0.1)
    lookout = watched(site)
    site.wait(lambda: lookout._supervision.mode.way is Way.EVENTS)
    monkeypatch.setattr(Watch, "_take", lambda *_: None)
    lookout._supervision._watch.disarm()
    lookout._supervision._chosen = Mode(Way.EVENTS, "as if it had been proven")
    for number in range(40):
        site.drop(f"{number}.jpg", picture(str(number).encode()))
        site.wait_settled(number + 1)
        if lookout._supervision.mode.way is Way.POLL:
            break
    assert lookout._supervision.mode == Mode(Way.POLL, "events stay out")


def test_no_more_watches_means_polling(site, picture, monkeypatch) -> None:
    """maestral#75: the inotify limit."""

    def arm(_: Watch) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(Watch, "arm", arm)
    watched(site)
    assert site.told("FOLDER_POLLED") == ["room-2"]
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)


def test_a_folder_that_was_polled_for_want_of_watches_is_watched_again_when_there_are_some(
    site, picture, monkeypatch
) -> None:
    monkeypatch.setattr(supervising, "LIMIT_AGAIN", 0.1)
    arm, refused = Watch.arm, [0]

    def limited(watch: Watch) -> None:
        refused[0] += 1
        if refused[0] < 4:
            raise OSError(28, "inotify watch limit reached")
        arm(watch)

    monkeypatch.setattr(Watch, "arm", limited)
    lookout = watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.wait(lambda: lookout._supervision.mode.way is Way.EVENTS)
    site.wait(lambda: site.told("FOLDER_POLLED") == [])
    assert refused == [4]
    site.wait_settled(1)


def test_watches_that_do_not_do_for_every_sub_folder_are_given_back_without_a_word(site, monkeypatch, caplog) -> None:
    """watchdog leaves out without a word what is beyond the limit: whoever relied on it would miss images."""
    monkeypatch.setattr(supervising, "LIMIT_AGAIN", 0.1)
    asked: list[int] = []
    monkeypatch.setattr(supervising, "watches_left", lambda _: asked.append(1) or len(asked) % 2 == 0)
    lookout = watched(site)
    site.wait(lambda: site.told("FOLDER_POLLED") == ["room-2"])
    caplog.clear()
    site.wait(lambda: len(asked) >= 5)
    assert lookout._supervision.mode == Mode(Way.POLL, supervising.NONE_LEFT)
    assert not lookout._supervision._watch.armed
    assert site.told("FOLDER_POLLED") == ["room-2"]
    assert "condition" not in caplog.text


def test_where_the_profile_takes_every_name_no_probe_is_made(site) -> None:
    site.profile = replace(site.profile, files=replace(site.profile.files, take=("*",), skip=()))
    lookout = watched(site)
    assert lookout._supervision.mode.way is Way.UNPROVEN
    site.drop("anything", b"text")
    site.wait_settled(1)
    assert [image.name for image in site.images()] == ["anything"]


@pytest.mark.parametrize(
    ("way", "wanted", "seconds"),
    [(Way.EVENTS, None, 30.0), (Way.POLL, None, 5.0), (Way.UNPROVEN, None, 5.0), (Way.EVENTS, 7.0, 7.0)],
)
def test_how_often_it_is_scanned_follows_from_how_it_is_watched(way, wanted, seconds) -> None:
    assert Mode(way, "").rescan(wanted) == seconds


def test_files_that_come_while_the_first_scan_is_under_way_are_not_lost(site, picture) -> None:
    for number in range(300):
        site.drop(f"a/{number}.jpg", picture(str(number).encode(), 300))
    site.watch()
    for number in range(300):
        site.drop(f"b/{number}.jpg", picture(b"b" + str(number).encode(), 300))
    site.wait_settled(600, 30)
    assert len(site.images(*State)) == 600
