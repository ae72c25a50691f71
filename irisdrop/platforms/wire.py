"""One HTTP session of the agent: verified TLS with the system's store, no redirects, answers of bounded size.

Nothing that is said here holds a token, a query or what a server sent: it may be logged.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import IO, Any, Final
from urllib.parse import urlencode, urlsplit

import requests
import truststore
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.marks import mark

# The send of one block must end within `CONNECT` seconds, because the socket keeps that limit until the answer is
# awaited: 256 KiB in 30 s still serve a clinic on 70 kbit/s.
CONNECT: Final = 30.0
SEND_BLOCK: Final = 256 * 1024
PATIENCE: Final = 86_400.0  # the longest Retry-After that is believed

Token = Callable[[], str | None]


class Unreachable(Exception):
    """No answer came. `strange` where something answered that can't be the platform."""

    def __init__(self, detail: str, *, strange: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.strange = strange


class NoToken(Exception):
    """The token can't be had, or is none that a header can carry."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and the parsed JSON body; `body` is None where it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: object

    @property
    def code(self) -> str | None:
        """The contract's code of a refusal."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return code if isinstance(code, str) else None


class Wire:
    """Requests to one platform. `url` ends before the contract's paths; `patience` is seconds to wait for an answer."""

    def __init__(self, url: str, token: Token, connections: int, patience: float = 120.0) -> None:
        self._url = url.rstrip("/")
        self._place = checked_place(url)
        self._token = token
        self._patience = patience
        # No session around it: that would read REQUESTS_CA_BUNDLE, .netrc and the proxies of whoever is logged in, follow
        # redirects, rewind our body, and keep cookies.
        self._adapter = _Adapter(pool_maxsize=max(1, connections))

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        limit: int = 64 * 1024,
    ) -> Reply:
        """One request and its whole answer of at most `limit` bytes. Raises Unreachable or NoToken."""
        url = f"{self._url}{path}" + (f"?{urlencode(query)}" if query else "")
        request = requests.PreparedRequest()
        try:
            request.prepare(method, url, headers=self._headers(headers), data=body)
            response = self._adapter.send(request, stream=True, timeout=(CONNECT, self._patience), verify=True)
            with response:
                return Reply(response.status_code, response.headers, _parsed(response, limit, self._patience))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _unreachable(error, self._place) from None

    def close(self) -> None:
        """Close every connection."""
        self._adapter.close()

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        try:
            token = self._token()
        except Foreseen as error:
            raise NoToken(error.message) from None
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "irisdrop",
            **(more or {}),
        }
        if token is not None:
            if not token or not token.isascii() or not token.isprintable() or " " in token:
                raise NoToken("the token is empty, or holds what no token holds")
            headers["Authorization"] = f"Bearer {token}"
        return headers


class _Adapter(HTTPAdapter):
    """Sends in large blocks, and trusts what the system trusts, no bundle of its own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"blocksize": SEND_BLOCK, "ssl_context": truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}
        super().init_poolmanager(*args, **kwargs)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {key: value for key, value in pool.items() if key not in ("ca_certs", "ca_cert_dir")}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        if url.lower().startswith("https"):
            conn.cert_reqs = "CERT_REQUIRED"


def checked_place(url: str) -> str:
    """`host:port` of a URL, for messages. Raises Foreseen where images could be read on the way there."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.username or parts.password:
        raise Foreseen(
            "URL_UNUSABLE",
            "the platform's url is no plain http(s) address",
            "write it like https://reading.example/v1.",
        )
    if parts.scheme == "http" and not _loopback(host):
        raise Foreseen(
            "TLS_REQUIRED", f"{host} would get images and token without TLS", "write https:// in the platform's url."
        )
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the platform asked to wait, from a number or an HTTP date; None where it said nothing of use."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), PATIENCE)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - now).total_seconds(), 0.0), PATIENCE)


def _parsed(response: requests.Response, limit: int, seconds: float) -> object:
    """The body as JSON. A body that is too large, or comes drop by drop, is no answer."""
    begun, parts, size = time.monotonic(), bytearray(), 0
    while block := response.raw.read1(65536, decode_content=False):
        parts += block
        size += len(block)
        if size > limit:
            raise requests.RequestException("too large")
        if time.monotonic() - begun > seconds + size / 10_000:
            raise requests.Timeout("too slow")
    expected = response.headers.get("Content-Length", "")
    if expected.isdecimal() and size < int(expected) and response.status_code not in (204, 304):
        raise requests.ConnectionError("cut")
    try:
        return json.loads(parts)
    except (ValueError, RecursionError):
        return None


def _unreachable(error: Exception, place: str) -> Unreachable:
    if isinstance(error, requests.exceptions.SSLError) or "CERTIFICATE_VERIFY_FAILED" in repr(error):
        return Unreachable(
            f"the certificate of {place} does not verify; a TLS-inspecting proxy must leave this address out",
            strange=True,
        )
    return Unreachable(f"no whole answer from {place} ({type(error).__name__})")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Blocks:
    """A file as a request body, read into one block that is used again: a fresh one for each costs more."""

    def __init__(self, file: IO[bytes], size: int, block: memoryview) -> None:
        self._file = file
        self._size = size
        self._block = block
        self._given = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Blocks:
        return self

    def __next__(self) -> memoryview:
        block = self.read()
        if not block:
            raise StopIteration
        return block

    def read(self, size: int = SEND_BLOCK) -> memoryview:
        """The next block; it is overwritten by the next read."""
        count: int = self._file.readinto(self._block[: min(size, SEND_BLOCK)])  # type: ignore[attr-defined]
        mark("upload.first.before" if not self._given else "upload.block.before" if count else "upload.last.after")
        self._given += count
        return self._block[:count]
