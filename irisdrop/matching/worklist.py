"""The worklist as it is known here: synced from its source, and asked for what an image could belong to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from irisdrop.platforms import WorklistSource, WorklistUnavailable
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.conditions import Conditions
from irisdrop.record.orders import LOOKUP_KEYS, Orders
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.keys import IDENTITY_KEYS
from irisdrop.vocabulary.orders import WorklistEntry

SUBJECT = "worklist"
PERSONAL = ("PatientBirthDate", "PatientName")
AHEAD = timedelta(minutes=1)


class Worklist:
    """The mirror and its source."""

    def __init__(
        self, orders: Orders, source: WorklistSource, conditions: Conditions, clock: Clock, stale: float
    ) -> None:
        self.orders = orders
        self._source = source
        self._conditions = conditions
        self._clock = clock
        self._stale = timedelta(seconds=stale)
        self._lock = threading.Lock()
        self._closed = False

    def sync(self) -> list[str] | None:
        """Ask the source what changed; returns the ids of entries that did, or None where it could not be asked."""
        try:
            changes = self._source.changes(self.orders.cursor())
        except WorklistUnavailable as unavailable:
            if not self._closed:
                self._conditions.raise_(unavailable.condition, SUBJECT, unavailable.detail)
                self.tell_age()
            return None
        with self._lock:
            if self._closed:  # it answers late, and another source may stand in its place by now
                return None
            changed = self.orders.apply(changes)
        for code in ("WORKLIST_UNREACHABLE", "PLATFORM_DENIED", "PLATFORM_STRANGE"):
            self._conditions.clear(code, SUBJECT)
        if changes.full or changes.entries or changes.faults:  # an unchanged list still has the faults it had
            self._tell("WORKLIST_FAULTS", bool(changes.faults), "; ".join(changes.faults[:5]))
        self.tell_age()
        return changed

    def usable(self) -> bool:
        """Whether anything may be matched on the mirror: synced, and not older than `stale`."""
        synced = self.orders.synced()
        # Synced in the future: the wall clock was set back, and nobody knows how old the mirror is.
        return synced is not None and -AHEAD <= self._clock.now() - synced <= self._stale

    def tell_age(self) -> None:
        """Raise or clear the conditions about the mirror's age."""
        synced = self.orders.synced()
        self._tell("WORKLIST_NEVER", synced is None, "")
        since = "" if synced is None else f"last synced {synced:%Y-%m-%d %H:%M} UTC"
        self._tell("WORKLIST_STALE", synced is not None and not self.usable(), since)

    def gather(self, readings: Sequence[Reading], profile: DeviceProfile) -> list[WorklistEntry]:
        """Every entry, open or not, that the image could belong to, and all that share an order number with those."""
        return gather(self.orders, readings, profile)

    def close(self) -> None:
        """Let go of the source; what it still says is not heard."""
        with self._lock:
            self._closed = True
        self._source.close()

    def _tell(self, code: str, raised: bool, detail: str) -> None:
        if raised:
            self._conditions.raise_(code, SUBJECT, detail)
        else:
            self._conditions.clear(code, SUBJECT)


def gather(orders: Orders, readings: Sequence[Reading], profile: DeviceProfile) -> list[WorklistEntry]:
    """Every entry, open or not, that carries a value of the image, and all that share an order number with those.

    A birth date or a name is looked up only where no number can be, or where they alone may decide: they hit many.
    """
    wanted = {key for key_set in profile.match for key in key_set.keys} | set(IDENTITY_KEYS)
    pairs = [(r.key, r.value) for r in readings if r.key in wanted and r.key in LOOKUP_KEYS and r.flaw is None]
    present = {key for key, _ in pairs}
    bare = any(present.issuperset(key_set.keys) and set(key_set.keys) <= set(PERSONAL) for key_set in profile.match)
    numbers = [pair for pair in pairs if bare or pair[0] not in PERSONAL]
    found = orders.find(numbers or pairs)
    orders_of_them = {
        ("AccessionNumber", entry.keys["AccessionNumber"]) for entry in found if entry.keys.get("AccessionNumber")
    }
    return orders.find([*(numbers or pairs), *sorted(orders_of_them)]) if orders_of_them else found
