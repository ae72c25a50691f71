"""From a file's first sign to its bytes in the spool, on real folders with short quiet times."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from irisdrop.arrival import hold, reception
from irisdrop.arrival import lookout as module
from irisdrop.arrival import take as taking
from irisdrop.arrival.takers import QUICK
from irisdrop.record.known import Standing
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def watched(site):
    """A lookout whose first scan is over."""
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    return lookout


# ---------------------------------------------------------------------- once


def test_once_takes_what_is_there_and_ends(site, picture) -> None:
    content = picture(b"a")
    site.drop("a.jpg", content)
    site.lookout().once()
    (image,) = site.images(State.SETTLED)
    assert image.digest == digest(content)
    assert site.spool.file(image.digest).read_bytes() == content
    assert not image.live


def test_once_ends_with_files_that_are_given_up_or_can_not_be_opened(site, picture, monkeypatch) -> None:
    site.drop("half.jpg", picture(b"h")[:-2])
    site.drop("empty.jpg", b"")
    site.drop("locked.jpg", picture(b"l"))
    real = taking.open_plain
    monkeypatch.setattr(
        taking,
        "open_plain",
        lambda path: (_ for _ in ()).throw(PermissionError(13, "x")) if path.endswith("locked.jpg") else real(path),
    )
    site.lookout().once()
    assert {image.name: (image.state, image.reason) for image in site.images()} == {
        "half.jpg": (State.QUARANTINED, Code.UNREADABLE),
        "empty.jpg": (State.QUARANTINED, Code.UNREADABLE),
        "locked.jpg": (State.SEEN, None),
    }


def test_once_ends_where_there_is_no_folder(site) -> None:
    site.exports.rmdir()
    site.lookout().once()
    assert site.told("FOLDER_MISSING") == ["room-2"]


# ---------------------------------------------------------------------- settling


def test_a_file_that_appears_while_it_is_watched_is_taken(site, picture) -> None:
    watched(site)
    site.drop("b.jpg", picture(b"b"))
    (image,) = site.wait_settled(1)
    assert image.live
    assert site.settled.wait(30)


WRITER = """
import sys, time
path, pieces, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
content = sys.stdin.buffer.read()
step = len(content) // pieces + 1
with open(path, "wb", buffering=0) as file:
    for begin in range(0, len(content), step):
        file.write(content[begin:begin + step])
        time.sleep(pause)
"""


def write_slowly(path: Path, content: bytes, pieces: int, pause: float) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WRITER, str(path), str(pieces), str(pause)]
    writer = subprocess.Popen(arguments, stdin=subprocess.PIPE)
    assert writer.stdin is not None
    writer.stdin.write(content)
    writer.stdin.close()
    return writer


def test_a_half_written_file_is_never_taken(site, picture) -> None:
    """A writer that pauses longer than the quiet time: paperless-ngx#1279, connect#1443."""
    site.profile = replace(site.profile, give_up=60.0)
    watched(site)
    content = picture(b"slow", 200_000)
    writer = write_slowly(site.exports / "slow.jpg", content, 6, 0.15)
    (image,) = site.wait_settled(1)
    assert writer.wait(60) == 0
    assert image.digest == digest(content)
    assert [row.digest for row in site.images()] == [image.digest]


def test_a_half_written_file_found_at_the_start_is_not_taken(site, picture) -> None:
    site.profile = replace(site.profile, give_up=60.0)
    content = picture(b"start", 200_000)
    path = site.drop("start.jpg", content[:5000])
    os.utime(path, (time.time() - 3600,) * 2)
    lookout = watched(site)
    site.wait(lambda: lookout.pending == 1)
    with path.open("ab") as more:
        more.write(content[5000:])
    (image,) = site.wait_settled(1)
    assert image.digest == digest(content)


def test_an_old_mtime_is_no_proof_of_completeness(site, picture) -> None:
    """camel#10131."""
    site.profile = replace(site.profile, give_up=60.0)
    watched(site)
    content = picture(b"old")
    path = site.exports / "old.jpg"
    with path.open("wb", buffering=0) as file:
        file.write(content[:1000])
        os.utime(path, (0, 0))
        site.wait(lambda: len(site.images(State.SEEN)) == 1)
        file.write(content[1000:])
    os.utime(path, (0, 0))
    (image,) = site.wait_settled(1)
    assert image.digest == digest(content)


def test_a_file_that_is_renamed_into_place_is_taken_once(site, picture) -> None:
    watched(site)
    path = site.drop("x.jpg.tmp", picture(b"r"))
    path.rename(site.exports / "x.jpg")
    (image,) = site.wait_settled(1)
    assert image.name == "x.jpg"
    assert len(site.images()) == 1


def test_a_file_that_is_renamed_before_it_settled_vanishes_and_comes_again(site, picture) -> None:
    site.profile = replace(site.profile, settle=3.0)
    watched(site)
    path = site.drop("draft.jpg", picture(b"r"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    path.rename(site.exports / "final.jpg")
    (image,) = site.wait_settled(1)
    assert image.name == "final.jpg"
    site.wait(lambda: [row.name for row in site.images(State.VANISHED)] == ["draft.jpg"])


def test_a_file_that_is_gone_before_it_settled_vanishes(site, picture) -> None:
    site.profile = replace(site.profile, settle=3.0)
    watched(site)
    path = site.drop("gone.jpg", picture(b"g"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    path.unlink()
    site.wait(lambda: len(site.images(State.VANISHED)) == 1)
    site.drop("gone.jpg", picture(b"back"))
    (image,) = site.wait_settled(1)
    assert image.digest == digest(picture(b"back"))


def test_a_file_that_never_ends_is_quarantined_and_superseded_when_it_grows_on(site, picture) -> None:
    watched(site)
    content = picture(b"p", 5000)
    path = site.drop("p.jpg", content[:3000])
    site.wait(lambda: len(site.images(State.QUARANTINED)) == 1)
    (partial,) = site.images(State.QUARANTINED)
    assert partial.reason is Code.UNREADABLE
    assert partial.digest == digest(content[:3000])
    with path.open("ab") as more:
        more.write(content[3000:])
    (image,) = site.wait_settled(1)
    assert image.digest == digest(content)
    assert site.journal.get(partial.id).state is State.DISCARDED
    assert site.journal.history(partial.id)[-1].event == Event.SUPERSEDE


def test_a_companion_replaces_waiting(site, picture) -> None:
    site.profile = replace(site.profile, settle=600.0, give_up=900.0, done="{name}.done")
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    site.drop("a.jpg.done", b"")
    site.wait_settled(1)


def test_a_companion_that_the_last_image_of_that_name_left_behind_replaces_nothing(site, picture) -> None:
    site.profile = replace(site.profile, settle=0.05, give_up=900.0, done="{name}.done")
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.drop("a.jpg.done", b"")
    site.wait_settled(1)
    site.wait(lambda: site.journal.known.get("room-2", "", "a.jpg").standing is Standing.SETTLED)
    site.drop("a.jpg", picture(b"b"))
    os.utime(site.exports / "a.jpg.done", (1.0, 1.0))
    site.drop("b.jpg", picture(b"c"))  # comes later
    site.drop("b.jpg.done", b"")
    site.wait_settled(2)
    assert sorted(image.name for image in site.images(State.SETTLED)) == ["a.jpg", "b.jpg"]
    site.drop("a.jpg.done", b"")
    site.wait_settled(3)


def test_a_companion_that_can_not_be_looked_at_delays_its_own_image_alone(site, picture, caplog) -> None:
    long = "d" * 240
    site.profile = replace(site.profile, settle=0.05, give_up=900.0, done="{name}." + long)
    watched(site)
    site.drop("a picture of a long name.jpg", picture(b"a"))  # the system refuses to look for its companion
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    site.drop("b.jpg", picture(b"b"))
    site.drop(f"b.jpg.{long}", b"")
    assert [image.name for image in site.wait_settled(1)] == ["b.jpg"]
    assert "failed" not in caplog.text


def test_a_file_written_within_two_seconds_of_its_reading_is_read_once_more(site, picture, monkeypatch) -> None:
    """git's racily clean files: same size, same clock tick, other bytes."""
    monkeypatch.setattr(reception, "RACY_AFTER", 0.3)
    lookout = watched(site)
    one, two = picture(b"1"), picture(b"2")
    path = site.drop("r.jpg", one)
    site.wait_settled(1)
    before = path.stat()
    known = site.journal.known
    path.write_bytes(two)
    seen = known.get("room-2", "", "r.jpg")
    assert seen is not None
    # As if the file system's clock had not ticked: what is known is told to be what is there now.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    site.wait_settled(2)
    site.wait(lambda: lookout.pending == 0)
    assert [image.digest for image in site.images(State.SETTLED)] == [digest(one), digest(two)]


def test_a_racy_file_is_remembered_as_such_until_it_was_read_again(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(reception, "RACY_AFTER", 60.0)
    watched(site)
    site.drop("r.jpg", picture(b"r"))
    site.wait_settled(1)
    assert standing(site, "r.jpg") is Standing.RACY
    site.stop()
    monkeypatch.setattr(reception, "RACY_AFTER", 0.1)
    watched(site)
    site.wait(lambda: standing(site, "r.jpg") is Standing.SETTLED)
    assert len(site.images()) == 1


def standing(site, base: str) -> Standing | None:
    known = site.journal.known.get("room-2", "", base)
    return None if known is None else known.standing


def test_a_file_that_is_written_while_it_waits_for_a_reader_is_given_its_quiet_time_again(
    site, picture, monkeypatch
) -> None:
    gate, real = threading.Event(), taking.open_plain
    monkeypatch.setattr(
        taking, "open_plain", lambda path: (gate.wait(20), real(path))[1] if "/hangs" in path else real(path)
    )
    lookout = watched(site)
    for number in range(QUICK):
        site.drop(f"hangs{number}.jpg", picture(b"h%d" % number))
    site.wait(lambda: len(site.images(State.SEEN)) == QUICK)
    path = site.drop("a.jpg", picture(b"one"))
    site.wait(lambda: (pending := lookout._reception.settling.get("", "a.jpg")) is not None and pending.taking)
    looked = lookout._reception.settling.get("", "a.jpg").fingerprint
    path.write_bytes(picture(b"another", 3000))
    site.wait(lambda: lookout._reception.settling.get("", "a.jpg").touched)
    assert lookout._reception.settling.get("", "a.jpg").fingerprint == looked
    gate.set()
    site.wait_settled(QUICK + 1)
    assert digest(picture(b"another", 3000)) in {image.digest for image in site.images()}


def test_a_file_missed_while_the_share_goes_away_has_not_vanished(site, picture) -> None:
    """The look comes after the share is gone, and before that is noticed."""
    site.profile = replace(site.profile, settle=30.0, give_up=60.0)
    lookout = watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    site.stop()
    site.exports.rename(site.exports.with_name("away"))
    lookout._reception.lose("", ["a.jpg"])
    assert len(site.images(State.SEEN)) == 1
    assert lookout.pending == 1


def test_camera_times_in_the_future_and_in_2012_change_nothing(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(reception, "RACY_AFTER", 0.1)
    lookout = watched(site)
    for name, year in (("future.jpg", 2100), ("past.jpg", 2012)):
        path = site.drop(name, picture(name.encode()))
        os.utime(path, ((year - 1970) * 31_556_952,) * 2)
    site.wait_settled(2)
    site.wait(lambda: lookout.pending == 0)
    assert all(image.live for image in site.images())


# ---------------------------------------------------------------------- same path again


def test_new_bytes_at_an_old_path_are_a_new_image(site, picture) -> None:
    """A counter that wraps: camel#24748, immich-go#1255."""
    watched(site)
    for seed in (b"first", b"second"):
        site.drop("IMG_0001.jpg", picture(seed))
        site.wait(lambda seed=seed: any(i.digest == digest(picture(seed)) for i in site.images(State.SETTLED)))
    assert len(site.images(State.SETTLED)) == 2


def test_the_same_bytes_at_the_same_path_are_the_same_image_whatever_the_mtime(site, picture) -> None:
    lookout = watched(site)
    path = site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)
    for content in (picture(b"a"), None):
        if content is not None:
            path.write_bytes(content)
        os.utime(path, (1, 1))
        lookout.rescan()
        seen = path.stat()
        site.wait(
            lambda seen=seen: (
                (known := site.journal.known.get("room-2", "", "a.jpg")) is not None
                and known.fingerprint.ctime_ns == seen.st_ctime_ns
                and lookout.pending == 0
            )
        )
    assert len(site.images()) == 1


def test_a_restart_takes_nothing_twice_and_skips_nothing(site, picture) -> None:
    """beats#36541, fluent-bit#1875."""
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)
    site.stop()
    site.journal.close()
    site.drop("b.jpg", picture(b"b"))
    site.open()
    watched(site)
    site.wait_settled(2)
    assert sorted(image.name for image in site.images()) == ["a.jpg", "b.jpg"]
    assert [image.live for image in site.images()] == [True, False]


def test_what_was_seen_and_not_taken_before_a_stop_is_taken_after_it(site, picture) -> None:
    site.profile = replace(site.profile, settle=30.0, give_up=60.0)
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    site.stop()
    site.profile = replace(site.profile, settle=0.05)
    site.lookout().once()
    (image,) = site.images()
    assert image.state is State.SETTLED
    assert image.live


# ---------------------------------------------------------------------- what is never taken


def test_links_pipes_and_the_like_are_refused_once(site, picture) -> None:
    site.drop("real/a.jpg", picture(b"a"))
    (site.exports / "link.jpg").symlink_to(site.exports / "real" / "a.jpg")
    os.mkfifo(site.exports / "pipe.jpg")
    lookout = watched(site)
    site.wait(lambda: len(site.images(State.QUARANTINED)) == 2)
    for _ in range(3):
        scans = lookout.scans
        lookout.rescan()
        site.wait(lambda scans=scans: lookout.scans > scans)
    refused = site.images(State.QUARANTINED)
    assert {(image.name, image.reason, image.digest) for image in refused} == {
        ("link.jpg", Code.NOT_A_PLAIN_FILE, None),
        ("pipe.jpg", Code.NOT_A_PLAIN_FILE, None),
    }


def test_a_plain_file_in_the_place_of_a_link_is_taken(site, picture) -> None:
    link = site.exports / "a.jpg"
    link.symlink_to("/etc/hostname")
    watched(site)
    site.wait(lambda: len(site.images(State.QUARANTINED)) == 1)
    link.unlink()
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)


def test_a_file_over_the_limit_is_refused_without_a_copy(site, picture) -> None:
    site.largest = 1000
    watched(site)
    site.drop("large.jpg", picture(b"l", 5000))
    site.wait(lambda: len(site.images(State.QUARANTINED)) == 1)
    (image,) = site.images()
    assert (image.reason, image.digest) == (Code.TOO_LARGE, None)
    assert site.spool.used == 0


def test_what_a_person_releases_without_bytes_is_looked_at_again(site, picture) -> None:
    site.largest = 1000
    watched(site)
    site.drop("large.jpg", picture(b"l", 5000))
    site.wait(lambda: len(site.images(State.QUARANTINED)) == 1)
    site.stop()
    site.largest = 1 << 31
    (image,) = site.images()
    site.journal.move(image, Event.RELOOK, "IT", "the limit was raised")
    watched(site)
    (settled,) = site.wait_settled(1)
    assert settled.id == image.id


def test_files_that_the_profile_skips_leave_no_trace(site, picture) -> None:
    lookout = watched(site)
    for name in ("._a.jpg", "a_thumb.jpg", "a.txt", ".irisdrop-x.probe"):
        site.drop(name, picture(b"x"))
    site.drop("real.jpg", picture(b"r"))
    site.wait_settled(1)
    scans = lookout.scans
    site.wait(lambda: lookout.scans > scans)
    assert len(site.images()) == 1


# ---------------------------------------------------------------------- folders and names


def test_a_folder_that_appears_later_is_watched_too(site, picture) -> None:
    site.camera = replace(site.camera, rescan=60.0)
    watched(site)
    (site.exports / "p1" / "deep").mkdir(parents=True)
    site.drop("p1/deep/a.jpg", picture(b"a"))
    site.wait_settled(1)
    site.drop("p1/deep/b.jpg", picture(b"b"))
    site.wait_settled(2)


def test_a_folder_that_appears_behind_a_scans_back_is_not_taken_for_gone(site, picture, monkeypatch) -> None:
    lookout = watched(site)
    site.drop("old.jpg", picture(b"o"))
    site.wait_settled(1)
    walk = module.Scan.walk

    def slowly(scan, *below):
        yield from walk(scan, *below)
        if not below and not (site.exports / "late").exists():
            (site.exports / "late").mkdir()
            site.drop("late/new.jpg", picture(b"n"))
            until = time.monotonic() + 30
            while not site.journal.at_path(str(site.exports / "late" / "new.jpg")) and time.monotonic() < until:
                yield module.Batch("")  # events are attended to between two pieces

    monkeypatch.setattr(module.Scan, "walk", slowly)
    scans = lookout.scans
    lookout.rescan()
    site.wait(lambda: lookout.scans > scans)
    assert {one.name for one in site.wait_settled(2)} == {"old.jpg", "late/new.jpg"}
    assert [one.state for one in site.images()] == [State.SETTLED, State.SETTLED]


def test_a_folder_that_is_moved_in_is_taken_whole(site, picture, tmp_path) -> None:
    site.camera = replace(site.camera, rescan=60.0)
    watched(site)
    outside = tmp_path / "study"
    (outside / "right").mkdir(parents=True)
    for name in ("a.jpg", "right/b.jpg"):
        (outside / name).write_bytes(picture(name.encode()))
    outside.rename(site.exports / "study")
    site.wait_settled(2)
    assert sorted(image.name for image in site.images()) == ["study/a.jpg", "study/right/b.jpg"]


@pytest.mark.parametrize(
    "name", ["Müller.jpg", "Mu\u0308ller.jpg", "山田 太郎.jpg", 'O\'Neil "x".jpg', "new\nline.jpg", "é" * 125 + ".jpg"]
)
def test_names_in_any_script_arrive(site, picture, name) -> None:
    watched(site)
    path = site.drop(f"Ordner ü/{name}", picture(b"n"))
    (image,) = site.wait_settled(1)
    assert image.path == str(path)


def test_a_composed_and_a_decomposed_name_are_two_files(site, picture) -> None:
    """owncloud/client#6338."""
    watched(site)
    site.drop("\u00fc.jpg", picture(b"1"))
    site.drop("u\u0308.jpg", picture(b"2"))
    site.wait_settled(2)


def test_a_name_that_is_no_unicode_arrives(site, picture) -> None:
    watched(site)
    path = Path(os.fsdecode(os.fsencode(str(site.exports)) + b"/\xff\xfe.jpg"))
    path.write_bytes(picture(b"raw"))
    (image,) = site.wait_settled(1)
    assert image.path == str(path)
    image.name.encode()  # fit for JSON


def test_a_folder_that_does_not_exist_yet_is_waited_for(site, picture) -> None:
    site.exports.rmdir()
    lookout = site.watch()
    site.wait(lambda: site.told("FOLDER_MISSING") == ["room-2"])
    site.exports.mkdir()
    site.wait(lambda: lookout.watching)
    assert site.told("FOLDER_MISSING") == []
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)


def test_a_folder_behind_a_link_is_watched(site, picture, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(site.exports)
    site.camera = replace(site.camera, folder=link, rescan=60.0)
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    (image,) = site.wait_settled(1)
    assert image.path == str(link / "a.jpg")


# ---------------------------------------------------------------------- shares that go away


def test_a_folder_that_goes_away_and_returns_is_no_removal_and_nothing_is_taken_again(site, picture) -> None:
    """watchdog#1065, watchdog#802."""
    lookout = watched(site)
    for number in range(20):
        site.drop(f"p/{number}.jpg", picture(str(number).encode()))
    site.wait_settled(20)
    away = site.exports.with_name("away")
    site.exports.rename(away)
    site.wait(lambda: site.told("FOLDER_MISSING") == ["room-2"])
    shutil.copytree(away, site.exports)  # other inodes, other times
    for path in site.exports.rglob("*.jpg"):
        os.utime(path)
    site.wait(lambda: lookout.watching and lookout.pending == 0 and not site.told("FOLDER_MISSING"))
    site.drop("new.jpg", picture(b"new"))
    site.wait_settled(21)
    assert len(site.images()) == 21


def test_an_unmounted_share_leaves_an_empty_folder_and_no_removals(site, picture) -> None:
    mount(site.exports)
    site.camera = replace(site.camera, rescan=0.1)
    site.profile = replace(site.profile, settle=0.05, give_up=30.0)
    lookout = watched(site)
    content = picture(b"a")
    site.drop("a.jpg", content)
    site.wait_settled(1)
    site.drop("half.jpg", content[:100])
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    subprocess.run(["umount", "-l", str(site.exports)], check=True)
    site.wait(lambda: site.told("FOLDER_MISSING") == ["room-2"])
    assert len(site.images(State.SEEN)) == 1
    assert site.journal.known.get("room-2", "", "a.jpg") is not None
    mount(site.exports)
    site.drop("a.jpg", content)
    site.drop("b.jpg", picture(b"b"))
    site.wait_settled(2)
    site.wait(lambda: lookout.pending == 0)
    assert sorted(image.name for image in site.images(State.SETTLED)) == ["a.jpg", "b.jpg"]
    assert site.told("FOLDER_MISSING") == []
    subprocess.run(["umount", "-l", str(site.exports)], check=True)


def mount(folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "irisdrop-test", str(folder)], check=True)


def test_a_removed_file_is_forgotten_and_its_image_stays(site, picture) -> None:
    watched(site)
    path = site.drop("a.jpg", picture(b"a"))
    site.drop("b.jpg", picture(b"b"))
    site.wait_settled(2)
    path.unlink()
    site.wait(lambda: site.journal.known.get("room-2", "", "a.jpg") is None)
    assert len(site.images(State.SETTLED)) == 2


# ---------------------------------------------------------------------- trouble with one file


def test_a_locked_file_delays_no_other_and_is_taken_when_it_is_free(site, picture, monkeypatch) -> None:
    """paperless-ngx#9698: never retried after the cause clears; shanoir-ng#3552: a poison file blocks the queue."""
    locked = threading.Event()
    locked.set()
    real = taking.open_plain

    def open_plain(path: str) -> int:
        if path.endswith("locked.jpg") and locked.is_set():
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(taking, "open_plain", open_plain)
    watched(site)
    site.drop("locked.jpg", picture(b"l"))
    site.wait(lambda: site.told("FILE_LOCKED") != [])
    begin = time.monotonic()
    site.drop("other.jpg", picture(b"o"))
    site.wait_settled(1)
    assert time.monotonic() - begin < 10.0
    assert site.told("FILE_LOCKED") == [str(image.id) for image in site.images(State.SEEN)]
    locked.clear()
    site.wait_settled(2)
    site.wait(lambda: site.told("FILE_LOCKED") == [])


def test_a_file_that_was_locked_when_the_watching_failed_is_not_called_locked_for_ever(
    site, picture, monkeypatch
) -> None:
    locked, real = threading.Event(), taking.open_plain
    locked.set()

    def open_plain(path: str) -> int:
        if locked.is_set():
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(taking, "open_plain", open_plain)
    monkeypatch.setattr(module, "STARTED_OVER", 0.1)
    watching = watched(site)
    site.drop("locked.jpg", picture(b"l"))
    site.wait(lambda: site.told("FILE_LOCKED") != [])
    failed, ground = threading.Event(), watching._ground.look

    def fail() -> object:
        if failed.is_set():
            return ground()
        locked.clear()
        failed.set()
        raise ValueError("once")

    monkeypatch.setattr(watching._ground, "look", fail)
    watching.wake()
    site.wait_settled(1)
    site.wait(lambda: site.told("FILE_LOCKED") == [])


def test_a_reading_that_hangs_delays_no_other_and_not_the_end(site, picture, monkeypatch) -> None:
    gate, real = threading.Event(), taking.open_plain
    monkeypatch.setattr(reception, "TAKERS_WITHIN", 0.1)
    monkeypatch.setattr(
        taking, "open_plain", lambda path: (gate.wait(40), real(path))[1] if path.endswith("hangs.jpg") else real(path)
    )
    watched(site)
    site.drop("hangs.jpg", picture(b"h"))
    site.wait(lambda: len(site.images(State.SEEN)) == 1)
    site.drop("other.jpg", picture(b"o"))
    site.wait_settled(1)
    begin = time.monotonic()
    site.stop()
    assert time.monotonic() - begin < 10.0
    gate.set()


def test_bytes_that_left_the_spool_before_the_commit_are_read_again(site, picture, monkeypatch) -> None:
    """Housekeeping may drop a digest that an older image of the same bytes no longer needs."""
    real, drops = site.spool.keep, [True]

    def keep(copy, origin):
        kept = real(copy, origin)
        if drops:
            drops.pop()
            site.spool.drop(kept)
        return kept

    monkeypatch.setattr(site.spool, "keep", keep)
    watched(site)
    site.drop("a.jpg", picture(b"a"))
    (image,) = site.wait_settled(1)
    assert site.spool.sound(image.digest)


def test_a_fault_of_ours_on_one_file_is_told_and_delays_no_other(site, picture, monkeypatch) -> None:
    real = taking.ended

    def ended(file, size):
        if size == 1234:
            raise ZeroDivisionError
        return real(file, size)

    monkeypatch.setattr(taking, "ended", ended)
    watched(site)
    site.drop("bad.jpg", bytes(1234))
    site.wait(lambda: site.told("STAGE_FAILED") == ["room-2 taking"])
    site.drop("good.jpg", picture(b"g"))
    site.wait_settled(1)


def test_a_fault_of_ours_in_the_watching_is_told_and_it_goes_on(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(module, "STARTED_OVER", 0.2)
    lookout = watched(site)
    real, fails = site.journal.see, [True]

    def see(*arguments, **named):
        if fails.pop() if fails else False:
            raise RuntimeError("nothing about the file")
        return real(*arguments, **named)

    monkeypatch.setattr(site.journal, "see", see)
    site.drop("a.jpg", picture(b"a"))
    site.wait_settled(1)
    site.wait(lambda: site.told("STAGE_FAILED") == [] and lookout.watching)


def test_a_full_disk_makes_images_wait_and_they_go_on_by_themselves(site, picture, small_disk, monkeypatch) -> None:
    from irisdrop.record.spool import Spool

    monkeypatch.setattr(hold, "HOLD", 0.2)
    site.spool = Spool(small_disk / "spool")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    watched(site)
    site.drop("a.jpg", picture(b"a", 1_500_000))
    site.wait(lambda: site.told("DISK_FULL") == ["spool"])
    assert list((site.spool.folder / "incoming").iterdir()) == []
    ballast.unlink()
    site.wait_settled(1)
    site.wait(lambda: site.told("DISK_FULL") == [])


def test_a_full_spool_makes_images_wait_in_their_folder(site, picture, monkeypatch) -> None:
    monkeypatch.setattr(hold, "HOLD", 0.2)
    site.spool.budget.limit = 3000
    watched(site)
    site.drop("a.jpg", picture(b"a", 2000))
    (first,) = site.wait_settled(1)
    site.drop("b.jpg", picture(b"b", 2000))
    site.wait(lambda: site.told("SPOOL_FULL") == ["spool"])
    site.spool.drop(first.digest)
    site.wait_settled(2)
    site.wait(lambda: site.told("SPOOL_FULL") == [])


def test_a_large_file_that_finds_no_room_delays_no_small_one(site, picture) -> None:
    """It waits alone, told for as long as it does, and its going ends that."""
    site.spool.budget.limit = 20_000
    watched(site)
    large = site.drop("large.jpg", picture(b"l", 30_000))
    site.wait(lambda: site.told("SPOOL_FULL") == ["spool"])
    for number in range(5):
        site.drop(f"{number}.jpg", picture(b"%d" % number, 2000))
    site.wait_settled(5, 4.0)
    assert site.told("SPOOL_FULL") == ["spool"]
    assert [one.detail for one in site.conditions.active() if one.code == "SPOOL_FULL"] == [
        "its limit of 19.5 KiB is reached"
    ]
    large.unlink()
    site.wait(lambda: site.told("SPOOL_FULL") == [])


# ---------------------------------------------------------------------- many files


def test_two_thousand_files_at_once_all_settle_each_once(site, picture) -> None:
    """paperless-ngx#9277: one file queued many times."""
    watched(site)
    for number in range(2000):
        site.drop(f"{number}.jpg", picture(str(number).encode(), 500))
    site.wait_settled(2000, 60)
    images = site.images()
    assert len(images) == 2000
    assert len({image.digest for image in images}) == 2000


def test_a_new_image_does_not_wait_for_a_backlog(site, picture) -> None:
    site.profile = replace(site.profile, settle=0.3, give_up=60.0)
    for number in range(3000):
        site.drop(f"old/{number}.jpg", picture(str(number).encode(), 500))
    site.camera = replace(site.camera, rescan=60.0)
    site.watch()
    site.wait(lambda: site.journal.counts()[State.SETTLED] >= 20, 30)
    site.drop("now.jpg", picture(b"now"))
    begin = time.monotonic()
    site.wait(lambda: any(image.name == "now.jpg" for image in site.images(State.SETTLED)))
    assert time.monotonic() - begin < 15.0
    assert site.journal.counts()[State.SETTLED] < 3001


def test_what_was_written_last_is_taken_first_in_whatever_order_it_was_found(site, picture, monkeypatch) -> None:
    ranks = {}
    put = reception.Takers.put

    def noted(takers, size, rank, job, *, archive=False) -> None:
        ranks[size] = rank
        put(takers, size, rank, job, archive=archive)

    monkeypatch.setattr(reception.Takers, "put", noted)
    sizes = []
    for number, name in enumerate(("c.jpg", "a.jpg", "d.jpg", "b.jpg")):
        path = site.drop(name, picture(b"x", 1000 + number))
        os.utime(path, ns=(0, path.stat().st_mtime_ns - (10 - number) * 1_000_000_000))
        sizes.append(path.stat().st_size)
    site.lookout().once()
    assert sorted(ranks.keys() & set(sizes), key=lambda size: ranks[size]) == sizes[::-1]
