"""What a disk refuses while the agent runs: one sector, one file's bytes, room beyond a quota, a flush.

Which layer, and why: as for the power cuts (`rig.power`), a library between the agent and the C library. A device
mapper with an error target needs a kernel that has it, and this one has none; a quota never binds the account that
tests run as. The library sees every read and write of Python, of SQLite and of the parsers' processes, and refuses
those that `faults.c` finds a rule for.
"""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path


class Faults:
    """Rules that come and go while processes run; `environment` is what these processes need."""

    def __init__(self, folder: Path) -> None:
        library = folder / "faults.so"
        source = Path(__file__).with_name("faults.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
        self._rules = folder / "faults.rules"
        self.environment = {"LD_PRELOAD": str(library), "FAULTS": str(self._rules)}

    def unreadable(self, file: Path, begin: int = 0) -> None:
        """A bad sector in the bytes that this file has now, from an offset on."""
        self._add(f"read {errno.EIO} {begin} #{file.stat().st_ino}")

    def unreadable_place(self, place: Path) -> None:
        """Nothing below a path can be read, whichever bytes are put there."""
        self._add(f"read {errno.EIO} 0 {place}")

    def no_room(self, place: Path, number: int = errno.EDQUOT) -> None:
        """Nothing below a path may grow."""
        self._add(f"write {number} 0 {place}")

    def read_only(self, place: Path) -> None:
        """Nothing below a path can be written, as on a file system that found itself damaged while it was in use."""
        self.no_room(place, errno.EROFS)

    def no_flush(self, place: Path) -> None:
        """What is written below a path does not reach the disk, and the disk says so."""
        self._add(f"flush {errno.EIO} 0 {place}")

    def none(self) -> None:
        """All is well again."""
        self._rules.unlink(missing_ok=True)

    def _add(self, rule: str) -> None:
        text = self._rules.read_text() if self._rules.exists() else ""
        draft = self._rules.with_suffix(".new")
        draft.write_text(f"{text}{rule}\n")
        draft.replace(self._rules)
