"""DICOM elements as text, by pydicom: headers only, any transfer syntax, private and nested ones too."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from irisdrop.identity.parsing.content import Misasked

# A step of a path: a keyword, (gggg,eeee), or a private (gggg,xxee,CREATOR); then perhaps the number of an item.
STEP: Final = re.compile(
    r"""(?:(?P<keyword>[A-Za-z][A-Za-z0-9]*)
        |\((?P<group>[0-9A-Fa-f]{4}),\s*(?:xx(?P<low>[0-9A-Fa-f]{2}),\s*(?P<creator>[^)]*)|(?P<element>[0-9A-Fa-f]{4}))\))
        (?:\[(?P<item>\d+)\])?(?:\.|$)""",
    re.VERBOSE,
)
ZONE_OFFSET: Final = 0x00080201


class Element(NamedTuple):
    """One element as a profile asked for it: the asked path, where it was found, and its values as text."""

    asked: str
    place: str
    values: list[str]


class Step(NamedTuple):
    """One step of a path: a tag, the creator of a private one, and which item of a sequence (None for each)."""

    tag: int
    creator: str | None
    item: int | None


def read_elements(file: BinaryIO, wanted: Iterable[str]) -> list[Element]:
    """The elements that `wanted` paths lead to; what is absent or empty is not in the list.

    Raises Misasked for a path that is none; whatever pydicom raises for a file that it can't read goes through.
    """
    read = _pydicom()
    paths = {path: steps(path) for path in wanted}
    tops = {ZONE_OFFSET} | {tag for found in paths.values() for tag in _tops(found[0])}
    file.seek(128)
    without_preamble = file.read(4) != b"DICM"
    file.seek(0)
    dataset = read(file, stop_before_pixels=True, specific_tags=sorted(tops), force=without_preamble)
    found = [element for path, way in paths.items() for element in _follow(dataset, way, path, "")]
    zone = [Element("zone", "(0008,0201)", texts(dataset[ZONE_OFFSET]))] if ZONE_OFFSET in dataset else []
    return found + zone


def read_all(file: BinaryIO, depth: int = 2) -> list[Element]:
    """Every element of the header with a value, by its place, sequences down to `depth`."""
    read = _pydicom()
    file.seek(128)
    without_preamble = file.read(4) != b"DICM"
    file.seek(0)
    return list(_every(read(file, stop_before_pixels=True, force=without_preamble), "", depth))


def _pydicom() -> Any:
    # Headers need no arrays, and numpy doubles the time and memory that pydicom takes to start.
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]
    from pydicom import config
    from pydicom.filereader import dcmread

    config.settings.reading_validation_mode = config.IGNORE
    warnings.simplefilter("ignore")
    return dcmread


def steps(path: str) -> list[Step]:
    """A path in its steps; raises Misasked where it is none."""
    found, at = [], 0
    while at < len(path):
        match = STEP.match(path, at)
        if match is None:
            raise Misasked("not a path to a DICOM element")
        found.append(_step(match))
        at = match.end()
    if not found or path.endswith("."):
        raise Misasked("not a path to a DICOM element")
    return found


def _step(match: re.Match[str]) -> Step:
    item = int(match["item"]) if match["item"] else None
    if match["keyword"]:
        from pydicom.datadict import tag_for_keyword

        tag = tag_for_keyword(match["keyword"])
        if tag is None:
            raise Misasked("no such DICOM keyword")
        return Step(int(tag), None, item)
    return Step(int(match["group"] + (match["element"] or "00" + match["low"]), 16), match["creator"], item)


def _tops(step: Step) -> Iterator[int]:
    """What must be read at the top for a step; a private block may lie anywhere that its creator reserved."""
    if step.creator is None:
        yield step.tag
        return
    base = step.tag & 0xFFFF0000
    for block in range(0x10, 0x100):
        yield base | block
        yield base | block << 8 | step.tag & 0xFF


def _follow(dataset: Any, way: list[Step], asked: str, above: str) -> Iterator[Element]:
    step, rest = way[0], way[1:]
    tag = _actual(dataset, step)
    if tag is None or tag not in dataset:
        return
    element = dataset[tag]
    place = f"{above}({tag >> 16:04X},{tag & 0xFFFF:04X})"
    if element.VR != "SQ":
        if not rest and (values := texts(element)):
            yield Element(asked, place, values)
        return
    for number, item in enumerate(element.value):
        if rest and step.item in (None, number):
            yield from _follow(item, rest, asked, f"{place}[{number}].")


def _actual(dataset: Any, step: Step) -> int | None:
    if step.creator is None:
        return step.tag
    try:
        block = dataset.private_block(step.tag >> 16, step.creator)
    except KeyError:
        return None
    return int(block.get_tag(step.tag & 0xFF))


def texts(element: Any) -> list[str]:
    """An element's values as text, empty ones left out."""
    value = element.value
    values = list(value) if element.VM > 1 and not isinstance(value, bytes | str) else [value]
    return [text for one in values if one is not None and (text := _text(one))]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        found = value.rstrip(b"\0 ")
        try:
            return found.decode()
        except UnicodeDecodeError:
            return found.decode("latin-1")
    return str(value).strip("\0 ")


def _every(dataset: Any, above: str, depth: int) -> Iterator[Element]:
    for element in dataset:
        place = f"{above}({element.tag >> 16:04X},{element.tag & 0xFFFF:04X})"
        if element.VR == "SQ":
            for number, item in enumerate(element.value if depth > 1 else ()):
                yield from _every(item, f"{place}[{number}].", depth - 1)
        elif values := texts(element):
            yield Element(element.keyword, place, values)
