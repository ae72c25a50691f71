"""`irisdrop run`: the agent, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irisdrop.surface.log import by_journald, open_log
from irisdrop.surface.opened import load
from irisdrop.surface.supervision import keep_watched, notify

if TYPE_CHECKING:
    from irisdrop.agent import Agent


@click.command("run")
@click.option("--once", is_flag=True, help="Carry what is there as far as it goes, then end.")
@click.option("--verbose", is_flag=True, help="Log every transition.")
@click.pass_obj
def run(config_path: Path | None, once: bool, verbose: bool) -> None:
    """Watch the cameras' folders, match each image with its order, and deliver it."""
    from irisdrop.agent import Agent

    config = load(config_path)
    open_log(config.state, verbose=verbose)
    stop = threading.Event()
    _stop_on_signals(stop)
    with Agent(config) as agent:
        if once:
            agent.once()
            return
        if not by_journald():
            click.echo(f"irisdrop runs on {config.state}; Ctrl-C stops it", err=True)
        with page_beside(agent):
            notify("READY=1")
            keep_watched(agent.alive, stop)
            agent.run(stop)
            notify("STOPPING=1")


def page_beside(agent: Agent) -> AbstractContextManager[object]:
    """The local page beside the agent, where what it needs is installed."""
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "jinja2")):
        return nullcontext()
    from irisdrop.surface.page.server import PageBeside

    return PageBeside(agent)


def _stop_on_signals(stop: threading.Event) -> None:
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: stop.set())
