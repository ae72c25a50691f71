"""What the kind `folder` needs of Windows."""

from __future__ import annotations

from pathlib import Path


def put_into_place(part: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError where the name is taken."""
    part.rename(target)  # Windows never overwrites by a rename
