"""The agent joins the stages: what settles is decided, what is matched is delivered, and the journal is the queue
between them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

from irisdrop import __version__
from irisdrop.arrival.lookout import Lookout
from irisdrop.arrival.members import member_blocks
from irisdrop.decide import Decider
from irisdrop.explain import prove
from irisdrop.hindsight import Hindsight
from irisdrop.housekeeping import Housekeeping
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.worklist import Worklist
from irisdrop.outcome.confirm import Confirmer
from irisdrop.outcome.deliver import Courier
from irisdrop.platforms import open_platform, open_worklist
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.audit import Kind
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import AGENT
from irisdrop.record.lease import Lease
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.recovery import CLEAN, moved, open_journal, recover, sources
from irisdrop.reload import Profiles, Reload, tell_faulty
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.faults import Foreseen, place
from irisdrop.vocabulary.states import State

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between looks at the configuration and the profiles
LOOK_AGAIN = 0.5  # and where one of them has just changed
HEAD_EVERY = 3600.0  # seconds between lines of log that tell the head of the audit trail
STOP_WITHIN = 4.0  # seconds for the threads to end; what they leave, the next start goes on with


class Agent:
    """One agent on one state folder. Use as a context manager: leaving it stops and closes everything."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        profiles: Mapping[str, DeviceProfile] | None = None,
        faulty: Foreseen | None = None,
        on_use: Callable[[Config], None] = lambda _: None,
    ) -> None:
        """`faulty` is why `config` is the last good one and not what is written; `on_use` is told each configuration
        that images flow by."""
        self.config = config
        self._on_use = on_use
        self.clock = clock or SystemClock()
        self._lease = Lease.take(config.state)
        self.journal = open_journal(config.state, self.clock)
        self._damaged = threading.Event()
        self.journal.database.on_damage = self._damaged.set
        self.conditions = Conditions(self.journal.database, self.clock)
        self._written = Profiles(self.journal, self.conditions, prove)
        self._fixed = profiles is not None
        try:
            self.profiles = dict(profiles) if profiles is not None else self._written.load(config)
            self.platform, source = open_platform(config), open_worklist(config)
        except BaseException:
            self.journal.close()
            self._lease.release()
            raise
        tell_faulty(self.conditions, faulty)
        self.spool = Spool(config.state / "spool", config.spool.limit, config.spool.reserve)
        self.spool.elsewhere = partial(sources, self.journal)
        self.spool.member = member_blocks
        self.spool.moved = lambda digest: moved(self.config.cameras, self.journal, digest)
        self.spool.tidy()
        self.orders = Orders(self.journal.database, self.clock, config.worklist.stale)
        self.worklist = Worklist(self.orders, source, self.conditions, self.clock, config.worklist.stale)
        self.parsers = Parsers()
        self._stop = threading.Event()
        self.sync_asked = threading.Event()  # set by whoever does not want to wait for the next sync
        self._threads: list[threading.Thread] = []
        self._edited: dict[str, DeviceProfile] = {}  # whose effect on past images is not told yet, by camera
        self._ended: set[str] = set()  # stages that came to an end by themselves, and not by a fault
        self._closed = False
        self._begun = False
        self.on_reconfigured: Callable[[], object] = lambda: None  # called when another configuration is in use
        self._join()

    def _join(self, former: Courier | None = None) -> None:
        """Make the stages and tell each whom to wake."""
        assert self.config.platform is not None
        self.courier = Courier(
            self.journal,
            self.spool,
            self.orders,
            self.platform,
            self.conditions,
            self.clock,
            workers=self.config.platform.concurrency,
            on_unmatched=lambda: self.decider.woken.set(),
            profiles=self._profile_of,
            former=former,
        )
        self.confirmer = Confirmer(self.journal, self.orders, self.platform, self.conditions, self.clock)
        self.decider = Decider(
            self.config,
            self.journal,
            self.spool,
            self.worklist,
            self.platform,
            self.conditions,
            self.clock,
            self.parsers,
            self._profile_of,
            self.courier.woken.set,
        )
        self.lookouts = [
            Lookout(
                camera,
                partial(self.profiles.__getitem__, camera.name),
                self.journal,
                self.spool,
                self.conditions,
                self.clock,
                self.config.largest,
                self.decider.woken.set,
            )
            for camera in self.config.cameras
        ]
        self.housekeeping = Housekeeping(
            self.config, self.journal, self.spool, self.conditions, self.clock, self.profiles
        )
        self.hindsight = Hindsight(
            self.config, self.journal, self.orders, self.spool, self.conditions, self.clock, self._edited
        )

    # ------------------------------------------------------------------ running

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then end within five seconds."""
        reload = None if self._fixed else self._reload()
        self._audit_start()
        self._begin()
        self._start_stages()
        soon = True
        while not stop.wait(LOOK_AGAIN if soon else LOOK_EVERY) and not self._damaged.is_set():
            soon = reload is not None and reload.look()
        self.halt()
        if self._damaged.is_set():
            raise Foreseen(
                "JOURNAL_DAMAGED",
                f"The journal in {self.config.state} is damaged.",
                "start irisdrop again (the service does so by itself): it is set aside and rebuilt; no image is lost.",
            )

    def _start_stages(self) -> None:
        self._start("courier", self.courier.run)
        self._start("confirmer", self.confirmer.run)
        self._start("decider", self.decider.run)
        self._start("worklist", self._sync)
        self._start("housekeeping", self._keep_house)
        self._start("hindsight", self.hindsight.run)
        for lookout in self.lookouts:
            self._start(f"lookout-{lookout.camera.name}", lookout.run)

    def once(self) -> None:
        """Carry everything that is there as far as it goes."""
        self._audit_start()
        self._begin()
        changed = self.worklist.sync()
        if changed:
            self._audit_query(changed)
            self.decider.entries_changed(changed)
        for lookout in self.lookouts:
            lookout.once()
        self.decider.finish()
        while self.courier.deliver_next() or self.decider.turn():
            pass
        self.confirmer.turn(0.0)
        self.housekeeping.turn()

    def alive(self) -> bool:
        """Whether every stage runs, or ended because it has nothing to do, and the journal answers; it hangs where the
        journal does."""
        self.journal.database.answer()
        return all(thread.is_alive() or thread.name in self._ended for thread in self._threads)

    def halt(self) -> None:
        """Stop the threads within five seconds; the records stay open to be looked at."""
        self._stop.set()
        self._wake()
        self.decider.close()
        self.parsers.close()
        until = self.clock.monotonic() + STOP_WITHIN
        for thread in self._threads:
            thread.join(max(0.0, until - self.clock.monotonic()))
        left = [thread.name for thread in self._threads if thread.is_alive()]
        if left:
            log.warning("stopped without %s", ", ".join(left))
        elif not self._damaged.is_set():
            self.journal.set_meta(CLEAN, "yes")

    def close(self) -> None:
        """Stop what runs and close the files; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self.halt()
        if self._begun and not self._damaged.is_set():
            self.journal.audit.write(Kind.APPLICATION, "E", AGENT, detail="stop")
            self._tell_head()
        self.worklist.close()
        self.platform.close()
        if not any(thread.is_alive() for thread in self._threads):
            self.journal.close()
        self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ what persons write

    def _reload(self) -> Reload:
        return Reload(self.config, self._written, self.conditions, self._use_profiles, self._reconfigure)

    def _use_profiles(self, profiles: Mapping[str, DeviceProfile]) -> None:
        """Take over edited profiles: what is settled or waits for an order is read again, what is matched stays."""
        for lookout in self.lookouts:
            name = lookout.camera.name
            profile = profiles.get(name)
            if profile is None or profile.digest == self.profiles[name].digest:
                continue
            self._keep(name, profile)
            self.profiles[name] = profile
            log.info("the profile of %s was edited and is in use", name)
            lookout.rescan()
            self.decider.woken.set()

    def _reconfigure(self, config: Config, profiles: dict[str, DeviceProfile]) -> None:
        """Take over an edited configuration: the stages end and begin again with it; the journal is their queue, so
        nothing is lost in between. Raises Foreseen, before anything is stopped, where it can't be used."""
        platform, source = open_platform(config), open_worklist(config)
        self.halt()
        self.worklist.close()
        self.platform.close()
        self.config, self.profiles, self.platform = config, profiles, platform
        self.spool.budget.limit, self.spool.budget.reserve = config.spool.limit, config.spool.reserve
        self.orders = Orders(self.journal.database, self.clock, config.worklist.stale)
        self.worklist = Worklist(self.orders, source, self.conditions, self.clock, config.worklist.stale)
        self.parsers = Parsers()
        self._stop, self._threads = threading.Event(), []
        self._ended.clear()
        self._join(self.courier)
        self._begin()
        self._start_stages()
        log.info("the configuration was edited and is in use")
        self.on_reconfigured()

    def _keep(self, camera: str, profile: DeviceProfile) -> None:
        if self.journal.last_profile(camera) not in (None, profile.text):
            self._edited[camera] = profile
            self.hindsight.woken.set()
        self.journal.keep_profile(profile.digest, profile.name, profile.text)
        called = next((one.profile_name for one in self.config.cameras if one.name == camera), None)
        self.journal.use_profile(camera, profile.digest, called)

    # ------------------------------------------------------------------ audit

    def _audit_start(self) -> None:
        self._begun = True
        rebuilt = ", the journal was rebuilt and the trail begins anew" if self.journal.audit.head().number == 0 else ""
        rebuilt = rebuilt if self.journal.meta("rebuilt") else ""
        self.journal.audit.write(Kind.APPLICATION, "E", AGENT, detail=f"start of {__version__}{rebuilt}")
        self._tell_head()

    def _audit_query(self, changed: list[str]) -> None:
        """The worklist is asked every minute: only what an answer changed is worth a record."""
        self.journal.audit.write(Kind.QUERY, "E", AGENT, detail=f"worklist: {len(changed)} orders changed")

    def _tell_head(self) -> None:
        """To the log, so that a tail that is cut later can be proven from there."""
        self._head_told = self.clock.monotonic()
        log.info("audit head %s", self.journal.audit.head())

    # ------------------------------------------------------------------ within

    def _begin(self) -> None:
        unsure = self.journal.meta(CLEAN) != "yes"
        self.journal.set_meta(CLEAN, "no")
        # Into the file itself: a WAL that is lost must not take with it that the run did not end in order.
        self.journal.database.fold()
        for subject in self.conditions.subjects("STAGE_FAILED"):
            self.conditions.clear("STAGE_FAILED", subject)  # what fails still is told again
        self.orders.standing_since(self.config.orders_from)
        recovered = recover(self.journal, self.spool, self.conditions)
        if recovered:
            log.info("%d images recovered from the spool", recovered)
        self.courier.resume(unsure=unsure)
        for camera in self.config.cameras:
            self._keep(camera.name, self.profiles[camera.name])
            self.journal.use_clock(camera.name, camera.clock)
        self.worklist.tell_age()
        self.housekeeping.tell_counts()
        try:
            self._on_use(self.config)
        except OSError as error:  # images flow all the same
            log.warning("the configuration could not be kept for a restart: %s", place(error))

    def _profile_of(self, camera: str) -> DeviceProfile | None:
        """A camera's profile; images of a camera that is no longer configured go on with the one it had last."""
        if camera not in self.profiles:
            text = self.journal.last_profile(camera)
            if text is None:
                return None
            self.profiles[camera] = parse_profile(text, f"{camera} (no longer configured)")
        return self.profiles[camera]

    def _start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        stop = self._stop

        def worked() -> None:
            work(stop)
            self._ended.add(name)

        thread = threading.Thread(target=worked, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wake(self) -> None:
        for event in (
            self.courier.woken,
            self.decider.woken,
            self.sync_asked,
            self.housekeeping.woken,
            self.hindsight.woken,
        ):
            event.set()
        for lookout in self.lookouts:
            lookout.wake()

    def _sync(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                changed = self.worklist.sync()
                if changed:
                    self._audit_query(changed)
                    self.decider.entries_changed(changed)
                elif changed is not None and self.journal.in_state(State.IDENTIFIED, limit=1):
                    # Nothing new, but the list is fresh again: what waited for that is decided.
                    self.decider.resynced.set()
                    self.decider.woken.set()
            except Exception as error:  # noqa: BLE001 - told as a Condition, and tried again
                log.error("syncing the worklist failed: %s", place(error))
                self.conditions.note_failure("worklist", error)
            self.clock.wait(self.sync_asked, self.config.worklist.every)
            self.sync_asked.clear()

    def _keep_house(self, stop: threading.Event) -> None:
        woken = self.housekeeping.woken
        while not stop.is_set():
            # A spool that is full lets images wait: what may go goes at once.
            short = self.clock.wait(woken, 5.0 if self.conditions.subjects("SPOOL_FULL") else 60.0)
            woken.clear()
            if stop.is_set():
                return
            try:
                if self.clock.monotonic() - self._head_told >= HEAD_EVERY:
                    self._tell_head()
                self.housekeeping.clear_spool() if short else self.housekeeping.turn()
                self.conditions.clear("STAGE_FAILED", "housekeeping")
            except Exception as error:  # noqa: BLE001 - told as a Condition, and tried again
                log.error("housekeeping failed: %s", place(error))
                self.conditions.note_failure("housekeeping", error)
