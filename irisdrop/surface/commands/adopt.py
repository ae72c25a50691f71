"""`irisdrop adopt`: take the files that a camera's first start left alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from irisdrop.surface.opened import records
from irisdrop.vocabulary.faults import Foreseen


@click.command("adopt")
@click.argument("camera")
@click.option("--since", required=True, metavar="DATE", help="Files last written on this day (YYYY-MM-DD) or later.")
@click.pass_obj
def adopt(config_path: Path | None, camera: str, since: str) -> None:
    """Take older files of CAMERA as if they had just arrived; those that fit no order go to quarantine."""
    try:
        day = datetime.fromisoformat(since)
    except ValueError:
        raise click.BadParameter(f"{since!r} is no date such as 2026-01-31", param_hint="--since") from None
    with records(config_path) as opened:
        names = [known.name for known in opened.config.cameras]
        if camera not in names:
            raise Foreseen("NO_SUCH_CAMERA", f"There is no camera {camera!r}.", f"one of {', '.join(names)}.")
        local = day if day.tzinfo else day.replace(tzinfo=opened.config.site.zone)
        count = opened.journal.known.adopt(camera, int(local.timestamp() * 1e9))
        if opened.journal.left_alone(camera) == 0:
            opened.conditions.clear("FILES_KNOWN", camera)
    click.echo(f"{count} files of {camera} will be taken by the next look at its folder.")
