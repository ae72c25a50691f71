"""The page on its own thread in the agent's process; whatever becomes of it, the agent goes on."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

import uvicorn

from irisdrop.record.spool import Spool
from irisdrop.surface.page.access import Doorkeeper, make_secret
from irisdrop.surface.page.app import app
from irisdrop.surface.page.bell import Bell
from irisdrop.surface.page.door import Door
from irisdrop.surface.page.office import Office
from irisdrop.surface.page.pictures import Pictures
from irisdrop.surface.page.room import Room
from irisdrop.surface.page.system import alone
from irisdrop.vocabulary.faults import place

if TYPE_CHECKING:
    from irisdrop.agent import Agent

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
AGAIN: Final = 20.0  # seconds until a port that was taken is tried again
CONNECTIONS: Final = 96  # at once
LOOK_EVERY: Final = 30.0  # seconds, where no bell rings


class _Server(uvicorn.Server):
    """Is told that it shall end; the library's own looks ten times a second, day and night."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._bell = Bell()

    async def main_loop(self) -> None:
        """Until it shall end."""
        with self._bell.heard() as rung:
            while not await self.on_tick(0):
                await self._bell.wait(rung, LOOK_EVERY)

    def end(self) -> None:
        """From any thread."""
        self.should_exit = True
        self._bell.ring()


class LocalPage:
    """Serves an office on loopback until it is stopped. `port` 0 takes a free one; `keeper` admits to it."""

    def __init__(self, office: Office, port: int, monotonic: Callable[[], float] | None = None) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            alone(self._listener)
            self._listener.bind((LOOPBACK, port))
            self._listener.listen(64)
        except OSError:
            self._listener.close()
            raise
        self.port = int(self._listener.getsockname()[1])
        self.office = office
        # A cookie is for a host whatever the port: under a name that nobody can guess, no other server on this machine
        # is ever sent ours. Browsers keep `*.localhost` on this machine without asking any name server.
        self.host = f"irisdrop-{secrets.token_hex(8)}.localhost"
        secret = make_secret(office.config.state)
        self.keeper = Doorkeeper(secret, self.port, *([monotonic] if monotonic else []))
        self.pictures = Pictures()
        self._stopping = threading.Event()
        room = Room(office, self.keeper, self.pictures, self.host, self._stopping.is_set)
        self._bell = room.bell
        hosts = frozenset(f"{name}:{self.port}" for name in (LOOPBACK, "localhost", self.host))
        self._server = _Server(
            uvicorn.Config(
                Door(app(room), self.keeper, hosts),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                date_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=20,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # it logs what was asked; we log what failed
        self.office.listen(self._bell.ring)
        self._thread.start()

    def stop(self) -> None:
        """End within two seconds; the office stays open."""
        self.office.leave(self._bell.ring)
        self._stopping.set()
        self._bell.ring()
        self._server.end()
        self._thread.join(3.0)
        self.pictures.close()
        self._listener.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        except BaseException as error:  # noqa: BLE001 - uvicorn ends by SystemExit too; the agent goes on
            log.error("the page ended: %s", place(error))


class PageBeside:
    """The page of a running agent: started when its port is free, told as a Condition while it is not. It moves when the
    configuration names another port."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._stop = threading.Event()
        self._woken = threading.Event()
        agent.on_reconfigured = self._woken.set
        self._thread = threading.Thread(target=self._keep, name="page-beside", daemon=True)
        self.page: LocalPage | None = None
        self._serves: int | None = None  # the port that was asked for
        self.ready = threading.Event()

    def __enter__(self) -> Self:
        """Begin; never waits and never raises."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the page."""
        self._stop.set()
        self._woken.set()
        self._thread.join(5.0)

    def _keep(self) -> None:
        office = office_of(self._agent)
        try:
            while not self._stop.is_set():
                wanted = self._agent.config.page.port
                if self.page is None or wanted != self._serves:
                    self._move(office, wanted)
                self._wait(wanted, None if self._serves == wanted else AGAIN)
        except Exception as error:  # noqa: BLE001 - told as a Condition; the agent goes on without a page
            log.error("the page failed: %s", place(error))
            self._agent.conditions.raise_("STAGE_FAILED", "page", type(error).__name__)
        finally:
            if self.page is not None:
                self.page.stop()
            office.close()

    def _move(self, office: Office, port: int) -> None:
        """Serve at a port, and no more at the one before; where it is taken, that one stays."""
        try:
            page = LocalPage(office, port)
        except OSError:
            self._agent.conditions.raise_("PAGE_PORT_TAKEN", "page", f"port {port}")
            return
        self._agent.conditions.clear("PAGE_PORT_TAKEN", "page")
        before, self.page, self._serves = self.page, page, port
        page.start()
        self.ready.set()
        if before is not None:
            before.stop()

    def _wait(self, port: int, seconds: float | None) -> None:
        """Until the end, until the configuration names another port, or for so long."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self._stop.is_set() and self._agent.config.page.port == port:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            self._woken.wait(left)
            self._woken.clear()


def office_of(agent: Agent) -> Office:
    """The office of a running agent: its acts wake the agent at once."""

    def wake() -> None:
        agent.decider.woken.set()
        agent.courier.woken.set()
        for lookout in agent.lookouts:
            lookout.wake()

    spool: Spool = agent.spool
    return Office(
        lambda: agent.config,
        agent.clock,
        spool,
        lambda: agent.profiles,
        wake,
        agent.sync_asked.set,
        agent.journal.database,
    )
