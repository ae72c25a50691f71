"""Talking to a DICOM peer over TCP or TLS: its place, our name, and how an association is opened."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from pynetdicom.association import Association

WAIT: Final = 30.0  # seconds for the peer's answer to one message
MOST_CONTEXTS: Final = 128


class NoAssociation(Exception):
    """The peer can't be talked to now; the text holds no PHI. `denied` where it knows us and does not want us."""

    def __init__(self, detail: str, *, denied: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a DICOM server is, and the names that both go by."""

    host: str
    port: int
    called: str
    calling: str
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    wait: float = WAIT

    def open(self, contexts: Sequence[tuple[str, Sequence[str]]]) -> Association:
        """An association that offers each (SOP class, transfer syntaxes). Raises NoAssociation."""
        import logging

        from pynetdicom import AE, _config, evt

        _config.STORE_SEND_CHUNKED_DATASET = True  # else a file is decoded and coded anew before it is sent
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # it logs names and numbers (pynetdicom#911)
        own = AE(ae_title=self.calling)
        own.acse_timeout = own.dimse_timeout = own.network_timeout = self.wait
        own.connection_timeout = min(self.wait, 10.0)
        for sop_class, syntaxes in contexts[:MOST_CONTEXTS]:
            own.add_requested_context(sop_class, list(syntaxes))
        tls = (self._tls(), self.host) if self.tls else None
        try:
            made = own.associate(
                *(self.host, self.port),
                ae_title=self.called,
                tls_args=tls,
                evt_handlers=[(evt.EVT_CONN_OPEN, self._bound)],
            )
        except (OSError, RuntimeError) as error:
            raise NoAssociation(f"{self.place} can't be reached ({type(error).__name__})") from None
        if made.is_established:
            return made
        if made.is_rejected:
            primitive = made.acceptor.primitive
            reason = getattr(primitive, "diagnostic", None)
            raise NoAssociation(f"{self.place} rejected the association as {self.calling} ({reason})", denied=True)
        raise NoAssociation(f"{self.place} did not take the association")

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.called} at {self.host}:{self.port}"

    def _bound(self, opened: Any) -> None:
        """pynetdicom waits for ever for a peer that stops reading in the middle, or stops in the middle of an answer."""
        connection = opened.assoc.dul.socket.socket
        connection.settimeout(self.wait)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _tls(self) -> ssl.SSLContext:
        try:
            if self.ca is not None:
                context: Any = ssl.create_default_context(cafile=str(self.ca))
            else:
                import truststore

                context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self.certificate is not None:
                context.load_cert_chain(str(self.certificate), str(self.key) if self.key else None)
        except (OSError, ssl.SSLError) as error:
            raise NoAssociation(f"the certificates can't be loaded ({type(error).__name__})") from None
        return context  # type: ignore[no-any-return]


def peer_of(options: Mapping[str, Any]) -> Peer:
    """The peer of a configuration's settings. Raises Foreseen where the DICOM part is not installed."""
    from importlib.util import find_spec

    if find_spec("pynetdicom") is None:
        raise Foreseen("NOT_INSTALLED", "DICOM networking is not installed", "pip install 'irisdrop[dicom]'.")
    for name in ("called", "calling"):
        title = options[name]
        if not title.isascii() or not title.isprintable() or not 0 < len(title.strip()) <= 16 or "\\" in title:
            raise Foreseen("AE_TITLE", f"`{name}` is no AE title", "1 to 16 ASCII characters.")
    return Peer(
        *(options["host"], options["port"], options["called"], options["calling"], options["tls"]),
        *(options["ca"], options["certificate"], options["key_file"]),
    )
