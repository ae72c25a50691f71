"""Is the camera's folder there, and is it still the same one? A share that goes away looks like thousands of removals."""

from __future__ import annotations

import contextlib
import os
from enum import Enum
from pathlib import Path

from irisdrop.arrival.distance import Distance
from irisdrop.arrival.scan import Scan
from irisdrop.arrival.system import listed, reachable
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal


class Presence(Enum):
    """What became of the folder."""

    THERE = "there"
    MISSING = "missing"
    UNREADABLE = "unreadable"


def stands(journal: Journal, camera: str, root: Path) -> bool:
    """Whether a camera's folder is, at this moment, the one in which its known files are, as far as any is known."""
    try:
        status = Path(reachable(os.path.abspath(root))).stat()  # noqa: PTH100 - a link on the way stays as it is written
    except OSError:
        return False
    return journal.meta(_meta(camera)) in (None, f"{status.st_dev}:{status.st_ino}")


def _meta(camera: str) -> str:
    return f"root {camera}"


class Ground:
    """The root of a camera's files, remembered by device and file id for as long as known files lie in it."""

    def __init__(self, camera: str, root: str, journal: Journal, conditions: Conditions, distance: Distance) -> None:
        self._distance = distance
        self._camera = camera
        self._root = root
        self._journal = journal
        self._conditions = conditions
        self._meta = _meta(camera)
        self._remembered = journal.meta(self._meta)
        self.identity = ""  # device and file id at the last look

    def look(self) -> Presence:
        """See whether it is there and can be listed, and tell where it is not."""
        try:
            status = self._distance.ask(self._see)
        except (FileNotFoundError, NotADirectoryError):
            self.identity, self._distance.near = "", False
            self._conditions.clear("FOLDER_UNREADABLE", self._camera)
            self._conditions.raise_("FOLDER_MISSING", self._camera)
            return Presence.MISSING
        except OSError as error:
            self.identity, self._distance.near = "", False
            if self._distance.stopped():
                return Presence.UNREADABLE  # nobody waits for its answer any more
            self._conditions.clear("FOLDER_MISSING", self._camera)
            self._conditions.raise_("FOLDER_UNREADABLE", self._camera, os.strerror(error.errno or 0))
            return Presence.UNREADABLE
        self.identity = f"{status.st_dev}:{status.st_ino}"
        return Presence.THERE

    def _see(self) -> os.stat_result:
        """Its status; OSError where it can't be listed."""
        status = Path(reachable(self._root)).stat()
        if f"{status.st_dev}:{status.st_ino}" != self.identity:
            self._distance.learn()
        if self._distance.near:
            with os.scandir(reachable(self._root)) as listing:
                next(listing, None)
        else:
            for _ in listed(reachable(self._root), contextlib.nullcontext()):
                break
        return status

    def firm(self) -> bool:
        """Whether it is, at this moment, the folder in which the known files were: only then is a missing file gone."""
        try:
            status = self._distance.ask(Path(reachable(self._root)).stat)
        except OSError:
            return False
        return f"{status.st_dev}:{status.st_ino}" == (self._remembered or self.identity)

    def judge(self, scan: Scan) -> bool:
        """After a whole scan: whether what it did not find is gone. Another folder in the old one's place, or an
        empty one, with none of the known files in it, is taken for a share that is not mounted."""
        nothing_left = scan.known == 0 and self._journal.known.any(self._camera)
        other = self._remembered is not None and self.identity != self._remembered
        if "" in scan.unreadable:
            why = os.strerror(scan.unreadable[""].errno or 0)
            self._conditions.raise_("FOLDER_UNREADABLE", self._camera, f"its listing breaks off: {why}")
            return False
        if nothing_left and (other or scan.entries == 0):
            if other and self.identity.split(":")[0] != (self._remembered or "").split(":")[0]:
                self._conditions.raise_("FOLDER_MISSING", self._camera, "another, without the known files, is there")
            else:
                self._conditions.clear("FOLDER_MISSING", self._camera)
            return False
        self._conditions.clear("FOLDER_MISSING", self._camera)
        if scan.unreadable:
            self._conditions.raise_("FOLDER_UNREADABLE", self._camera, f"{len(scan.unreadable)} folders in it")
        elif scan.hidden:
            self._conditions.raise_("FOLDER_UNREADABLE", self._camera, f"{len(scan.hidden)} files in it")
        else:
            self._conditions.clear("FOLDER_UNREADABLE", self._camera)
        if self.identity != self._remembered:
            self._journal.set_meta(self._meta, self.identity)
            self._remembered = self.identity
        return True
