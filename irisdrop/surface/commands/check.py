"""`irisdrop check`: prove profiles and the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from irisdrop.surface.opened import as_json
from irisdrop.vocabulary.faults import Fault, FaultyFile, Foreseen


@click.command("check")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def check(config_path: Path | None, paths: tuple[str, ...], for_scripts: bool) -> None:
    """Load profiles or configurations and run every example.

    PATH is a file, a folder, or a name from the shelf; without one, the configuration with its cameras' profiles, or
    the whole shelf where there is no configuration.
    """
    faults: list[Fault] = []
    sound: list[str] = []
    for target in _targets(paths, config_path):
        found = _check(target)
        faults += [fault for fault in found if fault not in faults]
        if not found:
            sound.append(str(target))
    if for_scripts:
        as_json({"sound": sound, "faults": [_plain(fault) for fault in faults]})
    else:
        for name in sound:
            click.echo(f"ok      {name}")
        for fault in faults:
            click.echo(str(fault))
    if faults:
        places = "the place" if len(faults) == 1 else f"the {len(faults)} places"
        raise Foreseen("FAULTY", f"{len(faults)} faults found.", f"mend {places} named above.")


def _targets(paths: tuple[str, ...], config_path: Path | None) -> list[str | Path]:
    from irisdrop.profiles.config import default_config_path
    from irisdrop.profiles.profile import shelf

    if paths:
        return [target for path in paths for target in _expanded(path)]
    chosen = config_path or default_config_path()
    return [chosen] if chosen.is_file() or config_path is not None else list(shelf())


def _expanded(path: str) -> Iterable[str | Path]:
    folder = Path(path)
    return sorted(folder.glob("*.y*ml")) if folder.is_dir() else [folder if folder.is_file() else path]


def _check(target: str | Path) -> list[Fault]:
    """The faults of one profile, or of a configuration and of the profiles that it names."""
    from irisdrop.explain import prove
    from irisdrop.profiles.config import examined
    from irisdrop.profiles.profile import load_profile

    try:
        if isinstance(target, Path) and _is_config(target):
            faults, profiles = examined(target)
            return [*faults, *(fault for profile in profiles for fault in prove(profile))]
        return prove(load_profile(target))
    except FaultyFile as faulty:
        return list(faulty.faults)


def _is_config(path: Path) -> bool:
    """A configuration has cameras, a profile reads."""
    if path.name == "irisdrop.yaml":
        return True
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return False
    return any(line.startswith("cameras:") for line in text.splitlines())


def _plain(fault: Fault) -> dict[str, object]:
    return {
        "code": fault.code,
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "message": fault.message,
        "expected": fault.expected,
        "suggestion": fault.suggestion,
    }
