"""A real reference platform, a server that answers whatever a test tells it to, and parcels."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from irisdrop.platforms.http import HttpPlatform
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.deliveries import Parcel

TOKEN = "a-token-for-tests"


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[ReferencePlatform]:
    """A platform with one open order."""
    with ReferencePlatform(tmp_path / "data", token=TOKEN) as platform:
        platform.worklist.put([{"id": "E1", "PatientID": "000815", "AccessionNumber": "A-1"}])
        yield platform


@pytest.fixture
def parcel(tmp_path: Path) -> Callable[..., Parcel]:
    """Makes parcels for the order E1."""

    def made(image: bytes = b"an image" * 1000, entry: str = "E1", eye: str = "R", **more: object) -> Parcel:
        digest = hashlib.sha256(image).hexdigest()
        file = tmp_path / digest
        file.write_bytes(image)
        keys = (("PatientID", "000815"), ("AccessionNumber", "A-1"))
        fields = {"taken": datetime(2025, 1, 14, 9, 31, tzinfo=UTC), "keys": keys} | more
        return Parcel(str(file), digest, len(image), entry, eye, **fields)  # type: ignore[arg-type]

    return made


class Hostile:
    """Answers each connection with `answer` after `reads` bytes of the request; None cuts it."""

    def __init__(self) -> None:
        self.answer: bytes | None = b""
        self.reads = 0
        self.requests: list[bytes] = []
        self.release = threading.Event()
        self.holds = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def says(self, status: str, body: str = "", headers: str = "") -> None:
        """Answer with this status line, these headers and this body."""
        content = body.encode()
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n{headers}\r\n".encode()
            + content
        )

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._one(connection)
                except OSError:
                    continue

    def _one(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request or len(request) < self.reads:
            block = connection.recv(65536)
            if not block:
                break
            request += block
        self.requests.append(request)
        if self.holds:
            self.release.wait(20)
        if self.answer is None:
            return
        connection.sendall(self.answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            continue

    def stop(self) -> None:
        """Close the socket and end the thread."""
        if self._socket.fileno() == -1:
            return
        self.release.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """A server that means no good."""
    server = Hostile()
    yield server
    server.stop()


@pytest.fixture
def agent() -> Iterator[Callable[..., HttpPlatform]]:
    """Makes platforms of kind http, and closes them."""
    made: list[HttpPlatform] = []

    def platform(url: str, token: str | None = TOKEN, **more: object) -> HttpPlatform:
        made.append(HttpPlatform(url, lambda: token, **more))  # type: ignore[arg-type]
        return made[-1]

    yield platform
    for one in made:
        one.close()
