"""Keys from a DICOM header, whatever its transfer syntax, with or without preamble.

    - dicom: {PatientID: PatientID, "(0020,0062)": ImageLaterality, "RequestAttributesSequence[0].ScheduledProcedureStepID": ScheduledProcedureStepID}

An element is a keyword, `(gggg,eeee)`, a private `(gggg,xxee,CREATOR)`, or a path into sequences. Texts are decoded by
the file's own character set. A pattern sees all values of an element, joined by `\\`; a key gets each of them, and two
that differ contradict one another. Readings come from `dicom:(0010,0020)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from irisdrop.identity.contents import Contents, Wanted
from irisdrop.identity.found import Found, through

if TYPE_CHECKING:
    from irisdrop.profiles.profile import DicomRule

ZONE: Final = "zone"  # Timezone Offset From UTC: it belongs to every date-time of the file that has no offset
WHOLE: Final = frozenset({"ImageType"})  # its values say together what kind of picture it is
WITHOUT_OFFSET: Final = re.compile(r"\d{10,14}(\.\d+)?")


def wants(rule: DicomRule) -> Wanted:
    """The elements of the rule."""
    return Wanted(dicom=frozenset(rule.tags))


def extract(rule: DicomRule, name: str, contents: Contents) -> Iterator[Found]:  # noqa: ARG001
    """What the elements say."""
    zone = next((element.values[0] for element in contents.dicom if element.asked == ZONE), "")
    for asked, target in rule.tags.items():
        for element in contents.dicom:
            if element.asked != asked:
                continue
            whole = not isinstance(target, str) or target in WHOLE
            values = ("\\".join(element.values),) if whole else element.values
            for value in values:
                zoned = target == "AcquisitionDateTime" and WITHOUT_OFFSET.fullmatch(value)
                yield from through(target, value + zone if zoned else value, f"dicom:{element.place}")
