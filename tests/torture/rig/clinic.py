"""One site on the disk: a camera's folder, the agent's state, the platform's data, and the processes on them."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rig.nursery import Kill, Process, start, wait_until

ZONE = ZoneInfo("Europe/Berlin")
PATIENTS = tuple(f"{number:06}" for number in range(1, 13))

PROFILE = """\
irisdrop: 1
title: A camera that is not kind
status: sampled
modality: OP
files: {take: ["*.jpg"], skip: ["._*", "*_thumb.jpg"]}
settle: SETTLE
give_up: GIVE_UP
read:
  - filename: '(?P<AcquisitionDate>\\d{8})_(?P<PatientID>[^_]+)_(?P<ImageLaterality>[RL])_(?P<InstanceNumber>\\d+)\\.jpg'
match: [PatientID]
within: WITHIN
patience: 0s
examples:
  - {file: 20250114_000001_R_001.jpg, gives: {PatientID: "000001", ImageLaterality: R}}
  - {file: nothing.jpg, refuses: NO_KEYS}
"""

CONFIG = """\
state: {state}
site: {{zone: Europe/Berlin}}
platform: {{kind: http, url: {url}}}
worklist: {{from: platform, every: 1s, stale: 15m}}
undo: 0s
page: {{port: {page}}}
{more}cameras:
  - {{name: room-2, profile: ./camera.yaml, folder: {exports}, rescan: {rescan}, {after}}}
"""


def entry_of(patient: str) -> str:
    """The id of the one order of a patient."""
    return f"E-{patient}"


@dataclass
class Clinic:
    """Folders and processes of one run. `proxied` is a port between agent and platform."""

    root: Path
    settle: str = "80ms"
    give_up: str = "1500ms"
    rescan: str = "1s"
    within: str = "24h"
    after: str = "after: {leave: true}"
    more: str = ""
    state_folder: Path | None = None
    proxied: int | None = None
    fresh: bool = False  # the platform is started by exec
    starts: int = 0
    platform: Process | None = None
    agent: Process | None = None
    env: dict[str, str] = field(default_factory=dict)
    calendar: Path | None = None  # the agent lives by it

    def __post_init__(self) -> None:
        self.exports = self.root / "exports"
        self.state = self.state_folder or self.root / "state"
        self.data = self.root / "platform"
        self.moved = self.root / "moved"
        self.agent_log = self.root / "agent.log"
        self.platform_log = self.root / "platform.log"
        self.killed_at = self.agent_log.with_suffix(".killed")
        for folder in (self.exports, self.state, self.data, self.moved):
            folder.mkdir(parents=True, exist_ok=True)
        self.port, self.page = free_port(), free_port()
        profile = PROFILE.replace("SETTLE", self.settle).replace("GIVE_UP", self.give_up)
        profile = profile.replace("WITHIN", self.within)
        (self.root / "camera.yaml").write_text(profile)
        (self.root / "orders.json").write_text(json.dumps(orders()))
        self.write_config()

    def write_config(self, url: str | None = None) -> None:
        """The agent's configuration."""
        after = self.after.replace("MOVED", str(self.moved))
        text = CONFIG.format(
            state=self.state,
            page=self.page,
            url=url or f"http://127.0.0.1:{self.proxied or self.port}/v1",
            more=self.more,
            exports=self.exports,
            rescan=self.rescan,
            after=after,
        )
        (self.root / "irisdrop.yaml").write_text(text)

    # ------------------------------------------------------------------ processes

    def open_platform(self, tls: tuple[Path, Path] | None = None) -> Process:
        """Start the platform, and wait until it answers."""
        arguments = ["reference", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data), "--verbose"]
        arguments += ["--worklist", str(self.root / "orders.json")]
        if tls is not None:
            arguments += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
        process = start(arguments, self.platform_log, fresh=self.fresh)
        self.platform = process
        wait_until(lambda: process.ended() or reachable(self.port), 30, 0.003)
        return process

    def open_agent(
        self,
        kill: Kill | None = None,
        *,
        fresh: bool = False,
        prepare: Callable[[], None] | None = None,
        once: bool = False,
    ) -> Process:
        """Start the agent."""
        self.starts += 1
        self.killed_at.unlink(missing_ok=True)
        arguments = ["--config", str(self.root / "irisdrop.yaml"), "run", *(["--once"] if once else [])]
        self.agent = start(
            arguments, self.agent_log, kill=kill, fresh=fresh, prepare=prepare, env=self.env, calendar=self.calendar
        )
        return self.agent

    def close(self) -> None:
        """End every process."""
        for process in (self.agent, self.platform):
            if process is not None:
                process.kill()

    def __enter__(self) -> Clinic:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ looks

    def rows(self, sql: str = "SELECT * FROM images ORDER BY id") -> list[dict[str, Any]]:
        """Rows of the journal, read from a copy, so that looking changes nothing; [] where it can't be read."""
        return rows_of(self.state / "journal.db", self.root / "look", sql)

    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt that the platform ever gave."""
        return self.rows_of_platform("SELECT * FROM receipt ORDER BY seq")

    def rows_of_platform(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the platform's own database."""
        return rows_of(self.data / "platform.sqlite3", self.root / "look", sql)

    def conditions(self) -> dict[str, list[str]]:
        """The conditions that are raised, shown yet or not: code → details."""
        found: dict[str, list[str]] = {}
        for row in self.rows("SELECT * FROM conditions"):
            found.setdefault(row["code"], []).append(row["detail"])
        return found

    def wait_delivered(self, digests: set[str], seconds: float) -> bool:
        """Whether all of these come to the platform in time."""
        return wait_until(lambda: digests <= {row["digest"] for row in self.receipts()}, seconds, 0.03)


def rows_of(file: Path, scratch: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a database that another process may hold open: copied with its WAL until the copy is sound."""
    for _ in range(40):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{file}{suffix}", scratch / f"copy{suffix}")
            with contextlib.closing(sqlite3.connect(scratch / "copy")) as copy:
                copy.row_factory = sqlite3.Row
                # In a damaged journal a text may be none; the agent must cope with that, and so must we.
                copy.text_factory = lambda raw: raw.decode("utf-8", "replace")
                if copy.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                    return [dict(row) for row in copy.execute(sql)]
        except sqlite3.DatabaseError as error:
            if "no such table" in str(error):
                return []
        time.sleep(0.005)
    return []


def orders() -> dict[str, Any]:
    """One order today for each patient."""
    today = datetime.now(ZONE).strftime("%Y-%m-%dT12:00:00")
    return {
        "entries": [
            {
                "id": entry_of(patient),
                "PatientID": patient,
                "AccessionNumber": f"A-{patient}",
                "ScheduledProcedureStepStartDateTime": today,
            }
            for patient in PATIENTS
        ]
    }


def free_port() -> int:
    """A port that nobody listens on now, and that the system gives to no outgoing connection."""
    for _ in range(200):
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as asked, contextlib.suppress(OSError):
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def reachable(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0
