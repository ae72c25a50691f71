"""A clinic whose patients can be found by grep, and everything that irisdrop writes about their images.

Run as a program with the root of the code to try, it prints {"paths": [name…], "leaks": [[name, marker, excerpt]…]}.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FAMILY, GIVEN, NUMBER, ORDER, BORN = "Qzarnova", "Wxenia", "QZ7719X03", "ACZQ55871", "1931-07-19"
MARKERS = (FAMILY, GIVEN, NUMBER, ORDER, BORN, BORN.replace("-", ""), "07/19/1931")
TODAY = datetime.now(UTC).strftime("%Y%m%d")

PROFILE = """\
irisdrop: 1
title: The camera that talks
status: sampled
modality: OP
files: {take: ["*"], skip: ["._*"]}
settle: 0.1s
patience: 0s
read:
  - filename: '(?P<AcquisitionDate>\\d{8})_(?P<PatientID>[A-Z0-9]+)_(?P<ImageLaterality>[RLX])(?:_\\w+)?\\.(?:jpg|dcm|png|tif)'
  - exif: {ImageDescription: PatientName, Artist: PatientBirthDate}
match: [PatientID]
agree: [PatientName]
examples:
  - {file: 20250114_AB1_R.jpg, gives: {PatientID: AB1}}
  - {file: x.jpg, refuses: NO_KEYS}
"""

CONFIG = """\
state: state
platform: {{kind: http, url: '{url}'}}
worklist: {{from: platform, every: 1s}}
undo: 0s
cameras:
  - {{name: room-1, profile: camera.yaml, folder: exports}}
page: {{port: {port}}}
"""

# What fails inside, with a patient in the exception's text, and whether `run` goes on after it.
INSIDE = {
    "the worklist's sync": "irisdrop.matching.worklist.Worklist.sync",
    "deciding": "irisdrop.decide.match",
    "identifying": "irisdrop.reading.identify",
    "the journal's move": "irisdrop.record.journal.Journal.decide",
    "the twin's question": "irisdrop.decide.twin_of",
    "taking a file": "irisdrop.record.journal.Journal.settle",
    "noticing files": "irisdrop.record.journal.Journal.see",
    "sending": "irisdrop.platforms.http.HttpPlatform.deliver",
    "the end of an attempt": "irisdrop.record.attempts.Attempts.end",
}

COMMANDS = {
    "status": "irisdrop.surface.commands.status.records",
    "explain": "irisdrop.surface.commands.explain.as_json",
    "quarantine": "irisdrop.surface.commands.quarantine.records",
    "worklist": "irisdrop.surface.commands.worklist.records",
    "check": "irisdrop.surface.commands.check._targets",
    "adopt": "irisdrop.surface.commands.adopt.records",
    "audit": "irisdrop.surface.commands.audit.records",
    "bundle": "irisdrop.surface.support._packed",
    "inspect": "irisdrop.surface.commands.inspect.as_json",
    "run": "irisdrop.agent.Agent.once",
}
WORDS = {
    "explain": ["--json", "--profile", "camera.yaml"],
    "quarantine": ["list"],
    "worklist": ["show"],
    "adopt": ["room-1", "--since", "2020-01-01"],
    "audit": ["verify"],
    "bundle": ["--output", "broken.zip"],
    "inspect": ["--json"],
    "run": ["--once"],
}

# What a platform may say, with a patient in every place of it.
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    f"an answer {status}": (status, {"Content-Type": "application/json", **more}, body)
    for status, more, body in (
        (200, {}, json.dumps({"id": FAMILY, "digest": NUMBER, "entry": ORDER, "PatientID": NUMBER}).encode()),
        (400, {}, f'{{"code": "{FAMILY}", "detail": "{NUMBER}"}}'.encode()),
        (
            401,
            {"Location": f"http://127.0.0.1/{FAMILY}?id={NUMBER}", "WWW-Authenticate": f'Bearer realm="{FAMILY}"'},
            NUMBER.encode(),
        ),
        (409, {}, f'{{"code": "ASSIGNED_ELSEWHERE", "detail": "{FAMILY} {NUMBER}"}}'.encode()),
        (422, {}, f'{{"code": "{FAMILY}", "detail": "{FAMILY} {BORN}"}}'.encode()),
        (429, {"Retry-After": FAMILY}, NUMBER.encode()),
        (500, {}, f"Traceback: {FAMILY} {ORDER}".encode()),
    )
}


class Clinic:
    """One folder with configuration, exports and state; commands run as processes of the code at `root`."""

    def __init__(self, folder: Path, root: Path, url: str, port: int) -> None:
        self.folder, self.root = folder, root
        (folder / "exports").mkdir(parents=True)
        (folder / "tmp").mkdir()
        (folder / "camera.yaml").write_text(PROFILE)
        (folder / "irisdrop.yaml").write_text(CONFIG.format(url=url, port=port))
        self.told: dict[str, str] = {}

    def irisdrop(self, name: str, *words: str, env: dict[str, str] | None = None) -> None:
        """Run a command and keep what it said; its standard output only where it shows nobody on purpose."""
        done = self._run([sys.executable, "-m", "irisdrop", "--config", "irisdrop.yaml", *words], env)
        self.told[f"{name}: standard error"] = done.stderr
        if not (words[0] in ("quarantine", "worklist") and words[1] in ("list", "show")):
            self.told[f"{name}: standard output"] = done.stdout

    def python(self, name: str, script: str, *words: str) -> None:
        done = self._run([sys.executable, "-c", script, *words], None)
        self.told[f"{name}: standard error"] = done.stderr
        self.told[f"{name}: standard output"] = done.stdout

    def said(self, name: str, program: str, *words: str) -> None:
        """A program beside this one that says what it saw as one JSON object: a path of output for each of its keys."""
        done = self._run([sys.executable, str(Path(__file__).with_name(program)), *words], None)
        if done.returncode:
            raise AssertionError(f"{name} did not end well: {done.stderr[-3000:]}")
        self.told[f"{name}: standard error"] = done.stderr
        self.told |= json.loads(done.stdout)

    def _run(self, command: list[str], env: dict[str, str] | None) -> subprocess.CompletedProcess[str]:
        more = {"PYTHONPATH": str(self.root), "TMPDIR": str(self.folder / "tmp"), **(env or {})}
        return subprocess.run(
            command, cwd=self.folder, env=os.environ | more, capture_output=True, text=True, timeout=90, check=False
        )

    def image(self, state: str, reason: str | None = None) -> str:
        """The id of an image in a state."""
        with closing(sqlite3.connect(self.folder / "state" / "journal.db")) as connection:
            sql = "SELECT id FROM images WHERE state = ? AND reason IS ? ORDER BY id"
            return str(connection.execute(sql, (state, reason)).fetchone()[0])

    def collect(self, name: str) -> None:
        """The log, the conditions, the audit trail and the reports of faults as they are now."""
        log = self.folder / "state" / "log"
        for path in sorted(log.glob("*")) if log.is_dir() else ():
            self.told[f"{name}: {path.name}"] = path.read_text("utf-8")
        for report in (self.folder / "tmp").glob("irisdrop-report-*"):
            self.told[f"{name}: report of a fault"] = report.read_text("utf-8")
        journal = self.folder / "state" / "journal.db"
        if journal.exists():
            with closing(sqlite3.connect(journal)) as connection:
                for table in ("conditions", "audit"):
                    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
                    self.told[f"{name}: {table}"] = "\n".join(map(str, rows))

    def export(self, name: str, content: bytes) -> None:
        path = self.folder / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def fill(clinic: Clinic, *, broken: bool = False) -> None:
    """Exports that end in as many different ways as there are; the broken ones are waited for, a minute in all."""
    from irisdrop.reference.retina import draw

    named = [("ImageDescription", f"{FAMILY}^{GIVEN}"), ("Artist", BORN)]
    good = picture(draw(1, "R", b""), named)
    stranger = picture(draw(2, "L", b""), [("ImageDescription", f"Somebody^{GIVEN}"), ("Artist", BORN)])
    clinic.export(f"{TODAY}_{NUMBER}_R_{FAMILY}.jpg", good)
    clinic.export(f"{TODAY}_{NUMBER}_L_{FAMILY}.jpg", stranger)
    clinic.export(f"{TODAY}_{NUMBER}_X_{FAMILY}.jpg", picture(draw(3, "R", b""), named))
    clinic.export(f"20010101_{NUMBER}_R_{FAMILY}.jpg", picture(draw(4, "R", b""), named))
    clinic.export(f"{TODAY}_{NUMBER}9_R_{FAMILY}.jpg", draw(5, "R", b""))
    clinic.export(f"{FAMILY}^{GIVEN}/{FAMILY}, {GIVEN} {NUMBER}.jpg", draw(6, "R", b""))
    clinic.export(f"{TODAY}_{NUMBER}_R_twin_{FAMILY}.jpg", good)
    (clinic.folder / "exports" / f"{NUMBER}_{FAMILY}.lnk.jpg").symlink_to(clinic.folder / f"{FAMILY}.jpg")
    if not broken:
        return
    clinic.export(f"{TODAY}_{NUMBER}_R_note.jpg", f"{FAMILY} {GIVEN} is {BORN}".encode())
    clinic.export(f"{TODAY}_{NUMBER}_R_cut.jpg", good[: len(good) // 2])
    clinic.export(f"{TODAY}_{NUMBER}_R_empty.jpg", b"")
    clinic.export(f"{TODAY}_{NUMBER}_R_odd.dcm", b"\0" * 128 + b"DICM" + f"{FAMILY}{NUMBER}".encode() * 50)
    clinic.export(f"{TODAY}_{NUMBER}_R_odd.png", b"\x89PNG\r\n\x1a\n" + f"{FAMILY}".encode() * 50)


def picture(jpeg: bytes, tags: list[tuple[str, str]]) -> bytes:
    import piexif

    numbers = {"ImageDescription": piexif.ImageIFD.ImageDescription, "Artist": piexif.ImageIFD.Artist}
    exif = piexif.dump({"0th": {numbers[name]: value.encode() for name, value in tags}})
    end = jpeg.index(b"\xff\xd9", len(jpeg) - 64) + 2 if b"\xff\xd9" in jpeg[-64:] else len(jpeg)
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:end] + jpeg[end:]


def orders() -> list[Any]:
    from irisdrop.vocabulary.orders import WorklistEntry

    keys = {
        "PatientID": NUMBER,
        "PatientName": f"{FAMILY}^{GIVEN}",
        "PatientBirthDate": BORN,
        "AccessionNumber": ORDER,
    }
    now = datetime.now(UTC)
    return [
        WorklistEntry("e-1", keys, now),
        WorklistEntry("e-2", keys | {"PatientID": "QZ000002", "AccessionNumber": "ACZQ2"}, now + timedelta(hours=1)),
    ]


@contextmanager
def hostile(answer: tuple[int, dict[str, str], bytes]) -> Iterator[str]:
    """A platform that gives the worklist properly, and to every image the same bad answer."""
    status, headers, body = answer
    listed = [{"id": e.id, **e.keys, "ScheduledProcedureStepStartDateTime": e.start.isoformat()} for e in orders()]

    class Handler(BaseHTTPRequestHandler):
        def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if "/worklist" in self.path:
                told = json.dumps({"entries": listed, "withdrawn": [], "cursor": "c"}).encode()
                self._reply(200, {"Content-Type": "application/json"}, told)
            else:
                self._reply(*answer)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._reply(status, headers, body)

        def log_message(self, *_: Any) -> None:
            """Not ours."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


# Runs the agent with one function that raises a patient's name, until the conditions or the log tell of it.
BROKEN_RUN = """
import importlib, os, signal, sys, threading, time
target, place = sys.argv[1], []
module, names = target.split("."), []
while True:
    try:
        holder = importlib.import_module(".".join(module)); break
    except ImportError:
        names.insert(0, module.pop())
for name in names[:-1]:
    holder = getattr(holder, name)
failed = threading.Event()
def broken(*args, **more):
    failed.set()
    raise RuntimeError("MARKERS")
if not hasattr(holder, names[-1]):
    print("no such place:", target); sys.exit(9)
setattr(holder, names[-1], broken)
def end():
    failed.wait(20)
    time.sleep(1.0)  # what tells of it comes after it: there is no event for "nothing more will be said"
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end, daemon=True).start()
from irisdrop.surface.cli import main
main(["--config", "irisdrop.yaml", *sys.argv[2:]])
""".replace("MARKERS", " ".join(MARKERS))


def ordinary(folder: Path, root: Path, *, broken: bool = True) -> dict[str, str]:
    """A day as it should be, with broken files too or without, and every command after it."""
    from irisdrop.reference.server import ReferencePlatform

    with ReferencePlatform(folder / "platform") as platform:
        platform.worklist.put(orders())
        clinic = Clinic(folder / "ordinary", root, platform.url, 7999)
        fill(clinic, broken=broken)
        clinic.irisdrop("the day", "run", "--once", "--verbose")
        clinic.irisdrop("the day again", "run", "--once")
        clinic.collect("the day")
        _commands(clinic)
        clinic.collect("after the commands")
        with zipfile.ZipFile(clinic.folder / "b.zip") as bundle:
            for name in bundle.namelist():
                clinic.told[f"bundle: {name}"] = bundle.read(name).decode()
        clinic.said("page", "shown.py", *MARKERS)
        clinic.said("service of Windows", "event_log.py", str(root), *MARKERS)
        (clinic.folder / "irisdrop.yaml").write_text("state: [\n")
        clinic.irisdrop("a broken configuration", "status")
        return clinic.told


def _commands(clinic: Clinic) -> None:
    export = f"exports/{TODAY}_{NUMBER}_R_{FAMILY}.jpg"
    sent, waiting = clinic.image("DELIVERED"), clinic.image("QUARANTINED", "PATIENT_MISMATCH")
    for name, words in {
        "status": ["status"],
        "status --json": ["status", "--json"],
        "quarantine list": ["quarantine", "list", "--json"],
        "show": ["quarantine", "show", sent],
        "assign to no order": ["quarantine", "assign", waiting, "--entry", "none"],
        "assign against the image": ["quarantine", "assign", waiting, "--entry", "e-2", "--eye", "R"],
        "assign in spite": [
            *["quarantine", "assign", waiting, "--entry", "e-1", "--eye", "L", "--despite", "PATIENT_MISMATCH"],
            *["--despite", "CONFLICTING_KEYS", "--despite", "NO_WORKLIST_ENTRY", "--by", "nurse"],
        ],
        "release what is delivered": ["quarantine", "release", sent],
        "recall": ["quarantine", "recall", sent, "--why", f"{FAMILY} was the wrong one"],
        "discard": ["quarantine", "discard", sent, "--why", f"{FAMILY} again"],
        "undo": ["quarantine", "undo", sent],
        "no such image": ["quarantine", "show", "999"],
        "worklist sync": ["worklist", "sync"],
        "worklist show": ["worklist", "show"],
        "explain, masked": ["explain", export],
        "inspect, masked": ["inspect", export],
        "doctor": ["doctor", "--probe"],
        "doctor --json": ["doctor", "--json"],
        "adopt": ["adopt", "room-1", "--since", "2020-01-01"],
        "audit verify": ["audit", "verify"],
        "audit export": ["audit", "export"],
        "audit export as dicom": ["audit", "export", "--as", "dicom"],
        "service status": ["service", "status"],
        "bundle": ["bundle", "--output", "b.zip"],
        "bundle again": ["bundle", "--output", "b.zip"],
    }.items():
        clinic.irisdrop(name, *words)


def failing_platform(folder: Path, root: Path, name: str) -> dict[str, str]:
    """A day with a platform that answers badly."""
    with hostile(ANSWERS[name]) as url:
        clinic = Clinic(folder / name.replace(" ", "-"), root, url, 7999)
        fill(clinic)
        clinic.irisdrop(name, "run", "--once", "--verbose")
        clinic.irisdrop(f"{name}, status", "status", "--json")
        clinic.collect(name)
        return clinic.told


def failing_inside(folder: Path, root: Path, name: str) -> dict[str, str]:
    """A day on which one function of ours raises what it worked on."""
    with hostile(ANSWERS["an answer 500"]) as url:
        clinic = Clinic(folder / name.replace(" ", "-"), root, url, 7999)
        fill(clinic)
        clinic.python(f"a fault in {name}", BROKEN_RUN, INSIDE[name], "run", "--verbose")
        clinic.collect(f"a fault in {name}")
        log = clinic.told.get(f"a fault in {name}: irisdrop.log", "")
        if not any(word in log for word in ("RuntimeError", FAMILY)):
            raise AssertionError(f"{name} did not fail as planned: {clinic.told}")
        return clinic.told


def failing_command(folder: Path, root: Path, command: str) -> dict[str, str]:
    """A command that fails by a fault of ours: exit code 3 and a report."""
    with hostile(ANSWERS["an answer 500"]) as url:
        clinic = Clinic(folder / f"command-{command}", root, url, 7999)
        export = f"{TODAY}_{NUMBER}_R_{FAMILY}.jpg"
        from irisdrop.reference.retina import draw

        clinic.export(export, draw(1, "R", b""))
        if command != "run":
            clinic.irisdrop(f"before {command}", "run", "--once")
        words = WORDS.get(command, [])
        if command in ("explain", "inspect"):
            words = [f"exports/{export}", *words]
        clinic.python(f"exit 3 of {command}", BROKEN_RUN, COMMANDS[command], command, *words)
        clinic.collect(f"exit 3 of {command}")
        if not any("report of a fault" in name for name in clinic.told):
            raise AssertionError(f"{command} wrote no report: {clinic.told}")
        return clinic.told


def everything(folder: Path, root: Path, parts: tuple[str, ...]) -> dict[str, str]:
    """All outputs by the name of their path."""
    works: list[Any] = []
    with ThreadPoolExecutor(2) as pool:
        if "ordinary" in parts:
            works.append(pool.submit(ordinary, folder, root))
        if "whole files" in parts:
            works.append(pool.submit(ordinary, folder, root, broken=False))
        if "platform" in parts:
            works += [pool.submit(failing_platform, folder, root, name) for name in ANSWERS]
        if "inside" in parts:
            works += [pool.submit(failing_inside, folder, root, name) for name in INSIDE]
        works += [pool.submit(failing_inside, folder, root, name) for name in INSIDE if name in parts]
        if "commands" in parts:
            works += [pool.submit(failing_command, folder, root, name) for name in COMMANDS]
    told: dict[str, str] = {}
    for work in works:
        told |= work.result()
    return told


def leaks(told: dict[str, str]) -> list[tuple[str, str, str]]:
    """(path, marker, what stands around it) of everything personal that got out."""
    found = []
    for name, text in told.items():
        folded = text.casefold()
        for marker in MARKERS:
            at = folded.find(marker.casefold())
            if at >= 0:
                found.append((name, marker, text[max(0, at - 120) : at + 60]))
                break
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    where, code, *which = sys.argv[1:]
    sys.path.insert(0, code)
    outputs = everything(Path(where), Path(code), tuple(which))
    print(
        json.dumps(
            {"paths": sorted(outputs), "silent": sorted(n for n in outputs if not outputs[n]), "leaks": leaks(outputs)}
        )
    )
