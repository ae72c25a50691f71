"""What an agent costs that has nothing to do, with the folders of five cameras."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from corpus import export
from rig import Agent, Sink
from row import Row, at_most, told

from irisdrop.profiles.config import load_config
from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.knock import knock
from irisdrop.surface.tray.line import Line

CAMERAS = 5
RETIRED = 70.0  # seconds after which the parsers are gone
TRAY = 2.0  # seconds between the tray's looks


def rest(base: Path, seconds: float) -> Iterator[Row]:
    """Without the page, then with the page open in a browser and a tray connected."""
    yield from _at_rest(base / "alone", seconds, page=False, most=60)
    yield from _at_rest(base / "seen", seconds, page=True, most=80)


def _at_rest(base: Path, seconds: float, *, page: bool, most: float) -> Iterator[Row]:
    folders = [base / f"exports-{number}" for number in range(CAMERAS)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        export(folder, 4, 100_000, first=4 * number)
    stop = threading.Event()
    with Sink() as sink, Agent(base / "agent", sink.url, *folders, page=page) as agent:
        agent.until(lambda: agent.count("DELIVERED") == 4 * CAMERAS, 60)
        if page:
            port = load_config(agent.config).page.port
            line = Line(agent.base / "state", port, "bench")
            threading.Thread(target=_look, args=(line, stop), daemon=True).start()
            threading.Thread(target=_listen, args=(agent.base / "state", port), daemon=True).start()
        stop.wait(RETIRED)
        yield from _figures(agent, seconds, " with page and tray" if page else "", most)
        stop.set()


def _look(line: Line, stop: threading.Event) -> None:
    while not stop.wait(TRAY):
        line.look()


def _listen(state: Path, port: int) -> None:
    """What a browser does that shows the page: it hears of every change."""
    came = knock(port, secret_of(state), "page", "bench")
    host = {"Host": f"{came.host}:{port}"}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/enter?code={came.word}", headers=host)
    entered = connection.getresponse()
    entered.read()
    cookie = (entered.headers["Set-Cookie"] or "").partition(";")[0]
    connection.request("GET", "/live", headers=host | {"Cookie": cookie})
    with contextlib.suppress(OSError, http.client.HTTPException):  # the agent ends it
        while connection.getresponse().readline():
            pass


def _figures(agent: Agent, seconds: float, where: str, most: float) -> Iterator[Row]:
    pause = threading.Event()
    tree = agent.tree()
    spent = sum(sum(process.cpu_times()[:2]) for process in tree)
    written = agent.process.io_counters().write_bytes
    woken = _switches(agent)
    pause.wait(seconds)
    share = 100 * (sum(sum(process.cpu_times()[:2]) for process in tree) - spent) / seconds
    writes = agent.process.io_counters().write_bytes - written
    wakes = (_switches(agent) - woken) / seconds
    resident = sum(process.memory_info().rss for process in agent.tree()) / 2**20
    yield at_most(f"at rest{where}: resident", f"{resident:.0f} MiB", f"{most:g} MiB", resident / most)
    yield at_most(f"at rest{where}: CPU", f"{share:.2f} % of a core", "0.3 %", share / 0.3)
    yield at_most(f"at rest{where}: written", f"{writes} bytes", "0 bytes", float(writes), 0.0)
    yield told(f"at rest{where}: wake-ups", f"{wakes:.1f} a second")
    yield told(f"at rest{where}: system calls", _calls(agent, min(20.0, seconds)))


def _switches(agent: Agent) -> int:
    """Voluntary context switches of every thread: each is a thread that had been asleep."""
    tasks = Path(f"/proc/{agent.process.pid}/task").glob("*/status")
    return sum(int(re.findall(r"\nvoluntary_ctxt_switches:\s+(\d+)", task.read_text())[0]) for task in tasks)


def _calls(agent: Agent, seconds: float) -> str:
    """What `strace -c` counts."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    words = ["timeout", "-s", "INT", f"{seconds:g}", "strace", "-c", "-f", "-p", str(agent.process.pid)]
    told_ = subprocess.run(words, capture_output=True, text=True).stderr
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", told_, re.MULTILINE)
    counts = {name: int(count) for count, name in rows if name != "total"}
    if not counts:
        return "strace could not attach"
    most = sorted(counts.items(), key=lambda item: -item[1])[:3]
    return f"{sum(counts.values()) / seconds:.0f}/s ({', '.join(f'{name} {n / seconds:.0f}' for name, n in most)})"
