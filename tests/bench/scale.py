"""What does not grow with the years: starts, rescans, decisions, the page."""

from __future__ import annotations

import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import peers
from corpus import export, many_small
from rig import ROOT, Agent, Sink
from row import Row, at_most

from irisdrop.profiles.config import load_config
from irisdrop.record.database import Database
from irisdrop.record.journal import Journal
from irisdrop.record.known import Fingerprint, Known, Standing
from irisdrop.record.text import stamp
from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.knock import knock
from irisdrop.vocabulary.clock import SystemClock


def know(folder: Path, known: Known) -> None:
    """Note every file below a folder as read."""
    for below in sorted(folder.iterdir()):
        noted = []
        for path in below.iterdir():
            found = path.stat()
            print_ = Fingerprint(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            noted.append((path.name, print_, Standing.SETTLED))
        known.note("room-1", below.name, noted)


def rescan(base: Path, count: int) -> Iterator[Row]:
    """A rescan of known files against a bare walk, and what a known file costs."""
    from irisdrop.arrival.scan import Scan

    folder = base / "exports"
    many_small(folder, count)
    database = Database(base / "journal.db", SystemClock())
    known = Known(database)
    know(folder, known)

    def scan() -> float:
        begin = time.perf_counter()
        for batch in Scan(str(folder), "room-1", known, lambda name: name.endswith(".JPG")).walk():
            assert not batch.found
        return time.perf_counter() - begin

    scan()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = [(scan(), peers.walk(folder)) for _ in range(5)]
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / count
    ours, limit = (statistics.median(side) for side in zip(*pairs, strict=True))
    figures = (f"{1000 * ours:.0f} ms", f"{1000 * limit:.0f} ms")
    yield at_most(f"rescan of {count} known / bare walk", *figures, ours / limit, 2.0)
    yield at_most(f"memory a known file, of {count}", f"{grown:.0f} bytes", "100 bytes", grown / 100)
    database.close()


def start(base: Path, count: int) -> Iterator[Row]:
    """From the start of the process until a file that came meanwhile is taken up, with many that are known; none of those
    is opened."""
    folder = base / "exports"
    many_small(folder, count)
    long_ago = time.time_ns() - 3 * 86_400 * 10**9
    for path in folder.rglob("*.JPG"):
        os.utime(path, ns=(long_ago, long_ago))  # whoever reads it now leaves his time
    with Sink() as sink:
        agent = Agent(base / "agent", sink.url, folder)
        (base / "agent" / "state").mkdir()
        journal = Journal.open(base / "agent" / "state" / "journal.db", SystemClock())
        know(folder, journal.known)
        journal.start_camera("room-1", str(folder), datetime.now(UTC), 0)
        journal.close()
        export(folder, 1, 46_000, first=count)
        with agent:
            took = agent.until(lambda: agent.count("SEEN") + agent.count("SETTLED") + agent.count("DELIVERED") > 0, 120)
            agent.until(lambda: agent.count("DELIVERED") == 1, 120)
    opened = sum(path.stat().st_atime_ns != long_ago for path in folder.rglob("*_R_*.JPG") if path.stat().st_size == 1)
    yield at_most(f"start with {count} known: working", f"{took:.1f} s", "5 s", took / 5)
    yield at_most(f"start with {count} known: opened", f"{opened} files", "0 files", float(opened), 0.0)


def decision(base: Path, sizes: tuple[int, int]) -> Iterator[Row]:
    """One decision with a small and a large worklist."""
    from irisdrop.matching.capture import Situation
    from irisdrop.matching.match import match
    from irisdrop.matching.worklist import gather
    from irisdrop.profiles.profile import load_profile
    from irisdrop.record.orders import Orders
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
        times = []
        for number in range(4000):
            said = (
                Reading("PatientID", f"{number * size // 4000:07}", "", "filename:PatientID"),
                Reading("ImageLaterality", "R", "R", "filename:ImageLaterality"),
            )
            begin = time.perf_counter()
            match(said, profile, situation, gather(orders, said, profile))
            times.append(time.perf_counter() - begin)
        took.append(statistics.median(times))
        database.close()
    few, many = took
    names = f"{sizes[1]:,} / {sizes[0]:,} orders"
    yield at_most(f"decision, {names}", f"{1e6 * many:.0f} µs", f"{1e6 * few:.0f} µs", many / few, 1.2)


def years(base: Path, sizes: tuple[int, int]) -> Iterator[Row]:
    """`status` and the page's first view, with few and with very many images in the journal."""
    figures: dict[str, list[float]] = {"status": [], "page": []}
    for size in sizes:
        with Sink() as sink:
            (base / f"exports-{size}").mkdir()
            agent = Agent(base / f"agent-{size}", sink.url, base / f"exports-{size}")
            (base / f"agent-{size}" / "state").mkdir()
            _fill(base / f"agent-{size}" / "state" / "journal.db", size)
            with agent:
                agent.until(agent.ready, 300)
                figures["page"].append(_page(agent))
                figures["status"].append(min(_status(agent) for _ in range(5)))
    for name, (few, many) in figures.items():
        label = f"{name}, {sizes[1]:,} / {sizes[0]:,} images"
        yield at_most(label, f"{1000 * many:.0f} ms", f"{1000 * few:.0f} ms", many / few, 1.5)


def _fill(path: Path, count: int) -> None:
    """Delivered images of some years, 300 a day."""
    database = Journal.open(path, SystemClock()).database
    now = time.time()
    said = json.dumps([["PatientID", "000815", "000815", "filename:PatientID", None]])
    with database.transaction():
        for first in range(0, count, 10_000):
            times = [
                stamp(datetime.fromtimestamp(now - n * 288, UTC)) for n in range(first, min(count, first + 10_000))
            ]
            database.executemany(
                "INSERT INTO images (state, camera, path, name, arrived, live, readings, recency, changed, eye) "
                "VALUES ('DELIVERED', 'room-1', ?, 'a.jpg', ?, 1, ?, ?, ?, 'R')",
                [(f"/x/{first + n}".encode(), at, said, at, at) for n, at in enumerate(times)],
            )
    database.close()


def _page(agent: Agent) -> float:
    """The best of ten, as the tray's user would open it."""
    port = load_config(agent.config).page.port
    pause = threading.Event()
    begin = time.monotonic()
    while True:
        try:
            admission = knock(port, secret_of(agent.base / "state"), "page", "bench")
            break
        except OSError:
            if time.monotonic() - begin > 60:
                raise
            pause.wait(0.1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    host = f"{admission.host}:{port}"
    connection.request("GET", f"/enter?code={admission.word}", headers={"Host": host})
    entered = connection.getresponse()
    entered.read()
    cookie = (entered.getheader("Set-Cookie") or "").partition(";")[0]
    took = []
    for _ in range(10):
        begin = time.perf_counter()
        connection.request("GET", "/", headers={"Host": host, "Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - begin)
        assert answer.status == 200, answer.status
    return min(took)


def _status(agent: Agent) -> float:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "irisdrop", "--config", str(agent.config), "status", "--json"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begin
