"""Companion files at the door: what is none delays no image, what is locked is waited for and told."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from irisdrop.arrival import sidecars as module
from irisdrop.arrival.sidecars import Sidecars
from irisdrop.profiles.profile import SidecarRule
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import State


@pytest.fixture
def watched(site):
    """A site whose images have an XML file beside them; returns when the first scan is over."""
    rule = SidecarRule("{stem}.xml", "xml", {"//ID": "PatientID"}, wait=0.4)
    site.profile = replace(site.profile, read=(*site.profile.read, rule))
    lookout = site.watch()
    site.wait(lambda: lookout.watching)
    return site


def kept(site, image) -> bool:
    return site.spool.companion(image.digest, image.path, f"{image.name.removesuffix('.jpg')}.xml").is_file()


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "large"])
def test_what_is_no_companion_file_is_as_none(watched, picture, monkeypatch, kind) -> None:
    beside = watched.exports / "a.xml"
    if kind == "folder":
        beside.mkdir()
    elif kind == "pipe":
        os.mkfifo(beside)
    elif kind == "link":
        (watched.exports / "secret").write_text("<ID>1</ID>")
        beside.symlink_to(watched.exports / "secret")
    else:
        monkeypatch.setattr(module, "LARGEST", 5)
        beside.write_text("<ID>000815</ID>")
    watched.drop("a.jpg", picture(b"a"))
    (image,) = watched.wait_settled(1)
    assert not kept(watched, image)


def test_an_image_waits_for_a_companion_that_is_locked_and_it_is_told(watched, picture, monkeypatch) -> None:
    real, locked = module.open_plain, [True]

    def opened(path):
        if locked and path.endswith("a.xml"):
            raise PermissionError(13, "locked")
        return real(path)

    monkeypatch.setattr(module, "open_plain", opened)
    (watched.exports / "a.xml").write_text("<ID>000815</ID>")
    watched.drop("a.jpg", picture(b"a"))
    watched.drop("b.jpg", picture(b"b"))
    watched.wait(lambda: watched.told("FILE_LOCKED") != [])
    assert watched.wait_settled(1)[0].name == "b.jpg"
    (waiting,) = watched.images(State.SEEN)
    copied, tried = [], threading.Event()
    monkeypatch.setattr(watched.spool, "receive", lambda: copied.append(1))
    monkeypatch.setattr(module, "open_plain", lambda path: tried.set() or opened(path))
    assert tried.wait(30)
    assert waiting.digest is None
    assert copied == []
    monkeypatch.undo()
    monkeypatch.setattr(module, "open_plain", opened)
    locked.clear()
    images = watched.wait_settled(2, 60)
    assert [kept(watched, image) for image in images if image.name == "a.jpg"] == [True]
    watched.wait(lambda: watched.told("FILE_LOCKED") == [])


def test_late_companions_are_looked_for_some_at_a_time_and_none_is_left_out(watched, picture, monkeypatch) -> None:
    """On a share each look takes its time, and the folder must be watched meanwhile."""
    monkeypatch.setattr(module, "AT_ONCE", 3)
    for number in range(8):
        watched.drop(f"{number}.jpg", picture(b"%d" % number))
    watched.wait_settled(8, 60)
    watched.stop()
    for image in watched.images(State.SETTLED):
        watched.journal.refuse(image, Code.UNREADABLE, "its companion file is missing")
        (watched.exports / f"{image.name.removesuffix('.jpg')}.xml").write_text("<ID>000815</ID>")
    looks, real = [], Sidecars._renewed
    monkeypatch.setattr(Sidecars, "_renewed", lambda self, *given: (looks.append(1), real(self, *given))[1])
    tending = Sidecars(
        *("room-2", str(watched.exports), watched.journal, watched.spool, watched.clock),
        *(lambda: replace(watched.profile, settle=0.0), lambda: None),
    )
    for _ in range(3):
        before = len(looks)
        tending.tend()
        assert len(looks) - before <= 3
    for _ in range(4):
        tending.tend()
    assert len(watched.images(State.SETTLED)) == 8


def test_a_companion_that_nobody_waits_for_any_more_is_forgotten(watched, picture, monkeypatch) -> None:
    """A camera makes thousands in a year."""
    tending = Sidecars(
        *("room-2", str(watched.exports), watched.journal, watched.spool, watched.clock),
        *(lambda: watched.profile, lambda: None),
    )
    (watched.exports / "a.xml").write_text("<ID>000815</ID>")
    watched.drop("a.jpg", picture(b"a"))
    watched.wait_settled(1)
    tending.keep("0" * 64, "", "a.jpg")
    tending.tend()
    assert tending._looks
    monkeypatch.setattr(module, "FORGET", -1.0)
    tending.tend()
    assert not tending._looks


def test_a_companion_that_changes_while_its_image_waits_to_be_read_is_spooled_anew(watched, picture) -> None:
    """A backlog takes minutes; what is read of it then must not be what was true before."""
    (watched.exports / "a.xml").write_text("<ID>000815</ID>")
    watched.drop("a.jpg", picture(b"a"))
    (image,) = watched.wait_settled(1)
    (watched.exports / "a.xml").write_text("<ID>000816</ID>")
    spooled = watched.spool.companion(image.digest, image.path, "a.xml")
    watched.wait(lambda: spooled.read_text() == "<ID>000816</ID>")
    watched.wait(lambda: watched.images(State.SETTLED)[0].version > image.version)


def test_a_picture_that_grew_on_is_read_by_the_companion_of_its_beginning(watched, picture) -> None:
    (watched.exports / "a.xml").write_text("<ID>000815</ID>")
    whole = picture(b"a")
    watched.drop("a.jpg", whole[:-1000])
    watched.wait(lambda: watched.images(State.QUARANTINED) != [])
    watched.drop("a.jpg", whole)
    (image,) = watched.wait_settled(1)
    assert kept(watched, image)


def test_a_companion_that_nobody_waits_for_is_read_when_it_comes(site, picture) -> None:
    rule = SidecarRule("{stem}.xml", "xml", {"//ID": "PatientID"}, wait=0.0)
    site.profile = replace(site.profile, read=(*site.profile.read, rule))
    site.watch()
    site.drop("a.jpg", picture(b"a"))
    (image,) = site.wait_settled(1)
    site.journal.refuse(image, Code.UNREADABLE, "its companion file is missing")
    (site.exports / "a.xml").write_text("<ID>000815</ID>")
    assert [kept(site, one) for one in site.wait_settled(1)] == [True]
