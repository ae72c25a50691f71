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
from irisdrop.surface.opened import chosen, load
from irisdrop.surface.supervision import keep_watched, notify
from irisdrop.surface.system import give_way, stay_small
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.processors import keep_to_one

if TYPE_CHECKING:
    from irisdrop.agent import Agent


@click.command("run")
@click.option("--once", is_flag=True, help="Carry what is there as far as it goes, then end.")
@click.option("--verbose", is_flag=True, help="Log every transition.")
@click.pass_obj
def run(config_path: Path | None, once: bool, verbose: bool) -> None:
    """Watch the cameras' folders, match each image with its order, and deliver it."""
    stay_small()
    stop = threading.Event()
    _stop_on_signals(stop)
    give_way()  # the camera's own software runs on this machine
    keep_to_one()
    if once:
        with as_written(config_path, verbose) as agent:
            agent.once()
        return
    with as_good(config_path, verbose) as agent:
        if not by_journald():
            click.echo(f"irisdrop runs on {agent.config.state}; Ctrl-C stops it", err=True)
        with page_beside(agent):
            notify("READY=1")
            keep_watched(agent.alive, stop)
            agent.run(stop)
            notify("STOPPING=1")


def as_written(config_path: Path | None, verbose: bool) -> Agent:
    """The agent on the configuration as it stands in its file."""
    from irisdrop.agent import Agent
    from irisdrop.profiles.lastgood import keep

    config = load(config_path)
    open_log(config.state, verbose=verbose)
    return Agent(config, on_use=keep)


def as_good(config_path: Path | None, verbose: bool) -> Agent:
    """The agent on the configuration as it is written, or on the last good one where that has a fault: after a power cut
    nobody is there to mend it, and images go on."""
    from irisdrop.agent import Agent
    from irisdrop.profiles.lastgood import keep, last_good

    try:
        return as_written(config_path, verbose)
    except Foreseen as faulty:
        file = chosen(config_path)
        last = last_good(file) if file.is_file() else None
        if last is None:
            raise
        open_log(last.state, verbose=verbose)
        try:
            agent = Agent(last, faulty=faulty, on_use=keep)
        except Foreseen:
            raise faulty from None
        click.echo(f"{faulty.message}\nThe last good configuration is in use until that is mended.", err=True)
        return agent


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
