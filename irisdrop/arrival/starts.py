"""When each camera was first watched: beside the journal, so that a rebuilt one does not take the old files."""

from __future__ import annotations

import json
import os
import secrets
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from irisdrop.record.system import sync_folder
from irisdrop.record.text import moment, stamp
from irisdrop.vocabulary.marks import mark

_GUARD = threading.Lock()  # several cameras start at once


class Starts:
    """`cameras.json` in the state folder."""

    def __init__(self, state: Path) -> None:
        self._file = state / "cameras.json"

    def of(self, camera: str) -> datetime | None:
        """When a camera was first watched; None where it never was, or where the file is damaged."""
        text = self._cameras().get(camera)
        return None if text is None else moment(text)

    def note(self, camera: str, at: datetime) -> None:
        """Remember it, on the disk when this returns."""
        with _GUARD:
            text = json.dumps({"first_start": {**self._cameras(), camera: stamp(at)}}, indent=1)
            draft = self._file.with_suffix(f".{secrets.token_hex(4)}")
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                mark("starts.fsync.before")
                os.fsync(file.fileno())
                mark("starts.fsync.after")
            mark("starts.rename.before")
            draft.replace(self._file)
            mark("starts.rename.after")
            sync_folder(self._file.parent)
            mark("starts.folder.after")

    def _cameras(self) -> dict[str, str]:
        try:
            found: Any = json.loads(self._file.read_text("utf-8"))
            return {str(name): stamp(moment(text)) for name, text in found["first_start"].items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return {}
