"""`irisdrop run`: the agent, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import click

from irisdrop.surface.opened import load


@click.command("run")
@click.option("--once", is_flag=True, help="Carry what is there as far as it goes, then end.")
@click.option("--verbose", is_flag=True, help="Log every transition.")
@click.pass_obj
def run(config_path: Path | None, once: bool, verbose: bool) -> None:
    """Watch the cameras' folders, match each image with its order, and deliver it."""
    from irisdrop.agent import Agent

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # What libraries say of the wire may hold addresses with tokens, and file names.
    for noisy in ("urllib3", "watchdog", "pydicom", "exifread", "PIL"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    stop = threading.Event()
    _stop_on_signals(stop)
    with Agent(load(config_path)) as agent:
        if once:
            agent.once()
        else:
            click.echo(f"irisdrop runs on {agent.config.state}; Ctrl-C stops it", err=True)
            agent.run(stop)


def _stop_on_signals(stop: threading.Event) -> None:
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: stop.set())
