"""Which past decisions an edited profile would change; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from irisdrop.identity.contents import Contents
from irisdrop.identity.identify import Export, Identified, Refusal, Sidecar, identify, readings
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.matching.worklist import gather
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.decisions import Decision, Matched
from irisdrop.vocabulary.faults import FaultyFile
from irisdrop.vocabulary.images import ImageFile, Reading, split_name
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.states import State

# What somebody decided (assigned, discarded) or what never had bytes says nothing of a profile.
DECIDED = (State.IDENTIFIED, State.MATCHED, State.UPLOADED, State.DELIVERED, State.QUARANTINED)
PAGE = 500
JPEG = Contents("jpeg")  # stands for the bytes where only name and folder are read


class Change(StrEnum):
    """What an edited profile makes of a past image that its own profile made something else of."""

    MATCHED = "newly matched"
    REFUSED = "newly refused"
    MOVED = "moved to another order"
    OTHER_EYE = "moved to the other eye"


@dataclass(frozen=True, slots=True)
class Changed:
    """One past image that the edited profile decides otherwise; `reason` where it would be refused."""

    image: int
    digest: str
    change: Change
    before: str | None
    after: str | None
    reason: str | None = None

    def plain(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "id": self.image,
            "digest": self.digest,
            "change": str(self.change),
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Replayed:
    """What was looked at: `unreadable` images need bytes that are neither in the spool nor at their source any more;
    `whole` is False where it was ended before the last one."""

    looked_at: int = 0
    unreadable: int = 0
    whole: bool = True
    changed: list[Changed] = field(default_factory=list)

    @property
    def dangerous(self) -> list[Changed]:
        """Those that would go to another order or eye than they did."""
        return [one for one in self.changed if one.change in (Change.MOVED, Change.OTHER_EYE)]


class Replay:
    """One edited profile against the images of its cameras, on the orders that the mirror knows."""

    def __init__(
        self, profile: DeviceProfile, config: Config, journal: Journal, orders: Orders, spool: Spool, parsers: Parsers
    ) -> None:
        self._profile = profile
        self._config = config
        self._journal = journal
        self._orders = orders
        self._spool = spool
        self._parsers = parsers
        self._needs_bytes = any(rule.kind not in ("filename", "folder") for rule in profile.read)
        self._earlier = lru_cache(maxsize=64)(self._earlier_profile)

    def images(self, cameras: Iterable[str]) -> Iterator[ImageFile]:
        """Past images of cameras, oldest first."""
        wanted, beyond = set(cameras), 0
        while page := self._journal.in_state(*DECIDED, limit=PAGE, beyond=beyond):
            beyond = page[-1].id
            yield from (i for i in page if i.camera in wanted and i.digest is not None and i.assigned_by is None)

    def run(
        self,
        cameras: Iterable[str],
        told: Callable[[int], None] = lambda _: None,
        enough: Callable[[int], bool] = lambda _: False,
    ) -> Replayed:
        """Decide every past image again; `told` is called with how many were looked at, `enough` ends it."""
        found = Replayed()
        for image in self.images(cameras):
            if enough(found.looked_at):
                found.whole = False
                break
            found.looked_at += 1
            said = self._said(image)
            if said is None:
                found.unreadable += 1
            else:
                changed = self._compared(image, said)
                found.changed += [changed] if changed is not None else []
            if found.looked_at % PAGE == 0:
                told(found.looked_at)
        return found

    def _said(self, image: ImageFile) -> Identified | Refusal | None:
        """What the edited profile reads; None where the bytes are gone."""
        if not self._needs_bytes:
            return readings(self._profile, image.name, JPEG)
        assert image.digest is not None
        if not self._spool.holds(image.digest):
            return None
        try:
            return identify(self._profile, self._export(image), self._parsers)
        except OSError:
            return None

    def _export(self, image: ImageFile) -> Export:
        assert image.digest is not None
        names = self._profile.companions_of(split_name(image.name)[1])
        kept = ((self._spool.companion(image.digest, image.path, name), name) for name in names)
        sidecars = tuple(Sidecar(file, name) for file, name in kept if file.is_file())
        return Export(self._spool.file(image.digest), image.name, sidecars)

    def _compared(self, image: ImageFile, said: Identified | Refusal) -> Changed | None:
        assert image.digest is not None
        earlier = self._earlier(image.profile)
        was = None if earlier is None else self._decision(image, image.readings, earlier)
        now = said if isinstance(said, Refusal) else self._decision(image, said.readings, self._profile)
        before = image.entry or (was.entry.id if isinstance(was, Matched) else None)
        eye = image.eye if image.entry else was.eye if isinstance(was, Matched) else None

        def changed(change: Change, after: str | None, reason: str | None = None) -> Changed:
            assert image.digest is not None
            return Changed(image.id, image.digest, change, before, after, reason)

        if isinstance(now, Matched):
            if before is None:
                return changed(Change.MATCHED, now.entry.id)
            if now.entry.id != before:
                return changed(Change.MOVED, now.entry.id)
            return changed(Change.OTHER_EYE, before) if eye is not None and now.eye != eye else None
        # What its own profile would no longer match either, is not the edit's doing.
        if before is not None and (earlier is None or isinstance(was, Matched)):
            return changed(Change.REFUSED, None, str(now.code if isinstance(now, Refusal) else now.reason))
        return None

    def _decision(self, image: ImageFile, found: tuple[Reading, ...], profile: DeviceProfile) -> Decision:
        clock = next((c.clock for c in self._config.cameras if c.name == image.camera), timedelta(0))
        situation = Situation(
            self._config.site.zone, image.arrived, image.live, clock, self._config.site.id, image.name
        )
        return match(found, profile, situation, [reopened(e) for e in gather(self._orders, found, profile)])

    def _earlier_profile(self, digest: str | None) -> DeviceProfile | None:
        text = None if digest is None else self._journal.kept_profile(digest)
        try:
            return None if text is None else parse_profile(text, "earlier")
        except FaultyFile:  # of a version with another language
            return None


def reopened(entry: WorklistEntry) -> WorklistEntry:
    """An order as it was when images came for it: what is completed by now was open then."""
    return replace(entry, standing=Standing.OPEN) if entry.standing is Standing.COMPLETED else entry
