"""`irisdrop explain`: what would be decided about a file, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.surface.opened import as_json
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.explain import Explanation
    from irisdrop.matching.capture import Situation
    from irisdrop.profiles.config import CameraSettings, Config
    from irisdrop.profiles.profile import DeviceProfile
    from irisdrop.record.orders import Orders


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--profile", "profile_name", metavar="NAME", help="A profile of the shelf, or a path; default: the camera's."
)
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.option("--show", "unmasked", is_flag=True, help="Print values as they are; without it they are masked by shape.")
@click.pass_obj
def explain(config_path: Path | None, file: Path, profile_name: str | None, for_scripts: bool, unmasked: bool) -> None:
    """What would be decided about FILE, and why; of an archive, about each of its images. Writes nothing; any decision is
    exit code 0."""
    from irisdrop.explain import explain as explained
    from irisdrop.identity.sandbox import Parsers
    from irisdrop.profiles.profile import load_profile

    if not file.exists() and not file.is_symlink():
        raise Foreseen("NO_SUCH_FILE", f"There is no file {file}.", "check the path.")
    config = _config(config_path)
    camera = _camera(config, file)
    name = profile_name or (camera.profile if camera else None)
    if name is None:
        raise Foreseen(
            "NO_PROFILE", "The file lies in no configured camera's folder.", "name one: `--profile topcon-nw400`."
        )
    profile = load_profile(name, base=config.base if config and not profile_name else None)
    below = file.absolute().relative_to(camera.folder.absolute()).as_posix() if camera else None
    try:
        with Parsers() as parsers, _orders(config) as orders:
            decide = partial(
                explained, profile=profile, parsers=parsers, situation=_situation(config, camera), orders=orders
            )
            if profile.unpacks(file.name) and file.is_file():
                found = [one.plain() for one in _members(file, below or file.name, profile, config, decide)]
            else:
                found = [decide(file, name=below).plain()]
    except PermissionError:
        raise Foreseen("NOT_PERMITTED", f"This account may not read {file}.", "use the service's account.") from None
    if for_scripts:
        as_json(found if profile.unpacks(file.name) else found[0])
        return
    for one in found:
        if profile.unpacks(file.name):
            click.echo(one["file"] if unmasked else f"image {found.index(one) + 1} of the archive")
        _show(one, unmasked)


def _members(
    archive: Path, below: str, profile: DeviceProfile, config: Config | None, decide: Callable[..., Explanation]
) -> Iterator[Explanation]:
    """What would be decided about each image of an archive; about itself where it would be refused."""
    from tempfile import TemporaryDirectory

    from irisdrop.arrival.directory import Hostile
    from irisdrop.arrival.members import LARGEST_MEMBER, each_image
    from irisdrop.explain import Explanation
    from irisdrop.identity.identify import Refusal, Sidecar
    from irisdrop.record.text import shown
    from irisdrop.vocabulary.images import MEMBER
    from irisdrop.vocabulary.reasons import Code

    largest = config.largest if config else LARGEST_MEMBER
    why: str | None = "it holds no image that the profile takes"
    try:
        with TemporaryDirectory(prefix="irisdrop-explain-") as folder:
            for path, file, companions in each_image(archive, profile, largest, Path(folder)):
                why = None
                beside = tuple(Sidecar(one, name) for name, one in companions.items())
                found = decide(file, name=f"{below}{MEMBER}{path}", sidecars=beside)
                yield replace(found, file=shown(f"{archive}{MEMBER}{path}"))
    except Hostile as hostile:
        why = str(hostile)
    if why is not None:
        yield Explanation(shown(str(archive)), None, profile.name, True, (), Refusal(Code.UNREADABLE, why))


def _config(path: Path | None) -> Config | None:
    from irisdrop.profiles.config import default_config_path
    from irisdrop.surface.opened import load

    if path is None and not default_config_path().is_file():
        return None
    return load(path)


def _camera(config: Config | None, file: Path) -> CameraSettings | None:
    if config is None:
        return None
    return next((c for c in config.cameras if file.absolute().is_relative_to(c.folder.absolute())), None)


def _situation(config: Config | None, camera: CameraSettings | None) -> Situation | None:
    from datetime import timedelta

    from irisdrop.matching.capture import Situation

    if config is None:
        return None
    return Situation(config.site.zone, clock=camera.clock if camera else timedelta(0), site=config.site.id)


@contextmanager
def _orders(config: Config | None) -> Iterator[Orders | None]:
    """The worklist mirror, looked at only; None where there is none yet."""
    from irisdrop.recovery import JOURNAL

    file = None if config is None else config.state / JOURNAL
    if config is None or file is None or not file.exists():
        yield None
        return
    from irisdrop.record.journal import Journal
    from irisdrop.record.orders import Orders
    from irisdrop.vocabulary.clock import SystemClock

    journal = Journal.open(file, SystemClock())
    try:
        yield Orders(journal.database, SystemClock(), config.worklist.stale)
    finally:
        journal.close()


def _show(found: dict[str, Any], unmasked: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.tree import Tree

    from irisdrop.surface.mask import masked, visible

    def told(text: str) -> str:
        # A name such as `[bold]7` is a text and no markup.
        return escape(visible(text))

    def shape(text: str) -> str:
        return told(text if unmasked else masked(text))

    colour = {"matched": "green", "unreadable": "red"}.get(found["decision"], "yellow")
    head = found["decision"] if found["reason"] is None else f"{found['decision']}: {found['reason']}"
    tree = Tree(
        f"[bold {colour}]{head}[/]" + (f" ({told(found['detail'])})" if found["detail"] else ""), highlight=False
    )
    read = tree.add(f"read by {told(found['profile'])}" + ("" if found["taken"] else ", which does not take this name"))
    for reading in found["readings"]:
        raw = "" if reading["raw"] == reading["value"] else f" (from {shape(reading['raw'])})"
        read.add(f"{reading['key']} = {shape(reading['value'])}{raw}  [dim]{told(reading['source'])}[/]")
    if found["trace"]:
        steps = tree.add("decided")
        for line in found["trace"]:
            steps.add(told(line))
    if found["candidates"]:
        orders = tree.add("orders")
        for candidate in found["candidates"]:
            refused = told(candidate["refused"] or "")
            orders.add(f"{told(candidate['entry']['id'])}: {refused or '[green]fits[/]'}")
    Console().print(tree, highlight=False)
