"""`irisdrop worklist`: the orders as they are known here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from irisdrop.surface.mask import visible
from irisdrop.surface.opened import as_json, records
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.surface.opened import Records


@click.group("worklist")
def worklist() -> None:
    """The orders as they are known here: show, sync."""


@worklist.command("show")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def show(config_path: Path | None, for_scripts: bool) -> None:
    """Open orders, by their scheduled start."""
    from irisdrop.explain import plain_entry

    with records(config_path) as opened:
        entries = opened.orders.open_entries()
        synced = opened.orders.synced()
    if for_scripts:
        as_json([plain_entry(entry) for entry in entries])
        return
    for entry in entries:
        start = "" if entry.start is None else f"{entry.start.astimezone(opened.config.site.zone):%Y-%m-%d %H:%M}"
        who = f"{entry.keys.get('PatientID', ''):<14} {entry.keys.get('PatientName', '')}"
        click.echo(f"{visible(entry.id):<24} {start:<17} {visible(who)}")
    click.echo(f"{len(entries)} open orders; synced {'never' if synced is None else f'{synced:%Y-%m-%d %H:%M} UTC'}.")


@worklist.command("sync")
@click.pass_obj
def sync(config_path: Path | None) -> None:
    """Ask the worklist's source now; the running agent sees what changed at its next own sync."""
    from irisdrop.matching.worklist import Worklist
    from irisdrop.platforms import open_worklist

    with records(config_path) as opened:
        _stands(opened)
        source = open_worklist(opened.config)
        mirror = Worklist(opened.orders, source, opened.conditions, opened.clock, opened.config.worklist.stale)
        changed = mirror.sync()
        mirror.close()
        if changed is None:
            raise Foreseen(
                "WORKLIST_UNAVAILABLE", "The worklist's source can't be asked now.", "`irisdrop status` says why."
            )
        click.echo(f"{len(changed)} orders changed, {opened.orders.count()} are open.")


def _stands(opened: Records) -> None:
    """The mirror is of the source that is asked; raises Foreseen where a running agent has another one."""
    from irisdrop.record.lease import Lease

    wanted = opened.config.orders_from
    if Lease.holder(opened.config.state) is None:
        opened.orders.standing_since(wanted)
    elif opened.orders.source() not in (None, wanted):
        raise Foreseen(
            "ANOTHER_SOURCE",
            "The running agent has its orders from another source than the configuration names.",
            "`irisdrop status` says why the configuration is not in use; mend that, or start irisdrop again.",
        )
