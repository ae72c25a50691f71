"""`irisdrop learn`: a profile proposed from exports and from what is known of whose they are."""

from __future__ import annotations

from pathlib import Path

import click

from irisdrop.surface.opened import as_json
from irisdrop.surface.people import CONFIGURED, entries_of
from irisdrop.vocabulary.faults import Foreseen


@click.command("learn")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--worklist",
    is_flag=False,
    flag_value=CONFIGURED,
    metavar="[FILE]",
    help="The people whose exports they may be: the configured worklist, or a CSV or JSON file.",
)
@click.option(
    "--is", "told", multiple=True, metavar="FILE=PatientID", help="Say whose a file is; of two or more people."
)
@click.option("--title", help="The camera, for a person.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the profile there.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def learn(
    config_path: Path | None,
    folder: Path,
    worklist: str | None,
    told: tuple[str, ...],
    title: str | None,
    output: Path | None,
    for_scripts: bool,
) -> None:
    """Propose a profile for the exports below FOLDER: three or more, of two people or more.

    Its examples are invented, in the shape of the exports. Nothing is written without --output.
    """
    from irisdrop.identity.sandbox import Parsers
    from irisdrop.learning.learn import learn as learnt
    from irisdrop.learning.learn import samples
    from irisdrop.learning.spans import Person

    if not folder.is_dir():
        raise Foreseen("NO_SUCH_FOLDER", f"There is no folder {folder}.", "check the path.")
    said = dict(one_told(folder, text) for text in told)
    if worklist is None and not said and config_path is not None:
        worklist = CONFIGURED
    people = [Person(entry.keys) for entry in entries_of(config_path, worklist)]
    with Parsers() as parsers:
        found = samples(folder, parsers, said)
    proposal = learnt(title or f"Camera of {folder.absolute().name}", found, people)
    if output is not None:
        write(output, proposal.text)
    if for_scripts:
        as_json({name: getattr(proposal, name) for name in REPORTED})
        return
    if output is None:
        click.echo(proposal.text)
    click.echo(
        f"{proposal.decided} of {proposal.exports} exports would be matched, as far as people are known", err=True
    )
    if proposal.unknown:
        click.echo(f"{proposal.unknown} are of people who are not known here", err=True)
    for reason, count in sorted(proposal.undecided.items()):
        click.echo(f"{count} would go to quarantine: {reason}", err=True)
    for mark, lines in (("sure", proposal.sure), ("not sure", proposal.unsure)):
        for line in lines:
            click.echo(f"{mark + ':':<9} {line}", err=True)
    click.echo(f"next: irisdrop check {output or 'FILE'}", err=True)


REPORTED = ("text", "exports", "decided", "unknown", "undecided", "sure", "unsure")


def one_told(folder: Path, text: str) -> tuple[Path, str]:
    """A file and its patient's number."""
    name, equals, number = text.rpartition("=")
    if not equals or not name or not number:
        raise click.BadParameter(f"{text!r} is not FILE=PatientID", param_hint="--is")
    path = next((path for path in (Path(name), folder / name) if path.is_file()), None)
    if path is None:
        raise Foreseen("NO_SUCH_FILE", f"There is no file {name}.", "name a file as it lies in the folder.")
    return path, number


def write(output: Path, text: str) -> None:
    """Write a new profile; an existing one is never overwritten."""
    try:
        with output.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise Foreseen("FILE_EXISTS", f"{output} exists already.", "choose another name, or remove it first.") from None
