"""MATCHED → DELIVERED: several images at once, the newest exam first, each attempt noted before its first byte."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from irisdrop.outcome.backoff import GATE_LONGEST, delay
from irisdrop.platforms import Platform
from irisdrop.platforms.receipts import judge
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.attempts import Attempts
from irisdrop.record.conditions import Conditions
from irisdrop.record.copies import LOST
from irisdrop.record.journal import AGENT, PAUSED, Journal, StaleImage
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.record.text import stamp
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.deliveries import (
    Answer,
    Attempt,
    Confirmed,
    Damaged,
    Parcel,
    Postponed,
    Receipt,
    Refused,
    Uploaded,
    Withdrawn,
)
from irisdrop.vocabulary.faults import place
from irisdrop.vocabulary.images import ImageFile, split_name
from irisdrop.vocabulary.orders import Standing
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event, State

log = logging.getLogger(__name__)

PLATFORM = "platform"
LONGEST_IDLE = 5.0  # seconds
WATCHED = 60.0  # seconds that the others wait while one of the threads looks for all
HAND = 16  # images that are begun in one commit, at most
HAND_SECONDS = 0.1  # in which they will have been sent: a newer image waits no longer for its turn
HAND_BYTES = 32 << 20
HAND_HOLDS = 1.0  # seconds; then an order may have been withdrawn, a newer exam come, or delivery been paused
SET_BACK = 60.0  # seconds by which the wall clock must have gone back to be noticed
OUTAGE = ("PLATFORM_UNREACHABLE", "PLATFORM_DENIED", "PLATFORM_STRANGE")


@dataclass
class Gate:
    """Closed while the platform as a whole does not take images, so that a backlog does not knock a thousand times."""

    failures: int = 0  # in a row, whichever images they were
    closed_until: float = 0.0  # monotonic
    was_closed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Courier:
    """Takes due images to the platform with `workers` threads; `woken` is set by whoever makes an image due."""

    def __init__(
        self,
        journal: Journal,
        spool: Spool,
        orders: Orders,
        platform: Platform,
        conditions: Conditions,
        clock: Clock,
        *,
        workers: int = 4,
        rng: random.Random | None = None,
        on_unmatched: Callable[[], None] = lambda: None,
        profiles: Callable[[str], DeviceProfile | None] = lambda _: None,
        former: Courier | None = None,
    ) -> None:
        """`former` was told to stop and may still hold images, on a line that is slow: they are left to it."""
        self.attempts = Attempts(journal, clock)
        self._journal = journal
        self._spool = spool
        self._orders = orders
        self._platform = platform
        self._conditions = conditions
        self._clock = clock
        self._workers = workers
        self._rng = rng or random.Random()
        self._on_unmatched = on_unmatched
        self._profiles = profiles
        self._gate = Gate()
        self._busy: set[int] = set() if former is None else former._busy
        self._hand: deque[tuple[ImageFile, Attempt]] = deque()  # begun, and none of their bytes sent
        self._hand_until = 0.0  # monotonic
        self._pace = HAND_SECONDS  # seconds that an image took lately
        self._choice = threading.Lock()
        self._watching = threading.Lock()
        self._seen = (clock.now(), clock.monotonic())
        self.woken = threading.Event()

    # ------------------------------------------------------------------ working

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop; each worker finishes the image that it holds."""
        threads = [
            threading.Thread(target=self._work, args=(stop,), name=f"courier-{number}", daemon=True)
            for number in range(self._workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._choice:
            try:
                self._put_back()
            except Exception as error:  # noqa: BLE001 - left open: whoever comes next asks the platform
                self._failed(error)
                self._busy.difference_update(image.id for image, _ in self._hand)

    def deliver_next(self) -> bool:
        """Take the newest due image to its end or to its next try; False where none is due."""
        taken = self._take(1)
        if taken is None:
            return False
        done = threading.Event()
        self._deliver(*taken, done.set)
        done.wait()
        return True

    def _deliver(self, image: ImageFile, attempt: Attempt, done: Callable[[], None] = lambda: None) -> None:
        """Send an image; `done` is called once its answer is written down, or failed to be."""
        begun = self._clock.monotonic()
        try:
            answer = self._send(image, attempt)
            self._pace = max(self._clock.monotonic() - begun, 0.8 * self._pace)
            # Its source may lie on a slow share: mended before the transaction that everybody else would wait for.
            mended = isinstance(answer, Damaged) and self._spool.mend(image.digest or "")
        except BaseException:
            self._busy.discard(image.id)
            raise
        if isinstance(answer, Confirmed | Uploaded):
            self._spool.unload(image.digest or "")
        if not isinstance(answer, Confirmed):
            # Its detail may quote the platform, so it is for the history, not for the log.
            log.info("image %s %.8s: %s", image.id, image.digest, type(answer).__name__.lower())

        def written(error: BaseException | None) -> None:
            self._busy.discard(image.id)  # without the lock: whoever holds it may wait for this commit
            try:
                self._concluded(answer, error)
                if self._gate.failures:
                    self.woken.set()  # the others waited for this answer: the next one may knock
            finally:
                done()

        # The next image is not kept waiting for this one's commit.
        self._journal.hand_over(lambda: self._write(image, attempt, answer, mended), written)

    def resume(self, *, unsure: bool = False) -> None:
        """Before the first attempt: ask the platform about every one without outcome before anything is sent again.

        `unsure`: the last run did not end in order, and a damaged disk may have taken the journal's last commits with
        it, so that any image may have been sent. Nothing waits for the back-off of an earlier run.
        """
        for attempt in self.attempts.left_open():
            if attempt.image not in self._busy:
                self._cut_off(attempt)
        self.attempts.clear_waits(undo_until=self._clock.now() + timedelta(seconds=SET_BACK))
        if unsure:
            self.attempts.ask_for_all()

    def _cut_off(self, attempt: Attempt, **more: Any) -> None:
        with self._journal.transaction():
            self.attempts.end(attempt, "cut off: the platform is asked first")
            image = self._journal.get(attempt.image)
            if image.state is State.MATCHED:
                self._journal.note(image, ask_first=1, **more)

    def idle_seconds(self) -> float:
        """How long there is nothing to do; a person's order comes from another process, which can't wake anybody."""
        due = self._next_due()
        if due is None or self._knocks() or self._journal.meta(PAUSED):
            return LONGEST_IDLE
        wait = max(self._gate.closed_until - self._clock.monotonic(), 0.0)
        return min(max(wait, (due - self._clock.now()).total_seconds(), 0.05), LONGEST_IDLE)

    def _next_due(self) -> datetime | None:
        with self._choice:
            return self.attempts.next_due(frozenset(self._busy))

    def _work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if (taken := self._take(self._at_once())) is not None:
                    self._deliver(*taken)
                    continue
                self.woken.clear()
                if not stop.is_set() and not self._anything_due():
                    self._rest()
            except Exception as error:  # noqa: BLE001
                self._failed(error)
                self._clock.wait(stop, 1.0)
        self.woken.set()  # one that cleared it in the moment in which we were told to stop must not let another wait

    def _rest(self) -> None:
        """Until an image may be due: one thread looks for all, and wakes them."""
        if not self._watching.acquire(blocking=False):
            self._clock.wait(self.woken, WATCHED)
            return
        try:
            self._watch()
        finally:
            self._watching.release()
        self.woken.set()

    def _watch(self) -> None:
        while True:
            seen = self._journal.database.version()
            nothing = self._next_due() is None  # then only a commit can change that
            if self._clock.wait(self.woken, self.idle_seconds()):
                return
            if not nothing or self._journal.database.version() != seen:
                return

    def _anything_due(self) -> bool:
        if self._gate.closed_until > self._clock.monotonic() or self._knocks() or self._journal.meta(PAUSED):
            return False
        with self._choice:
            return bool(self.attempts.due(1, frozenset(self._busy)))

    def _knocks(self) -> bool:
        """While the platform is away one image knocks; the others wait for its answer, which may take minutes."""
        return bool(self._gate.failures and self._busy)

    def _mind_the_clock(self) -> None:
        """What waits until a time would wait for as long again as the wall clock was set back."""
        wall, running = self._clock.now(), self._clock.monotonic()
        back = (running - self._seen[1]) - (wall - self._seen[0]).total_seconds()
        self._seen = (wall, running)
        if back > SET_BACK:
            self.attempts.clear_waits(undo_until=wall + timedelta(seconds=SET_BACK))

    def _at_once(self) -> int:
        """How many images will be sent in the next moment: the more, the fewer commits."""
        return max(1, min(HAND, int(self._workers * HAND_SECONDS / max(self._pace, 0.001))))

    def _take(self, begin: int) -> tuple[ImageFile, Attempt] | None:
        with self._choice:
            self._mind_the_clock()
            if self._gate.failures or self._clock.monotonic() >= self._hand_until:
                self._put_back()
            if self._gate.closed_until > self._clock.monotonic() or self._knocks():
                return None
            if not self._hand and not self._journal.meta(PAUSED):
                self._begin(1 if self._gate.failures else begin)
            return self._hand.popleft() if self._hand else None

    def _begin(self, count: int) -> None:
        """Open attempts for the newest due images, in one commit."""
        busy = frozenset(self._busy)
        begun, held = self._journal.share(lambda: self.attempts.begin_due(count, busy, HAND_BYTES))
        self._hand.extend(begun)
        self._hand_until = self._clock.monotonic() + HAND_HOLDS
        self._busy.update(image.id for image, _ in begun)
        for image in held:
            left = self.attempts.open_attempt(image.id)
            if left is None:
                self._doubt(image)
                continue
            # Nobody holds it, so an attempt without outcome is one that a failure of ours cut off. It may fail again,
            # so it waits as after any other failure and the others go first.
            next_try = self._after(delay(image.tries, self._rng))
            self._cut_off(left, tries=image.tries + 1, next_try=next_try)

    def _doubt(self, image: ImageFile) -> None:
        """Its order was withdrawn or changed: whoever decides looks at it. Or what the journal says of it is not what was
        decided: nobody knows which is wrong, so it is decided again from what was read."""
        if not self.attempts.in_doubt(image):
            log.info("image %s not sent: its order was withdrawn or changed", image.id)
            self._stand_back(image)
            return
        log.error("image %s not sent: its order or eye in the journal is not the one that was decided", image.id)
        with contextlib.suppress(StaleImage):
            unmatch(self._journal, image, "its order or eye in the journal is not the one that was decided")
        self._on_unmatched()

    def _put_back(self) -> None:
        """What was begun and not sent is due as before; none of its bytes left."""
        if not self._hand:
            return
        with self._journal.transaction():
            for image, attempt in self._hand:
                self.attempts.end(attempt, "put back before its first byte", image=image)
        self._busy.difference_update(image.id for image, _ in self._hand)
        self._hand.clear()

    def _stand_back(self, image: ImageFile) -> None:
        """Let whoever decides look at an image whose order or version changed, before it is tried again."""
        with contextlib.suppress(StaleImage):
            self._journal.note(self._journal.get(image.id), next_try=self._after(1.0))
        self._on_unmatched()

    # ------------------------------------------------------------------ one image

    def _send(self, image: ImageFile, attempt: Attempt) -> Answer:
        assert image.digest is not None and image.size is not None
        if image.ask_first and self._parcel(image, attempt).replaces is None:
            found = self._platform.find(image.digest)
            if isinstance(found, Postponed):
                return found
            if isinstance(found, Receipt):
                return earlier(self._parcel(image, attempt), found)
        return self._platform.deliver(self._parcel(image, attempt))

    def _parcel(self, image: ImageFile, attempt: Attempt) -> Parcel:
        assert image.digest is not None and image.size is not None
        entry = self._orders.get(attempt.entry)
        keys = dict(entry.keys) if entry is not None else {}
        return Parcel(
            file=str(self._spool.file(image.digest)),
            digest=image.digest,
            size=image.size,
            entry=attempt.entry,
            eye=attempt.eye,
            taken=image.taken or image.arrived,
            keys=tuple(sorted(keys.items())),
            # Only a person may correct what the platform has already confirmed.
            replaces=image.replaces if image.assigned_by is not None else None,
            camera=image.camera,
            name=image.name,
            site=entry.site if entry is not None else None,
            decided=self._journal.since(image.id),
            uploads=self.attempts.uploads(image.id),
            said=tuple((reading.key, reading.value) for reading in image.readings if reading.flaw is None),
            **self._of_profile(image),
        )

    def _of_profile(self, image: ImageFile) -> dict[str, str]:
        profile = self._profiles(image.camera)
        if profile is None:
            return {}
        return {"modality": profile.modality, "context": profile.context_of(split_name(image.name)[1], image.readings)}

    def _concluded(self, answer: Answer, error: BaseException | None) -> None:
        """What an answer means for the others, once it is written down. Called on any thread; never raises."""
        try:
            if error is not None:
                raise error
            if isinstance(answer, Postponed):
                self._away(answer)
            if isinstance(answer, Confirmed | Uploaded | Refused | Withdrawn):
                self._reached()
            if isinstance(answer, Withdrawn | Damaged):
                self._on_unmatched()
        except Exception as failure:  # noqa: BLE001
            self._failed(failure)

    def _failed(self, error: Exception) -> None:
        """One image must not end the thread that the others need; its attempt stays open and is asked about."""
        log.error("delivering failed: %s", place(error))
        self._conditions.note_failure("delivery", error)

    def _write(self, image: ImageFile, attempt: Attempt, answer: Answer, mended: bool) -> None:
        match answer:
            case Confirmed(receipt):
                self.attempts.confirm(image, receipt, f"receipt {receipt.id}")
                self.attempts.end(attempt, "delivered", image=image)
            case Uploaded():
                self.attempts.upload(image, attempt, answer)
            case Refused(code, detail, found):
                self._refuse(image, attempt, code, detail, found)
            case Withdrawn(detail):
                self._withdraw(image, attempt, detail)
            case Postponed():
                self._postpone(image, attempt, answer)
            case Damaged(detail):
                self._damaged(image, attempt, detail, mended)

    def _refuse(self, image: ImageFile, attempt: Attempt, code: Code, detail: str, receipt: Receipt | None) -> None:
        self.attempts.end(attempt, str(code))
        correction = receipt.id if receipt is not None and code is Code.ASSIGNED_ELSEWHERE else image.replaces
        self._journal.refuse(image, code, detail, replaces=correction, next_try=None)
        if code is Code.RECEIPT_MISMATCH:
            self._conditions.raise_("RECEIPT_ALARM", f"image {image.id}")

    def _withdraw(self, image: ImageFile, attempt: Attempt, detail: str) -> None:
        self.attempts.end(attempt, "order withdrawn")
        self._orders.withdraw(attempt.entry, Standing.CANCELLED)
        unmatch(self._journal, image, detail)

    def _postpone(self, image: ImageFile, attempt: Attempt, answer: Postponed) -> None:
        seconds = delay(image.tries, self._rng, asked=answer.wait)
        next_try = self._clock.now() + timedelta(seconds=seconds)
        self.attempts.end(attempt, answer.detail, next_try)
        self._journal.note(image, next_try=stamp(next_try), tries=image.tries + 1, ask_first=1)

    def _away(self, answer: Postponed) -> None:
        """The platform did not take an image: after a few of them in a row none knocks for a while."""
        with self._gate.lock:
            self._gate.failures += 1
            if self._gate.failures >= self._workers or answer.halts:
                wait = delay(self._gate.failures, self._rng, GATE_LONGEST, answer.wait)
                self._gate.closed_until = self._clock.monotonic() + wait
                self._gate.was_closed = True
        self._conditions.raise_(answer.condition or "PLATFORM_UNREACHABLE", PLATFORM, answer.detail)

    def _damaged(self, image: ImageFile, attempt: Attempt, detail: str, mended: bool) -> None:
        """Mended bytes are read again: what was matched may have been read from the damaged ones."""
        self.attempts.end(attempt, f"spool damaged: {detail}")
        if not mended:
            self._journal.refuse(image, Code.UNREADABLE, LOST)
        elif image.assigned_by is not None:
            next_try = self._after(delay(image.tries, self._rng))
            self._journal.note(image, next_try=next_try, tries=image.tries + 1)
        else:
            unmatch(self._journal, image, "its bytes were damaged and are mended from the source", profile=None)

    def _reached(self) -> None:
        """The platform decides about images again: whoever waited for it need not any longer."""
        with self._gate.lock:
            was_away = self._gate.was_closed
            self._gate.failures, self._gate.closed_until, self._gate.was_closed = 0, 0.0, False
        for code in OUTAGE:
            self._conditions.clear(code, PLATFORM)
        if was_away:
            self.attempts.clear_waits()
        self.woken.set()

    def _after(self, seconds: float) -> str:
        return stamp(self._clock.now() + timedelta(seconds=seconds))


def earlier(parcel: Parcel, receipt: Receipt) -> Answer:
    """What a receipt from before a crash means for the attempt that asks now."""
    if receipt.entry != parcel.entry or (parcel.eye != "U" and receipt.eye != parcel.eye):
        return Refused(Code.ASSIGNED_ELSEWHERE, "the platform holds it on another order or eye", receipt)
    return judge(parcel, receipt)


def unmatch(journal: Journal, image: ImageFile, why: str, **more: Any) -> ImageFile:
    """The order is gone: the agent's own match is decided again, a person's goes back to a person."""
    cleared: dict[str, Any] = {"entry": None, "eye": None, "next_try": None, **more}
    if image.assigned_by is not None:
        return journal.refuse(image, Code.ORDER_WITHDRAWN, why, **cleared)
    return journal.move(image, Event.UNMATCH, AGENT, why, **cleared)
