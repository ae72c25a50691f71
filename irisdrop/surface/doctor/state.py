"""The state folder: room, rights, the journal's soundness, and the conditions that it holds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from irisdrop.profiles.config import Spool as SpoolSettings
from irisdrop.record.budget import kept_free
from irisdrop.record.soundness import Soundness, examined
from irisdrop.record.system import network_file_system
from irisdrop.surface.doctor.finding import Case, Finding, broken, look, ok
from irisdrop.surface.page.shown import size

GIB: Final = 1 << 30
TIGHT: Final = 5 * GIB  # some 1,500 images of 3 MB
FULL: Final = GIB // 2
SCANNERS: Final = ("/opt/microsoft/mdatp", "/usr/sbin/clamonacc", "/opt/sophos-spl", "/opt/CrowdStrike")


def disk(case: Case) -> Iterator[Finding]:
    """Room for journal and spool, on a local disk, closed to others."""
    if case.config is None:
        return
    state = case.config.state
    there = next(folder for folder in (state, *state.absolute().parents) if folder.is_dir())
    kind = network_file_system(there)
    if kind is not None:
        yield broken(f"{state} is on a network drive ({kind})", "set `state:` to a folder on a local disk.")
    free = shutil.disk_usage(there).free
    text = f"{size(free)} free for {state}"
    if free < FULL:
        yield broken(text, "make room, or images stay in the camera's folder.")
    elif free < TIGHT:
        yield look(text, "make room: that is some days of images only.")
    else:
        yield ok(text)
    yield from _budget(case.config.spool, state / "spool", free, kept_free(there, case.config.spool.reserve))
    if os.name == "posix" and state.is_dir():
        yield from _closed(state)
    yield from _scanners(state)


def _budget(settings: SpoolSettings, spool: Path, free: int, reserve: int) -> Iterator[Finding]:
    """What the spool takes, and how far it may grow: by its limit, and by what stays free of the disk."""
    used = sum(path.stat().st_size for path in spool.rglob("*") if path.is_file()) if spool.is_dir() else 0
    room = max(0, free - reserve)
    takes = f"the spool takes {size(used)}"
    kept = f"{size(reserve)} of the disk stay free (`spool: reserve`)"
    if room == 0:
        yield broken(f"{takes} and may not grow: {kept}", "make room on the disk, or lower `spool: reserve`.")
    elif settings.limit is None:
        yield ok(f"{takes} and may grow by {size(room)}: " + (kept if reserve else "until the disk is full"))
    elif settings.limit - used > room:
        more = f"of {size(settings.limit)}, but may grow by {size(room)} only: {kept}"
        yield look(f"{takes} {more}", "make room, or lower the limit.")
    else:
        yield ok(f"{takes} of {size(settings.limit)}")


def _closed(state: Path) -> Iterator[Finding]:
    open_ones = [
        path.name for path in (state / "journal.db", state / "spool") if path.exists() and path.stat().st_mode & 0o007
    ]
    if open_ones:
        yield look(f"{' and '.join(open_ones)} in {state} can be read by every account", f"chmod -R o= {state}")
    else:
        yield ok(f"journal and spool in {state} are closed to other accounts")


def _scanners(state: Path) -> Iterator[Finding]:
    remedy = f"exclude {state} and the camera folders from on-access scanning: it locks files that are being taken."
    if sys.platform == "win32":
        yield look("Windows has an antivirus that scans what is written", remedy)
    elif any(Path(place).exists() for place in SCANNERS):
        yield look("an antivirus that scans what is written is installed", remedy)
    else:
        yield ok("none of the antivirus programs that lock files while they are written was found")


def journal(case: Case) -> Iterator[Finding]:
    """Whether every page of the journal is sound and its audit trail whole; read only, whether the agent runs or not."""
    if case.config is None:
        return
    path = case.config.state / "journal.db"
    if not path.exists():
        yield look("there is no journal yet", "it is made by the first `irisdrop run`.")
        return
    try:
        found = examined(path)
    except PermissionError:
        yield broken(f"this account may not read {path}", "run it with the service's account or as an administrator.")
        return
    yield from _told(found)


def _told(found: Soundness) -> Iterator[Finding]:
    if found.damage:
        yield broken(
            f"the journal is damaged ({found.damage})",
            "restart the agent: it sets the journal aside and rebuilds it from the spool.",
        )
        return
    yield ok(f"every page of the journal is sound ({found.size >> 20} MiB, {found.images} images)")
    if found.behind:
        yield look(f"the journal lacks {', '.join(found.behind)}", "the agent upgrades it when it starts.")
    if found.ahead:
        yield broken(
            f"the journal was written by a newer irisdrop ({', '.join(found.ahead)})", "install the newer one."
        )
    if found.audit_wrong is not None:
        yield broken(
            f"record {found.audit_wrong} of the audit trail is not as it was written", "see `irisdrop audit verify`."
        )


def health(case: Case) -> Iterator[Finding]:
    """The conditions that `irisdrop status` shows."""
    path = None if case.config is None else case.config.state / "journal.db"
    if path is None or not path.exists():
        return
    try:
        conditions = examined(path, thorough=False).conditions
    except PermissionError:
        return
    for condition in conditions:
        text = f"{condition.subject}: {condition.title}"
        if condition.severity == "error":
            yield broken(text, condition.remedy)
        elif condition.severity == "warning":
            yield look(text, condition.remedy)
        else:
            yield ok(text)
    if not conditions:
        yield ok("nothing is known to be unwell")
