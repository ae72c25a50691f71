"""Keys from the folders below the camera's folder.

    - folder: '(?P<PatientID>[^/]+)/.*'

The pattern is for the whole path below the watched folder without the base name: `/` on every system, none at its end,
empty for a file that lies in the watched folder itself. An archive is a folder: `a.zip/inner`. Readings come from `folder:PatientID`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from irisdrop.identity.contents import Contents
from irisdrop.identity.found import Found
from irisdrop.vocabulary.images import split_name
from irisdrop.vocabulary.keys import canonical

if TYPE_CHECKING:
    from irisdrop.profiles.profile import FolderRule


def extract(rule: FolderRule, name: str, contents: Contents) -> Iterator[Found]:  # noqa: ARG001
    """What the path of `name` without its last part says."""
    path = canonical(split_name(name)[0])
    for key, value in (rule.pattern.fullmatch(path) or {}).items():
        yield Found(key, value, f"folder:{key}")
