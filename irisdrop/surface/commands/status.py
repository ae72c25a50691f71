"""`irisdrop status`: cameras, counts, and what is not well."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from irisdrop.surface.opened import Records, as_json, records


@click.command("status")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def status(config_path: Path | None, for_scripts: bool) -> None:
    """Cameras, counts and conditions; works whether the agent runs or not."""
    with records(config_path) as opened:
        found = facts(opened)
    if for_scripts:
        as_json(found)
    else:
        _show(found)


def facts(opened: Records) -> dict[str, Any]:
    """What `status --json` prints."""
    from irisdrop.record.lease import Lease

    by_camera = opened.journal.counts_by_camera()
    synced = opened.orders.synced()
    return {
        "agent": Lease.holder(opened.config.state),
        "cameras": [
            {
                "name": camera.name,
                "profile": camera.profile,
                "folder": str(camera.folder),
                "counts": {str(state).lower(): n for state, n in by_camera.get(camera.name, {}).items()},
                "left_alone": opened.journal.left_alone(camera.name),
            }
            for camera in opened.config.cameras
        ],
        "counts": {str(state).lower(): n for state, n in opened.journal.counts().items()},
        "worklist": {"open": opened.orders.count(), "synced": None if synced is None else synced.isoformat()},
        "conditions": [asdict(condition) for condition in opened.conditions.active()],
    }


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    agent = found["agent"]
    console.print(f"agent: {'running, ' + agent if agent else '[bold]not running[/]'}", highlight=False)
    worklist = found["worklist"]
    console.print(f"worklist: {worklist['open']} open orders, synced {worklist['synced'] or 'never'}", highlight=False)
    table = Table("camera", *found["counts"], box=None)
    for camera in found["cameras"]:
        table.add_row(camera["name"], *(str(camera["counts"].get(state, 0)) for state in found["counts"]))
    table.add_row("[bold]all[/]", *(str(n) for n in found["counts"].values()))
    console.print(table)
    for condition in found["conditions"]:
        colour = {"error": "red", "warning": "yellow"}.get(condition["severity"], "cyan")
        detail = f" ({condition['detail']})" if condition["detail"] else ""
        console.print(
            f"[{colour}]{condition['severity']}[/] {condition['subject']}: {condition['title']}{detail}",
            highlight=False,
        )
        console.print(f"  Try: {condition['remedy']}", highlight=False)
