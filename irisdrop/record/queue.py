"""What waits in the journal for whom: the questions by which stages and people find their images."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from irisdrop.record.database import Database
from irisdrop.record.images import image as as_image
from irisdrop.record.text import moment, packed, stamp
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

CONTRADICT: Final = "contradict"  # in history: what the platform says against a state, and moves nothing
# A person may have given an image to a completed order on purpose.
_UNSURE: Final = (
    "FROM images i LEFT JOIN entries e ON e.id = i.entry WHERE (e.id IS NULL OR e.change IS NOT i.entry_change "
    "OR (e.standing <> 'open' AND NOT (i.assigned_by IS NOT NULL AND e.standing = 'completed')))"
)


def contradicted_of(image: str) -> str:
    """The condition, in SQL, that the platform spoke against the receipt of an image (an alias of `images`) and gave no
    right one since: then we may have its only copy."""
    return (
        f"EXISTS (SELECT 1 FROM history h WHERE h.image = {image}.id AND h.event = '{CONTRADICT}' AND NOT EXISTS "
        f"(SELECT 1 FROM history l WHERE l.image = h.image AND l.id > h.id AND l.event = '{Event.CONFIRM}'))"
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an image's history."""

    at: datetime
    event: str
    before: State | None
    after: State
    who: str
    why: str


class Queue:
    """The questions of the journal; they change nothing."""

    _db: Database

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

    def settled(self, limit: int, without: Set[int] = frozenset()) -> list[ImageFile]:
        """So many SETTLED images, the newest first, and those of `without` that are among or before them."""
        rows = self._db.rows(
            "SELECT * FROM images WHERE state = ? ORDER BY recency DESC LIMIT ?",
            (State.SETTLED, limit + len(without)),
        )
        return [as_image(row) for row in rows]

    def with_digest(self, digest: str) -> list[ImageFile]:
        """Every image of these bytes, oldest first."""
        rows = self._db.rows("SELECT * FROM images WHERE digest = ? ORDER BY id", (digest,))
        return [as_image(row) for row in rows]

    def twins(self, image: ImageFile) -> list[ImageFile]:
        """The other images of the same bytes, oldest first."""
        rows = self._db.rows("SELECT * FROM images WHERE digest = ? AND id <> ? ORDER BY id", (image.digest, image.id))
        return [as_image(row) for row in rows]

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
        return number in self._orders_unsure((number,))

    def orders_unsure(self, images: Sequence[ImageFile]) -> set[int]:
        """Those of some images whose order is unsure, see `order_unsure`, by their ids."""
        return self._orders_unsure(tuple(image.id for image in images))

    def _orders_unsure(self, numbers: tuple[int, ...]) -> set[int]:
        if not numbers or self._db.row("SELECT 1 FROM meta WHERE key = 'worklist.synced'") is None:
            return set(numbers)
        marks = ",".join("?" * len(numbers))
        return {row["id"] for row in self._db.rows(f"SELECT i.id {_UNSURE} AND i.id IN ({marks})", numbers)}

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

    def mismatched(self, number: int) -> bool:
        """Whether the platform confirmed an image for somebody else and never rightly since, whatever its reason is now."""
        last = (
            "SELECT coalesce(max(id), 0) AS n FROM history WHERE image = :image AND event IN (:refuse, :contradict) "
            "AND why LIKE :why "
            "AND id > (SELECT coalesce(max(id), 0) FROM history WHERE image = :image AND event = :confirm)"
        )
        why = f"{Code.RECEIPT_MISMATCH}: %"
        events = {"refuse": Event.REFUSE, "contradict": CONTRADICT, "confirm": Event.CONFIRM}
        facts = {"image": number, "why": why, **events}
        row = self._db.row(last, facts)
        return row is not None and row["n"] > 0

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

    def sources_left(self, camera: str, before: datetime, limit: int = 500, beyond: int = 0) -> list[ImageFile]:
        """Images of a camera whose bytes were delivered before a time, which nothing that the platform said contradicts, and
        whose source has not been cleared away, oldest first; `beyond` an id, to page on."""
        rows = self._db.rows(
            "SELECT * FROM images s WHERE camera = ? AND state IN (?, ?) AND id > ? AND changed < ? AND cleared = 0 AND EXISTS "
            "(SELECT 1 FROM images t WHERE t.digest = s.digest AND t.state = ? AND t.changed < ?) AND NOT EXISTS "
            f"(SELECT 1 FROM images t WHERE t.digest = s.digest AND {contradicted_of('t')}) ORDER BY id LIMIT ?",
            (camera, State.DELIVERED, State.DUPLICATE, beyond, stamp(before), State.DELIVERED, stamp(before), limit),
        )
        return [as_image(row) for row in rows]

    def contradicted(self, number: int) -> bool:
        """Whether what the platform said against an image's receipt still stands: then we may have its only copy."""
        return self._db.row(f"SELECT 1 FROM images i WHERE i.id = ? AND {contradicted_of('i')}", (number,)) is not None
