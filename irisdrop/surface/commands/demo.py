"""`irisdrop demo`: see the whole way of an image in twenty seconds, without a camera or a platform of your own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.surface.opened import as_json
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import REASONS, Code

if TYPE_CHECKING:
    from rich.table import Table

    from irisdrop.surface.demonstration import Written
    from irisdrop.vocabulary.images import ImageFile

COLOURS = {"DELIVERED": "green", "QUARANTINED": "yellow", "DUPLICATE": "cyan", "IDENTIFIED": "magenta"}
SHOWN = 20


@click.command("demo")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(8, 3600), help="How long it plays.")
@click.option("--seed", default=7, show_default=True, help="Another number, another clinic.")
@click.option("--keep", is_flag=True, help="Leave the folders, journal and platform to be looked at.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts: nothing but the summary.")
def demo(seconds: float, seed: int, keep: bool, for_scripts: bool) -> None:
    """Simulated cameras export images; irisdrop matches and delivers them, and says why where it does not."""
    root = Path(tempfile.mkdtemp(prefix="irisdrop-demo-"))
    try:
        found = _played(root, seconds, seed, quiet=for_scripts)
    finally:
        if not keep:
            import shutil

            shutil.rmtree(root, ignore_errors=True)
    if for_scripts:
        as_json(found if keep else {name: value for name, value in found.items() if name != "root"})
    else:
        _tell(found, keep)
    if not found["as_planned"]:
        wrong = len(found["not_as_planned"])
        raise Foreseen(
            "NOT_AS_PLANNED", f"{wrong} images did not come to their planned end.", "`irisdrop demo --keep --json`."
        )


def _played(root: Path, seconds: float, seed: int, quiet: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.live import Live

    from irisdrop.surface.demonstration import Demonstration

    demonstration = Demonstration(root, seconds, seed)
    console = Console()
    if quiet or not console.is_terminal:
        return demonstration.run(lambda _: None)
    with Live(console=console, auto_refresh=False) as live:
        return demonstration.run(lambda found: live.update(_table(found), refresh=True))


def _table(found: list[tuple[Written, ImageFile | None]]) -> Table:
    from rich.table import Table

    states = [str(image.state) if image is not None else "SEEN" for _, image in found]
    counts = ", ".join(f"{states.count(state)} {state.lower()}" for state in dict.fromkeys(sorted(states)))
    table = Table(
        title=f"{len(found)} exported: {counts}" if found else "waiting for the cameras", title_justify="left"
    )
    for column in ("time", "camera", "file", "what happens", "state", "reason"):
        table.add_column(column, no_wrap=True, overflow="ellipsis", max_width=34 if column == "file" else None)
    for (one, image), state in list(zip(found, states, strict=True))[-SHOWN:]:
        colour = COLOURS.get(state, "dim")
        reason = str(image.reason) if image is not None and image.reason is not None else ""
        time = f"{one.at.astimezone():%H:%M:%S}"
        table.add_row(time, one.export.camera, one.export.path, one.export.story, f"[{colour}]{state}[/]", reason)
    return table


def _tell(found: dict[str, Any], keep: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    parts = [f"{found[name]} {name}" for name in ("delivered", "quarantined", "waiting", "duplicates")]
    console.print(f"[bold]{found['exported']} exported = {' + '.join(parts)}[/]", highlight=False)
    table = Table("quarantined because", "what happened", "what a person does", box=None, pad_edge=False)
    for item in found["quarantine"]:
        reason = REASONS[Code(item["reason"])]
        table.add_row(str(reason.code), item["story"], reason.remedy)
    console.print(table)
    console.print(
        f"Look around: irisdrop --config {found['root']}/irisdrop.yaml quarantine list"
        if keep
        else "Nothing was left behind; --keep leaves it to be looked at.",
        highlight=False,
    )
