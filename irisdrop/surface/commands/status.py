"""`irisdrop status`: cameras, counts, and what is not well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.surface.opened import Records, as_json, load, records, standing
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from rich.console import Group


@click.command("status")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.option("--watch", is_flag=True, help="Keep showing it, until Ctrl-C.")
@click.pass_obj
def status(config_path: Path | None, for_scripts: bool, watch: bool) -> None:
    """Cameras, counts and conditions; works whether the agent runs or not."""
    with records(config_path, standing) as opened:
        told = partial(facts, opened, _fault(config_path))
        if for_scripts:
            as_json(told())
        elif watch:
            _watch(told)
        else:
            from rich.console import Console

            Console(highlight=False).print(shown(told()))


def _fault(config_path: Path | None) -> Foreseen | None:
    """Why the last good configuration is shown, and not the one that is written."""
    try:
        load(config_path)
    except Foreseen as faulty:
        return faulty
    return None


def _watch(told: Callable[[], dict[str, Any]]) -> None:
    import threading

    from rich.console import Console
    from rich.live import Live

    pause = threading.Event()
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        while True:  # Ctrl-C ends it, as in every such view
            live.update(shown(told()), refresh=True)
            pause.wait(1.0)


def facts(opened: Records, faulty: Foreseen | None = None) -> dict[str, Any]:
    """What `status --json` prints; `faulty` is what is wrong with the configuration as it is written."""
    from irisdrop.record.lease import Lease
    from irisdrop.reload import fault_condition

    conditions = opened.conditions.active()
    if faulty is not None and all(one.code != "CONFIG_FAULTY" for one in conditions):
        conditions.insert(0, fault_condition(faulty, opened.clock))  # no agent runs that would have noted it
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
        "conditions": [asdict(condition) for condition in conditions],
    }


def shown(found: dict[str, Any]) -> Group:
    """The facts for a terminal, in the same words as the page."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    worklist = found["worklist"]
    running = f"running, {found['agent']}" if found["agent"] else "[bold]not running[/]"
    orders = "1 open order" if worklist["open"] == 1 else f"{worklist['open']} open orders"
    head = f"agent: {running}\nworklist: {orders}, {_synced(worklist['synced'])}"
    table = Table("camera", "images", box=None, pad_edge=False)
    for camera in found["cameras"]:
        table.add_row(camera["name"], _told(camera["counts"]))
    table.add_row("[bold]all[/]", _told(found["counts"]))
    lines = []
    for condition in found["conditions"]:
        colour = {"error": "red", "warning": "yellow"}.get(condition["severity"], "cyan")
        detail = f" ({escape(condition['detail'])})" if condition["detail"] else ""
        subject = escape(condition["subject"])
        lines.append(f"[{colour}]{condition['severity']}[/] {subject}: {condition['title']}{detail}")
        lines.append(f"  Try: {escape(condition['remedy'])}")
    well = (
        "[green]all is well[/]" if found["agent"] else "nothing is wrong, but no agent runs: no image is taken or sent"
    )
    return Group(head, table, *(lines or [well]))


def _synced(at: str | None) -> str:
    """When the worklist was asked last, by this computer's clock."""
    if at is None:
        return "never synced"
    return f"synced {datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "none yet"
