"""Keys from Exif tags, in JPEG, TIFF, PNG, WebP, HEIF and JPEG XL.

    - exif: {SerialNumber: DeviceSerialNumber, ImageDescription: 'MRN=(?P<PatientID>\\d+)'}

A tag is a name (`ImageDescription`, `UserComment`, `XPComment`), a name in a directory (`0th.`, `Exif.`, `GPS.`,
`Interop.`, `1st.`, `MakerNote.`), or a number (`0x010E`). `UserComment` is decoded by its own code, the `XP` tags from UTF-16. A date-time
takes its `OffsetTime…` with it where the camera wrote one; one of zeros or blanks is absent. The thumbnail's tags say
nothing. Readings come from `exif:0th.ImageDescription`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from irisdrop.identity.contents import Contents, Tag, Wanted
from irisdrop.identity.found import Found, through

if TYPE_CHECKING:
    from irisdrop.profiles.profile import ExifRule

OFFSETS: Final = {
    "DateTimeOriginal": "OffsetTimeOriginal",
    "DateTimeDigitized": "OffsetTimeDigitized",
    "CreateDate": "OffsetTimeDigitized",
    "DateTime": "OffsetTime",
    "ModifyDate": "OffsetTime",
}
PICTURE: Final = ("0th", "Exif", "GPS", "Interop")  # not the thumbnail's, unless it is named
TIMES: Final = frozenset({"AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "PatientBirthDate"})


def wants(rule: ExifRule) -> Wanted:
    """The tags of the rule, and the offsets that belong to its date-times."""
    names = {name.rpartition(".")[2] for name in rule.tags}
    return Wanted(exif=frozenset(rule.tags) | {OFFSETS[name] for name in names if name in OFFSETS})


def extract(rule: ExifRule, name: str, contents: Contents) -> Iterator[Found]:  # noqa: ARG001
    """What the tags say; one that stands in two directories is read in both."""
    for asked, target in rule.tags.items():
        directory, _, plain = asked.rpartition(".")
        for tag in contents.exif:
            if tag.name != plain or tag.directory not in ((directory,) if directory else PICTURE):
                continue
            text = tag.text
            if target in TIMES and not text.strip("0: \0"):
                continue
            if target == "AcquisitionDateTime":
                text += _offset(tag, contents)
            yield from through(target, text, f"exif:{tag.directory}.{tag.name}")


def _offset(tag: Tag, contents: Contents) -> str:
    """The offset that the camera wrote beside a date-time; blanks and zeros-without-sign are none."""
    wanted = OFFSETS.get(tag.name)
    offsets = (other.text.strip() for other in contents.exif if other.name == wanted)
    return next((offset for offset in offsets if offset[:1] in ("+", "-", "Z")), "")
