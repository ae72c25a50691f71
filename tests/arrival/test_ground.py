"""Is it still the folder in which the known files were?"""

from __future__ import annotations

import os

import pytest

from irisdrop.arrival.distance import Distance
from irisdrop.arrival.ground import Ground, Presence
from irisdrop.arrival.scan import Scan
from irisdrop.record.known import Fingerprint, Standing


def made(site) -> Ground:
    distance = Distance("room-2", str(site.exports))
    return Ground("room-2", str(site.exports), site.journal, site.conditions, distance)


@pytest.fixture
def ground(site) -> Ground:
    return made(site)


def scanned(site) -> Scan:
    scan = Scan(str(site.exports), "room-2", site.journal.known, site.profile.takes)
    for _ in scan.walk():
        pass
    return scan


def know(site, name: str) -> None:
    site.journal.known.note("room-2", "", [(name, Fingerprint(1, 1, 1, 1), Standing.SETTLED)])


def test_a_new_folder_may_be_empty(site, ground) -> None:
    assert ground.look() is Presence.THERE
    assert ground.judge(scanned(site))


def test_a_folder_that_is_suddenly_empty_tells_no_removals(site, ground) -> None:
    know(site, "a.jpg")
    ground.look()
    assert not ground.judge(scanned(site))


def test_one_known_file_proves_the_folder(site, ground, picture) -> None:
    know(site, "a.jpg")
    know(site, "b.jpg")
    site.drop("a.jpg", picture(b"a"))
    ground.look()
    assert ground.judge(scanned(site))


def test_another_folder_with_other_files_tells_no_removals(site, ground, picture) -> None:
    know(site, "a.jpg")
    site.drop("a.jpg", picture(b"a"))
    ground.look()
    assert ground.judge(scanned(site))
    assert ground.firm()
    site.exports.rename(site.exports.with_name("old"))
    site.exports.mkdir()
    site.drop("stray.jpg", picture(b"s"))
    ground.look()
    assert not ground.firm()
    assert not ground.judge(scanned(site))
    again = made(site)
    again.look()
    assert not again.judge(scanned(site))


def test_a_missing_folder_is_not_firm(site, ground) -> None:
    site.exports.rmdir()
    assert ground.look() is Presence.MISSING
    assert not ground.firm()


def test_an_unreadable_folder_is_told_as_one(site, ground, monkeypatch) -> None:
    def refuse(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert ground.look() is Presence.UNREADABLE
    assert site.told("FOLDER_UNREADABLE") == ["room-2"]
    monkeypatch.undo()
    ground.look()
    assert ground.judge(scanned(site))
    assert site.told("FOLDER_UNREADABLE") == []
