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


def rclone(files: list[Path], url: str) -> float | None:
    """`rclone copy` to the same server by WebDAV, files a second; None where it is not installed."""
    if shutil.which("rclone") is None:
        return None
    place = f":webdav,url='{url.removesuffix('/v1')}/dav/',vendor=other:"
    words = ["--transfers", str(CONNECTIONS), "--checkers", str(CONNECTIONS), "--config", os.devnull]
    words += ["--files-from", "-", "--no-traverse"]
    names = "\n".join(path.name for path in files)
    begin = time.perf_counter()
    subprocess.run(
        ["rclone", "copy", str(files[0].parent), place, *words], input=names, text=True, capture_output=True, check=True
    )
    return len(files) / (time.perf_counter() - begin)


def exiftool(files: list[Path]) -> float | None:
    """`exiftool -stay_open`, asked for two tags of one file after another, files a second; None where it is missing."""
    if shutil.which("exiftool") is None:
        return None
    with subprocess.Popen(
        ["exiftool", "-stay_open", "True", "-@", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        begin = time.perf_counter()
        for path in files:
            running.stdin.write(f"-json\n-Make\n-ImageDescription\n{path}\n-execute\n")
            running.stdin.flush()
            while "{ready}" not in running.stdout.readline():
                pass
        took = time.perf_counter() - begin
        running.stdin.write("-stay_open\nFalse\n")
    return len(files) / took


def storescu(folder: Path, address: tuple[str, int], count: int, associations: int) -> float | None:
    """DCMTK's `storescu` with so many at once, instances a second; None where it is missing."""
    if shutil.which("storescu") is None:
        return None
    shares: list[list[str]] = [[] for _ in range(associations)]
    for number, path in enumerate(sorted(folder.iterdir())):
        shares[number % associations].append(str(path))
    begin = time.perf_counter()
    running = [subprocess.Popen(["storescu", "-xy", address[0], str(address[1]), *share]) for share in shares]
    if any(process.wait() for process in running):
        return None
    return count / (time.perf_counter() - begin)


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
