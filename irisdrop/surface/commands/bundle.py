"""`irisdrop bundle`: what support needs, without anybody's name or number."""

from __future__ import annotations

from pathlib import Path

import click

from irisdrop.vocabulary.faults import Foreseen


@click.command("bundle")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="A new ZIP file."
)
@click.pass_obj
def bundle(config_path: Path | None, output: Path) -> None:
    """Write versions, configuration, conditions, counts, the last transitions and the log into FILE.

    Secrets and names are masked; all of it is searched for every name and number that is known here before it is written.
    """
    from irisdrop.surface.support import written

    if output.exists():
        raise Foreseen("FILE_EXISTS", "There is a file of that name already.", "name a new one with --output.")
    masked = written(config_path, output)
    told = f"; {masked} places that held a name or number were masked" if masked else ""
    click.echo(f"{output} is ready to be sent{told}.")
