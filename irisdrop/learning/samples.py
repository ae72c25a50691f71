"""Exports to learn from: the images below a folder, with all that they and the files beside them hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from irisdrop.arrival.directory import Hostile
from irisdrop.arrival.members import LARGEST_MEMBER, each_image, image_names
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


class Pictures:
    """What an archive holds for whoever has no profile yet: pictures by their names, and texts that bear such a name."""

    def takes_image(self, base_name: str) -> bool:
        """Whether a member is a picture."""
        return PICTURE.search(base_name) is not None and not base_name.startswith(".")

    def companions_of(self, base_name: str) -> tuple[str, ...]:
        """Every name that a companion of a picture may have."""
        return tuple(f"{name}{ending}" for name in (Path(base_name).stem, base_name) for ending in ENDINGS)

    def unpacks(self, base_name: str) -> bool:  # noqa: ARG002
        """An archive within an archive teaches nothing."""
        return False


def samples(folder: Path, parsers: Parsers, told: Mapping[Path, str]) -> list[Sample]:
    """The images below a folder, as many as teach something; what is no image is left out."""
    known = {path.absolute(): number for path, number in told.items()}
    pictures = (path for path in files(folder) if path.suffix.lower() not in ENDINGS)
    paths = sorted(pictures, key=lambda path: (path.absolute() not in known, str(path)))[:MOST_NAMES]
    found: list[Sample] = []
    beside = lru_cache(maxsize=64)(texts_in)
    for number, path in enumerate(paths):
        below = canonical(path.relative_to(folder).as_posix())
        person = Person({"PatientID": known[path.absolute()]}) if path.absolute() in known else None
        if path.suffix.lower() == ".zip":
            found += packed(path, below, parsers, max(0, MOST_CONTENTS - len(found)), person)
            continue
        texts, whole = beside(path.parent), number < MOST_CONTENTS
        own = tuple(companions(path, texts)) if whole else ()
        contents = read(path, Wanted(everything=whole, sidecars=own), parsers)
        if contents is not None:
            found.append(Sample(below, contents, person, len(texts) - len(own), whole))
    return found[:MOST_NAMES]


def read(path: Path, wanted: Wanted, parsers: Parsers) -> Contents | None:
    """What an image holds; None where it is none, or can't be read."""
    try:
        contents = parsers.read(path, wanted)
    except (ParserFailed, OSError):
        return None
    return readable(contents) if contents.kind in IMAGES and contents.flaw is None else None


def packed(archive: Path, below: str, parsers: Parsers, most: int, person: Person | None) -> list[Sample]:
    """The images of an archive, `most` of them with what they hold; none of one that would be refused."""
    found: list[Sample] = []
    try:
        names = image_names(archive, Pictures(), LARGEST_MEMBER)[:MOST_NAMES]
        for name, file, beside in islice(unpacked(archive), min(most, len(names))):
            contents = read(file, Wanted(everything=True, sidecars=beside), parsers)
            if contents is not None:
                found.append(Sample(f"{below}{MEMBER}{canonical(name)}", contents, person))
    except (OSError, Hostile):
        return []
    rest = (f"{below}{MEMBER}{canonical(name)}" for name in names[most:])
    return found + [Sample(name, Contents("jpeg"), person, whole=False) for name in rest]


def unpacked(archive: Path) -> Iterator[tuple[str, Path, tuple[WantedSidecar, ...]]]:
    """The images of an archive by their paths within it: one at a time, as a file that is gone when the next is asked for,
    with its companions. Raises Hostile, OSError."""
    with TemporaryDirectory(prefix="irisdrop-archive-") as folder:
        for name, file, beside in each_image(archive, Pictures(), LARGEST_MEMBER, Path(folder)):
            base = Path(name.rpartition("/")[2])
            called = {base.stem: "{stem}", base.name: "{name}"}
            names = ((Path(one), text) for one, text in beside.items())
            wanted = (WantedSidecar(called[p.stem] + p.suffix, text, ENDINGS[p.suffix], ()) for p, text in names)
            yield name, file, tuple(wanted)


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
