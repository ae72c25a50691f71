"""The one place that chooses between the platforms' files."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from irisdrop.record._windows import (
        give_memory_back,
        lock,
        network_file_system,
        page_refused,
        private,
        private_file,
        sync_folder,
    )
else:
    from irisdrop.record._posix import (
        give_memory_back,
        lock,
        network_file_system,
        page_refused,
        private,
        private_file,
        sync_folder,
    )

__all__ = [
    "give_memory_back",
    "lock",
    "network_file_system",
    "page_refused",
    "private",
    "private_file",
    "sync_folder",
]
