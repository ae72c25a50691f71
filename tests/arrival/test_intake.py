"""Files that are taken: their bytes in the spool, then their state in the journal; members of archives too."""

from __future__ import annotations

import io
import itertools
import threading
import zipfile
from dataclasses import replace

import pytest

from irisdrop.arrival import intake
from irisdrop.arrival.intake import Intake
from irisdrop.vocabulary.states import State


def archive(members: dict[str, bytes]) -> bytes:
    """A ZIP of names and their bytes."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return into.getvalue()


@pytest.fixture
def watched(site):
    """Begins to watch a camera whose archives are opened; returns when the first scan is over."""
    site.profile = replace(site.profile, files=replace(site.profile.files, archives=("*.zip",)))

    def begun() -> None:
        lookout = site.watch()
        site.wait(lambda: lookout.watching)

    return begun


def test_an_archive_that_takes_long_delays_no_other(site, picture, monkeypatch, watched) -> None:
    """However small it is: a few bytes may unpack to a disk full, and the quick threads are for pictures."""
    gate, entered, real = threading.Event(), threading.Semaphore(0), intake.unpack

    def slowly(*given):
        entered.release()
        gate.wait(60)
        return real(*given)

    monkeypatch.setattr(intake, "unpack", slowly)
    watched()
    for number in range(4):
        site.drop(f"{number}.zip", archive({"x/4711.jpg": picture(b"%d" % number)}))
    assert entered.acquire(timeout=30)
    site.drop("other.jpg", picture(b"o"))
    site.wait_settled(1)
    gate.set()
    site.wait_settled(5)


def test_an_archive_of_many_members_settles_in_parts_and_goes_on_after_a_crash(
    site, picture, monkeypatch, watched
) -> None:
    monkeypatch.setattr(intake, "AT_ONCE", 3)
    members = {f"{number}.jpg": picture(b"%d" % number) for number in range(8)}
    site.drop("a.zip", archive(members))
    settles, real = itertools.count(), Intake._write

    def dies(self, *given):
        if next(settles) == 4:
            raise RuntimeError("the agent dies")
        return real(self, *given)

    monkeypatch.setattr(Intake, "_write", dies)
    watched()
    site.wait(lambda: site.told("STAGE_FAILED") != [])
    assert len(site.images(State.SETTLED)) == 3
    site.stop()
    watched()
    site.wait_settled(8)
    assert sorted(image.name for image in site.images()) == sorted(
        ["a.zip", *(f"a.zip!{number}.jpg" for number in range(8))]
    )
    site.stop()
    watched()
    assert len(site.images()) == 9
