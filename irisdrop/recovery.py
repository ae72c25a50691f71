"""What is done before the first image: a damaged journal is set aside and rebuilt, and nothing spooled is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from irisdrop.clearance import beside
from irisdrop.profiles.config import CameraSettings
from irisdrop.record.conditions import Conditions
from irisdrop.record.database import Damaged
from irisdrop.record.journal import Journal
from irisdrop.record.spool import Origin, Spool
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.marks import mark
from irisdrop.vocabulary.states import State

log = logging.getLogger(__name__)

JOURNAL = "journal.db"
# Bytes: a journal below it is read whole at every start (measured: 2.1 s for 100,000 images in 180 MB).
ALWAYS_READ = 256 << 20
CLEAN = "clean"  # meta key: "yes" where the last run ended in order


def open_journal(state: Path, clock: Clock) -> Journal:
    """The journal of a state folder; a damaged one is set aside, never deleted, and a new one is begun.

    Every page is read first; a journal of many years only after a run that did not end in order. What the new journal
    does not know yet is recovered from the spool by `recover`, and from the folders by the first scan.
    """
    path = state / JOURNAL
    if not path.exists() or path.stat().st_size == 0:
        set_aside(path, clock)  # a WAL without its journal would be read into the new one
        return _begun(path, clock) if (state / "spool").exists() else Journal.open(path, clock)
    try:
        journal = Journal.open(path, clock)
        try:
            if journal.meta(CLEAN) != "yes" or path.stat().st_size < ALWAYS_READ:
                journal.check()
        except Damaged:
            journal.close()
            raise
    except Damaged as damage:
        log.error("the journal is damaged (%s) and is set aside", damage)
        set_aside(path, clock)
        return _begun(path, clock)
    return journal


def _begun(path: Path, clock: Clock) -> Journal:
    """A new journal in the place of a lost one; it takes that place only when it says so itself."""
    draft = path.with_name(path.name + ".new")
    for left in (draft, *companions(draft)):
        left.unlink(missing_ok=True)
    journal = Journal.open(draft, clock)
    journal.set_meta("rebuilt", stamp(clock.now()))
    journal.close()
    mark("rebuilt.rename.before")
    draft.rename(path)
    mark("rebuilt.rename.after")
    return Journal.open(path, clock)


def companions(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a database."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def set_aside(path: Path, clock: Clock) -> None:
    """Rename a damaged journal with its companions, so that it can still be looked into."""
    suffix = f".damaged-{clock.now():%Y%m%dT%H%M%S%f}"
    for part in (path, *companions(path)):
        if part.exists():
            mark("aside.rename.before")
            part.rename(part.with_name(part.name + suffix))


def sources(journal: Journal, digest: str) -> list[Origin]:
    """Where the bytes of a digest came from, as the journal knows it: for a spool that lost its own notes."""
    return [
        Origin(image.camera, image.path, image.name, image.arrived, image.live) for image in journal.with_digest(digest)
    ]


def moved(cameras: Iterable[CameraSettings], journal: Journal, digest: str) -> list[tuple[Origin, str]]:
    """Where `after: move` put the sources of a digest, or would have put them; each with where it came from."""
    targets = {camera.name: camera.after.move for camera in cameras if camera.after.move is not None}
    found = []
    for image in journal.with_digest(digest):
        if (target := targets.get(image.camera)) is not None:
            place = target / image.name
            origin = Origin(image.camera, image.path, image.name, image.arrived, image.live)
            found += [(origin, str(place)), (origin, str(beside(place, str(image.id))))]
    return found


def recover(journal: Journal, spool: Spool, conditions: Conditions) -> int:
    """Take up every spooled export that the journal does not know: of a crash just before its commit, or of a rebuilt
    journal; returns how many."""
    recovered = 0
    for digest in spool.digests():
        known = {image.path for image in journal.with_digest(digest) if image.state is not State.VANISHED}
        for origin in spool.origins(digest):
            if origin.path in known:
                continue
            size = spool.file(digest).stat().st_size
            journal.recover(origin.camera, origin.path, origin.name, digest, size, origin.arrived, live=origin.live)
            recovered += 1
    rebuilt = journal.meta("rebuilt")
    if rebuilt is not None:
        conditions.raise_("JOURNAL_REBUILT", "journal", f"rebuilt {rebuilt[:16]} UTC")
    return recovered
