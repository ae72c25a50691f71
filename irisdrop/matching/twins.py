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
    """The earlier image of the same bytes and whether it says the same; None where there is none.

    `others` are the images with the same digest. Discarded and vanished ones, and those nobody has read yet, are no
    twins.
    """
    said = _said(readings)
    earlier = [
        other
        for other in others
        if other.id < image.id and other.state not in (State.DISCARDED, State.VANISHED, State.SEEN, State.SETTLED)
    ]
    for other in earlier:
        if _said(other.readings) == said:
            return other, True
    return (earlier[0], False) if earlier else None


def _said(readings: Sequence[Reading]) -> frozenset[tuple[str, str]]:
    return frozenset((reading.key, reading.value) for reading in readings if reading.key in COMPARED)
