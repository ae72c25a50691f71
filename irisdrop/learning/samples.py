"""Exports to learn from: the images below a folder, with all that they and the files beside them hold."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from irisdrop.identity.contents import Contents, Wanted, WantedSidecar
from irisdrop.identity.identify import IMAGES
from irisdrop.identity.sandbox import ParserFailed, Parsers
from irisdrop.learning.spans import Person
from irisdrop.vocabulary.images import MEMBER, split_name
from irisdrop.vocabulary.keys import canonical

MOST_NAMES: Final = 2000
MOST_CONTENTS: Final = 200
ENDINGS: Final = {".xml": "xml", ".json": "json", ".csv": "csv", ".ini": "ini", ".txt": "ini"}
PICTURE: Final = re.compile(r"(?i)\.(?:jpe?g|png|tiff?|dcm)$")


@dataclass(frozen=True, slots=True)
class Sample:
    """One export: its path below the folder with `/`, what it holds, and whose it is where somebody said so."""

    name: str
    contents: Contents
    told: Person | None = None
    strangers: int = 0  # files beside it that could be companions and don't bear its name
    whole: bool = True  # False where only its name was looked at

    @property
    def folder(self) -> str:
        """The path without the base name."""
        return split_name(self.name)[0]

    @property
    def base(self) -> str:
        """The base name."""
        return split_name(self.name)[1]


def samples(folder: Path, parsers: Parsers, told: Mapping[Path, str]) -> list[Sample]:
    """The images below a folder, as many as teach something; what is no image is left out."""
    known = {path.absolute(): number for path, number in told.items()}
    pictures = (path for path in files(folder) if path.suffix.lower() not in ENDINGS)
    paths = sorted(pictures, key=lambda path: (path.absolute() not in known, str(path)))[:MOST_NAMES]
    found: list[Sample] = []
    beside = lru_cache(maxsize=64)(texts_in)
    for number, path in enumerate(paths):
        below = canonical(path.relative_to(folder).as_posix())
        if path.suffix.lower() == ".zip":
            found += [Sample(f"{below}{MEMBER}{canonical(member)}", Contents("jpeg")) for member in members(path)]
            continue
        texts, whole = beside(path.parent), number < MOST_CONTENTS
        own = tuple(companions(path, texts)) if whole else ()
        try:
            contents = parsers.read(path, Wanted(everything=whole, sidecars=own))
        except (ParserFailed, OSError):
            continue
        if contents.kind not in IMAGES or contents.flaw is not None:
            continue
        person = Person({"PatientID": known[path.absolute()]}) if path.absolute() in known else None
        found.append(Sample(below, readable(contents), person, len(texts) - len(own), whole))
    return found[:MOST_NAMES]


def texts_in(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that could be companions."""
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file()))


def companions(path: Path, texts: Iterable[Path]) -> Iterable[WantedSidecar]:
    """The companion files of an image, each by the name that a rule would give it."""
    for other in texts:
        stem = {path.stem.casefold(): "{stem}", path.name.casefold(): "{name}"}.get(other.stem.casefold())
        if stem is not None and other != path:
            ending = other.suffix.lower()
            yield WantedSidecar(stem + ending, other, ENDINGS[ending], ())


def readable(contents: Contents) -> Contents:
    """Contents without companion files that can't be read: they teach nothing."""
    if "sidecars" not in contents.failed:
        return contents
    failed = {part: why for part, why in contents.failed.items() if part != "sidecars"}
    return replace(contents, sidecars=(), failed=failed)


def members(path: Path) -> list[str]:
    """The pictures in an archive by their names; none where it can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:MOST_NAMES]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return []
    return [name for name in names if PICTURE.search(name) and not name.rpartition("/")[2].startswith(".")]


def files(folder: Path) -> Iterable[Path]:
    """Plain files below a folder, without what systems leave behind."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def exif_text(sample: Sample, place: str) -> str | None:
    """What stands in one tag."""
    return next((t.text.strip(" \0") for t in sample.contents.exif if f"{t.directory}.{t.name}" == place), None) or None


def dicom_values(sample: Sample) -> Iterable[tuple[str, str]]:
    """Keyword and value of every element."""
    return ((item.asked, item.values[0].strip(" \0")) for item in sample.contents.dicom if item.values)
