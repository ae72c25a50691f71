"""The figures, each measured beside its limit in the same run."""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import peers
from corpus import export, many_small
from rig import ROOT, Agent, Sink

SETTLE = 2.0


@dataclass(frozen=True)
class Row:
    """One figure: `ratio` is what is compared with `goal`; `at_least` says in which direction."""

    name: str
    figure: str
    beside: str
    ratio: float
    goal: float
    at_least: bool = True

    @property
    def meets(self) -> bool:
        """Whether the goal is met."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


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
    label = f"{count} × {size / 1e6:g} MB"
    yield Row(f"{label} / bare loop", f"{ours:.0f} files/s", f"{limit:.0f} files/s", ours / limit, goal)
    yield Row(f"{label} / naive loop", f"{ours:.0f} files/s", f"{loop:.0f} files/s", ours / loop, 1.0)
    yield Row(f"{label}: CPU", f"{1000 * spent / count:.1f} ms a file", "", 1.0, 1.0)


def latency(base: Path, tries: int) -> Iterator[Row]:
    """Last byte written → delivered, one image at a time on an idle agent, less the quiet time."""
    folder = base / "exports"
    folder.mkdir(parents=True)
    took = []
    with Sink() as sink, Agent(base / "agent", sink.url, folder) as agent:
        agent.until(agent.ready, 30)
        for number in range(tries):
            (path,) = export(folder, 1, 300_000, first=number)
            begin = time.monotonic()
            agent.until(lambda: agent.count("DELIVERED") == number + 1, 30)  # noqa: B023
            took.append(time.monotonic() - begin - SETTLE)
            path.unlink()
    worst = sorted(took)[int(0.99 * (len(took) - 1))]
    figure = f"p50 {1000 * statistics.median(took):.0f} ms, p99 {1000 * worst:.0f} ms"
    yield Row("one image, idle: beyond settle", figure, "100 ms", worst / 0.1, 1.0, at_least=False)


def rescan(base: Path, count: int) -> Iterator[Row]:
    """A rescan of known files against a bare walk, and what a known file costs."""
    from irisdrop.arrival.scan import Scan
    from irisdrop.record.database import Database
    from irisdrop.record.known import Fingerprint, Known, Standing
    from irisdrop.vocabulary.clock import SystemClock

    folder = base / "exports"
    many_small(folder, count)
    database = Database(base / "journal.db", SystemClock())
    known = Known(database)
    for below in sorted(folder.iterdir()):
        noted = []
        for path in below.iterdir():
            found = path.stat()
            print_ = Fingerprint(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            noted.append((path.name, print_, Standing.SETTLED))
        known.note("room-1", below.name, noted)

    def scan() -> float:
        begin = time.perf_counter()
        for batch in Scan(str(folder), "room-1", known, lambda name: name.endswith(".JPG")).walk():
            assert not batch.found
        return time.perf_counter() - begin

    scan()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = [(scan(), peers.walk(folder)) for _ in range(5)]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ours, limit = (statistics.median(side) for side in zip(*pairs, strict=True))
    yield Row(
        f"rescan of {count} known / bare walk",
        f"{1000 * ours:.0f} ms",
        f"{1000 * limit:.0f} ms",
        ours / limit,
        2.0,
        at_least=False,
    )
    yield Row(
        "memory a known file", f"{1024 * grown / count:.0f} bytes", "100 bytes", 1024 * grown / count / 100, 1.0, False
    )
    database.close()


def decision(base: Path, sizes: tuple[int, int]) -> Iterator[Row]:
    """One decision with a small and a large worklist."""
    from datetime import UTC, datetime

    from irisdrop.matching.capture import Situation
    from irisdrop.matching.match import match
    from irisdrop.matching.worklist import gather
    from irisdrop.profiles.profile import load_profile
    from irisdrop.record.database import Database
    from irisdrop.record.orders import Orders
    from irisdrop.vocabulary.clock import SystemClock
    from irisdrop.vocabulary.images import Reading
    from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry

    profile, now = load_profile("topcon-nw400"), datetime.now(UTC)
    situation = Situation(UTC, now, live=True)
    took = []
    for size in sizes:
        database = Database(base / f"worklist-{size}.db", SystemClock())
        orders = Orders(database, SystemClock())
        for first in range(0, size, 50_000):
            rows = tuple(
                WorklistEntry(f"E{n}", {"PatientID": f"{n:07}", "AccessionNumber": f"A{n}"}, now)
                for n in range(first, min(size, first + 50_000))
            )
            orders.apply(WorklistChanges(rows, (), "c", full=False))
        begin = time.perf_counter()
        for number in range(2000):
            said = (
                Reading("PatientID", f"{number * size // 2000:07}", "", "filename:PatientID"),
                Reading("ImageLaterality", "R", "R", "filename:ImageLaterality"),
            )
            match(said, profile, situation, gather(orders, said, profile))
        took.append((time.perf_counter() - begin) / 2000)
        database.close()
    few, many = took
    names = f"{sizes[1]:,} / {sizes[0]:,} orders"
    yield Row(f"decision, {names}", f"{1e6 * many:.0f} µs", f"{1e6 * few:.0f} µs", many / few, 1.2, at_least=False)


def rest(base: Path, seconds: float) -> Iterator[Row]:
    """What an idle agent costs."""
    folder = base / "exports"
    folder.mkdir(parents=True)
    export(folder, 20, 100_000)
    pause = threading.Event()
    with Sink() as sink, Agent(base / "agent", sink.url, folder) as agent:
        agent.until(lambda: agent.count("DELIVERED") == 20, 60)
        pause.wait(70)  # the parsers retire after a minute without work
        tree = agent.tree()
        spent = [sum(process.cpu_times()[:2]) for process in tree]
        written = agent.process.io_counters().write_bytes
        woken = agent.process.num_ctx_switches().voluntary
        pause.wait(seconds)
        cpu = sum(sum(process.cpu_times()[:2]) for process in tree) - sum(spent)
        resident = sum(process.memory_info().rss for process in tree) / 2**20
        share = 100 * cpu / seconds
        writes = agent.process.io_counters().write_bytes - written
        wakes = (agent.process.num_ctx_switches().voluntary - woken) / seconds
    yield Row("at rest: resident", f"{resident:.0f} MiB", "60 MiB", resident / 60, 1.0, at_least=False)
    yield Row("at rest: CPU", f"{share:.2f} % of a core", "0.3 %", share / 0.3, 1.0, at_least=False)
    yield Row("at rest: written", f"{writes} bytes", "0", float(writes), 0.0, at_least=False)
    yield Row("at rest: wake-ups", f"{wakes:.1f} a second", "", 1.0, 1.0)


def size(base: Path) -> Iterator[Row]:
    """How long the smallest commands take."""
    (path,) = export(base, 1, 300_000)
    commands = {
        "--version": (["--version"], 0.15),
        "explain of a JPEG": (["explain", str(path), "--profile", "topcon-nw400", "--json"], 0.4),
    }
    for name, (words, goal) in commands.items():
        took = min(_seconds([sys.executable, "-m", "irisdrop", *words]) for _ in range(5))
        yield Row(name, f"{1000 * took:.0f} ms", f"{1000 * goal:.0f} ms", took / goal, 1.0, at_least=False)


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
    yield Row("this machine", f"sha256 {rate:.0f} MB/s, fsync {1000 * sync:.2f} ms", "", 1.0, 1.0)


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begin
