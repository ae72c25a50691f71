"""The reference platform as a server that can be started and stopped within a program."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from irisdrop.reference.contract import Terms, conversation
from irisdrop.reference.storage import Storage
from irisdrop.reference.worklist import Worklist
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.faults import Foreseen

LARGEST: Final = 2 * 1024**3

log = logging.getLogger("irisdrop.reference")


class ReferencePlatform:
    """A reading platform that keeps what it acknowledges.

    `data` is its folder; `listen` a host and a port, 0 for any that is free; `token` what clients must bring; `tls`
    the paths of certificate and key. Raises Foreseen where it can't listen there, or must not.
    """

    def __init__(
        self,
        data: Path,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        token: str | None = None,
        worklists: Sequence[Path] = (),
        tls: tuple[Path, Path] | None = None,
        clock: Clock | None = None,
        largest: int = LARGEST,
    ) -> None:
        clock = clock or SystemClock()
        if tls is None and not loopback(listen[0]):
            raise Foreseen(
                "TLS_REQUIRED",
                f"{listen[0]} can be reached by others, and without TLS they could read images and token",
                "give --tls-cert and --tls-key, or listen on 127.0.0.1.",
            )
        self._context = _context(tls) if tls else None
        self._storage = Storage(data, clock)
        self.worklist = Worklist(self._storage, worklists, clock)
        try:
            self._server = _Server(listen, Terms(self._storage, token, largest), self._context)
        except OSError as error:
            self._storage.close()
            raise Foreseen(
                "NO_LISTEN",
                f"can't listen on {listen[0]}:{listen[1]} ({error.strerror})",
                "choose another address or port.",
            ) from None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """The address to give to `platform: {url: …}`."""
        host, port = self.address
        return f"{'https' if self._context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def start(self) -> None:
        """Load the worklists and serve, in threads of its own."""
        self.worklist.load()
        work = (
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="reference", daemon=True),
            threading.Thread(
                target=self.worklist.watch, args=(self._stopping,), name="reference-worklist", daemon=True
            ),
        )
        for thread in work:
            thread.start()
        self._threads = list(work)

    def stop(self) -> None:
        """Stop serving; connections that are open are cut. Once is enough, twice does no harm."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._threads:
            self._server.shutdown()
        self._server.server_close()
        self._server.cut()
        for thread in self._threads:
            thread.join()
        self._storage.close()

    def __enter__(self) -> ReferencePlatform:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that stopping need not wait for clients that keep them alive."""

    daemon_threads = True
    request_queue_size = 64
    block_on_close = False

    def __init__(self, listen: tuple[str, int], terms: Terms, context: ssl.SSLContext | None) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._context = context
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        super().__init__(listen, conversation(terms))

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._context is not None:
            connection.settimeout(60)
            # The handshake belongs to the connection's own thread: a silent client must not keep others out.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        log.debug("a connection ended early", exc_info=True)

    def cut(self) -> None:
        """Cut every open connection, and wait until no conversation uses the storage."""
        with self._guard:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _context(tls: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(*tls)
    except (OSError, ssl.SSLError):
        raise Foreseen(
            "TLS_UNUSABLE", "certificate and key can't be read, or don't belong together", "check both PEM files."
        ) from None
    return context
