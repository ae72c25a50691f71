"""`irisdrop inspect`: everything about a file that could carry a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from irisdrop.surface.mask import masked, visible
from irisdrop.surface.opened import as_json
from irisdrop.surface.people import CONFIGURED, entries_of
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.identity.contents import Contents, WantedSidecar
    from irisdrop.learning.spans import Person

Shape = Callable[[str], str]
UP: Final = 4  # folders
WIDEST: Final = 100


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--show", "unmasked", is_flag=True, help="Print values as they are; without it they are masked by shape.")
@click.option(
    "--worklist",
    is_flag=False,
    flag_value=CONFIGURED,
    metavar="[FILE]",
    help="Mark what stands on the worklist: the configured one, or a CSV or JSON file.",
)
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def inspect(config_path: Path | None, file: Path, unmasked: bool, worklist: str | None, for_scripts: bool) -> None:
    """Every part of the name and folders, tag, element and sidecar of FILE that could say whose it is; of an archive, of
    each image in it."""
    if not file.is_file():
        raise Foreseen("NO_SUCH_FILE", f"There is no file {file}.", "check the path.")
    people = people_of(config_path, worklist)
    shape = (lambda text: text) if unmasked else masked
    contents = contents_of(file, tuple(sidecars(file)))
    members = list(members_of(file)) if contents.kind == "zip" else []
    if for_scripts:
        found = [plain(path, one, people, shape) for path, one in members or [(file, contents)]]
        as_json(found if members else found[0])
        return
    for number, (path, one) in enumerate(members or [(file, contents)], 1):
        if members:
            click.echo(("\n" if number > 1 else "") + f"image {number} of the archive")
        tell(path, one, people, shape)


def plain(path: Path, contents: Contents, people: Sequence[Person], shape: Shape) -> dict[str, Any]:
    """What a file holds, for scripts."""
    values = [
        {"source": place, "value": shape(text), "worklist": known_as(text, people)}
        for place, text in parts(path, contents)
    ]
    return {"kind": contents.kind, "flaw": contents.flaw, "failed": dict(contents.failed), "values": values}


def tell(path: Path, contents: Contents, people: Sequence[Person], shape: Shape) -> None:
    """What a file holds, for a person."""
    click.echo(f"content: {contents.kind}" + (f" ({contents.flaw})" if contents.flaw else ""))
    for part, why in contents.failed.items():
        click.echo(f"not readable: {part}: {why}")
    for place, text in parts(path, contents):
        keys = known_as(text, people)
        mark = f"   <- {', '.join(keys)} on the worklist" if keys else ""
        click.echo(f"{visible(place):<44} {visible(shape(text)[:WIDEST])}{mark}")


def people_of(config_path: Path | None, worklist: str | None) -> list[Person]:
    """Whom the worklist knows."""
    from irisdrop.learning.spans import Person

    return [Person(entry.keys) for entry in entries_of(config_path, worklist)]


def members_of(archive: Path) -> Iterator[tuple[Path, Contents]]:
    """Each image of an archive, by its path as if the archive were a folder, and everything that it holds."""
    from irisdrop.arrival.directory import Hostile
    from irisdrop.learning.samples import unpacked

    try:
        for name, file, beside in unpacked(archive):
            yield archive.absolute() / name, contents_of(file, beside)
    except Hostile as hostile:
        raise Foreseen(
            "UNREADABLE", f"The archive would be refused: {hostile}.", "export it again from the camera."
        ) from None


def contents_of(file: Path, beside: tuple[WantedSidecar, ...]) -> Contents:
    """Everything that a file and its sidecars hold."""
    from irisdrop.identity.contents import Wanted
    from irisdrop.identity.sandbox import ParserFailed, Parsers

    try:
        with Parsers() as parsers:
            return parsers.read(file, Wanted(everything=True, sidecars=beside))
    except ParserFailed as failed:
        raise Foreseen("UNREADABLE", f"The file can't be read: {failed}.", "export it again from the camera.") from None
    except PermissionError:
        raise Foreseen("NOT_PERMITTED", f"This account may not read {file}.", "use the service's account.") from None


def sidecars(file: Path) -> Iterator[WantedSidecar]:
    """Files beside an image that carry its name."""
    from irisdrop.identity.contents import WantedSidecar
    from irisdrop.learning.samples import ENDINGS

    for other in sorted(file.parent.iterdir()):
        form = ENDINGS.get(other.suffix.lower())
        if form and other != file and other.stem in (file.stem, file.name) and other.is_file():
            yield WantedSidecar(other.name, other, form, ())


def parts(file: Path, contents: Contents) -> Iterator[tuple[str, str]]:
    """Where each text stands, and the text; a name whole and in its parts."""
    from irisdrop.learning.tokens import tokens

    yield "filename", file.name
    for number, token in enumerate(token for token in tokens(file.stem) if token.kind != "mark"):
        yield f"filename, part {number}", token.text
    for depth, folder in enumerate(list(file.absolute().parents)[:UP], 1):
        if folder.name:
            yield f"folder, {depth} up", folder.name
    for tag in contents.exif:
        yield f"exif:{tag.directory}.{tag.name}", tag.text
    for item in contents.dicom:
        yield f"dicom:{item.place} {item.asked}", "\\".join(item.values)
    for note in contents.sidecars:
        yield f"sidecar:{note.rule} {note.place}", " | ".join(note.values[:5])


def known_as(text: str, people: Sequence[Person]) -> list[str]:
    """The keys whose value on the worklist is this text, or stands in it."""
    from irisdrop.learning.spans import readings_of

    found: set[str] = set()
    for person in people:
        found |= {key for key, value in person.keys.items() if value and value.casefold() == text.strip().casefold()}
        found |= {span.key for spans in readings_of(text, person) for span in spans}
    return sorted(found)
