"""Why an image is in quarantine: a stable code, one sentence, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The stable codes; others rely on their spelling."""

    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    NOT_A_PLAIN_FILE = "NOT_A_PLAIN_FILE"
    NO_KEYS = "NO_KEYS"
    CONFLICTING_KEYS = "CONFLICTING_KEYS"
    NO_WORKLIST_ENTRY = "NO_WORKLIST_ENTRY"
    AMBIGUOUS = "AMBIGUOUS"
    PATIENT_MISMATCH = "PATIENT_MISMATCH"
    EYE_UNKNOWN = "EYE_UNKNOWN"
    CLOCK_IMPLAUSIBLE = "CLOCK_IMPLAUSIBLE"
    PROFILE_FAULT = "PROFILE_FAULT"
    PROFILE_UNVERIFIED = "PROFILE_UNVERIFIED"
    ASSIGNED_ELSEWHERE = "ASSIGNED_ELSEWHERE"
    REJECTED_BY_PLATFORM = "REJECTED_BY_PLATFORM"
    RECEIPT_MISMATCH = "RECEIPT_MISMATCH"
    ORDER_WITHDRAWN = "ORDER_WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for quarantine, in words for the camera operator."""

    code: Code
    sentence: str
    remedy: str


REASONS: Final[dict[Code, Reason]] = {
    reason.code: reason
    for reason in (
        Reason(
            Code.UNREADABLE,
            "The file is damaged or was never finished.",
            "Export it again from the camera; discard this one when the new one has arrived.",
        ),
        Reason(
            Code.TOO_LARGE,
            "The file is larger than this site accepts.",
            "Raise `largest` in the configuration, or export the image in a smaller format.",
        ),
        Reason(
            Code.NOT_AN_IMAGE,
            "The file's content is no image, whatever its name says.",
            "Discard it; if the camera writes such files beside its images, add them to `files: skip` of the profile.",
        ),
        Reason(
            Code.NOT_A_PLAIN_FILE,
            "It is a link, a device or a pipe, and those are never followed.",
            "Copy the real file into the folder.",
        ),
        Reason(
            Code.NO_KEYS,
            "Nothing in the image says whose it is.",
            "Assign it to its order; if this happens often, let IT compare the file with the profile (`irisdrop explain`).",
        ),
        Reason(
            Code.CONFLICTING_KEYS,
            "The image says two different things about itself.",
            "Look at what was read from where, then assign it to the right order or discard it.",
        ),
        Reason(
            Code.NO_WORKLIST_ENTRY,
            "No open order on the worklist fits this image.",
            "Assign it to its order, or release it after the worklist is corrected.",
        ),
        Reason(
            Code.AMBIGUOUS,
            "More than one order fits this image.",
            "Assign it to the right one of them.",
        ),
        Reason(
            Code.PATIENT_MISMATCH,
            "The order that fits belongs to somebody else, by at least one thing that the image says.",
            "Compare the image with the order; assign it only if you are sure.",
        ),
        Reason(
            Code.EYE_UNKNOWN,
            "Nothing in the image says which eye it shows.",
            "Look at the picture and assign it with its eye.",
        ),
        Reason(
            Code.CLOCK_IMPLAUSIBLE,
            "The image says that it was taken at a time that can't be right.",
            "Set the camera's clock; then assign this image to its order.",
        ),
        Reason(
            Code.PROFILE_FAULT,
            "The camera's profile could not be applied to this image.",
            "Let IT run `irisdrop check`; release the image when the profile is mended.",
        ),
        Reason(
            Code.PROFILE_UNVERIFIED,
            "The camera's profile is not verified yet, or says that pictures of this kind are not sent by themselves.",
            "Assign it to its order, or discard it; IT sets `status` and `deliver` in the profile.",
        ),
        Reason(
            Code.ASSIGNED_ELSEWHERE,
            "The platform already holds this image on another order or eye.",
            "Compare both orders; recall or discard one of the two.",
        ),
        Reason(
            Code.REJECTED_BY_PLATFORM,
            "The platform refused the image.",
            "Read the platform's answer in the image's history; release the image when the cause is mended.",
        ),
        Reason(
            Code.RECEIPT_MISMATCH,
            "The platform confirmed this image for another order, patient or eye.",
            "Call the platform's integration administrator now; this image can't be released.",
        ),
        Reason(
            Code.ORDER_WITHDRAWN,
            "The order that a person gave this image was withdrawn.",
            "Assign it to the order that took its place, or discard it.",
        ),
    )
}
