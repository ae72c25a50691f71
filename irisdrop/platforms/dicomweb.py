"""Kind `dicomweb`: STOW-RS to any PACS (PS3.18 §10.5), and what the server then says about the instance."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

from irisdrop.platforms.http import token_of
from irisdrop.platforms.instance import Instance, Maker
from irisdrop.platforms.receipts import judge
from irisdrop.platforms.unsent import UNSENT, unsent
from irisdrop.platforms.wire import SEND_BLOCK, Reply, Token, Wire, retry_after
from irisdrop.platforms.workbench import Workbench
from irisdrop.vocabulary.deliveries import (
    Answer,
    Confirmed,
    Parcel,
    Postponed,
    Receipt,
    Refused,
    Uploaded,
)
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

BOUNDARY: Final = "irisdrop-e1c0a6b2f3d54d7c"
ACCEPT: Final = {"Accept": "application/dicom+json"}
METADATA: Final = 8 * 1024 * 1024
LATER: Final = 5.0  # seconds until a server that indexes in its own time is asked again
DUPLICATE: Final = 0x0111
Login = Callable[[], str | None]


class DicomWebPlatform:
    """Delivers by STOW-RS. `query` asks for the instance's metadata as a receipt; without it UPLOADED is the end."""

    def __init__(
        self, url: str, token: Token, maker: Maker, *, login: Login = lambda: None, query: bool = True, lines: int = 4
    ) -> None:
        self._wire = Wire(url, token, lines)
        self._maker = maker
        self._login = login
        self._query = query

    def deliver(self, parcel: Parcel) -> Answer:
        """Store one instance; whatever the wire does is an answer."""
        try:
            with self._maker.instance(parcel) as instance:
                return self._store(parcel, instance)
        except UNSENT as error:
            return unsent(error)

    def find(self, digest: str) -> None:  # noqa: ARG002
        """A PACS can't be asked by digest; the UIDs are derived, so that sending again changes nothing."""
        return

    def confirmations(self) -> None:
        """What the server says when it is asked is its word."""
        return

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return with_login(self._login(), more)

    def _store(self, parcel: Parcel, instance: Instance) -> Answer:
        begin = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Length: {instance.size}\r\n\r\n"
        end = f"\r\n--{BOUNDARY}--\r\n"
        size = len(begin) + instance.size + len(end)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
            "Content-Length": str(size),
            **ACCEPT,
        }
        with instance.file.open("rb") as file:
            body = Envelope(begin.encode(), file, end.encode(), size)
            reply = self._wire.ask("POST", "/studies", headers=self._headers(headers), body=body, limit=METADATA)
        return self._stored(parcel, instance, reply)

    def _stored(self, parcel: Parcel, instance: Instance, reply: Reply) -> Answer:
        failure = _failure(reply.body, instance.uid)
        if reply.status in (200, 202) or failure is not None:
            if failure is None or failure == DUPLICATE:
                return self._ask(parcel, instance)
            if failure & 0xFF00 == 0xA700:
                return Postponed(f"the server is out of resources ({failure:04X})", condition="PLATFORM_UNREACHABLE")
            return Refused(Code.REJECTED_BY_PLATFORM, f"the server refused the instance ({failure:04X})")
        return postponed(reply)

    def _ask(self, parcel: Parcel, instance: Instance) -> Answer:
        if not self._query:
            return Uploaded(instance.sent, instance.uid, "the server stored it; it is not asked what it has")
        path = f"/studies/{instance.study}/series/{instance.series}/instances/{instance.uid}/metadata"
        reply = self._wire.ask("GET", path, headers=self._headers(ACCEPT), limit=METADATA)
        if reply.status in (204, 404):
            return Postponed("the server stored the instance and does not know it yet", LATER)
        if reply.status != 200 or not isinstance(reply.body, list) or not reply.body:
            return postponed(reply)
        return judged(parcel, instance, {tag: value_of(reply.body[0], tag) for tag in ASKED})


def open_platform(config: Config) -> DicomWebPlatform:
    """The server of a configuration. Raises Foreseen where its url can't be used."""
    settings = config.platform
    if settings is None or settings.url is None:
        raise Foreseen("NO_URL", "the platform has no url", "add `url:` to `platform:`.")
    options = settings.options
    return DicomWebPlatform(
        settings.url,
        token_of(settings.token),
        maker_of(config),
        login=_login(options),
        query=options["receipt"] == "query",
        lines=settings.concurrency,
    )


def maker_of(config: Config) -> Maker:
    """What makes instances, by the settings that every DICOM platform has."""
    assert config.platform is not None
    options = config.platform.options
    return Maker(Workbench(config.state / "outgoing"), config.site.zone, options["coerce"], options["burned_in"])


def with_login(login: str | None, headers: dict[str, str]) -> dict[str, str]:
    """Headers with user and password, where there are any (RFC 7617)."""
    if login is None:
        return headers
    return headers | {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def login_headers(options: Any, headers: dict[str, str]) -> dict[str, str]:
    """Headers with the user and password of the settings. Raises Foreseen where the password can't be had."""
    return with_login(_login(options)(), headers)


def _login(options: Any) -> Login:
    user, password = options["user"], options["password"]
    if user is None or password is None:
        return lambda: None
    return lambda: f"{user}:{password.reveal()}"


ASKED: Final[dict[str, str]] = {
    "00080018": "SOPInstanceUID",
    "00100020": "PatientID",
    "00080050": "AccessionNumber",
    "00200062": "ImageLaterality",
}


def value_of(item: object, tag: str) -> str:
    """The first value of an attribute in DICOM JSON (PS3.18 F.2); "" where it has none."""
    attribute = item.get(tag) if isinstance(item, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0]).strip() if isinstance(values, list) and values else ""


def judged(parcel: Parcel, instance: Instance, found: dict[str, str]) -> Answer:
    """What the server has of an instance, as a receipt."""
    if found["00080018"] != instance.uid:
        return Postponed("the server answered about another instance", condition="PLATFORM_STRANGE")
    eye = found["00200062"] if found["00200062"] in ("R", "L", "B") else parcel.eye
    receipt = Receipt(
        id=instance.uid,
        digest=instance.sent,
        entry=parcel.entry,
        eye=eye,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        accession_number=found["00080050"] or None,
        patient_id=found["00100020"] or None,
        replaces=parcel.replaces,
    )
    answer = judge(parcel, receipt, instance.sent)
    keys = dict(parcel.keys)
    if isinstance(answer, Confirmed) and keys.get("PatientID") and receipt.patient_id is None:
        return Refused(Code.RECEIPT_MISMATCH, "the server has the image without its patient", receipt)
    return answer


def postponed(reply: Reply) -> Postponed:
    """An answer that decides nothing about the image."""
    detail = f"the server answered {reply.status}"
    wait = retry_after(reply.headers, datetime.now(UTC))
    if reply.status in (401, 403):
        return Postponed(detail, wait, "PLATFORM_DENIED", halts=True)
    if reply.status == 429 or reply.status >= 500:
        return Postponed(detail, wait, "PLATFORM_UNREACHABLE")
    return Postponed(f"{detail}, which is no answer of STOW-RS", wait, "PLATFORM_STRANGE")


def _failure(body: object, uid: str) -> int | None:
    """Why the instance was not stored, by its reason's number (PS3.18 I.2.2); None where it was."""
    failed = body.get("00081198") if isinstance(body, dict) else None
    values = failed.get("Value") if isinstance(failed, dict) else None
    for item in values if isinstance(values, list) else []:
        reason = value_of(item, "00081197")
        if value_of(item, "00081155") in ("", uid):
            return int(reason) if reason.isdecimal() else 0x0110
    return None


class Envelope:
    """A file between two texts, as a request's body of a known size."""

    def __init__(self, begin: bytes, file: IO[bytes], end: bytes, size: int) -> None:
        self._parts: Iterator[bytes] = self._read(begin, file, end)
        self._rest = b""
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def read(self, size: int = SEND_BLOCK) -> bytes:
        """The next block, of at most `size` bytes."""
        block = self._rest or next(self._parts, b"")
        self._rest = block[size:]
        return block[:size]

    @staticmethod
    def _read(begin: bytes, file: IO[bytes], end: bytes) -> Iterator[bytes]:
        yield begin
        while block := file.read(SEND_BLOCK):
            yield block
        yield end
