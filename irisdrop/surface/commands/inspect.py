"""`irisdrop inspect`: everything in a file that could carry a key."""

from __future__ import annotations

from pathlib import Path

import click

from irisdrop.surface.mask import masked
from irisdrop.surface.opened import as_json
from irisdrop.vocabulary.faults import Foreseen


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--show", "unmasked", is_flag=True, help="Print values as they are; without it they are masked by shape.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
def inspect(file: Path, unmasked: bool, for_scripts: bool) -> None:
    """Every part of the name, tag and element of FILE that could say whose it is."""
    from irisdrop.identity.contents import Wanted
    from irisdrop.identity.sandbox import ParserFailed, Parsers

    if not file.is_file():
        raise Foreseen("NO_SUCH_FILE", f"There is no file {file}.", "check the path.")
    try:
        with Parsers() as parsers:
            contents = parsers.read(file, Wanted(everything=True))
    except ParserFailed as failed:
        raise Foreseen("UNREADABLE", f"The file can't be read: {failed}.", "export it again from the camera.") from None
    parts = [("filename", file.name)]
    parts += [(f"folder {depth} up", part.name) for depth, part in enumerate(file.absolute().parents, 1) if part.name][
        :4
    ]
    parts += [(f"exif:{tag.directory}.{tag.name}", tag.text) for tag in contents.exif]
    parts += [(f"dicom:{item.place} {item.asked}", "\\".join(item.values)) for item in contents.dicom]
    shape = (lambda text: text) if unmasked else masked
    if for_scripts:
        found = [{"source": source, "value": shape(value)} for source, value in parts]
        as_json({"kind": contents.kind, "flaw": contents.flaw, "values": found})
        return
    click.echo(f"content: {contents.kind}" + (f" ({contents.flaw})" if contents.flaw else ""))
    for source, value in parts:
        click.echo(f"{source:<44} {shape(value)[:100]}")
