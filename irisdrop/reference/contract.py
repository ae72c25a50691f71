"""The HTTP contract, one request at a time: the bytes come in, `storage` decides, JSON goes out."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import mmap
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs, urlsplit

from irisdrop.reference.storage import Arriving, Claim, Denied, Kept, Page, Storage, UnknownCursor, Wire
from irisdrop.vocabulary.keys import KEYS

BLOCK: Final = 1024 * 1024
METADATA: Final = 4096
LINGER: Final = 2.0
STATUSES: Final[dict[str, int]] = {
    "ASSIGNED_ELSEWHERE": 409,
    "ORDER_WITHDRAWN": 409,
    "ORDER_UNKNOWN": 422,
    "CONTRADICTION": 422,
}
DIGEST: Final = re.compile(r"/v1/images/([0-9a-f]{64})")
REPR_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):", re.IGNORECASE)
BLOCKS = threading.local()

log = logging.getLogger("irisdrop.reference")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a conversation needs to know: where things are kept, who may come in, how large an image may be."""

    storage: Storage
    token: str | None
    largest: int


class Rejected(Exception):
    """A request that can't be served: status, code, and a message without PHI."""

    def __init__(self, status: int, code: str, message: str, receipt: Wire | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Wire = {"code": code, "message": message} | ({"receipt": receipt} if receipt else {})


class Conversation(BaseHTTPRequestHandler):
    """One kept-alive connection. Headers and body of an answer leave in one segment."""

    protocol_version = "HTTP/1.1"
    server_version = "irisdrop-reference"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 60

    def __init__(self, *args: object, terms: Terms) -> None:
        self._terms = terms
        self._unread = 0
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Everything that can be read."""
        self._serve(self._get)

    def do_PUT(self) -> None:
        """An image."""
        self._serve(self._put)

    def _serve(self, verb: Callable[[], None]) -> None:
        length = self.headers.get("Content-Length", "")
        self._unread = int(length) if length.isdecimal() else int("Transfer-Encoding" in self.headers)
        try:
            verb()
        except Rejected as rejected:
            self._reject(rejected)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except (OSError, sqlite3.Error) as error:
            log.error("storage failed: %s", type(error).__name__)
            self._reject(Rejected(503, "STORAGE_FAILED", "the platform can't write now"))

    # Reading

    def _get(self) -> None:
        target = urlsplit(self.path)
        if target.path == "/v1/openapi.json":
            self._send(200, files("irisdrop.reference").joinpath("openapi.json").read_bytes())
            return
        self._authorise()
        cursor = parse_qs(target.query).get("cursor", [None])[-1]
        image = DIGEST.fullmatch(target.path)
        if image:
            receipt = self._terms.storage.receipt(image[1])
            if receipt is None:
                raise Rejected(404, "NOT_FOUND", "no image has this digest")
            self._json(200, receipt)
        elif target.path == "/v1/worklist":
            self._feed("entries", self._terms.storage.worklist, cursor)
        elif target.path == "/v1/receipts":
            self._feed("receipts", self._terms.storage.receipts, cursor)
        else:
            raise Rejected(404, "NOT_FOUND", "there is nothing at this path")

    def _feed(self, name: str, read: Callable[[str | None], Page], cursor: str | None) -> None:
        try:
            page = read(cursor)
        except UnknownCursor:
            raise Rejected(410, "CURSOR_UNKNOWN", "start again without a cursor") from None
        tag = f'"{page.cursor}"'
        if self.headers.get("If-None-Match") == tag:
            self._send(304, b"", ETag=tag)
            return
        body: Wire = {name: page.items, "cursor": page.cursor}
        if name == "entries":
            body["withdrawn"] = page.withdrawn
        self._json(200, body, ETag=tag)

    # Receiving

    def _put(self) -> None:
        self._authorise()
        target = DIGEST.fullmatch(urlsplit(self.path).path)
        if target is None:
            raise Rejected(404, "NOT_FOUND", "there is nothing at this path")
        claim = self._claim(target[1])
        if self._unread > self._terms.largest:
            raise Rejected(413, "TOO_LARGE", f"an image may have {self._terms.largest} bytes")
        arriving = self._terms.storage.arriving()
        try:
            self._receive(arriving)
            if arriving.digest != claim.digest:
                raise Rejected(400, "DIGEST_MISMATCH", "the bytes do not have the digest of the address")
            answer = self._terms.storage.keep(arriving, claim)
        finally:
            arriving.abandon()
        self._answer(answer)

    def _answer(self, answer: Kept | Denied) -> None:
        if isinstance(answer, Denied):
            raise Rejected(STATUSES[answer.code], answer.code, answer.message, answer.receipt)
        self._json(201 if answer.new else 200, answer.receipt)

    def _claim(self, digest: str) -> Claim:
        told = self.headers.get("Repr-Digest")
        if told is not None and _digest(told) not in (digest, None):
            raise Rejected(400, "DIGEST_MISMATCH", "Repr-Digest is not the digest of the address")
        metadata = self._metadata()
        entry, eye, taken = (_text(metadata, key) for key in ("entry", "ImageLaterality", "Taken"))
        if not entry or eye not in ("R", "L", "B", "U"):
            raise Rejected(400, "METADATA_INVALID", "Irisdrop-Metadata needs entry, and ImageLaterality R, L, B or U")
        keys = {key: value for key in KEYS if (value := _text(metadata, key))}
        replaces = (self.headers.get("If-Match") or "").strip('"') or None
        return Claim(digest, entry, eye, taken, keys, replaces)

    def _metadata(self) -> dict[str, object]:
        text = self.headers.get("Irisdrop-Metadata", "")
        if len(text) > METADATA:
            raise Rejected(400, "METADATA_INVALID", f"Irisdrop-Metadata is longer than {METADATA} bytes")
        try:
            metadata = json.loads(text)
        except (ValueError, RecursionError):
            metadata = None
        if not text.isascii() or not isinstance(metadata, dict):
            raise Rejected(400, "METADATA_INVALID", "Irisdrop-Metadata is no ASCII JSON object")
        return metadata

    def _receive(self, arriving: Arriving) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            for size in self._chunks():
                self._copy(size, arriving)
                if arriving.size > self._terms.largest:
                    raise Rejected(413, "TOO_LARGE", f"an image may have {self._terms.largest} bytes")
            self._unread = 0
        elif "Content-Length" in self.headers:
            self._copy(self._unread, arriving)
        else:
            raise Rejected(411, "LENGTH_REQUIRED", "Content-Length is missing")

    def _copy(self, size: int, arriving: Arriving) -> None:
        block = _block()
        while size:
            count = self.rfile.readinto(block[: min(size, BLOCK)])
            if not count:
                raise ConnectionError("the sender left within the body")
            arriving.write(block[:count])
            size -= count
            self._unread = max(0, self._unread - count)

    def _chunks(self) -> Iterator[int]:
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                raise Rejected(400, "BODY_INVALID", "the chunked body is malformed") from None
            if size <= 0:
                while self.rfile.readline(65536).strip():
                    continue
                return
            if size > self._terms.largest:
                raise Rejected(413, "TOO_LARGE", f"an image may have {self._terms.largest} bytes")
            yield size
            self.rfile.readline(8)

    # Answering

    def _authorise(self) -> None:
        if self._terms.token is None:
            return
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._terms.token.encode()):
            raise Rejected(401, "UNAUTHORIZED", "a valid bearer token is needed")

    def _reject(self, rejected: Rejected) -> None:
        if rejected.status == 401:
            self._json(401, rejected.body, **{"WWW-Authenticate": "Bearer"})
        else:
            self._json(rejected.status, rejected.body)
        if self.close_connection:
            self._linger()

    def _json(self, status: int, body: Wire, **headers: str) -> None:
        self._send(status, json.dumps(body, separators=(",", ":")).encode(), **headers)

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        if self._unread:  # the rest of a refused body would be taken for the next request
            self.close_connection = True
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]
        self.flush_headers()

    def _linger(self) -> None:
        """Read on a little: a close with unread bytes resets the connection, and the answer would be lost with it."""
        self.connection.settimeout(LINGER)
        block = _block()
        for _ in range(64):
            if not self.rfile.readinto(block):
                return

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Method, path and status; a query may hold what does not belong in a log."""
        log.debug("%s %s: %s", self.command, urlsplit(self.path).path, code)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: what the base class has to say quotes the request."""


def conversation(terms: Terms) -> Callable[..., Conversation]:
    """The handler class of a server on these terms."""
    return partial(Conversation, terms=terms)


def _block() -> memoryview:
    # One page-aligned block for a thread's life: a fresh one for each read costs more than the read.
    if not hasattr(BLOCKS, "view"):
        BLOCKS.view = memoryview(mmap.mmap(-1, BLOCK))
    return BLOCKS.view  # type: ignore[no-any-return]


def _digest(header: str) -> str | None:
    found = REPR_DIGEST.search(header)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).hex()
    except binascii.Error:
        return ""


def _text(metadata: dict[str, object], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None
