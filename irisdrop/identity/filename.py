"""Keys from the file's name.

    - filename: '(?P<PatientID>.+)_(?P<ImageLaterality>[RL])\\.jpe?g'

The pattern is for the whole base name with its extension, in NFC, whatever the case. A name that does not fit says
nothing. Readings come from `filename:PatientID`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from irisdrop.identity.contents import Contents
from irisdrop.identity.found import Found
from irisdrop.vocabulary.images import split_name
from irisdrop.vocabulary.keys import canonical

if TYPE_CHECKING:
    from irisdrop.profiles.profile import FilenameRule


def extract(rule: FilenameRule, name: str, contents: Contents) -> Iterator[Found]:  # noqa: ARG001
    """What the last part of `name` says."""
    base = canonical(split_name(name)[1])
    for key, value in (rule.pattern.fullmatch(base) or {}).items():
        yield Found(key, value, f"filename:{key}")
