"""The shelf of shipped profiles, and how a profile is found by name or path."""

from __future__ import annotations

import importlib.resources
import importlib.util
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path

import irisdrop
from irisdrop.profiles.profile import SUFFIXES
from irisdrop.vocabulary.faults import Foreseen


def place() -> Traversable:
    """Where the shelf is: inside the installed package, or `rules/` beside it in a source checkout."""
    if importlib.util.find_spec("irisdrop.rules") is not None:
        return importlib.resources.files("irisdrop.rules")
    return Path(irisdrop.__file__).resolve().parent.parent / "rules"


def shelf() -> dict[str, Traversable]:
    """The shipped profiles by name, in order."""
    files = sorted((file for file in place().iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): file for file in files}


def find(name_or_path: str, base: Path | None = None) -> Path | Traversable:
    """The file of a profile; raises Foreseen that lists every place that was searched.

    A file NAME.yaml in `base` goes before the shipped one, so that a copy can be edited beside the configuration.
    """
    folder = base or Path()
    own = places(name_or_path, folder)
    for path in own:
        if path.is_file():
            return path
    if len(own) == 1:
        raise Foreseen(
            "NO_SUCH_PROFILE", f"there is no profile {own[0]}", "check the path, or use a name from the shelf."
        )
    shipped = shelf()
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise unknown(name_or_path, folder, list(shipped))


def places(name_or_path: str, folder: Path) -> tuple[Path, ...]:
    """Where a person's own profile of a name or path would lie, in the order in which it is looked for."""
    if "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith(SUFFIXES):
        return (folder / name_or_path,)
    return tuple(folder / f"{name_or_path}{suffix}" for suffix in SUFFIXES)


def unknown(name: str, folder: Path, shipped: list[str]) -> Foreseen:
    """No such profile: what comes near, and where it was searched."""
    searched = "\n".join(
        ["searched:", *(f"  {folder / (name + suffix)}" for suffix in SUFFIXES), f"  the shelf in {place()}"]
    )
    near = get_close_matches(name.lower(), shipped, 1, 0.5)
    remedy = f"did you mean {near[0]}?" if near else f"one of the shelf: {', '.join(shipped)}; or a path."
    return Foreseen("NO_SUCH_PROFILE", f"there is no profile named {name!r}\n{searched}", remedy)
