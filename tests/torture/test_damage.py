"""A journal that is damaged, lost, or put back to what it was: nothing is lost, and nothing is sent again."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from typing import Any

import pytest
from rig import damage
from rig.nursery import wait_until


def states(site: Any) -> list[str]:
    """The state of every image."""
    return [row["state"] for row in site.rows()]


def puts(site: Any) -> int:
    """How often bytes came to the platform."""
    return int(site.platform_log.read_text().count("PUT /v1/images"))


def put_back(site: Any, older: Any) -> None:
    """The journal as it was, as by a disk that lost its last writes or a person who copied a backup over it."""
    for suffix in ("", "-wal", "-shm"):
        (site.state / f"journal.db{suffix}").unlink(missing_ok=True)
    shutil.copyfile(older, site.state / "journal.db")


def folded(site: Any, to: Any) -> Any:
    """A copy of the whole journal in one file."""
    with contextlib.closing(sqlite3.connect(site.state / "journal.db")) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return shutil.copyfile(site.state / "journal.db", to)


@pytest.mark.parametrize("state", ["SETTLED", "IDENTIFIED", "MATCHED"])
def test_a_journal_that_lost_its_end_sends_nothing_again(site: Any, state: str) -> None:
    """It says that the images are still to be sent, and they were: the platform is asked, whatever it says."""
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    site.platform.kill()
    digests = site.drop(3)
    assert wait_until(lambda: states(site).count("MATCHED") == 3, 30)
    site.agent.kill()
    older = folded(site, site.root / "older.db")
    with contextlib.closing(sqlite3.connect(older)) as journal, journal:
        # As it stood a moment earlier: not tried yet, so that nothing in it tells of an attempt.
        journal.execute("DELETE FROM attempts WHERE image IN (SELECT id FROM images WHERE state = 'MATCHED')")
        journal.execute("UPDATE images SET ask_first = 0, tries = 0, next_try = NULL WHERE state = 'MATCHED'")
        if state != "MATCHED":
            journal.execute("UPDATE images SET state = ?, entry = NULL, eye = NULL WHERE state = 'MATCHED'", (state,))
    site.begin()
    assert site.wait_delivered(digests, 30)
    assert wait_until(lambda: states(site).count("DELIVERED") == 4, 30)
    site.agent.kill()
    put_back(site, older)
    site.begin()
    site.settled()
    assert puts(site) == 4


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_journal_is_rebuilt_from_spool_and_platform(site: Any, seed: int) -> None:
    """Although the camera has deleted every source in the meantime."""
    site.begin()
    assert site.wait_delivered(site.drop(3), 30)
    site.platform.kill()
    waiting = site.drop(3)
    assert wait_until(lambda: states(site).count("MATCHED") == 3, 30)
    site.agent.kill()
    for writing in site.camera.writings:
        writing.path.unlink()
        writing.ended, writing.acknowledged = 0.0, True
    damage.harm(site.state, random.Random(seed))
    site.begin()
    assert site.wait_delivered(waiting, 60)
    site.settled()
    assert len(site.receipts()) == 6
    assert puts(site) == 6


@pytest.mark.parametrize("seed", range(3))
def test_an_order_or_eye_that_was_changed_on_the_disk_reaches_nobody_else(site: Any, seed: int) -> None:
    """The value could be one, so nothing in the file tells of it; the images waited for the platform meanwhile."""
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    site.platform.kill()
    waiting = site.drop(6)
    assert wait_until(lambda: states(site).count("MATCHED") == 6, 30)
    site.agent.kill()
    before = [(row["entry"], row["eye"]) for row in site.rows()]
    damage.changed(site.state / "journal.db", random.Random(seed))
    assert [(row["entry"], row["eye"]) for row in site.rows()] != before
    site.begin()
    assert site.wait_delivered(waiting, 60)
    site.settled()
    assert "is not the one that was decided" in site.agent_log.read_text()
