"""What lies behind a name, as far as arrival cares."""

from __future__ import annotations

from enum import Enum


class Shape(Enum):
    """A plain file is taken, a folder is entered, anything else is refused."""

    PLAIN = "plain"
    FOLDER = "folder"
    OTHER = "other"  # link, junction, pipe, socket, device: never followed, never opened
