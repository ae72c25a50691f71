"""What others do with the same files on the same machine: a bare loop, the naive loop, and tools that are installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

CONNECTIONS = 4
_own = threading.local()


def session() -> requests.Session:
    """One connection for each thread."""
    if not hasattr(_own, "session"):
        _own.session = requests.Session()
        _own.session.trust_env = False
    found: requests.Session = _own.session
    return found


def bare(files: list[Path], url: str, spool: Path) -> float:
    """SHA-256, write, fsync, `requests.put` with the agent's number of connections; returns files a second."""
    spool.mkdir(exist_ok=True)

    def one(path: Path) -> None:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        with (spool / digest).open("wb") as copy:
            copy.write(content)
            copy.flush()
            os.fsync(copy.fileno())
        with (spool / digest).open("rb") as copy:
            session().put(f"{url}/images/{digest}", data=copy, timeout=60).raise_for_status()

    return _pooled(files, one)


def naive(files: list[Path], url: str) -> float:
    """What a first script does: read the Exif, hash, put; no journal, no spool, one after another."""
    import exifread

    begin = time.perf_counter()
    for path in files:
        with path.open("rb") as file:
            exifread.process_file(file, details=False)
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        session().put(f"{url}/images/{digest}", data=content, timeout=60).raise_for_status()
    return len(files) / (time.perf_counter() - begin)


def rclone(folder: Path, url: str, count: int) -> float | None:
    """`rclone copy` to the same server by WebDAV; None where it is not installed or the server is none to it."""
    if shutil.which("rclone") is None:
        return None
    begin = time.perf_counter()
    done = subprocess.run(
        ["rclone", "copy", str(folder), f":http,url='{url}':", "--transfers", str(CONNECTIONS)], capture_output=True
    )
    return count / (time.perf_counter() - begin) if done.returncode == 0 else None


def walk(folder: Path) -> float:
    """Seconds of a bare `os.scandir` walk with a stat for each file."""
    begin = time.perf_counter()
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    waiting.append(item.path)
                else:
                    item.stat(follow_symlinks=False)
    return time.perf_counter() - begin


def _pooled(files: Iterable[Path], one: object) -> float:
    listed = list(files)
    begin = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(one, listed))  # type: ignore[arg-type]
    return len(listed) / (time.perf_counter() - begin)
