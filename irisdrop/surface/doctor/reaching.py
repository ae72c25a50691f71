"""Whether a server can be reached: its name resolves, its port answers, and its certificate verifies."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from irisdrop.surface.doctor.finding import Finding, broken, ok

SECONDS: Final = 10.0
# In a certificate the issuer stands before the subject: the first organization, or common name, is the issuer's.
ISSUER: Final = re.compile(rb"\x06\x03\x55\x04[\x0a\x03][\x0c\x13\x14\x16\x1e](.)", re.DOTALL)


def reached(url: str) -> Iterator[Finding]:
    """The server of a URL, step by step, up to the first that fails."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    encrypted = parts.scheme == "https"
    yield from reached_at(host, parts.port or (443 if encrypted else 80), encrypted=encrypted)


def reached_at(host: str, port: int, *, encrypted: bool) -> Iterator[Finding]:
    """The server at a host and port."""
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        yield broken(f"the name {host} does not resolve", "check the name, and this computer's DNS.")
        return
    yield ok(f"{host} resolves to {', '.join(sorted(addresses))}")
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as line:
            if encrypted:
                yield from _certificate(line, host)
            else:
                yield ok(f"{host} answers on port {port}")
    except OSError as error:
        yield broken(
            f"{host} does not answer on port {port} ({error.strerror or type(error).__name__})",
            "open this port in the firewall, or start the server.",
        )


def _certificate(line: socket.socket, host: str) -> Iterator[Finding]:
    import truststore

    address = line.getpeername()[:2]
    try:
        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with context.wrap_socket(line, server_hostname=host) as secured:
            yield ok(f"its certificate verifies ({secured.version()})")
    except ssl.SSLCertVerificationError as error:
        issuer = _issuer(host, address)
        yield broken(
            f"the certificate of {host} does not verify ({error.verify_message}); it was issued by {issuer}",
            f"if {issuer} is a proxy of yours that looks into TLS, it must leave {host} out; else install its CA.",
        )
    except (ssl.SSLError, OSError) as error:
        yield broken(
            f"{host} does not speak TLS as it should ({getattr(error, 'reason', None) or type(error).__name__})",
            "check the port, and what stands between here and there.",
        )


def _issuer(host: str, address: tuple[str, int]) -> str:
    """Who issued the certificate that does not verify: only to name it, nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, timeout=SECONDS) as line,
            context.wrap_socket(line, server_hostname=host) as secured,
        ):
            return issuer_of(secured.getpeercert(binary_form=True) or b"")
    except OSError:
        return "nobody who can be named"


def issuer_of(certificate: bytes) -> str:
    """The issuer's organization or common name in a DER certificate."""
    found = ISSUER.search(certificate)
    if found is None:
        return "nobody who can be named"
    return certificate[found.end() : found.end() + found[1][0]].decode("utf-8", "replace")
