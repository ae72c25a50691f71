"""A file that is written once, from begin to end, and hashed in the pass that writes it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class Hashed:
    """A new file at `path`; nothing of it is durable before `sync`. Raises FileExistsError where there is one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._file = path.open("xb", buffering=0)

    def write(self, block: bytes | memoryview) -> None:
        """Append one block; OSError where the disk is full."""
        self._hash.update(block)
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(block)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of what was written so far."""
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Flush the bytes to the disk and close."""
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Throw it away; harmless where it was moved to its place."""
        self._file.close()
        self.path.unlink(missing_ok=True)
