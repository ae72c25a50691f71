"""A ready file is taken: its bytes into the spool, then its new state into the journal, in that order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from irisdrop.arrival.archive import Unfinished, Unpackable, Unpacked, unpack
from irisdrop.arrival.ledger import Ledger
from irisdrop.arrival.scan import below
from irisdrop.arrival.settling import Pending
from irisdrop.arrival.sidecars import Changing, Sidecars
from irisdrop.arrival.take import Changed, Incomplete, NotPlain, Order, Outcome, Taken, TooLarge, refusal, take
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.journal import AGENT, Arrival, Journal
from irisdrop.record.known import Standing
from irisdrop.record.sources import Source, Sources
from irisdrop.record.spool import Origin, Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

AT_ONCE: Final = 200  # members of an archive that settle in one commit


class _SpoolLost(Exception):
    """The spool dropped the digest between the copy and the commit."""


@dataclass(frozen=True, slots=True)
class _Unwritten:
    """The bytes are in the spool, the journal does not know yet."""

    taken: Taken
    write: Callable[[], ImageFile | None]


@dataclass(slots=True)
class Intake:
    """Takes files of one camera, on any thread."""

    camera: str
    root: str
    journal: Journal
    spool: Spool
    clock: Clock
    largest: int
    on_settled: Callable[[], None]
    ask_first: Callable[[datetime], bool] = field(default=lambda _: False)
    profile: Callable[[], DeviceProfile] | None = None
    sidecars: Sidecars | None = None

    def arrival(self, pending: Pending) -> Arrival:
        """A pending file in the journal's words."""
        path = below(self.root, pending.folder, pending.base)
        return Arrival(self.camera, pending.folder, pending.base, path, pending.fingerprint)

    def take(
        self,
        pending: Pending,
        force: bool,
        stopped: Callable[[], bool],
        ledger: Ledger,
        told: Callable[[Outcome | Exception], None],
    ) -> None:
        """Take one file as far as it goes. `told` gets what became of it, once it is written down; never raises."""
        try:
            outcome = self._read(pending, force, stopped)
        except Exception as error:  # noqa: BLE001 - goes to the lookout's thread, which tells it
            told(error)
            return
        if isinstance(outcome, _Unwritten):
            ledger.enter(outcome.write, lambda found: told(self._settled(outcome.taken, found)))
        else:
            told(outcome)

    def _read(self, pending: Pending, force: bool, stopped: Callable[[], bool]) -> Outcome | _Unwritten:
        arrival = self.arrival(pending)
        earlier = self.journal.at_path(arrival.path)
        order = self._order(arrival, pending, earlier, force)
        if self.profile is not None and self.profile().unpacks(pending.base):
            return self._open(arrival, pending, order, self.profile(), stopped)
        if self.sidecars is not None and pending.blocked:
            try:
                self.sidecars.try_to_open(pending.folder, pending.base)
            except OSError as error:
                return refusal(error)  # it is not copied to be thrown away again
        outcome = take(order, self.spool, self.clock.now().timestamp(), stopped)
        if isinstance(outcome, Taken):
            beside: list[Source] = []
            if self.sidecars is not None and outcome.new:
                try:
                    beside = self.sidecars.keep(outcome.digest, pending.folder, pending.base, grown=outcome.grown)
                except Changing:
                    return Changed()  # both are read once more
                except OSError as error:
                    return refusal(error)  # it waits for its companion file as for itself
            return self._unwritten(arrival, pending, outcome, beside)
        if isinstance(outcome, TooLarge):
            self._turn_away(arrival, pending, Code.TOO_LARGE, f"{outcome.size} bytes")
        elif isinstance(outcome, NotPlain):
            self._turn_away(arrival, pending, Code.NOT_A_PLAIN_FILE, "it was replaced by something else")
        return outcome

    def _open(
        self, arrival: Arrival, pending: Pending, order: Order, profile: DeviceProfile, stopped: Callable[[], bool]
    ) -> Outcome | _Unwritten:
        """Take the images of an archive."""
        now, noted = self.clock.now().timestamp(), self._sources.companion
        opened = unpack(order, profile, self.spool, now, stopped, self._digests, noted)
        if isinstance(opened, Unfinished):
            return Incomplete()
        if isinstance(opened, Unpackable):
            return self._keep_refused(arrival, pending, order, opened.detail, stopped)
        if isinstance(opened, Unpacked) and not opened.members:
            # Like a file that no glob takes it is not copied: reports, day after day, would fill the spool.
            self._turn_away(arrival, pending, Code.UNREADABLE, "it holds no image that the profile takes")
            return NotPlain()
        if not isinstance(opened, Unpacked):
            return opened
        racy = opened.racy and not pending.racy
        if self.sidecars is not None:  # before it is noted that the archive is done: a crash opens it again
            for member in opened.members:
                if member.renewed:
                    self.sidecars.renewed(arrival.within(member.path).path, member.digest, member.beside)
        try:
            self._settle_members(arrival, pending, opened, racy)
        except _SpoolLost:
            return Changed()
        self.on_settled()
        return Taken("", order.looked.size, racy, True, False, True)

    def _keep_refused(
        self, arrival: Arrival, pending: Pending, order: Order, detail: str, stopped: Callable[[], bool]
    ) -> Outcome | _Unwritten:
        """An archive that can't be opened goes to quarantine whole, as one image, with its bytes: the camera may use its
        name again, or clear it away, before anybody has looked. What no spool of this size could hold waits in its folder."""
        limit = self.spool.budget.limit
        outcome: Outcome = NotPlain()
        if order.looked.size <= self.largest and (limit is None or order.looked.size <= limit):
            outcome = take(replace(order, force=True), self.spool, self.clock.now().timestamp(), stopped)
            if isinstance(outcome, Taken):
                return self._unwritten(arrival, pending, outcome, [], detail)
        if isinstance(outcome, NotPlain):
            self._turn_away(arrival, pending, Code.UNREADABLE, detail)
        return outcome

    def _settle_members(self, arrival: Arrival, pending: Pending, opened: Unpacked, racy: bool) -> None:
        """All at once, or of a large archive a part at a time, so that no other image waits for the journal.

        Only the last part says that the archive is done: it is opened again after a crash before that.
        """
        fresh = [member for member in opened.members if member.new]
        for begin in range(0, max(1, len(fresh)), AT_ONCE):
            with self.journal.transaction():
                for member in fresh[begin : begin + AT_ONCE]:
                    taken = Taken(member.digest, member.size, racy, True, False, True)
                    self._write(arrival.within(member.path), pending, taken, member.flaw, member.beside)
                standing = Standing.PENDING
                if begin + AT_ONCE >= len(fresh):
                    self._open_archive(arrival, opened)
                    self._sources.note_archive(self.camera, Source(arrival.path, opened.digest), self.clock.now())
                    standing = Standing.RACY if racy else Standing.SETTLED
                known = (arrival.base, arrival.fingerprint, standing)
                self.journal.known.note(arrival.camera, arrival.folder, [known])

    def _open_archive(self, arrival: Arrival, opened: Unpacked) -> None:
        """What was noted at an archive's own path is over, also that it could not be read before; but one of other bytes
        was another export, and waits for a person."""
        count = len(opened.members)
        self.journal.open_archive(arrival, count, opened.digest)
        earlier = self.journal.at_path(arrival.path)
        for image in earlier:
            if image.state is not State.QUARANTINED or image.reason is not Code.UNREADABLE:
                continue
            if image.digest is None or (opened.grown and image is earlier[-1]):
                self.journal.move(image, Event.SUPERSEDE, AGENT, f"the file is an archive of {count} images now")
        if self.spool.holds(opened.digest) and not self.journal.with_digest(opened.digest):
            self.spool.drop(opened.digest)  # it was refused, and released: all that it holds is an image of its own now

    @property
    def _sources(self) -> Sources:
        return Sources(self.journal.database)

    def _digests(self, path: str) -> set[str | None]:
        return {image.digest for image in self.journal.at_path(path)}

    def refuse(self, pending: Pending) -> None:
        """What a scan found to be no plain file."""
        detail = "a link, pipe, socket, device or mount point"
        self._turn_away(self.arrival(pending), pending, Code.NOT_A_PLAIN_FILE, detail)

    def _order(self, arrival: Arrival, pending: Pending, earlier: list[ImageFile], force: bool) -> Order:
        arrived = next((image.arrived for image in earlier if image.state is State.SEEN), pending.arrived)
        last = earlier[-1] if earlier else None
        partial = last if last and last.state is State.QUARANTINED and last.reason is Code.UNREADABLE else None
        beginning = None
        if partial is not None and partial.digest is not None and partial.size is not None:
            beginning = (partial.size, partial.digest)
        return Order(
            path=arrival.path,
            looked=pending.fingerprint,
            origin=Origin(self.camera, arrival.path, arrival.name, arrived, pending.live),
            largest=self.largest,
            digests=frozenset(image.digest for image in earlier if image.digest and image.state is not State.SEEN),
            beginning=beginning,
            force=force or pending.racy,
        )

    def _unwritten(
        self, arrival: Arrival, pending: Pending, taken: Taken, beside: list[Source], flaw: str | None = None
    ) -> _Unwritten:
        if flaw is None and not taken.complete:
            flaw = "it is empty" if taken.size == 0 else "it stopped before the end of its format"
        return _Unwritten(taken, lambda: self._write(arrival, pending, taken, flaw, beside))

    def _settled(self, taken: Taken, found: ImageFile | Exception | None) -> Outcome | Exception:
        """What became of a file whose bytes are ours, by what came of writing that down."""
        if isinstance(found, _SpoolLost):
            return Changed()
        if isinstance(found, Exception):
            return found
        if found is not None:
            self.on_settled()
        return taken

    def _write(
        self, arrival: Arrival, pending: Pending, taken: Taken, flaw: str | None, beside: Iterable[Source] = ()
    ) -> ImageFile | None:
        image = self.journal.settle(
            arrival,
            taken.digest,
            taken.size,
            arrived=pending.arrived,
            live=pending.live,
            racy=taken.racy and not pending.racy,
            grown=taken.grown,
            ask_first=self.ask_first(pending.arrived),
        )
        if image is not None and not self.spool.holds(taken.digest):
            raise _SpoolLost
        if image is not None and flaw is not None:
            self.journal.refuse(image, Code.UNREADABLE, flaw)
        self._sources.note_companions(self.camera, arrival.path, beside, self.clock.now())
        return image

    def _turn_away(self, arrival: Arrival, pending: Pending, code: Code, detail: str) -> None:
        if self.journal.turn_away(arrival, code, detail, arrived=pending.arrived, live=pending.live):
            self.on_settled()
