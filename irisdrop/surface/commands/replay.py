"""`irisdrop replay`: which past decisions an edited profile would change."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from irisdrop.surface.opened import as_json, records
from irisdrop.vocabulary.faults import FaultyFile, Foreseen

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config
    from irisdrop.profiles.profile import DeviceProfile
    from irisdrop.replay import Replayed

SHOWN: Final = 20


@click.command("replay")
@click.argument("profile_name", metavar="PROFILE")
@click.option("--camera", "cameras", multiple=True, help="Whose past images; default: those that use this profile.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def replay(config_path: Path | None, profile_name: str, cameras: tuple[str, ...], for_scripts: bool) -> None:
    """Decide past images again with PROFILE (a path, or a name from the shelf), and print what would change.

    Ends with exit code 1 where an image would go to another order or eye than it did. Writes nothing.
    """
    from irisdrop.explain import prove
    from irisdrop.identity.sandbox import Parsers
    from irisdrop.profiles.profile import load_profile
    from irisdrop.replay import Replay

    profile = load_profile(profile_name)
    faults = tuple(prove(profile))
    if faults:
        raise FaultyFile(faults)
    with records(config_path) as opened, Parsers() as parsers:
        chosen = cameras_of(opened.config, profile, cameras)
        run = Replay(profile, opened.config, opened.journal, opened.orders, opened.spool, parsers)
        found = run.run(chosen, progress if sys.stderr.isatty() else lambda _: None)
    if for_scripts:
        as_json(
            {
                "cameras": list(chosen),
                "looked_at": found.looked_at,
                "unreadable": found.unreadable,
                "changed": [one.plain() for one in found.changed],
            }
        )
    else:
        show(found, chosen)
    if found.dangerous:
        raise Foreseen(
            "MOVED",
            f"{len(found.dangerous)} images would go to another order or eye than they did.",
            "compare them with `irisdrop quarantine show ID` and `irisdrop explain`, and mend the profile.",
        )


def cameras_of(config: Config, profile: DeviceProfile, asked: tuple[str, ...]) -> list[str]:
    """The cameras that were asked for, or those whose profile has the name or path of this one."""
    known = [camera.name for camera in config.cameras]
    for name in asked:
        if name not in known:
            raise Foreseen("NO_SUCH_CAMERA", f"There is no camera {name}.", f"one of: {', '.join(known)}.")
    same = [c.name for c in config.cameras if Path(c.profile.replace("\\", "/")).stem == profile.name]
    chosen = list(asked) or same
    if not chosen:
        raise Foreseen(
            "NO_CAMERA", f"No camera uses a profile named {profile.name}.", f"name one: `--camera {known[0]}`."
        )
    return chosen


def progress(count: int) -> None:
    """How far it is, on a terminal."""
    click.echo(f"\r{count} images", nl=False, err=True)


def show(found: Replayed, cameras: list[str]) -> None:
    """The changes, the dangerous ones in red."""
    click.echo(f"{found.looked_at} past images of {', '.join(cameras)}")
    if found.unreadable:
        click.echo(f"{found.unreadable} could not be read again: their bytes are no longer in the spool")
    counts = Counter(one.change for one in found.changed)
    for change, count in counts.items():
        dangerous = any(one.change is change for one in found.dangerous)
        click.secho(f"{count} {change}", fg="red" if dangerous else None, bold=dangerous)
    for one in [*found.dangerous, *(one for one in found.changed if one not in found.dangerous)][:SHOWN]:
        where = f"{one.before or 'no order'} -> {one.after or one.reason}"
        click.echo(f"  image {one.image} {one.digest[:8]}: {one.change} ({where})")
    if not found.changed:
        click.echo("nothing would change")
