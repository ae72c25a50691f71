"""`irisdrop reference`: the smallest platform that honours the HTTP contract, for trials and tests."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from irisdrop.vocabulary.faults import Foreseen


@click.command("reference")
@click.option(
    "--listen", default="127.0.0.1:7480", show_default=True, metavar="HOST:PORT", help="Port 0 takes any that is free."
)
@click.option(
    "--data", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for images and receipts."
)
@click.option("--token", metavar="env:NAME", help="What clients must bring; read from the environment.")
@click.option(
    "--worklist",
    "worklists",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV or JSON; loaded again when it changes.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="PEM certificate chain.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="PEM key.")
@click.option("--verbose", is_flag=True, help="Log each request.")
def reference(
    listen: str,
    data: Path,
    token: str | None,
    worklists: tuple[Path, ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    verbose: bool,
) -> None:
    """Serve a reading platform that really keeps what it acknowledges, until it is told to stop."""
    import logging

    from irisdrop.reference.server import ReferencePlatform

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    stopping = _stopping()
    platform = ReferencePlatform(data, address(listen), revealed(token), worklists, tls)
    with platform:
        click.echo(f"reference platform at {platform.url}, keeping images in {data / 'images'}; Ctrl-C stops it")
        while not stopping.wait(0.5):  # with a limit, because Windows takes no Ctrl-C while it waits without one
            continue


def address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[::1]:PORT` or `PORT`."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{listen!r} is no HOST:PORT", param_hint="--listen")
    return host.strip("[]") or "127.0.0.1", int(port)


def revealed(token: str | None) -> str | None:
    """The token of `env:NAME`; one on the command line would be shown to every user of the machine."""
    if token is None:
        return None
    kind, _, name = token.partition(":")
    if kind != "env" or not name:
        raise click.BadParameter("a token is given as env:NAME, never in clear", param_hint="--token")
    found = os.environ.get(name, "").strip()
    if not found:
        raise Foreseen(
            "NO_TOKEN", f"the environment variable {name} is not set", f"set {name} to the token that clients bring."
        )
    return found


def _stopping() -> threading.Event:
    stopping = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stopping.set())
    return stopping
