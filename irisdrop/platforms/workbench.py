"""A folder of ours for what is made of an image on its way; nothing in it outlives its sending."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MADE: Final = ".made"


class Workbench:
    """Makes room for copies. What a crash left is cleared away by the first copy, not by who merely opens a platform:
    a doctor, or an edited configuration while the old platform still sends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._begun = False

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """The path of a file that is not there yet, and will be gone. Raises OSError."""
        self._begin()
        path = self.folder / f"{secrets.token_hex(8)}{MADE}"
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _begin(self) -> None:
        with self._lock:
            if self._begun:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            for left in self.folder.glob(f"*{MADE}"):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
            self._begun = True
