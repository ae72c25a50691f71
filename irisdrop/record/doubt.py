"""Images whose order or eye is no longer the one that was decided: a bit that flipped and left a value which could be.

No page, index or text tells of that. But the decision stands in the journal a second time, with its trace; so the two
are compared before the first byte leaves. An order that a person chose stands there once: it is not compared, but must
be one, and its eye too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from irisdrop.record.database import Database
from irisdrop.vocabulary.images import ImageFile

_OTHERWISE: Final = (
    "SELECT id FROM images WHERE id IN ({marks}) AND (entry IS NULL OR eye IS NULL "
    "OR assigned_by IS NULL AND decision IS NOT NULL AND CASE WHEN json_valid(decision) "
    "THEN json_extract(decision, '$.decision') = 'matched' "
    "AND (json_extract(decision, '$.entry') IS NOT entry OR json_extract(decision, '$.eye') IS NOT eye) ELSE 1 END)"
)


def doubtful(database: Database, images: Sequence[ImageFile]) -> set[int]:
    """The ids of those of `images` whose order or eye differs from their decision's, or is missing."""
    marks = ",".join("?" * len(images))
    rows = database.rows(_OTHERWISE.format(marks=marks), tuple(image.id for image in images))
    return {row["id"] for row in rows}
