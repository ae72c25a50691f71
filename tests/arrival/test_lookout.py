"""From a file's first sign to its bytes in the spool."""

from __future__ import annotations

import hashlib

from irisdrop.vocabulary.states import State


def test_once_takes_what_is_there(site, picture) -> None:
    content = picture(b"a")
    site.drop("a.jpg", content)
    site.lookout().once()
    (image,) = site.images(State.SETTLED)
    assert image.digest == hashlib.sha256(content).hexdigest()
    assert site.spool.file(image.digest).read_bytes() == content
    assert image.live is False


def test_a_file_that_appears_while_it_is_watched_is_taken(site, picture) -> None:
    lookout = site.watch()
    site.wait(lambda: lookout._watched)
    site.drop("b.jpg", picture(b"b"))
    (image,) = site.wait_settled(1)
    assert image.live is True


def test_two_thousand_files_at_once_all_settle(site, picture) -> None:
    lookout = site.watch()
    site.wait(lambda: lookout._watched)
    for number in range(2000):
        site.drop(f"{number}.jpg", picture(str(number).encode()))
    site.wait_settled(2000, 60)
