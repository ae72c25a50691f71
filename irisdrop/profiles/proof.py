"""The `examples` by which a profile proves itself."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from irisdrop.profiles.elements import check_dicom, check_exif
from irisdrop.profiles.patterns import Unusable, glob_fits
from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.profile import Example, Files
from irisdrop.profiles.written import WrittenExample
from irisdrop.vocabulary.images import split_name
from irisdrop.vocabulary.keys import DATE_KEYS, LATERALITY_TOKENS, canonical
from irisdrop.vocabulary.reasons import Code

# What an example can end in: the rest needs a worklist, a platform or a real file.
POSSIBLE: Final = (
    Code.NO_KEYS,
    Code.CONFLICTING_KEYS,
    Code.EYE_UNKNOWN,
    Code.CLOCK_IMPLAUSIBLE,
    Code.PROFILE_UNVERIFIED,
    Code.UNREADABLE,
    Code.NOT_AN_IMAGE,
)
DATE: Final = r"\d{4}-\d{2}-\d{2}"
TIME: Final = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?"
FORMS: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(DATE_KEYS, (DATE, "a date such as 2025-01-14")),
    "AcquisitionTime": (TIME + r"(?:Z|[+-]\d{2}:\d{2})?", "a time such as 10:12:45"),
    "AcquisitionDateTime": (rf"{DATE}T{TIME}(?:Z|[+-]\d{{2}}:\d{{2}})?", "a date and time such as 2025-01-14T10:12:45"),
    "ImageLaterality": ("[RLBU]", "R, L, B or U"),
}


def examples_of(
    found: Document, written: list[WrittenExample], readable: frozenset[str], files: Files, *, skeleton: bool
) -> tuple[Example, ...]:
    """The examples in order; a profile needs one that gives and one that refuses."""
    for index, one in enumerate(written):
        check_example(found, ("examples", index), one, readable, files)
    place = found.at(("examples",), key=True)
    if not any(one.gives for one in written) and not skeleton:
        found.fault("NO_EXAMPLE", place, "no example gives anything", "one with `gives: {PatientID: …}`")
    if not any(one.refuses for one in written):
        found.fault("NO_EXAMPLE", place, "no example is refused", "one with `refuses: NO_KEYS` or another reason")
    return tuple(example_of(found, index, one) for index, one in enumerate(written))


def example_of(found: Document, index: int, one: WrittenExample) -> Example:
    """One example, frozen, with its place."""
    place = found.at(("examples", index))
    return Example(
        file=one.file,
        gives=MappingProxyType({key: canonical(value) for key, value in one.gives.items()}),
        refuses=one.refuses,
        line=place.line,
        column=place.column,
        exif=MappingProxyType(dict(one.exif)),
        dicom=MappingProxyType(dict(one.dicom)),
        sidecar=one.sidecar,
    )


def check_example(
    found: Document, location: Location, one: WrittenExample, readable: frozenset[str], files: Files
) -> None:
    """An example of a file that is taken, with values that can be read."""
    if not one.gives and one.refuses is None:
        found.fault("NO_EXAMPLE", found.at(location), "the example proves nothing", "`gives: {…}` or `refuses: …`")
    if one.refuses is not None and one.refuses not in POSSIBLE:
        place = found.at((*location, "refuses"))
        found.fault("WRONG_VALUE", place, f"an example alone can't end in {one.refuses}", ", ".join(POSSIBLE))
    check_taken(found, (*location, "file"), one.file, files)
    for name in one.exif:
        check_exif(found, found.at((*location, "exif", name), key=True), name)
    for name in one.dicom:
        check_dicom(found, found.at((*location, "dicom", name), key=True), name)
    for key, value in one.gives.items():
        check_value(found, (*location, "gives", key), key, value, readable)


def check_taken(found: Document, location: Location, file: str, files: Files) -> None:
    """The example's file is one that the profile would take at all."""
    name = split_name(file)[1]
    if any("/" in glob or "\\" in glob for glob in (*files.take, *files.skip)):
        return  # the glob has its own fault
    try:
        skipped = any(glob_fits(glob, name) for glob in files.skip)
        taken = any(glob_fits(glob, name) for glob in files.take)
    except Unusable:
        return  # the glob has its own fault
    place = found.at(location)
    if "\\" in file or file.startswith("/") or not name:
        found.fault("WRONG_VALUE", place, "an example is a path below the watched folder", "`/` between folders")
    elif skipped:
        found.fault("WRONG_EXAMPLE", place, "`files: skip` leaves this file alone", "a file that is taken")
    elif not taken:
        found.fault("WRONG_EXAMPLE", place, "`files: take` does not take this file", "a file that is taken")


def check_value(found: Document, location: Location, key: str, value: str, readable: frozenset[str]) -> None:
    """A value in the one form that a key's values have."""
    if key not in readable:
        found.fault("UNREAD_KEY", found.at(location, key=True), f"no rule reads `{key}`", "a key that `read` has")
    pattern, expected = FORMS.get(key, ("(?s).+", "a text"))
    if not re.fullmatch(pattern, value, re.ASCII):
        meant = LATERALITY_TOKENS.get(value.upper(), "") if key == "ImageLaterality" else dashed(value)
        found.fault("WRONG_VALUE", found.at(location), f"`{value}` is not how {key} is written", expected, meant)


def dashed(value: str) -> str:
    """20250114 as 2025-01-14; empty for anything else."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if re.fullmatch(r"\d{8}", value, re.ASCII) else ""
