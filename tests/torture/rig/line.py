"""A line between agent and platform that can be told to misbehave: a process of its own would hide nothing more, so
it is a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rig.clinic import free_port

BLOCK: Final = 16384


class Fault(Enum):
    """What the line does with a connection."""

    NONE = "none"
    REFUSED = "refused"  # nobody listens
    BLACK_HOLE = "black hole"  # taken, and never answered
    SLOW = "slow"  # a few kilobytes a second, and late
    CUT_IN_BODY = "cut in the body"
    CUT_BEFORE_ANSWER = "cut before the answer"  # the platform has it, the agent can't know
    RESET = "reset"
    GARBAGE = "garbage"
    ERROR_500 = "500"
    BUSY_503 = "503 with Retry-After"
    BUSY_429 = "429"
    DATE_503 = "503 with a date"
    PORTAL = "a captive portal's 200"
    REDIRECT = "a redirect"
    OTHER_DIGEST = "an answer with another digest"
    OTHER_ORDER = "an answer with another order"
    TORN_ANSWER = "half an answer"


ANSWERS: Final[dict[Fault, bytes]] = {
    Fault.GARBAGE: b"\x16\x03\x01 no HTTP at all \x00\xff\r\n\r\n" * 20,
    Fault.ERROR_500: b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
    Fault.BUSY_503: b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Fault.BUSY_429: b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Fault.DATE_503: b"HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n",
    Fault.PORTAL: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
    b"<html>log in!</html>",
    Fault.REDIRECT: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


@dataclass
class Line:
    """Listens on `port` and passes on to `target`; `fault` may change at any time and holds for what comes next.

    `only` limits a fault to requests of one method, so that the worklist can go on.
    """

    target: int
    fault: Fault = Fault.NONE
    only: bytes = b""
    faults: int = 0

    def __post_init__(self) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Line:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._change(Fault.REFUSED))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def become(self, fault: Fault, only: bytes = b"") -> None:
        """Misbehave from now on; connections that are open are cut."""
        self.fault, self.only = fault, only
        self._run(self._change(fault))

    # ------------------------------------------------------------------ within

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        for _ in range(100):
            try:
                self._server = self._server or await asyncio.start_server(self._serve, "127.0.0.1", self.port)
                return
            except OSError:  # the system has not let go of the port yet
                await asyncio.sleep(0.05)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _change(self, fault: Fault) -> None:
        await self._cut()
        if fault is not Fault.REFUSED:
            await self._listen()
        elif self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            while head:
                fault = self.fault if not self.only or head.startswith(self.only) else Fault.NONE
                self.faults += fault is not Fault.NONE
                if not await self._request(fault, head, reader, writer):
                    break
                head = await reader.readuntil(b"\r\n\r\n")
        self._open.discard(writer)
        writer.close()

    async def _request(
        self, fault: Fault, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Serve one request; whether the connection goes on."""
        if fault is Fault.BLACK_HOLE:
            await asyncio.sleep(3600)
        if fault is Fault.RESET:
            _reset(writer)
            return False
        length = _length(head)
        if fault is Fault.CUT_IN_BODY:
            return await self._half(head, length, reader, writer)
        body = await self._body(fault, length, reader)
        if fault in ANSWERS:
            writer.write(ANSWERS[fault])
            await writer.drain()
            return False
        answer = await self._ask(head, body)
        if fault is Fault.CUT_BEFORE_ANSWER:
            writer.transport.abort()
            return False
        if fault is Fault.TORN_ANSWER:
            writer.write(answer[: len(answer) - 20])
            await writer.drain()
            return False
        writer.write(_altered(fault, answer))
        await writer.drain()
        return True

    async def _body(self, fault: Fault, length: int, reader: asyncio.StreamReader) -> bytes:
        if fault is not Fault.SLOW:
            return await reader.readexactly(length)
        await asyncio.sleep(0.3)
        body = b""
        while len(body) < length:
            body += await reader.readexactly(min(4096, length - len(body)))
            await asyncio.sleep(0.02)
        return body

    async def _half(self, head: bytes, length: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The first half of the body comes to the platform, then both ends hang up."""
        if not length:
            writer.transport.abort()
            return False
        _, beyond = await asyncio.open_connection("127.0.0.1", self.target)
        beyond.write(head + await reader.readexactly(length // 2))
        await beyond.drain()
        beyond.transport.abort()
        writer.transport.abort()
        return False

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        """The platform's whole answer to one request, which may be none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            writer.write(head + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split(b" ", 2)[1] != b"304":
                answer += await reader.readexactly(_length(answer))
            return answer
        finally:
            writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _altered(fault: Fault, answer: bytes) -> bytes:
    """The answer, with something in its receipt that can't be."""
    if fault is Fault.OTHER_DIGEST and b'"digest":"' in answer:
        begin = answer.index(b'"digest":"') + 10
        return answer[:begin] + bytes(reversed(answer[begin : begin + 64])) + answer[begin + 64 :]
    if fault is Fault.OTHER_ORDER and b'"entry":"E-0000' in answer:
        begin = answer.index(b'"entry":"E-0000') + 15
        return answer[:begin] + b"99" + answer[begin + 2 :]
    return answer


def _reset(writer: asyncio.StreamWriter) -> None:
    handle = writer.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
