"""The same bytes again: a duplicate where they say the same, a conflict where they don't."""

from __future__ import annotations

from collections.abc import Sequence

from irisdrop.vocabulary.images import ImageFile, Reading
from irisdrop.vocabulary.keys import DECIDING_KEYS
from irisdrop.vocabulary.states import State

COMPARED = (*DECIDING_KEYS, "IssuerOfPatientID", "ImageLaterality")


def twin_of(
    image: ImageFile, readings: Sequence[Reading], others: Sequence[ImageFile]
) -> tuple[ImageFile, bool] | None:
    """The other image of the same bytes and whether it says the same; None where there is none.

    `others` are the images with the same digest. Discarded and vanished ones, and those nobody has read yet, are no
    twins. A later one counts only where it has an order already (this one was read late, or again).
    """
    said = _said(readings)
    twins = [other for other in others if other.id != image.id and _counts(other, other.id < image.id)]
    for other in twins:
        if _said(other.readings) == said:
            return other, True
    return (twins[0], False) if twins else None


def _counts(other: ImageFile, earlier: bool) -> bool:
    if other.state in (State.MATCHED, State.UPLOADED, State.DELIVERED):
        return True
    read = other.profile is not None  # one that was refused unread says nothing, and so nothing else
    return earlier and read and other.state in (State.IDENTIFIED, State.DUPLICATE, State.QUARANTINED)


def _said(readings: Sequence[Reading]) -> frozenset[tuple[str, str]]:
    return frozenset((reading.key, reading.value) for reading in readings if reading.key in COMPARED)
