"""What each kind of platform can be asked without delivering an image: one function a kind."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from irisdrop.surface.doctor.finding import Case, Finding, broken, look, ok
from irisdrop.surface.doctor.platform import clock
from irisdrop.surface.doctor.reaching import reached, reached_at
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.platforms.wire import Reply
    from irisdrop.profiles.config import PlatformSettings

LITTLE: Final = 2 << 30  # bytes
VERIFICATION: Final = "1.2.840.10008.1.1"
BUS_PORTS: Final[dict[str, int]] = {"amqp": 5671, "websocket": 443}


def folder(case: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """The folder is there, ours to write into, and has room; with `--probe` by a file of our own."""
    path: Path = settings.options["path"]
    marker = settings.options["marker"]
    if not path.is_dir():
        yield broken("the platform's folder is not there", "connect the share or create the folder.")
        return
    if marker is not None and not (path / marker).is_file():
        yield broken("the folder lacks its marker file: the share is not mounted there", "mount it.")
        return
    if not os.access(path, os.W_OK | os.X_OK):
        yield broken("this account may not write into the platform's folder", "give it write access.")
        return
    room = shutil.disk_usage(path).free
    if room < LITTLE:
        yield look(f"the platform's folder has room for {room >> 20} MiB", "make room.")
    else:
        yield ok(f"the platform's folder can be written, and has room for {room >> 30} GiB")
    if marker is None:
        yield look("nothing tells the share from an empty mount point", "put a file there and name it in `marker:`.")
    if case.probe:
        yield from _written(path)


def _written(path: Path) -> Iterator[Finding]:
    part = path / f".irisdrop-probe-{secrets.token_hex(4)}"
    try:
        part.write_bytes(b"irisdrop")
        same = part.read_bytes() == b"irisdrop"
        part.unlink()
    except OSError as error:
        yield broken(f"a file of ours could not be written there ({error.strerror})", "give this account its rights.")
        return
    if same:
        yield ok("a file of ours was written there, read back and removed")
    else:
        yield broken("a file of ours came back with other bytes", "don't use this file system.")


def dicomweb(_: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """The server answers a search."""
    from irisdrop.platforms.dicomweb import ACCEPT, login_headers
    from irisdrop.platforms.http import token_of
    from irisdrop.platforms.wire import NoToken, Unreachable, Wire

    url = settings.url or ""
    yield from reached(url)
    wire = None
    try:
        wire = Wire(url, token_of(settings.token), 1, patience=15.0)
        begun = datetime.now(UTC)
        headers = login_headers(settings.options, dict(ACCEPT))
        reply = wire.ask("GET", "/studies", query={"limit": "1"}, headers=headers, limit=1 << 20)
    except Foreseen as failure:
        yield broken(failure.message, failure.remedy)
        return
    except (NoToken, Unreachable) as error:
        yield broken(str(error), "mend what is told above, and see the part `secrets`.")
        return
    finally:
        if wire is not None:
            wire.close()
    yield from _searched(reply)
    yield from clock(reply.headers.get("Date", ""), begun)


def _searched(reply: Reply) -> Iterator[Finding]:
    if reply.status in (401, 403):
        yield broken(f"the server refuses our credentials ({reply.status})", "renew user, password or token.")
    elif reply.status in (200, 204):
        yield ok("the server answers a search (QIDO-RS) and accepts our credentials")
    elif reply.status == 404:
        yield broken("there is no DICOMweb at this address (404)", "ask the PACS's administrator for its root.")
    else:
        yield look(
            f"the server answers a search with {reply.status}", "set `receipt: none` where it can't be searched."
        )


def dimse(_: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """C-ECHO, and whether the server takes ophthalmic photographs and queries."""
    from irisdrop.platforms.association import NoAssociation, peer_of
    from irisdrop.platforms.dicom_object import JPEG_SYNTAX, OPHTHALMIC
    from irisdrop.platforms.dimse import FIND, PLAIN

    options = settings.options
    yield from reached_at(options["host"], options["port"], encrypted=False)
    try:
        peer = peer_of(options)
        line = peer.open([(VERIFICATION, PLAIN), (OPHTHALMIC, (JPEG_SYNTAX + "50",)), (FIND, PLAIN)])
    except Foreseen as failure:
        yield broken(failure.message, failure.remedy)
        return
    except NoAssociation as error:
        yield broken(error.detail, "let the PACS's administrator enter our AE title and this computer's address.")
        return
    taken = {str(context.abstract_syntax) for context in line.accepted_contexts}
    try:
        status = line.send_c_echo().get("Status") if VERIFICATION in taken else None
    finally:
        line.release()
    if status == 0x0000:
        yield ok(f"{peer.place} answers C-ECHO to {peer.calling}")
    else:
        yield look(f"{peer.place} took the association and does not answer C-ECHO", "ask its administrator why.")
    if OPHTHALMIC not in taken:
        yield broken("the server takes no ophthalmic photographs as JPEG", "let its administrator allow them.")
    if FIND not in taken and options["receipt"] == "query":
        yield broken("the server takes no queries, and receipts are queried", "allow them, or set `receipt: none`.")


def iris(case: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """The storage account and the queues; with `--probe` a block that never becomes a blob."""
    from irisdrop.platforms.iris import account, open_platform

    assert case.config is not None
    try:
        open_platform(case.config).close()
        place = account(settings.url, settings.options)
    except Foreseen as failure:
        yield broken(failure.message, failure.remedy)
        return
    yield from reached(place.endpoint)
    if case.probe:
        yield from _block(case, settings)
    else:
        yield look("write-only credentials can't be tried without writing", "irisdrop doctor platform --probe.")
    yield from _queues(settings.options)


def _block(case: Case, settings: PlatformSettings) -> Iterator[Finding]:
    """A block of a blob that is never committed: nobody who watches the container sees it; it goes within a week."""
    from irisdrop.platforms.azure_blob import CODE, Container
    from irisdrop.platforms.iris import account
    from irisdrop.platforms.wire import NoToken, Unreachable

    assert case.config is not None
    options = settings.options
    container = Container(lambda: account(settings.url, options), options["container"], case.config.state, 1)
    begun = datetime.now(UTC)
    try:
        name = f"irisdrop-doctor-{secrets.token_hex(8)}"
        reply = container.ask("PUT", name, b"irisdrop", {}, comp="block", blockid="MDAwMDAwMDA=")
    except (Unreachable, NoToken) as error:
        yield broken(str(error), "mend what is told above.")
        return
    finally:
        container.close()
    code = reply.headers.get(CODE, "")
    if reply.status == 201:
        yield ok("the storage takes what we write, by credentials that it accepts")
    elif code == "ContainerNotFound":
        yield broken("there is no such container in the storage account", "ask IRIS for its name.")
    elif reply.status in (401, 403):
        yield broken(f"the storage refuses our credentials ({code or reply.status})", "ask IRIS for new ones.")
    else:
        yield broken(f"the storage answered {reply.status} {code}".rstrip(), "show this to IRIS.")
    yield from clock(reply.headers.get("Date", ""), begun)


def _queues(options: Any) -> Iterator[Finding]:
    from irisdrop.platforms.iris import bus_of
    from irisdrop.platforms.service_bus import BusUnavailable

    secret = options["bus_connection_string"]
    if secret is None:
        yield ok("no queues are used: UPLOADED is the end of an image, and its source stays")
        return
    try:
        text = secret.reveal()
        place = urlsplit(_endpoint(text))
        emulated = "UseDevelopmentEmulator=true" in text
        port = (place.port if emulated else None) or BUS_PORTS[options["transport"]]
        yield from reached_at(place.hostname or "", port, encrypted=not emulated)
        bus, announced = bus_of(options), (options["announce"] or {}).get("queue")
        if bus is not None and announced:
            bus.check(announced)
            yield ok(f"queue {announced} can be sent to")
        if bus is not None and options["events"] == "owner":
            bus.listen(options["events_queue"]).close()
            yield ok("the queue of events can be opened; this agent is its one reader")
    except Foreseen as failure:
        yield broken(failure.message, failure.remedy)
    except BusUnavailable as error:
        yield broken(error.detail, "open port 5671, or set `transport: websocket`; else renew the connection string.")


def _endpoint(connection_string: str) -> str:
    parts = dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)
    return parts.get("Endpoint", "")
