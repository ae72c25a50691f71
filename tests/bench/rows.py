"""How fast images go, each figure beside its limit and its peers in the same run."""

from __future__ import annotations

import hashlib
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

import peers
from corpus import export, photograph
from rig import ROOT, Agent, Sink, free_port, until_open
from row import Row, at_most, told

SETTLE = 2.0


def throughput(base: Path, count: int, size: int, goal: float) -> Iterator[Row]:
    """Settle → delivered for files that are all there at once, against the bare loop on the same files."""
    folder = base / "exports"
    folder.mkdir(parents=True)
    files = export(folder, count, size)
    with Sink() as sink, Agent(base / "agent", sink.url, folder) as agent:
        agent.until(lambda: agent.count("SETTLED") + agent.count("MATCHED") + agent.count("DELIVERED") > 0, 120)
        took = agent.until(lambda: agent.count("DELIVERED") == count, 600)
        spent = sum(agent.process.cpu_times()[:2])
    ours = count / took
    with Sink() as sink:
        limit = peers.bare(files, sink.url, base / "bare")
        loop = peers.naive(files, sink.url)
        copied = peers.rclone(files[:300], sink.url)
    label = f"{count} × {size / 1e6:g} MB"
    yield Row(f"{label} / bare loop", f"{ours:.0f} files/s", f"{limit:.0f} files/s", ours / limit, goal)
    yield Row(f"{label} / naive loop", f"{ours:.0f} files/s", f"{loop:.0f} files/s", ours / loop, 1.0)
    if copied is None:
        yield told(f"{label} / rclone copy", "rclone is not installed")
    else:
        yield Row(f"{label} / rclone copy", f"{ours:.0f} files/s", f"{copied:.0f} files/s", ours / copied, 5.0)
    yield told(f"{label}: CPU", f"{1000 * spent / count:.1f} ms a file")


def latency(base: Path, tries: int) -> Iterator[Row]:
    """Last byte written → first byte uploaded, one image at a time on an idle agent, less the quiet time."""
    folder = base / "exports"
    folder.mkdir(parents=True)
    with Sink() as sink, Agent(base / "agent", sink.url, folder) as agent:
        agent.until(agent.ready, 60)
        took = [_beyond_settle(sink, folder, number) for number in range(tries)]
    yield at_most("one image, idle: beyond settle", _shown(took), "100 ms", _worst(took) / 0.1)


def backlog(base: Path, count: int, tries: int) -> Iterator[Row]:
    """The same for an image of today while many of yesterday are being sent; and what another program's write to the
    same disk waits meanwhile."""
    folder, camera = base / "exports", base / "camera"
    folder.mkdir(parents=True)
    camera.mkdir()
    export(folder, count, 46_000, first=10_000, days_ago=1)
    still = [_write(camera) for _ in range(200)]
    took, beside, pause = [], [], threading.Event()
    with Sink() as sink, Agent(base / "agent", sink.url, folder) as agent:
        agent.until(lambda: agent.count("DELIVERED") > 0, 120)
        for number in range(tries):
            took.append(_beyond_settle(sink, folder, number))
            for _ in range(10):
                beside.append(_write(camera))
                pause.wait(0.02)
        left = count + tries - agent.count("DELIVERED")
    yield at_most(f"one image behind {count} (left {left})", _shown(took), "2,000 ms", _worst(took) / 2)
    figures = (f"p99 {1000 * _worst(beside):.1f} ms", f"alone {1000 * _worst(still):.1f} ms")
    yield at_most("4 KB written and flushed beside it", *figures, _worst(beside) / 0.1)


def _beyond_settle(sink: Sink, folder: Path, number: int) -> float:
    (path,) = export(folder, 1, 300_000, first=number)
    begin = time.monotonic()
    return sink.first_byte(hashlib.sha256(path.read_bytes()).hexdigest()) - begin - SETTLE


def _write(folder: Path) -> float:
    """Seconds that a small durable write takes, as the camera's own software makes it."""
    begin = time.perf_counter()
    with (folder / "export.tmp").open("wb", buffering=0) as file:
        file.write(b"x" * 4096)
        os.fsync(file.fileno())
    return time.perf_counter() - begin


def _worst(took: list[float]) -> float:
    """The 99th of a hundred."""
    return sorted(took)[max(0, math.ceil(0.99 * len(took)) - 1)]


def _shown(took: list[float]) -> str:
    return f"p50 {1000 * statistics.median(took):.0f} ms, p99 {1000 * _worst(took):.0f} ms"


def dicom(base: Path, count: int, size: int) -> Iterator[Row]:
    """C-STORE to DCMTK's storescp, beside storescu with as many associations."""
    name = f"{count} × {size / 1e6:g} MB by C-STORE / storescu"
    folder, received, port = base / "exports", base / "received", free_port()
    folder.mkdir()
    received.mkdir()
    parcels = [photograph(folder, number, size) for number in range(count)]
    words = ["storescp", "--fork", "-aet", "STORESCP", "+xa", "--ignore", str(port)]
    try:
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        yield told(name, "DCMTK is not installed")
        return
    try:
        until_open(port)
        theirs = peers.storescu(folder, ("127.0.0.1", port), count, peers.CONNECTIONS)
        ours = _stored(base, port, parcels)
    finally:
        server.kill()
        server.wait()
    if theirs is None:
        yield told(name, "storescu failed")
    else:
        yield Row(name, f"{ours:.0f} images/s", f"{theirs:.0f} images/s", ours / theirs, 0.8)


def _stored(base: Path, port: int, parcels: list[object]) -> float:
    from zoneinfo import ZoneInfo

    from irisdrop.platforms.association import Peer
    from irisdrop.platforms.dimse import DimsePlatform
    from irisdrop.platforms.instance import Maker
    from irisdrop.platforms.workbench import Workbench
    from irisdrop.vocabulary.deliveries import Uploaded

    maker = Maker(Workbench(base / "outgoing"), ZoneInfo("UTC"))
    platform = DimsePlatform(Peer("127.0.0.1", port, "STORESCP", "IRISDROP"), maker, query=False)
    begin = time.perf_counter()
    with ThreadPoolExecutor(peers.CONNECTIONS) as pool:
        answers = list(pool.map(platform.deliver, parcels))  # type: ignore[arg-type]
    took = time.perf_counter() - begin
    platform.close()
    assert all(isinstance(answer, Uploaded) for answer in answers), {type(answer).__name__ for answer in answers}
    return len(parcels) / took


def parsing(base: Path, count: int) -> Iterator[Row]:
    """Exif out of JPEGs, by a parser that may be killed, beside exiftool that stays open."""
    from irisdrop.identity.contents import Wanted
    from irisdrop.identity.sandbox import Parsers

    files = export(base, count, 300_000)
    wanted = Wanted(exif=frozenset({"Make", "ImageDescription"}))
    with Parsers() as parsers:
        parsers.read(files[0], wanted)
        begin = time.perf_counter()
        for path in files:
            assert parsers.read(path, wanted).exif
        ours = count / (time.perf_counter() - begin)
    theirs = peers.exiftool(files)
    name = "Exif of 0.3 MB JPEGs / exiftool -stay_open"
    if theirs is None:
        yield told(name, "exiftool is not installed")
    else:
        yield Row(name, f"{ours:.0f} files/s", f"{theirs:.0f} files/s", ours / theirs, 1.0)


def size(base: Path) -> Iterator[Row]:
    """How long the smallest commands take, and what the core takes on the disk with all that it needs."""
    (path,) = export(base, 1, 300_000)
    commands = {
        "--version": (["--version"], 0.15),
        "explain of a JPEG": (["explain", str(path), "--profile", "topcon-nw400", "--json"], 0.4),
    }
    for name, (words, goal) in commands.items():
        took = min(_seconds([sys.executable, "-m", "irisdrop", *words]) for _ in range(5))
        yield at_most(name, f"{1000 * took:.0f} ms", f"{1000 * goal:.0f} ms", took / goal)
    ours = sum(file.stat().st_size for part in ("irisdrop", "rules") for file in (ROOT / part).rglob("*.*"))
    needed = _needed(_core())
    whole = (ours + sum(_on_disk(name) for name in needed)) / 1e6
    yield at_most("installed: the core", f"{whole:.0f} MB in {len(needed)} packages", "80 MB", whole / 80)


def _core() -> list[str]:
    """The packages that setup.cfg says the core needs."""
    lines = (ROOT / "setup.cfg").read_text().partition("install_requires =")[2].partition("\n[")[0].splitlines()
    return [line.strip() for line in lines if line.strip() and "sys_platform" not in line]


def _needed(words: list[str]) -> set[str]:
    """The packages of some requirements, and those that they need, without extras and other systems."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [Requirement(word) for word in words]
    while waiting:
        one = waiting.pop()
        if one.name in found or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(one.name)
        waiting += [Requirement(word) for word in requires(one.name) or ()]
    return found


def _on_disk(package: str) -> int:
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return 0
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def hashing(base: Path) -> Iterator[Row]:
    """The machine's own limits, to read the others by."""
    block = os.urandom(1 << 20)
    begin = time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(256):
        digest.update(block)
    rate = 256 * (1 << 20) / (time.perf_counter() - begin) / 1e6
    path = base / "fsync"
    begin = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
    sync = (time.perf_counter() - begin) / 200
    yield told("this machine", f"sha256 {rate:.0f} MB/s, fsync {1000 * sync:.2f} ms, load {os.getloadavg()[0]:.1f}")


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begin
