"""Keys from a companion file: XML, JSON, CSV or INI.

    - sidecar: {file: "{stem}.xml", xpath: {//Patient/ID: PatientID}, wait: 30s}

`{name}` is the image's whole name, `{stem}` the name without its extension. Places are XPath (whatever the namespace;
`/@attribute` at its end), dotted names, column headings, or `section/option`. A place that is there several times says
each of its values, and two that differ contradict one another. Readings come from `sidecar://Patient/ID`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from irisdrop.identity.contents import Contents
from irisdrop.identity.found import Found, through

if TYPE_CHECKING:
    from irisdrop.profiles.profile import SidecarRule


def extract(rule: SidecarRule, name: str, contents: Contents) -> Iterator[Found]:  # noqa: ARG001
    """What the places of the rule's companion file say."""
    for place, target in rule.places.items():
        for noted in contents.sidecars:
            if noted.rule == rule.file and noted.place == place:
                for value in noted.values:
                    yield from through(target, value, f"sidecar:{place}")
