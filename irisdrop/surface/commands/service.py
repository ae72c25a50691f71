"""`irisdrop service`: the agent as a service of this machine."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import click

from irisdrop.surface.opened import as_json, load


@click.group("service")
def service() -> None:
    """irisdrop as a service of this machine: install, uninstall, start, stop, status."""


@service.command("install")
@click.pass_obj
def install(config_path: Path | None) -> None:
    """Let the system start irisdrop, with the configuration that this command is given."""
    config = load(config_path)
    click.echo(_system().install(config.path))


@service.command("uninstall")
def uninstall() -> None:
    """Take it out again; journal, spool and configuration stay."""
    click.echo(_system().uninstall())


@service.command("start")
def start() -> None:
    """Start it now."""
    click.echo(_system().start())


@service.command("stop")
def stop() -> None:
    """Stop it; what is on its way goes on with the next start."""
    click.echo(_system().stop())


@service.command("status")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def status(config_path: Path | None, for_scripts: bool) -> None:
    """Whether it is installed and runs."""
    from irisdrop.record.lease import Lease
    from irisdrop.vocabulary.faults import Foreseen

    try:
        state = load(config_path).state
        agent = Lease.holder(state) if state.is_dir() else None
    except Foreseen:
        agent = None  # without a configuration nobody runs, and the service can still be asked about
    found = _system().state()
    if for_scripts:
        as_json({"service": found, "agent": agent})
    else:
        click.echo(f"service: {found}\nagent: {agent or 'none runs'}")


def _system() -> ModuleType:
    # By name: `service` may import irisdrop, and nothing of irisdrop depends on it.
    installed = find_spec("irisdrop.service") is not None
    return import_module("irisdrop.service.system" if installed else "service.system")
