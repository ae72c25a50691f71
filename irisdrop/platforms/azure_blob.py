"""Azure Blob Storage by its REST interface: one container, write-only credentials in mind.

Nothing is listed or read back. A blob is put with `If-None-Match: *`, so that 409 means that it is there; a large one
goes as blocks, and which of them have arrived is noted here, because a write-only account can't be asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl, quote, urlsplit
from xml.sax.saxutils import escape

from irisdrop.platforms.wire import Reply, Wire, retry_after
from irisdrop.vocabulary.deliveries import Postponed, Refused
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

API: Final = "2021-12-02"
BLOCK: Final = 8 * 1024 * 1024
CODE: Final = "x-ms-error-code"
THERE: Final = "BlobAlreadyExists"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the blobs go, and by what right: a key, or a shared access signature."""

    endpoint: str
    name: str = ""
    key: bytes = b""
    sas: tuple[tuple[str, str], ...] = ()


def account_of(connection_string: str) -> Account:
    """The account of a connection string. Raises Foreseen; the text holds nothing of it."""
    parts = dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)
    parts = {name.strip().lower(): value.strip() for name, value in parts.items()}
    name = parts.get("accountname", "")
    suffix = parts.get("endpointsuffix", "core.windows.net")
    endpoint = parts.get("blobendpoint") or (
        f"{parts.get('defaultendpointsprotocol', 'https')}://{name}.blob.{suffix}" if name else ""
    )
    sas = parts.get("sharedaccesssignature", "").lstrip("?")
    try:
        key = base64.b64decode(parts.get("accountkey", ""), validate=True)
    except ValueError:
        key = b""
    if not endpoint or not (key or sas):
        raise Foreseen(
            "CONNECTION_STRING", "the connection string lacks its endpoint or its key", "copy it anew from the portal."
        )
    return Account(endpoint.rstrip("/"), name, key, tuple(parse_qsl(sas)))


def account_by_sas(url: str, sas: str) -> Account:
    """The account at `url`, by a shared access signature; that may be a whole URL too."""
    query = sas.partition("?")[2] or sas
    pairs = tuple(parse_qsl(query))
    if not any(name == "sig" for name, _ in pairs):
        raise Foreseen("SAS", "the shared access signature has no signature", "copy it anew from the portal.")
    return Account(url.rstrip("/"), sas=pairs)


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob on its way: its name, the file with its bytes, and their SHA-256 in hex."""

    name: str
    file: Path
    size: int
    sent: str
    type: str


class Container:
    """Puts blobs into one container. `account` is asked before each, so that a renewed secret is used at once.

    `progress` is a folder of ours for notes on blocks; `block` is how many bytes go at once.
    """

    def __init__(
        self, account: Callable[[], Account], name: str, progress: Path, connections: int = 4, block: int = BLOCK
    ) -> None:
        self._account = account
        self._name = name
        self._progress = progress
        self._connections = connections
        self._block = block
        self._wires: dict[str, Wire] = {}

    def put(self, blob: Blob) -> Postponed | Refused | None:
        """None where the blob is there now. Raises Unreachable, NoToken, OSError, Foreseen."""
        if blob.size > self._block:
            return self._in_blocks(blob)
        content = blob.file.read_bytes()
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "Content-MD5": _md5(content),
            "Content-Type": blob.type,
            **_guarded(blob),
        }
        return self._verdict(self.ask("PUT", blob.name, content, headers))

    def ask(
        self, method: str, blob: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **query: str
    ) -> Reply:
        """One signed request about a blob, or with "" about the container."""
        account = self._account()
        path = f"/{quote(self._name)}" + (f"/{quote(blob)}" if blob else "")
        said = {"x-ms-version": API, "Content-Length": str(len(body)), **(headers or {})}
        if account.key:
            said["x-ms-date"] = format_datetime(datetime.now(UTC), usegmt=True)
            said["Authorization"] = _signature(account, method, path, said, query)
        wire = self._wires.get(account.endpoint)
        if wire is None:
            wire = self._wires[account.endpoint] = Wire(account.endpoint, lambda: None, self._connections)
        return wire.ask(method, path, query={**dict(account.sas), **query}, headers=said, body=body)

    def close(self) -> None:
        """Close every connection."""
        for wire in self._wires.values():
            wire.close()

    # ------------------------------------------------------------------ blocks

    def _in_blocks(self, blob: Blob) -> Postponed | Refused | None:
        self._progress.mkdir(parents=True, exist_ok=True)
        note = self._progress / f"{hashlib.sha256(blob.name.encode()).hexdigest()[:32]}.blocks"
        arrived = _noted(note, blob, self._block)
        count = -(-blob.size // self._block)
        with blob.file.open("rb") as file, note.open("a", encoding="ascii") as progress:
            for index in range(count):
                if index in arrived:
                    continue
                wrong = self._one_block(blob, file, index)
                if wrong is not None:
                    return wrong
                progress.write(f"{index}\n")
                progress.flush()
        wrong = self._commit(blob, count)
        if wrong is None or isinstance(wrong, Refused) or "InvalidBlock" in wrong.detail:
            note.unlink(missing_ok=True)  # after a week the server forgets blocks: all are sent again
        return wrong

    def _one_block(self, blob: Blob, file: IO[bytes], index: int) -> Postponed | Refused | None:
        file.seek(index * self._block)
        content = file.read(self._block)
        headers = {"Content-MD5": _md5(content)}
        return self._verdict(self.ask("PUT", blob.name, content, headers, comp="block", blockid=_block_id(index)))

    def _commit(self, blob: Blob, count: int) -> Postponed | Refused | None:
        items = "".join(f"<Latest>{escape(_block_id(index))}</Latest>" for index in range(count))
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()
        headers = {
            "Content-Type": "application/xml",
            "x-ms-blob-content-type": blob.type,
            "x-ms-blob-content-md5": _md5_of(blob.file),
            **_guarded(blob),
        }
        return self._verdict(self.ask("PUT", blob.name, body, headers, comp="blocklist"))

    def _verdict(self, reply: Reply) -> Postponed | Refused | None:
        return verdict(reply)


def verdict(reply: Reply) -> Postponed | Refused | None:
    """What an answer means for the image; None where the bytes are there."""
    code = reply.headers.get(CODE, "")
    code = code if code.isalnum() and len(code) < 60 else ""
    if reply.status == 201 or (reply.status == 409 and code == THERE):
        return None
    detail = f"the storage answered {reply.status} {code}".rstrip()
    wait = retry_after(reply.headers, datetime.now(UTC))
    if reply.status in (401, 403):
        return Postponed(detail, wait, "PLATFORM_DENIED", halts=True)
    if reply.status == 413:
        return Refused(Code.TOO_LARGE, detail)
    if reply.status == 429 or reply.status >= 500:
        return Postponed(detail, wait, "PLATFORM_UNREACHABLE")
    if reply.status == 400 and code in ("Md5Mismatch", "InvalidBlockList", "InvalidBlockId", "InvalidBlobOrBlock"):
        return Postponed(detail, wait, "PLATFORM_UNREACHABLE")  # spoilt on the way, or forgotten: sent again
    return Postponed(detail, wait, "PLATFORM_STRANGE", halts=code == "ContainerNotFound")


def _guarded(blob: Blob) -> dict[str, str]:
    """Never over another blob, and with our digest beside it."""
    return {"If-None-Match": "*", "x-ms-meta-sha256": blob.sent}


def _noted(note: Path, blob: Blob, block: int) -> set[int]:
    """The blocks of these bytes that have arrived, by the note; a note on other bytes is begun anew."""
    about = json.dumps({"sent": blob.sent, "block": block})
    try:
        first, *lines = note.read_text("ascii").split("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        first, lines = "", []
    if first != about:
        note.write_text(about + "\n", encoding="ascii")
        return set()
    return {int(line) for line in lines[:-1] if line.isdecimal()}  # what follows the last line end may be cut


def _block_id(index: int) -> str:
    return base64.b64encode(f"{index:08d}".encode()).decode()


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _md5_of(file: Path) -> str:
    with file.open("rb") as opened:
        found: Any = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(found.digest()).decode()


def _signature(account: Account, method: str, path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Shared Key authorization (Microsoft, "Authorize with Shared Key")."""
    lower = {name.lower(): value for name, value in headers.items()}
    length = lower.get("content-length", "")
    plain = (
        *("content-encoding", "content-language"),
        *("content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match"),
        *("if-unmodified-since", "range"),
    )
    values = {name: lower.get(name, "") for name in plain}
    lines = [method, values["content-encoding"], values["content-language"], "" if length == "0" else length]
    lines += [values[name] for name in plain[2:]]
    lines += [f"{name}:{value}" for name, value in sorted(lower.items()) if name.startswith("x-ms-")]
    resource = f"/{account.name}{urlsplit(account.endpoint).path}{path}"
    resource += "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
    text = "\n".join([*lines, resource])
    mac = hmac.new(account.key, text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account.name}:{base64.b64encode(mac).decode()}"
