"""The sources that keys are read from: one Protocol, one file each, one literal dict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from irisdrop.identity import dicom, exif, filename, folder, sidecar
from irisdrop.identity.contents import Contents, Wanted
from irisdrop.identity.found import Found

Extract = Callable[[Any, str, Contents], Iterable[Found]]
Want = Callable[[Any], Wanted]


def nothing(rule: Any) -> Wanted:  # noqa: ARG001
    """What a source needs from the image's bytes that reads none of them."""
    return Wanted()


class Extractor(NamedTuple):
    """One kind of source: `wants` says what a rule needs of the content, `extract` what the rule reads.

    Both are pure. `extract` gets the rule, the export's name below the camera's folder, and its contents; what it can't
    find it leaves out, and whatever it raises is a fault of the profile, never "no keys".
    """

    extract: Extract
    wants: Want = nothing


EXTRACTORS: Final[dict[str, Extractor]] = {
    "filename": Extractor(filename.extract),
    "folder": Extractor(folder.extract),
    "exif": Extractor(exif.extract, exif.wants),
    "dicom": Extractor(dicom.extract, dicom.wants),
    "sidecar": Extractor(sidecar.extract),
}
