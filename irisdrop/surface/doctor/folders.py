"""The cameras' folders: readable, how changes are noticed, and with `--probe` how the file system behaves."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.record.system import network_file_system
from irisdrop.surface.doctor.finding import Case, Finding, broken, look, ok

if TYPE_CHECKING:
    from irisdrop.profiles.config import CameraSettings

INOTIFY: Final = Path("/proc/sys/fs/inotify")
WATCHES: Final = 8192  # one for each sub-folder
EVENT_WITHIN: Final = 2.0  # seconds
COUNTED: Final = 20_000  # folders


def folders(case: Case) -> Iterator[Finding]:
    """Each camera's folder."""
    for camera in case.config.cameras if case.config else ():
        for finding in _folder(camera, case.probe):
            yield Finding(finding.grade, f"{camera.name}: {finding.text}", finding.remedy)


def _folder(camera: CameraSettings, probe: bool) -> Iterator[Finding]:
    folder = camera.folder
    if sys.platform == "win32" and not folder.drive.startswith("\\\\") and not Path(folder.anchor).exists():
        yield broken(
            f"there is no drive {folder.drive} for this account: mapped drives don't exist for services",
            r"write the folder as \\server\share\… in the configuration; `net use` shows the name.",
        )
        return
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except FileNotFoundError:
        yield broken("its folder is not there", "connect the share or create the folder.")
        return
    except OSError as error:
        yield broken(f"its folder can't be read ({error.strerror}){_owned(folder)}", "give this account read access.")
        return
    kind = network_file_system(folder)
    where = f"on a network file system ({kind}), looked through every few seconds" if kind else "on a local disk"
    yield ok(f"its folder can be read, {where}")
    if camera.after.leave is False and not os.access(folder, os.W_OK):
        yield broken("delivered files can't be moved or deleted by this account", "give it write access, or `leave`.")
    if probe:
        yield from _probed(folder)


def _owned(folder: Path) -> str:
    """By whom it can be read, where the system tells."""
    if sys.platform == "win32":
        return ""
    with suppress(OSError, KeyError):
        status = folder.stat()
        return f"; it belongs to {folder.owner()}, group {folder.group()}, mode {status.st_mode & 0o777:o}"
    return ""


def _probed(folder: Path) -> Iterator[Finding]:
    """With a file of our own, which is removed again."""
    probe = folder / f".irisdrop-{secrets.token_hex(8)}.probe"
    renamed = probe.with_suffix(".moved")
    try:
        probe.write_bytes(b"")
    except OSError as error:
        yield ok(f"not probed: this account may not write there ({error.strerror}), and need not")
        return
    try:
        yield from _granularity(probe)
        yield from _events(probe, renamed)
    finally:
        for left in (probe, renamed):
            left.unlink(missing_ok=True)


def _granularity(probe: Path) -> Iterator[Finding]:
    os.utime(probe, ns=(1_700_000_000_123_456_789,) * 2)
    kept = probe.stat().st_mtime_ns % 1_000_000_000
    unit = next(
        (text for step, text in ((1, "1 ns"), (100, "100 ns"), (1_000_000, "1 ms")) if kept % (step * 10)), "1 s"
    )
    difference = abs(time.time() - _touched(probe))
    if difference > 5:
        yield look(f"its clock is {difference:.0f} s away from this computer's", "set the clock of the server.")
    yield ok(f"times are kept to {unit}")


def _touched(probe: Path) -> float:
    probe.write_bytes(b"probe")
    return probe.stat().st_mtime


def _events(probe: Path, renamed: Path) -> Iterator[Finding]:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    came = threading.Event()

    class Hearing(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if renamed.name in (Path(str(event.src_path)).name, Path(str(event.dest_path)).name):
                came.set()

    observer = Observer()
    observer.schedule(Hearing(), str(probe.parent))
    observer.start()
    try:
        with probe.open("r+b") as held:
            told = _renamed(probe, renamed)
            held.write(b"!")
        if not renamed.exists():
            probe.rename(renamed)
        yield ok(told)
        yield (
            ok("events arrive") if came.wait(EVENT_WITHIN) else ok("no events: it is looked through every few seconds")
        )
    finally:
        observer.stop()
        observer.join()


def _renamed(probe: Path, renamed: Path) -> str:
    try:
        probe.rename(renamed)
    except OSError:
        return "a file that is held open can't be renamed"
    return "a file that is held open can be renamed"


def limits(case: Case) -> Iterator[Finding]:
    """Whether the system lets us watch every sub-folder."""
    if not INOTIFY.is_dir():
        yield ok("the system has no limit on watched folders that is known")
        return
    watches = int((INOTIFY / "max_user_watches").read_text())
    instances = int((INOTIFY / "max_user_instances").read_text())
    below = sum(_below(camera.folder) for camera in (case.config.cameras if case.config else ()))
    text = (
        f"{below} {'folder' if below == 1 else 'folders'} to watch, {watches} allowed, by {instances} watchers at most"
    )
    if watches < max(WATCHES, 2 * below):
        yield look(text, f"sysctl fs.inotify.max_user_watches={max(WATCHES, 4 * below)} (and in /etc/sysctl.d).")
    else:
        yield ok(text)


def _below(folder: Path) -> int:
    count, left = 0, [str(folder)]
    while left and count < COUNTED:
        count += 1
        with suppress(OSError), os.scandir(left.pop()) as entries:
            left += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return count
