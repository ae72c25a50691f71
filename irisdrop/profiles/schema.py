"""The JSON Schemas that let an editor complete and check while a person types: `python -m irisdrop.profiles.schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from irisdrop.profiles.written import Written, WrittenProfile
from irisdrop.profiles.written_config import WrittenConfig

SCHEMAS: Final[dict[str, type[Written]]] = {
    "profile.schema.json": WrittenProfile,
    "irisdrop.schema.json": WrittenConfig,
}


def schema_text(name: str) -> str:
    """One schema as it is shipped."""
    schema: dict[str, Any] = SCHEMAS[name].model_json_schema(by_alias=True)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write all schemas into a folder."""
    for name in SCHEMAS:
        (folder / name).write_text(schema_text(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path("rules"))
