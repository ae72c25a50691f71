"""The journal is the queue: stages take images in a state and move them on, one commit for a state and its history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from irisdrop.record.audit import OF_TRANSITION, Audit
from irisdrop.record.course import Course
from irisdrop.record.database import Damaged, Database
from irisdrop.record.images import changed, packed_columns, plain_decision
from irisdrop.record.known import SIFT, Fingerprint, Known, Standing
from irisdrop.record.memory import Memory
from irisdrop.record.orders import fresh_seconds
from irisdrop.record.queue import CONTRADICT, Queue, Step
from irisdrop.record.text import packed, shown, stamp, unpacked
from irisdrop.record.values import UNSOUND, question, readable
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.decisions import Decision, Matched
from irisdrop.vocabulary.images import MEMBER, ImageFile, Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

__all__ = ["AGENT", "PAUSED", "Arrival", "Journal", "StaleImage", "Step"]

log = logging.getLogger(__name__)
T = TypeVar("T")

AGENT: Final = "irisdrop"
PAUSED: Final = "delivery paused by"  # a remembered fact: who paused delivery for maintenance, "" where nobody did
Line = tuple[int, str, str, str | None, str, str, str]  # of history


class StaleImage(Exception):
    """The image changed since it was looked at: look again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One path with a new look: `folder` below the camera's ("" for itself), `base` name, absolute `path`."""

    camera: str
    folder: str
    base: str
    path: str
    fingerprint: Fingerprint
    member: str = ""  # the path within, where `base` is an archive

    @property
    def name(self) -> str:
        """The path below the camera's folder, `/` on every system, fit for people."""
        below = f"{self.folder}/{self.base}" if self.folder else self.base
        name = below.replace("\\", "/") if "\\" in self.folder else below
        return shown(f"{name}{MEMBER}{self.member}" if self.member else name)

    def within(self, member: str) -> Arrival:
        """One member of this archive."""
        return replace(self, path=f"{self.path}{MEMBER}{member}", member=member)


# Of an archive that a person released, and whose file went before anybody had looked at it.
NOT_THERE: Final = "it is no longer in its folder; what we have of it could not be opened"


class Journal(Queue, Memory):
    """Every image, its state and its history. Changes check the image's version: two can't act on one look."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self.known = Known(database)
        self.audit = Audit(database, clock)

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Journal:
        """Open or create; raises Damaged or Foreseen (newer version, network drive)."""
        return cls(Database(path, clock), clock)

    @property
    def database(self) -> Database:
        """For the other records that live in the same file."""
        return self._db

    def transaction(self) -> AbstractContextManager[None]:
        """Several moves in one commit."""
        return self._db.transaction()

    def share(self, write: Callable[[], T]) -> T:
        """Several moves in a commit that other threads may share; see `Database.share`."""
        return self._db.share(write)

    def hand_over(self, write: Callable[[], object], told: Callable[[BaseException | None], None]) -> None:
        """The same without waiting for it; see `Database.hand_over`."""
        self._db.hand_over(write, told)

    def check(self) -> None:
        """Read every page, and every value that is read back; raises Damaged where one is not sound."""
        self._db.check()
        for table in UNSOUND:
            if self._db.row(question(table)) is not None:
                raise Damaged(f"a row of {table} holds what was never written")
        if not readable({row["key"]: row["value"] for row in self._db.rows("SELECT key, value FROM meta")}):
            raise Damaged("a remembered fact holds what was never written")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # ------------------------------------------------------------------ arrival

    def see(self, arrivals: Iterable[Arrival], *, live: bool) -> list[ImageFile]:
        """Note new paths as SEEN, all in one commit; a path that had an image before gets none until its bytes differ."""
        arrivals = list(arrivals)
        with self._db.transaction():
            now, fresh = self._clock.now(), fresh_seconds(self._db, self._clock.now())
            had = self._paths_of([arrival.path for arrival in arrivals])
            new = {one.path: one for one in arrivals if packed(one.path) not in had}
            seen = [self._insert(one, now, live, fresh) for one in new.values()]
            for (camera, folder), files in groupby(arrivals, lambda one: (one.camera, one.folder)):
                self.known.note(camera, folder, [(one.base, one.fingerprint, Standing.PENDING) for one in files])
        return seen

    def settle(
        self,
        arrival: Arrival,
        digest: str,
        size: int,
        *,
        arrived: datetime,
        live: bool,
        racy: bool,
        grown: bool = False,
        ask_first: bool = False,
    ) -> ImageFile | None:
        """Note that the bytes of a path are complete and spooled; None where they are an image we have already.

        The same path and digest are the same ImageFile, whatever the mtime. `grown` says that these bytes begin with
        those of the path's last image: if that one is in quarantine as UNREADABLE, it was a partial and is superseded.
        `ask_first`: a journal before this one may have sent them.
        """
        with self._db.transaction():
            standing = Standing.RACY if racy else Standing.SETTLED
            self.known.note(arrival.camera, arrival.folder, [(arrival.base, arrival.fingerprint, standing)])
            earlier = self.at_path(arrival.path)
            waiting = self._waiting(earlier, digest)
            for image in earlier:
                if image.digest == digest and image.state is not State.SEEN:
                    for idle in waiting:
                        self.move(idle, Event.VANISH, AGENT, f"its bytes are those of image {image.id}")
                    return None
            if grown and earlier and earlier[-1].state is State.QUARANTINED and earlier[-1].reason is Code.UNREADABLE:
                self.move(earlier[-1], Event.SUPERSEDE, AGENT, "the file grew on: this was only its beginning")
            image = waiting[-1] if waiting else self._appeared(arrival, arrived, live)
            return self.move(
                image, Event.SETTLE, AGENT, "complete and spooled", digest=digest, size=size, ask_first=int(ask_first)
            )

    def open_archive(self, arrival: Arrival, count: int, digest: str) -> None:
        """An archive of these bytes is no image, its members are: what was noted at its path goes."""
        with self._db.transaction():
            for image in self._waiting(self.at_path(arrival.path), digest):
                self.move(image, Event.VANISH, AGENT, f"an archive of {count} images", digest=None, size=None)

    def turn_away(
        self, arrival: Arrival, code: Code, detail: str, *, arrived: datetime, live: bool
    ) -> ImageFile | None:
        """Refuse what can't be spooled; None where the path's last image says so already."""
        with self._db.transaction():
            self.known.note(arrival.camera, arrival.folder, [(arrival.base, arrival.fingerprint, Standing.REFUSED)])
            earlier = self.at_path(arrival.path)
            last = earlier[-1] if earlier else None
            if last and last.state is State.QUARANTINED and last.digest is None and last.reason is code:
                return None
            waiting = last if last and last.state is State.SEEN else self._appeared(arrival, arrived, live)
            return self.refuse(waiting, code, detail)

    def vanish(self, camera: str, folder: str, base: str, path: str) -> None:
        """Note that a path is gone before its bytes were read; what was read of it before stays, with a person where it was
        to be looked at again."""
        with self._db.transaction():
            for image in self.at_path(path):
                if image.state is not State.SEEN or image.camera != camera:
                    continue
                if image.digest is not None:
                    self.refuse(image, Code.UNREADABLE, NOT_THERE)
                else:
                    self.move(image, Event.VANISH, AGENT, "gone before it was complete")
            self.known.forget(camera, folder, [base])

    def unsettled(self, camera: str) -> list[str]:
        """The absolute path of every SEEN image of a camera."""
        rows = self._db.rows("SELECT path FROM images WHERE state = ? AND camera = ?", (State.SEEN, camera))
        return [unpacked(row["path"]) for row in rows]

    def recover(
        self, camera: str, path: str, name: str, digest: str, size: int, arrived: datetime, *, live: bool
    ) -> ImageFile:
        """An image whose bytes the spool has and the journal does not: the platform is asked before it is sent."""
        with self._db.transaction():
            waiting = [image for image in self.at_path(path) if image.state is State.SEEN and image.camera == camera]
            arrival = Arrival(camera, "", name, path, Fingerprint(size, 0, 0, 0))
            image = waiting[-1] if waiting else self._appeared(arrival, arrived, live, name)
            return self.move(image, Event.SETTLE, AGENT, "found in the spool", digest=digest, size=size, ask_first=1)

    # ------------------------------------------------------------------ moves

    def move(self, image: ImageFile | Course, event: Event, who: str, why: str, **changes: Any) -> ImageFile:
        """Take `image` along the table; raises StaleImage where it is no longer the one that was looked at.

        `changes` are columns of `images`; the state and its line of history are one commit. A Course goes the steps
        that it has, and this one, in one change.
        """
        return self.follow(_course(image).step(event, who, why, **changes))

    def follow(self, course: Course) -> ImageFile:
        """Take an image along the steps of a course; raises StaleImage."""
        with self._db.transaction():
            at = stamp(self._clock.now())
            moved = self._update(course, at)
            for step in course.steps:
                line = (moved.id, at, step.event.value, step.before.value, step.after.value, step.who, step.why)
                self._db.gather(self._write_history, line)
                self._audit(moved, step.event, step.who, course.changes.get("despite"))
            if course.steps:
                self._log(moved, ", ".join(step.event.value for step in course.steps), course.begun.state.value)
            return moved

    def identify(self, image: ImageFile, readings: tuple[Reading, ...], profile: str, why: str) -> ImageFile:
        """SETTLED or IDENTIFIED → IDENTIFIED, with what was read."""
        return self.move(image, Event.IDENTIFY, AGENT, why, readings=readings, profile=profile)

    def decide(
        self, image: ImageFile | Course, decision: Decision, *, event: Event, why: str, **more: Any
    ) -> ImageFile:
        """Move an image by a decision and keep the decision with its whole trace."""
        changes: dict[str, Any] = {"decision": plain_decision(decision), **more}
        if decision.taken is not None:
            # Of a date alone the time of arrival tells more: else all of a day would be one, and the newest not first.
            newest = min(max(_arrived(image), decision.taken.begin), decision.taken.end)
            changes |= {"taken": decision.taken.begin, "recency": newest}
        if isinstance(decision, Matched):
            changes |= {"entry": decision.entry.id, "eye": decision.eye, "reason": None, "detail": None}
        else:
            changes |= {"reason": decision.reason, "detail": decision.detail, "entry": None}
        changes["patience_until"] = None
        return self.move(image, event, AGENT, why, **changes)

    def refuse(self, image: ImageFile | Course, code: Code, detail: str, who: str = AGENT, **changes: Any) -> ImageFile:
        """Into quarantine, with the reason."""
        return self.move(image, Event.REFUSE, who, f"{code}: {detail}", reason=code, detail=detail, **changes)

    def contradict(self, image: ImageFile, code: Code, detail: str) -> None:
        """Note in an image's history what the platform says against the state that it has, and keeps; raises StaleImage."""
        with self._db.transaction():
            if self.get(image.id).version != image.version:
                raise StaleImage(f"image {image.id} changed since it was looked at")
            state = image.state.value
            line = (image.id, stamp(self._clock.now()), CONTRADICT, state, state, AGENT, f"{code}: {detail}")
            self._db.gather(self._write_history, line)
            self._log(image, CONTRADICT, state)

    def note(self, image: ImageFile | Course, **changes: Any) -> ImageFile:
        """Change columns without a transition (a decision that waits, the next try)."""
        return self.follow(_course(image).change(**changes))

    def source_cleared(self, number: int) -> None:
        """Note that the source of an image is moved or deleted; the image itself stays as it is."""
        with self._db.transaction():
            self._db.execute("UPDATE images SET cleared = 1 WHERE id = ?", (number,))

    # ------------------------------------------------------------------ within

    def _waiting(self, images: list[ImageFile], digest: str) -> list[ImageFile]:
        """The SEEN ones, for bytes of this digest. One that was to be looked at again, of other bytes that are ours still,
        goes back to a person instead."""
        waiting = [image for image in images if image.state is State.SEEN]
        for image in waiting:
            if image.digest not in (None, digest):
                self.refuse(image, Code.UNREADABLE, NOT_THERE)
        return [image for image in waiting if image.digest in (None, digest)]

    def _paths_of(self, paths: list[str]) -> set[bytes]:
        """Those of some paths that have an image."""
        found: set[bytes] = set()
        for begin in range(0, len(paths), SIFT):
            some = [packed(path) for path in paths[begin : begin + SIFT]]
            marks = ",".join("?" * len(some))
            rows = self._db.rows(
                f"SELECT path FROM images WHERE path IN ({marks}) AND state <> ?", (*some, State.VANISHED)
            )
            found.update(row["path"] for row in rows)
        return found

    def _appeared(self, arrival: Arrival, arrived: datetime, live: bool, name: str | None = None) -> ImageFile:
        return self._insert(arrival, arrived, live, fresh_seconds(self._db, self._clock.now()), name)

    def _insert(
        self, arrival: Arrival, arrived: datetime, live: bool, fresh: float, name: str | None = None
    ) -> ImageFile:
        at, name = stamp(arrived), name or arrival.name
        number = self._db.execute(
            "INSERT INTO images (state, camera, path, name, arrived, live, recency, changed, fresh_at) "
            "VALUES (?,?,?,?,?,?,?,?,?)",
            (State.SEEN, arrival.camera, packed(arrival.path), name, at, int(live), at, at, fresh),
        ).lastrowid
        assert number is not None
        seen = ImageFile(
            *(number, 1, State.SEEN, arrival.camera, arrival.path, name, None, None, arrived, live), fresh_at=fresh
        )
        line = (number, stamp(self._clock.now()), "see", None, State.SEEN.value, AGENT, "appeared in the folder")
        self._db.gather(self._write_history, line)
        self._log(seen, "see", None)
        return seen

    def _update(self, course: Course, at: str) -> ImageFile:
        image, columns = course.begun, packed_columns(course.changes)
        if course.steps:
            columns = {"state": course.state.value, "changed": at} | columns
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        if "entry" in columns:
            assignments += ", entry_change = (SELECT change FROM entries WHERE id = :entry)"
        count = self._db.execute(
            f"UPDATE images SET version = version + 1, {assignments} WHERE id = :_id AND version = :_version",
            {**columns, "_id": image.id, "_version": image.version},
        ).rowcount
        if not count:
            raise StaleImage(f"image {image.id} changed since it was looked at")
        return changed(image, {**course.changes, "state": course.state}, image.version + 1)

    def _audit(self, image: ImageFile, event: Event, who: str, despite: str | None) -> None:
        """To the audit trail in the same commit, without `why`: it may quote a person."""
        if event in OF_TRANSITION:
            kind, action = OF_TRANSITION[event]
            detail = event.value + (f" despite {despite}" if despite else "")
            self.audit.write(kind, action, who, image=image.id, digest=image.digest, entry=image.entry, detail=detail)

    def _log(self, image: ImageFile, event: str, before: str | None) -> None:
        """To the log after the commit, without `why` as well."""
        reason = image.reason.value if image.state is State.QUARANTINED and image.reason else None
        fields = {"image": image.id, "digest": (image.digest or "")[:8] or None, "event": event, "before": before}
        fields |= {"after": image.state.value, "reason": reason, "camera": image.camera}
        self._db.afterwards(lambda: log.info("transition", extra={"fields": fields}))

    def _write_history(self, lines: list[Line]) -> None:
        self._db.executemany(
            "INSERT INTO history (image, at, event, before, after, who, why) VALUES (?,?,?,?,?,?,?)", lines
        )


def _arrived(image: ImageFile | Course) -> datetime:
    return (image.begun if isinstance(image, Course) else image).arrived


def _course(image: ImageFile | Course) -> Course:
    return image if isinstance(image, Course) else Course(image)
