"""The journal is the queue: stages take images in a state and move them on, one commit for a state and its history."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from irisdrop.record.audit import OF_TRANSITION, Audit
from irisdrop.record.database import Damaged, Database
from irisdrop.record.images import image as as_image
from irisdrop.record.images import plain_decision, plain_readings
from irisdrop.record.known import Fingerprint, Known, Standing
from irisdrop.record.orders import fresh_seconds
from irisdrop.record.text import moment, packed, shown, stamp, unpacked
from irisdrop.record.values import UNSOUND, question, readable
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.decisions import Decision, Matched
from irisdrop.vocabulary.images import MEMBER, ImageFile, Reading
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State, after

log = logging.getLogger(__name__)

AGENT = "irisdrop"
PAUSED = "delivery paused by"  # a remembered fact: who paused delivery for maintenance, "" where nobody did

# A person may have given an image to a completed order on purpose.
_UNSURE = (
    "FROM images i LEFT JOIN entries e ON e.id = i.entry WHERE (e.id IS NULL OR e.change IS NOT i.entry_change "
    "OR (e.standing <> 'open' AND NOT (i.assigned_by IS NOT NULL AND e.standing = 'completed')))"
)


class StaleImage(Exception):
    """The image changed since it was looked at: look again."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an image's history."""

    at: datetime
    event: str
    before: State | None
    after: State
    who: str
    why: str


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


class Journal:
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
        seen: list[ImageFile] = []
        with self._db.transaction():
            for arrival in arrivals:
                if not self.at_path(arrival.path):
                    seen.append(self._insert(arrival, self._clock.now(), live))
                self.known.note(arrival.camera, arrival.folder, [(arrival.base, arrival.fingerprint, Standing.PENDING)])
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
            waiting = [image for image in earlier if image.state is State.SEEN]
            for image in earlier:
                if image.digest == digest:
                    for idle in waiting:
                        self.move(idle, Event.VANISH, AGENT, f"its bytes are those of image {image.id}")
                    return None
            if grown and earlier and earlier[-1].state is State.QUARANTINED and earlier[-1].reason is Code.UNREADABLE:
                self.move(earlier[-1], Event.SUPERSEDE, AGENT, "the file grew on: this was only its beginning")
            image = waiting[-1] if waiting else self._insert(arrival, arrived, live)
            return self.move(
                image, Event.SETTLE, AGENT, "complete and spooled", digest=digest, size=size, ask_first=int(ask_first)
            )

    def open_archive(self, arrival: Arrival, count: int) -> None:
        """An archive is no image, its members are: what was noted at its path goes."""
        with self._db.transaction():
            for image in self.at_path(arrival.path):
                if image.state is State.SEEN:
                    self.move(image, Event.VANISH, AGENT, f"an archive of {count} images")

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
            waiting = last if last and last.state is State.SEEN else self._insert(arrival, arrived, live)
            return self.refuse(waiting, code, detail)

    def vanish(self, camera: str, folder: str, base: str, path: str) -> None:
        """Note that a path is gone before its bytes were read; what was read of it before stays."""
        with self._db.transaction():
            for image in self.at_path(path):
                if image.state is State.SEEN and image.camera == camera:
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
            image = waiting[-1] if waiting else self._insert(arrival, arrived, live, name=name)
            return self.move(image, Event.SETTLE, AGENT, "found in the spool", digest=digest, size=size, ask_first=1)

    # ------------------------------------------------------------------ moves

    def move(self, image: ImageFile, event: Event, who: str, why: str, **changes: Any) -> ImageFile:
        """Take `image` along the table; raises StaleImage where it is no longer the one that was looked at.

        `changes` are columns of `images`; the state and its line of history are one commit.
        """
        with self._db.transaction():
            state = after(image.state, event)
            moved = self._update(image, state, changes)
            self._write_history(image.id, event, image.state, state, who, why)
            self._tell(moved, event, image.state, who, changes.get("despite"))
            return moved

    def identify(self, image: ImageFile, readings: tuple[Reading, ...], profile: str, why: str) -> ImageFile:
        """SETTLED or IDENTIFIED → IDENTIFIED, with what was read."""
        return self.move(image, Event.IDENTIFY, AGENT, why, readings=plain_readings(readings), profile=profile)

    def decide(self, image: ImageFile, decision: Decision, *, event: Event, why: str, **more: Any) -> ImageFile:
        """Move an image by a decision and keep the decision with its whole trace."""
        changes: dict[str, Any] = {"decision": plain_decision(decision), **more}
        if decision.taken is not None:
            changes |= {"taken": stamp(decision.taken.begin), "recency": stamp(decision.taken.begin)}
        if isinstance(decision, Matched):
            changes |= {"entry": decision.entry.id, "eye": decision.eye, "reason": None, "detail": None}
        else:
            changes |= {"reason": decision.reason, "detail": decision.detail, "entry": None}
        changes["patience_until"] = None
        return self.move(image, event, AGENT, why, **changes)

    def refuse(self, image: ImageFile, code: Code, detail: str, who: str = AGENT, **changes: Any) -> ImageFile:
        """Into quarantine, with the reason."""
        return self.move(image, Event.REFUSE, who, f"{code}: {detail}", reason=code, detail=detail, **changes)

    def note(self, image: ImageFile, **changes: Any) -> ImageFile:
        """Change columns without a transition (a decision that waits, the next try)."""
        with self._db.transaction():
            return self._update(image, image.state, changes)

    # ------------------------------------------------------------------ questions

    def get(self, number: int) -> ImageFile:
        """One image; KeyError where there is none."""
        row = self._db.row("SELECT * FROM images WHERE id = ?", (number,))
        if row is None:
            raise KeyError(number)
        return as_image(row)

    def at_path(self, path: str) -> list[ImageFile]:
        """Every image that ever lay at an absolute path and did not vanish unread, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE path = ? AND state <> ? ORDER BY id", (packed(path), State.VANISHED)
        )
        return [as_image(row) for row in rows]

    def in_state(self, *states: State, limit: int = -1, beyond: int = 0) -> list[ImageFile]:
        """Images in any of `states`, oldest first; `beyond` an id, to page on."""
        marks = ",".join("?" * len(states))
        rows = self._db.rows(
            f"SELECT * FROM images WHERE state IN ({marks}) AND id > ? ORDER BY id LIMIT ?", (*states, beyond, limit)
        )
        return [as_image(row) for row in rows]

    def with_digest(self, digest: str) -> list[ImageFile]:
        """Every image of these bytes, oldest first."""
        rows = self._db.rows("SELECT * FROM images WHERE digest = ? ORDER BY id", (digest,))
        return [as_image(row) for row in rows]

    def earlier_unread(self, image: ImageFile) -> bool:
        """Whether an earlier image of the same bytes is SETTLED and still to be read."""
        row = self._db.row(
            "SELECT 1 FROM images WHERE digest = ? AND id < ? AND state = ?", (image.digest, image.id, State.SETTLED)
        )
        return row is not None

    def on_entry(self, entry: str, *states: State) -> list[ImageFile]:
        """Images that a worklist entry holds, in any of `states`."""
        marks = ",".join("?" * len(states))
        rows = self._db.rows(f"SELECT * FROM images WHERE entry = ? AND state IN ({marks})", (entry, *states))
        return [as_image(row) for row in rows]

    def quarantined_for(self, code: Code, arrived_after: datetime) -> list[ImageFile]:
        """Quarantined images of one reason that arrived after a time."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE state = ? AND reason = ? AND arrived > ? ORDER BY id",
            (State.QUARANTINED, code, stamp(arrived_after)),
        )
        return [as_image(row) for row in rows]

    def out_of_patience(self, fresh: float, limit: int = 200) -> list[ImageFile]:
        """IDENTIFIED images whose patience for a late order is over, by `Orders.fresh_seconds`."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE patience_until <= ? AND state = ? ORDER BY patience_until LIMIT ?",
            (fresh, State.IDENTIFIED, limit),
        )
        return [as_image(row) for row in rows]

    def unsure_of_order(self) -> list[ImageFile]:
        """MATCHED images whose order is no longer open, or not what it was when it was chosen, and of which no attempt
        is on its way."""
        rows = self._db.rows(
            f"SELECT i.* {_UNSURE} AND i.state = ? "
            "AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.image = i.id AND a.ended IS NULL)",
            (State.MATCHED,),
        )
        return [as_image(row) for row in rows]

    def order_unsure(self, number: int) -> bool:
        """Whether the order of one image is withdrawn, changed since it was chosen, or of a source not heard yet.

        The same id may be another order at another source, so nothing is sent before its first answer.
        """
        if self.meta("worklist.synced") is None:
            return True
        return self._db.row(f"SELECT 1 {_UNSURE} AND i.id = ?", (number,)) is not None

    def undecided(self) -> list[ImageFile]:
        """IDENTIFIED images that wait for nothing: their order was withdrawn, and nobody has decided again."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE state = ? AND patience_until IS NULL ORDER BY id", (State.IDENTIFIED,)
        )
        return [as_image(row) for row in rows]

    def waits(self, number: int) -> bool:
        """Whether an image waits for a late order."""
        return self._db.row("SELECT 1 FROM images WHERE id = ? AND patience_until IS NOT NULL", (number,)) is not None

    def read_otherwise(self, camera: str, profile: str) -> list[ImageFile]:
        """IDENTIFIED images of a camera that were read by another profile than `profile`."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE state = ? AND camera = ? AND profile IS NOT ? ORDER BY id",
            (State.IDENTIFIED, camera, profile),
        )
        return [as_image(row) for row in rows]

    def withdrawn_late(self, since: int) -> list[ImageFile]:
        """Images whose order was cancelled or replaced, by an answer after number `since`, when they had been sent."""
        rows = self._db.rows(
            "SELECT i.* FROM entries e JOIN images i ON i.entry = e.id WHERE e.change > ? "
            "AND e.standing IN ('cancelled', 'replaced') AND i.state IN (?, ?)",
            (since, State.UPLOADED, State.DELIVERED),
        )
        return [as_image(row) for row in rows]

    def since(self, number: int) -> datetime:
        """When an image came into the state that it is in."""
        row = self._db.row("SELECT changed FROM images WHERE id = ?", (number,))
        if row is None:
            raise KeyError(number)
        return moment(row["changed"])

    def decision(self, number: int) -> str | None:
        """The last decision of an image with its trace, as JSON."""
        row = self._db.row("SELECT decision FROM images WHERE id = ?", (number,))
        return None if row is None else row["decision"]

    def history(self, number: int) -> list[Step]:
        """Every state that an image went through: when, by whom, why."""
        rows = self._db.rows("SELECT * FROM history WHERE image = ? ORDER BY id", (number,))
        return [
            Step(
                moment(row["at"]),
                row["event"],
                State(row["before"]) if row["before"] else None,
                State(row["after"]),
                row["who"],
                row["why"],
            )
            for row in rows
        ]

    def counts(self) -> dict[State, int]:
        """How many images are in each state."""
        found = {
            row["state"]: row["n"] for row in self._db.rows("SELECT state, count(*) AS n FROM images GROUP BY state")
        }
        return {state: found.get(state.value, 0) for state in State}

    def counts_by_camera(self) -> dict[str, dict[State, int]]:
        """How many images of each camera are in each state."""
        counts: dict[str, dict[State, int]] = {}
        for row in self._db.rows("SELECT camera, state, count(*) AS n FROM images GROUP BY camera, state"):
            counts.setdefault(row["camera"], {})[State(row["state"])] = row["n"]
        return counts

    # ------------------------------------------------------------------ small facts

    def sources_left(self, camera: str, before: datetime, limit: int = 500) -> list[ImageFile]:
        """Images of a camera whose bytes were delivered before a time and whose source has not been cleared away."""
        rows = self._db.rows(
            "SELECT * FROM images i WHERE camera = ? AND state IN (?, ?) AND changed < ? AND cleared = 0 AND EXISTS "
            "(SELECT 1 FROM images t WHERE t.digest = i.digest AND t.state = ? AND t.changed < ?) LIMIT ?",
            (camera, State.DELIVERED, State.DUPLICATE, stamp(before), State.DELIVERED, stamp(before), limit),
        )
        return [as_image(row) for row in rows]

    def source_cleared(self, number: int) -> None:
        """Note that the source of an image is moved or deleted; the image itself stays as it is."""
        with self._db.transaction():
            self._db.execute("UPDATE images SET cleared = 1 WHERE id = ?", (number,))

    def meta(self, key: str) -> str | None:
        """One remembered fact."""
        row = self._db.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row["value"])

    def set_meta(self, key: str, value: str) -> None:
        """Remember one fact."""
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def drop_meta(self, key: str) -> None:
        """Remember one fact no more."""
        with self._db.transaction():
            self._db.execute("DELETE FROM meta WHERE key = ?", (key,))

    def camera_started(self, camera: str) -> datetime | None:
        """When a camera's folder was first looked through; None at its first start."""
        row = self._db.row("SELECT first_start FROM cameras WHERE name = ?", (camera,))
        return None if row is None else moment(row["first_start"])

    def start_camera(self, camera: str, folder: str, at: datetime, left_alone: int) -> None:
        """Note a camera's first start, and how many older files were left alone."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO cameras VALUES (?, ?, ?, ?)", (camera, packed(folder), stamp(at), left_alone)
            )

    def left_alone(self, camera: str) -> int:
        """How many older files of a camera are known and not taken."""
        row = self._db.row("SELECT left_alone FROM cameras WHERE name = ?", (camera,))
        return 0 if row is None else int(row["left_alone"])

    def keep_profile(self, digest: str, name: str, text: str) -> None:
        """Keep the text of a profile for as long as a row may name its digest."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO profiles VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                (digest, name, text, stamp(self._clock.now())),
            )

    def use_profile(self, camera: str, digest: str) -> None:
        """Note which of the kept profiles a camera has now."""
        self.set_meta(f"profile of {camera}", digest)

    def last_profile(self, camera: str) -> str | None:
        """The text of the profile that a camera had last."""
        row = self._db.row(
            "SELECT text FROM profiles JOIN meta ON meta.value = profiles.digest WHERE meta.key = ?",
            (f"profile of {camera}",),
        )
        return None if row is None else str(row["text"])

    def kept_profile(self, digest: str) -> str | None:
        """The text of a profile that some image was read by."""
        row = self._db.row("SELECT text FROM profiles WHERE digest = ?", (digest,))
        return None if row is None else str(row["text"])

    # ------------------------------------------------------------------ within

    def _insert(self, arrival: Arrival, arrived: datetime, live: bool, name: str | None = None) -> ImageFile:
        at = stamp(arrived)
        fresh = fresh_seconds(self._db, self._clock.now())
        (row,) = self._db.rows(
            "INSERT INTO images (state, camera, path, name, arrived, live, recency, changed, fresh_at) "
            "VALUES (?,?,?,?,?,?,?,?,?) RETURNING *",
            (State.SEEN, arrival.camera, packed(arrival.path), name or arrival.name, at, int(live), at, at, fresh),
        )
        seen = as_image(row)
        self._write_history(seen.id, "see", None, State.SEEN, AGENT, "appeared in the folder")
        self._log(seen, "see", None, None)
        return seen

    def _update(self, image: ImageFile, state: State, changes: dict[str, Any]) -> ImageFile:
        columns = {"state": state.value, "changed": stamp(self._clock.now()), **changes}
        if state is image.state and "changed" not in changes:
            del columns["changed"]
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        if "entry" in columns:
            assignments += ", entry_change = (SELECT change FROM entries WHERE id = :entry)"
        updated = self._db.rows(
            f"UPDATE images SET version = version + 1, {assignments} WHERE id = :_id AND version = :_version RETURNING *",
            {**columns, "_id": image.id, "_version": image.version},
        )
        if not updated:
            raise StaleImage(f"image {image.id} changed since it was looked at")
        return as_image(updated[0])

    def _tell(self, image: ImageFile, event: Event, before: State, who: str, despite: str | None) -> None:
        """To the audit trail in the same commit, to the log after it; neither is told `why`: it may quote a person."""
        if event in OF_TRANSITION:
            kind, action = OF_TRANSITION[event]
            detail = event.value + (f" despite {despite}" if despite else "")
            self.audit.write(kind, action, who, image=image.id, digest=image.digest, entry=image.entry, detail=detail)
        reason = image.reason.value if image.state is State.QUARANTINED and image.reason else None
        self._log(image, event.value, before.value, reason)

    def _log(self, image: ImageFile, event: str, before: str | None, reason: str | None) -> None:
        fields = {"image": image.id, "digest": (image.digest or "")[:8] or None, "event": event, "before": before}
        fields |= {"after": image.state.value, "reason": reason, "camera": image.camera}
        self._db.afterwards(lambda: log.info("transition", extra={"fields": fields}))

    def _write_history(self, number: int, event: str, before: State | None, state: State, who: str, why: str) -> None:
        self._db.execute(
            "INSERT INTO history (image, at, event, before, after, who, why) VALUES (?,?,?,?,?,?,?)",
            (number, stamp(self._clock.now()), event, before, state, who, why),
        )
