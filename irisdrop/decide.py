"""SETTLED → MATCHED, or to why not: reads what an image says, and decides with the worklist as it is known now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from irisdrop.identity.identify import Identified, Refusal
from irisdrop.identity.sandbox import Parsers, ParsersClosed
from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.matching.twins import twin_of
from irisdrop.matching.worklist import Worklist
from irisdrop.outcome.deliver import unmatch
from irisdrop.platforms import Platform
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.reading import Reader, Readers
from irisdrop.record.attempts import Attempts
from irisdrop.record.conditions import Conditions
from irisdrop.record.course import Course
from irisdrop.record.images import plain_decision
from irisdrop.record.journal import AGENT, Journal, StaleImage
from irisdrop.record.spool import Spool
from irisdrop.recovered import Recovered, agrees
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.decisions import Decision, Matched, Unmatched
from irisdrop.vocabulary.deliveries import Postponed, Receipt
from irisdrop.vocabulary.faults import place
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import Standing
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

log = logging.getLogger(__name__)

Read = tuple[DeviceProfile | None, Identified | Refusal, Receipt | None]

LONGEST_LOOK = 0.25  # seconds to wait for one that is being read before others are looked at
DECIDED = "decided.change"  # meta key: the worklist's change up to which everything was decided
TOGETHER = 16  # images that are decided in one commit
TICK = 5.0  # seconds between looks at who has run out of patience, and whether another process wrote anything


class Decider:
    """One thread that reads and decides; `woken` is set when images settled, `resynced` when the worklist changed."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        spool: Spool,
        worklist: Worklist,
        platform: Platform,
        conditions: Conditions,
        clock: Clock,
        parsers: Parsers,
        profiles: Callable[[str], DeviceProfile | None],
        on_matched: Callable[[], None],
    ) -> None:
        self._config = config
        self._journal = journal
        self._worklist = worklist
        self._conditions = conditions
        self._clock = clock
        self._profiles = profiles
        self._on_matched = on_matched
        self._attempts = Attempts(journal, clock)
        self._reader = Reader(spool, parsers)
        self._recovered = Recovered(journal, self._attempts, platform, conditions, clock)
        self._kept: set[str] = set()
        self._failed: set[int] = set()
        self._readers: Readers[Read | None] = Readers(self._read, lambda: self.woken.set())
        self.woken = threading.Event()
        self.resynced = threading.Event()

    # ------------------------------------------------------------------ working

    def run(self, stop: threading.Event) -> None:
        """Decide until told to stop."""
        while not stop.is_set():
            self.woken.clear()
            if stop.is_set():
                return  # told in between: nobody wakes us once more
            try:
                seen = self._journal.database.version()
                self.turn()
                self._conditions.clear("STAGE_FAILED", "deciding")
                self._rest(seen)
            except ParsersClosed:
                return
            except Exception as error:  # noqa: BLE001 - told as a Condition, and tried again
                log.error("deciding failed: %s", place(error))
                self._conditions.note_failure("deciding", error)
                self._clock.wait(stop, 1.0)
                self._clock.wait(self.woken, TICK)

    def _rest(self, seen: int) -> None:
        """Until somebody wakes us, or the journal is not what it was before the last turn. What waits is looked at each
        time: it may be out of patience, or can be read by now."""
        waiting = self._journal.in_state(State.SETTLED, State.IDENTIFIED, limit=1)
        while not self._clock.wait(self.woken, TICK):
            if waiting or self._journal.database.version() != seen:
                return

    def turn(self) -> bool:
        """Everything that can be decided now; True where anything moved."""
        moved = False
        moved |= self._look_again()
        moved |= self._unmatch_unsure()
        moved |= self._read_and_decide()
        for image in self._journal.undecided():
            moved |= self._decide_known(image)
        for image in self._journal.out_of_patience(self._worklist.orders.fresh_seconds()):
            moved |= self._decide_known(image)
        return moved

    def finish(self) -> None:
        """Turn until nothing that is here can be taken further."""
        while self.turn() or len(self._readers):
            pass

    def close(self) -> None:
        """Begin to read nothing more."""
        self._readers.close()

    # ------------------------------------------------------------------ identity

    def _read_and_decide(self) -> bool:
        """Read what settled, the newest first, and decide it as it comes; what hangs is left to be read while others go on.

        Each image is tried once in a turn: one that has to wait for another would be read for ever.
        """
        moved, tried = False, set[int]()
        while True:
            room = self._readers.room()
            found = self._journal.settled(room, tried)
            settled = [image for image in found if image.id not in tried][:room]
            tried = tried.intersection(image.id for image in found) | {image.id for image in settled}
            self._readers.give(settled)
            read = self._readers.done(LONGEST_LOOK)
            if not read and not settled:
                return moved
            moved |= self._decide_read(read)

    def _decide_read(self, read: list[tuple[ImageFile, Future[Read | None]]]) -> bool:
        known: list[tuple[ImageFile, Read]] = []
        for image, future in read:
            with self._told(image):
                outcome = future.result()
                if outcome is not None:
                    known.append((image, outcome))
        moved = False
        for begin in range(0, len(known), TOGETHER):
            moved |= self._decide_together(known[begin : begin + TOGETHER])
        if moved:
            self._on_matched()
        return moved

    def _decide_together(self, known: list[tuple[ImageFile, Read]]) -> bool:
        """Several images in one commit; where that fails, each in its own."""
        try:
            moved = True in self._journal.share(lambda: [self._identified(image, *outcome) for image, outcome in known])
        except Exception:  # noqa: BLE001 - it fails again, and is told of the image to which it belongs
            moved = False
            for image, outcome in known:
                moved |= self._decide_alone(image, outcome)
        else:
            self._well([image for image, _ in known])
        return moved

    def _decide_alone(self, image: ImageFile, outcome: Read) -> bool:
        moved = False
        with self._told(image):
            with self._journal.transaction():
                moved = self._identified(image, *outcome)
            self._well([image])
        return moved

    def _well(self, images: list[ImageFile]) -> None:
        for number in self._failed.intersection(image.id for image in images):
            self._failed.discard(number)
            self._conditions.clear("STAGE_FAILED", f"image {number}")

    @contextmanager
    def _told(self, image: ImageFile) -> Iterator[None]:
        """What fails about one image is told as its Condition: it stays SETTLED, and the others go on."""
        try:
            yield
        except StaleImage as stale:
            log.info("%s", stale)
        except ParsersClosed:
            raise
        except Exception as error:  # noqa: BLE001
            log.error("deciding image %s failed: %s", image.id, place(error))
            self._failed.add(image.id)
            self._conditions.note_failure(f"image {image.id}", error)

    def _read(self, image: ImageFile) -> Read | None:
        """What an image says and, where it was recovered, what the platform has of it; None where that can't be known
        now."""
        receipt = self._recovered.ask(image) if image.ask_first else None
        if isinstance(receipt, Postponed):
            return None
        profile = self._profiles(image.camera)
        if profile is None:
            return profile, Refusal(Code.PROFILE_FAULT, "its camera is no longer configured"), receipt
        said = self._reader.said(image, profile)
        return None if said is None else (profile, said, receipt)

    def _identified(
        self,
        image: ImageFile,
        profile: DeviceProfile | None,
        said: Identified | Refusal,
        receipt: Receipt | None,
    ) -> bool:
        """Move an image by what was read of it; False where it has to wait."""
        now = self._profiles(image.camera)
        if (now and now.digest) != (profile and profile.digest):
            self.woken.set()  # the profile was edited while this was read by the old one: read it again
            return False
        twins = self._journal.twins(image)
        if any(twin.id < image.id and twin.state is State.SETTLED for twin in twins):
            return False  # the earlier one of the same bytes goes first
        if isinstance(said, Refusal) or profile is None:
            if receipt is not None:
                self._recovered.deliver(self._journal.identify(image, (), "", "it could not be read"), receipt)
            elif isinstance(said, Refusal):
                self._journal.refuse(image, said.code, said.detail)
            return True
        self._keep(profile)
        course = Course(image).step(
            Event.IDENTIFY, AGENT, f"read by {profile.name}", readings=said.readings, profile=profile.digest
        )
        read = course.image
        if receipt is not None and twin_of(read, read.readings, twins) is None and agrees(read, receipt):
            self._recovered.deliver(course, receipt)
        else:
            self._decide(course, profile, twins)
        return True

    def _keep(self, profile: DeviceProfile) -> None:
        if profile.digest not in self._kept:
            self._journal.keep_profile(profile.digest, profile.name, profile.text)
            # Only once it is stored: a commit that is rolled back stores nothing.
            self._journal.database.afterwards(partial(self._kept.add, profile.digest))

    # ------------------------------------------------------------------ decision

    def _decide_each(self, images: list[ImageFile]) -> list[bool]:
        return [self._decide_known(image) for image in images]

    def _decide_known(self, image: ImageFile) -> bool:
        profile = self._profiles(image.camera)
        if profile is None:
            return False
        if image.profile != profile.digest:
            return self._decide_anew(image)
        with self._journal.transaction():
            try:
                return self._decide(Course(image), profile, self._journal.twins(image)) is not image
            except StaleImage as stale:
                log.info("%s", stale)
                return False

    def _decide(self, course: Course, profile: DeviceProfile, twins: list[ImageFile]) -> ImageFile:
        image = course.image
        twin = twin_of(image, image.readings, twins)
        if twin is not None:
            return self._twin(course, *twin)
        decision = self.decision(image, profile)
        if isinstance(decision, Matched):
            return self._journal.decide(course, decision, event=Event.MATCH, why=_words(decision))
        until = image.fresh_at + profile.patience
        if decision.waits and (not self._worklist.usable() or self._worklist.orders.fresh_seconds() < until):
            return self._wait(course, decision, until)
        return self._journal.decide(course, decision, event=Event.REFUSE, why=_words(decision))

    def decision(self, image: ImageFile, profile: DeviceProfile) -> Decision:
        """What is decided about an image now, pure but for the look at the worklist; a stale one has no entries."""
        entries = self._worklist.gather(image.readings, profile) if self._worklist.usable() else []
        try:
            return match(image.readings, profile, self._situation(image), entries)
        except Exception as error:  # noqa: BLE001 - pure, so it would fail again for ever: a person must look
            log.error("deciding image %s failed: %s", image.id, place(error))
            return Unmatched(Code.PROFILE_FAULT, f"deciding failed ({type(error).__name__})", (), ())

    def _situation(self, image: ImageFile) -> Situation:
        clock = next((c.clock for c in self._config.cameras if c.name == image.camera), None)
        clock = self._journal.last_clock(image.camera) if clock is None else clock
        return Situation(self._config.site.zone, image.arrived, image.live, clock, self._config.site.id, image.name)

    def _wait(self, course: Course, decision: Unmatched, until: float) -> ImageFile:
        plain, image = plain_decision(decision), course.begun
        if not course.steps and self._journal.decision(image.id) == plain and self._journal.waits(image.id):
            return image
        return self._journal.note(course, decision=plain, patience_until=until)

    def _twin(self, course: Course, twin: ImageFile, same: bool) -> ImageFile:
        if same:
            why = f"the same picture of the same patient and eye as image {twin.id}"
            return self._journal.move(course, Event.RECOGNISE, AGENT, why, patience_until=None)
        number = course.begun.id
        self._conditions.raise_("TWIN_CONFLICT", f"image {twin.id}", f"image {number} has the same bytes")
        detail = f"image {twin.id} has the same bytes and says something else"
        return self._journal.refuse(course, Code.CONFLICTING_KEYS, detail, patience_until=None)

    # ------------------------------------------------------------------ after a sync

    def entries_changed(self, identifiers: list[str]) -> None:  # noqa: ARG002
        """Entries are new, changed or withdrawn: look again. Which ones, the mirror itself remembers, so that neither a
        crash nor a sync by a command makes it forgotten."""
        self.resynced.set()
        self.woken.set()

    def _look_again(self) -> bool:
        """What the worklist's last change may have decided otherwise."""
        change = self._worklist.orders.last_change()
        before = int(self._journal.meta(DECIDED) or 0)
        if change == before and not self.resynced.is_set():
            return self._read_again()
        if not self._worklist.usable():
            return False
        self.resynced.clear()
        for image in self._journal.withdrawn_late(before):
            self._conditions.raise_("ORDER_WITHDRAWN_LATE", f"image {image.id}")
        moved = self._again_after_sync()
        if change != before:
            self._journal.set_meta(DECIDED, str(change))
        return self._read_again() or moved

    def _again_after_sync(self) -> bool:
        moved, together = False, list[ImageFile]()
        for image in reversed(self._journal.in_state(State.IDENTIFIED)):
            profile = self._profiles(image.camera)
            if profile is None or image.profile != profile.digest:
                moved |= self._decide_known(image)  # it is read, and nobody else waits for that in a commit
                continue
            together.append(image)
        # At a first sync a whole backlog may wait: with a commit for each, what comes now would wait for half a minute.
        for begin in range(0, len(together), TOGETHER):
            moved |= True in self._journal.share(partial(self._decide_each, together[begin : begin + TOGETHER]))
        late = self._clock.now() - timedelta(seconds=self._config.late)
        for image in self._journal.quarantined_for(Code.NO_WORKLIST_ENTRY, late):
            with self._told(image):
                moved |= self._late_order(image)
                self._well([image])
        if moved:
            self._on_matched()
        return moved

    def _read_again(self) -> bool:
        """What waits for an order and was read by another profile than its camera has now, or from damaged bytes."""
        moved = False
        for camera in self._config.cameras:
            profile = self._profiles(camera.name)
            for image in () if profile is None else self._journal.read_otherwise(camera.name, profile.digest):
                moved |= self._decide_anew(image)
        return moved

    def _decide_anew(self, image: ImageFile) -> bool:
        """Read an image by the profile that its camera has now, and decide it: what one profile read says nothing to the
        rules of another."""
        moved = False
        with self._told(image):
            outcome = self._read(image)
            if outcome is not None:
                with self._journal.transaction():
                    moved = self._identified(image, *outcome)
            self._well([image])
        return moved

    def _late_order(self, image: ImageFile) -> bool:
        profile = self._profiles(image.camera)
        if profile is None or image.digest is None or not self._worklist.usable():
            return False
        decision = self.decision(image, profile)
        if not isinstance(decision, Matched):
            return False
        course = Course(image)
        if image.profile != profile.digest:
            said = self._reader.said(image, profile)
            if not isinstance(said, Identified):
                return False  # it stays with the person
            course.change(readings=said.readings, profile=profile.digest)
        with self._journal.transaction():
            self._keep(profile)
            decision = self.decision(course.image, profile)
            if not isinstance(decision, Matched):
                return False
            try:
                self._journal.decide(
                    course, decision, event=Event.REMATCH, why=f"a late order came; {_words(decision)}"
                )
            except StaleImage:
                return False  # a person was quicker
        return True

    def _unmatch_unsure(self) -> bool:
        """Images whose order was withdrawn, or is not what it was when it was chosen (a merged or corrected patient)."""
        moved = False
        for image in self._journal.unsure_of_order():
            with self._journal.transaction():
                try:
                    moved |= self._settle_order(image)
                except StaleImage as stale:
                    log.info("%s", stale)
        return moved

    def _settle_order(self, image: ImageFile) -> bool:
        if self._attempts.open_attempt(image.id) is not None:
            return False
        entry = self._worklist.orders.get(image.entry or "")
        sendable = (Standing.OPEN, Standing.COMPLETED) if image.assigned_by is not None else (Standing.OPEN,)
        if entry is None or entry.standing not in sendable:
            unmatch(self._journal, image, "its order was withdrawn")
            return True
        profile = self._profiles(image.camera)
        if image.assigned_by is None and profile is not None:
            if not self._worklist.usable():
                return False
            decision = self.decision(image, profile)
            if isinstance(decision, Matched) and decision.entry.id == image.entry:
                # With the decision: an order or eye that differs from it is taken for a damaged one.
                self._journal.note(image, entry=image.entry, eye=decision.eye, decision=plain_decision(decision))
                self._on_matched()
                return True
        unmatch(self._journal, image, "its order was changed and no longer fits")
        return True


def _words(decision: Decision) -> str:
    if isinstance(decision, Matched):
        return f"matched by {' + '.join(decision.key_set)}"
    return f"{decision.reason}: {decision.detail}"
