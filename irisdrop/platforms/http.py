"""Kind `http`: the contract of design §8, from the agent's side."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import mmap
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from irisdrop.platforms.receipts import judge, parse_receipt
from irisdrop.platforms.wire import SEND_BLOCK, Blocks, NoToken, Reply, Token, Unreachable, Wire, retry_after
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.deliveries import Answer, Damaged, Parcel, Postponed, Receipt, Refused, Withdrawn
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.marks import mark
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

METADATA: Final = 4096
BLOCKS = threading.local()


class HttpPlatform:
    """Delivers by streaming PUT. `url` is the contract's root, such as `https://reading.example/v1`."""

    def __init__(
        self, url: str, token: Token, concurrency: int = 4, clock: Clock | None = None, patience: float = 120.0
    ) -> None:
        self._wire = Wire(url, token, concurrency, patience)
        self._clock = clock or SystemClock()

    def deliver(self, parcel: Parcel) -> Answer:
        """Send the spooled bytes, which are hashed first: they are in the page cache when they are sent."""
        metadata = _metadata(parcel)
        if metadata is None:
            return Refused(Code.REJECTED_BY_PLATFORM, f"what must be told about the image exceeds {METADATA} bytes")
        try:
            with Path(parcel.file).open("rb", buffering=0) as file:
                if not _intact(file, parcel):
                    return Damaged("the spooled bytes no longer have their digest")
                file.seek(0)
                return self._send(file, parcel, metadata)
        except FileNotFoundError:
            return Damaged("the spool file is gone")
        except OSError as error:
            if error.errno == errno.EIO:
                return Damaged("the disk can't read the spool file")
            return Postponed(f"the spool file can't be read now ({type(error).__name__})")

    def find(self, digest: str) -> Receipt | Postponed | None:
        """Ask for the receipt of a digest."""
        try:
            reply = self._wire.ask("GET", f"/images/{digest}")
        except (Unreachable, NoToken) as error:
            return no_answer(error)
        receipt = parse_receipt(reply.body)
        if reply.status == 404:
            return None
        if reply.status == 200 and receipt is not None and receipt.digest == digest:
            return receipt
        return self._postponed(reply)

    def confirmations(self) -> None:
        """The answer to the sending says it all."""
        return

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _send(self, file: IO[bytes], parcel: Parcel, metadata: str) -> Answer:
        digest = base64.b64encode(bytes.fromhex(parcel.digest)).decode()
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(parcel.size),
            "Repr-Digest": f"sha-256=:{digest}:",
            "Irisdrop-Metadata": metadata,
        }
        if parcel.replaces is not None:
            # A header's characters are Latin-1: whatever the platform's own id holds goes as UTF-8 bytes.
            headers["If-Match"] = f'"{parcel.replaces}"'.encode().decode("latin-1")
        body = Blocks(file, parcel.size, _block()) if parcel.size else b""
        try:
            reply = self._wire.ask("PUT", f"/images/{parcel.digest}", headers=headers, body=body)
        except (Unreachable, NoToken) as error:
            return no_answer(error)
        mark("upload.answer.after")
        return self._answer(reply, parcel)

    def _answer(self, reply: Reply, parcel: Parcel) -> Answer:
        if 200 <= reply.status < 300:
            receipt = parse_receipt(reply.body)
            return self._postponed(reply) if receipt is None else judge(parcel, receipt)
        if reply.status == 409 and reply.code == "ORDER_WITHDRAWN":
            return Withdrawn("the platform says that the order is no longer open")
        if reply.status == 409 and reply.code == "ASSIGNED_ELSEWHERE":
            elsewhere = parse_receipt(reply.body.get("receipt")) if isinstance(reply.body, dict) else None
            return Refused(Code.ASSIGNED_ELSEWHERE, "the platform holds the image on another order or eye", elsewhere)
        if reply.status in (409, 422):
            return Refused(
                Code.REJECTED_BY_PLATFORM, f"the platform answered {reply.status} {_shown(reply.code)}".rstrip()
            )
        if reply.status == 413:
            return Refused(Code.TOO_LARGE, "the platform answered 413: the image is too large for it")
        return self._postponed(reply)

    def _postponed(self, reply: Reply) -> Postponed:
        # Without the answer's own code: this becomes a Condition, which every surface shows, and a code may be a name.
        detail = f"the platform answered {reply.status}"
        wait = retry_after(reply.headers, self._clock.now())
        if reply.status in (401, 403):
            return Postponed(detail, wait, "PLATFORM_DENIED", halts=True)
        if reply.status == 429:
            return Postponed(detail, wait)
        if reply.status >= 500:
            return Postponed(detail, wait, "PLATFORM_UNREACHABLE")
        return Postponed(f"{detail}, which the contract does not know", wait, "PLATFORM_STRANGE")


def open_platform(config: Config) -> HttpPlatform:
    """The platform of a configuration. Raises Foreseen where its url can't be used."""
    settings = config.platform
    if settings is None or settings.url is None:
        raise Foreseen("NO_URL", "the platform has no url", "add `url:` to `platform:`.")
    return HttpPlatform(settings.url, token_of(settings.token), settings.concurrency)


def token_of(secret: object) -> Token:
    """Reveals a secret at each request, so that a renewed token is used without a restart."""
    reveal: Callable[[], str] | None = getattr(secret, "reveal", None)
    return reveal if reveal is not None else lambda: None


def no_answer(error: Unreachable | NoToken) -> Postponed:
    """What it means for an image that nothing came back."""
    if isinstance(error, NoToken):
        return Postponed(str(error), condition="PLATFORM_DENIED", halts=True)
    return Postponed(error.detail, condition="PLATFORM_STRANGE" if error.strange else "PLATFORM_UNREACHABLE")


def _metadata(parcel: Parcel) -> str | None:
    """One ASCII JSON object; keys that the order does not need are left out where it would grow too long."""
    needed = {"entry": parcel.entry, "ImageLaterality": parcel.eye}
    if parcel.taken is not None:
        needed["Taken"] = parcel.taken.isoformat()
    text = json.dumps(needed, separators=(",", ":"))
    if len(text) > METADATA:
        return None
    for key, value in parcel.keys:
        longer = json.dumps(needed | {key: value}, separators=(",", ":"))
        if key not in needed and len(longer) <= METADATA:
            needed[key], text = value, longer
    return text


def _intact(file: IO[bytes], parcel: Parcel) -> bool:
    if os.fstat(file.fileno()).st_size != parcel.size:
        return False
    block, digest = _block(), hashlib.sha256()
    while count := file.readinto(block):  # type: ignore[attr-defined]
        digest.update(block[:count])
    return digest.hexdigest() == parcel.digest


def _shown(code: str | None) -> str:
    return code if code is not None and code.isascii() and code.replace("_", "").isalnum() and len(code) < 40 else ""


def _block() -> memoryview:
    if not hasattr(BLOCKS, "view"):
        BLOCKS.view = memoryview(mmap.mmap(-1, SEND_BLOCK))
    return BLOCKS.view  # type: ignore[no-any-return]
