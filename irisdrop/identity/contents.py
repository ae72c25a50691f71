"""What is asked of a file, and what it was found to contain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WantedSidecar:
    """What a rule (by its `file` as written) needs from a companion file: the texts at its places."""

    rule: str
    file: Path
    format: str
    places: tuple[str, ...]
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a profile needs from one file: Exif tags and paths to DICOM elements; `everything` for all there is."""

    exif: frozenset[str] = frozenset()
    dicom: frozenset[str] = frozenset()
    sidecars: tuple[WantedSidecar, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """An Exif tag: `0th`, `Exif`, `GPS` or `MakerNote`, its name, and its decoded text."""

    directory: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Element:
    """A DICOM element: how it was asked for, its place `(gggg,eeee)`, and its values as text."""

    asked: str
    place: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """What stands at one place of the companion file of a rule (by its `file` as written)."""

    rule: str
    place: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file is and holds.

    `kind` is jpeg, png, tiff, webp, heif, jxl, jp2, bmp, gif, dicom, or of what is no image: empty, pdf, zip, video,
    special (no plain file), unknown. `flaw` says why it can't be whole. `failed` says which part (`exif`, `dicom`,
    `sidecars`) could not be read, and why; `profile` is a part that the profile asks for in a way that can't be followed.
    """

    kind: str
    flaw: str | None = None
    exif: tuple[Tag, ...] = ()
    dicom: tuple[Element, ...] = ()
    sidecars: tuple[Note, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
