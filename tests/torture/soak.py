"""A year of a clinic in some minutes: does the agent grow, gather handles, or send anything a second time?

    python tests/torture/soak.py [--days 250] [--patients 30] [--pictures 8] [--seed 1]

One agent process lives through all days, on a calendar that this harness turns (`rig/later.py`): a day takes as long as
its images take. Each day has a folder, orders of its own (yesterday's stay beside them, older ones leave the worklist)
and new pictures of each patient; all files stay in the export folder. At the end the agent starts again over everything
that lies there. Prints a line each tenth, and fails where memory or handles grew from the second tenth on, where spool or
journal keep more than their settings say, where an image was lost, or one was sent twice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from rig.clinic import ZONE, Clinic, entry_of  # noqa: E402
from rig.nursery import wait_until  # noqa: E402
from rig.pictures import picture  # noqa: E402

GROWTH = 1.15  # of memory, and 2 MiB beside: what an allocator keeps
HANDLES = 4  # more: connections that are idle or not
LONGEST_DAY = 120.0  # seconds until a day's images are delivered, on a machine that others use too
SPOOLED, TOLD = 2, 30  # days that copies and what led to decisions are kept
LATE = 3  # days more: one is under way, and they are short
SETTINGS = f"spool: {{keep: {SPOOLED}d}}\njournal: {{keep: {TOLD}d}}\n"


def memory(pid: int) -> int:
    """Bytes that a process holds in memory and shares with nobody's file."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def handles(pid: int) -> int:
    """Files, sockets and pipes that it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@dataclass(frozen=True)
class Measure:
    """The agent after so many images; sizes in bytes."""

    images: int
    seconds: float
    memory: int
    handles: int
    threads: int
    journal: int
    told: int  # images of which the journal keeps more than the proof
    spooled: int

    def __str__(self) -> str:
        return (
            f"{self.images:8,} {self.seconds:7.0f} s {self.memory / 2**20:8.1f} MiB {self.handles:4} handles "
            f"{self.threads:3} threads   journal {self.journal / 2**20:7.1f} MiB, "
            f"{self.told:6,} told in full   spool {self.spooled:6,} files"
        )


@dataclass
class Year:
    """One agent through many days."""

    root: Path
    days: int
    patients: int
    pictures: int
    seed: str
    digests: set[str] = field(default_factory=set)
    measures: list[Measure] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.calendar = self.root / "calendar"
        self.today = 0
        self._turn(0)
        self.clinic = Clinic(self.root, fresh=True, rescan="10s", more=SETTINGS, calendar=self.calendar)
        self.begun = time.monotonic()
        self.received = 0  # of the platform's receipts, those that were looked at
        self.counts: Counter[str] = Counter()

    def go(self) -> None:
        """The whole year, and the start after it."""
        with self.clinic:
            self.clinic.open_platform()
            self.clinic.open_agent(fresh=True)
            # What lies there when the agent first starts is older than it, and left alone.
            wait_until(lambda: bool(self.clinic.rows("SELECT * FROM cameras")), 60, 0.1)
            waiting: list[set[str]] = []
            for day in range(self.days):
                waiting.append(self._day(day))
                if len(waiting) > 1 and not self._delivered(waiting.pop(0)):
                    self.findings.append(f"day {day}: images do not arrive: {self.clinic.conditions()}")
                    return
                if (day + 1) * 10 // self.days > day * 10 // self.days:
                    self._measure()
            if not all(self._delivered(one) for one in waiting):
                self.findings.append(f"the last images do not arrive: {self.clinic.conditions()}")
            self._again()
        self._judge()

    def _day(self, day: int) -> set[str]:
        """A new day's orders and pictures; their digests."""
        self._turn(day)
        self._write_orders([one for number in (day - 1, day) if number >= 0 for one in self._names(number)])
        folder = self.clinic.exports / f"day-{day + 1:03}"
        folder.mkdir()
        today = self._now().strftime("%Y%m%d")
        digests = set()
        for patient in self._names(day):
            for number in range(self.pictures):
                content = picture(self.rng, 900)
                file = folder / f"{today}_{patient}_{'RL'[number % 2]}_{number}.jpg"
                file.write_bytes(content)
                os.utime(file, (self._now().timestamp(),) * 2)
                digests.add(hashlib.sha256(content).hexdigest())
        self.digests |= digests
        return digests

    def _turn(self, day: int) -> None:
        """The agent's calendar shows another day."""
        self.today = day
        draft = self.calendar.with_suffix(".new")
        draft.write_text(str(day))
        draft.replace(self.calendar)

    def _now(self) -> datetime:
        return datetime.now(ZONE) + timedelta(days=self.today)

    def _names(self, day: int) -> list[str]:
        return [f"{day:04}{number:03}" for number in range(self.patients)]

    def _write_orders(self, patients: list[str]) -> None:
        start = self._now().strftime("%Y-%m-%dT12:00:00")
        entries = [
            {"id": entry_of(one), "PatientID": one, "AccessionNumber": f"A-{one}"}
            | {"ScheduledProcedureStepStartDateTime": start}
            for one in patients
        ]
        draft = self.root / "orders.new"
        draft.write_text(json.dumps({"entries": entries}))
        draft.replace(self.root / "orders.json")

    def _delivered(self, digests: set[str]) -> bool:
        return wait_until(lambda: digests <= self._receipts().keys(), LONGEST_DAY, 0.2)

    def _receipts(self) -> Counter[str]:
        """How often the platform confirmed each digest; only what is new is read."""
        sql = f"SELECT seq, digest FROM receipt WHERE seq > {self.received} ORDER BY seq"
        for row in self.clinic.rows_of_platform(sql):
            self.counts[row["digest"]] += 1
            self.received = row["seq"]
        return self.counts

    def _measure(self) -> None:
        wait_until(lambda: False, 1.0)
        assert self.clinic.agent is not None
        pid = self.clinic.agent.pid
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        state = self.clinic.state
        journal = sum(file.stat().st_size for file in state.glob("journal.db*") if "shm" not in file.name)
        spooled = sum(1 for file in (state / "spool").rglob("*") if len(file.name) == 64)
        told = self.clinic.rows("SELECT count(*) AS n FROM images WHERE thinned = 0")[0]["n"]
        seconds = time.monotonic() - self.begun
        self.measures.append(
            Measure(len(self.digests), seconds, memory(pid), handles(pid), threads, journal, told, spooled)
        )
        print(self.measures[-1], flush=True)

    def _again(self) -> None:
        """Every file lies there still: a start looks at all of them, and sends none."""
        assert self.clinic.agent is not None
        if self.clinic.agent.stop(60.0) != 0:
            self.findings.append("the agent did not stop in order")
        before = self._puts()
        agent = self.clinic.open_agent(once=True, fresh=True)
        if not agent.ended(600) or agent.status != 0:
            self.findings.append(f"the run after it ended with {agent.status}")
        if self._puts() != before:
            self.findings.append(f"{self._puts() - before} images were sent again after a restart")

    def _puts(self) -> int:
        with self.clinic.platform_log.open(errors="replace") as log:
            return sum(1 for line in log if re.search(r"PUT /v1/images/[0-9a-f]{64}", line))

    def _judge(self) -> None:
        counts = self._receipts()
        states = Counter({row["state"]: row["n"] for row in self.clinic.rows(STATES)})
        if states != Counter({"DELIVERED": len(self.digests)}):
            self.findings.append(f"the journal has {dict(states)} of {len(self.digests)} images")
        if lost := self.digests - counts.keys():
            self.findings.append(f"{len(lost)} images were lost")
        if twice := [digest for digest, number in counts.items() if number > 1]:
            self.findings.append(f"{len(twice)} images have more than one receipt")
        if (puts := self._puts()) != len(self.digests):
            self.findings.append(f"{puts} uploads of {len(self.digests)} images")
        a_day = self.patients * self.pictures
        for one in self.measures:
            if one.spooled > (SPOOLED + LATE) * a_day:
                self.findings.append(f"the spool kept {one.spooled} copies after {one.images} images")
            if one.told > (TOLD + LATE) * a_day:
                self.findings.append(f"the journal told {one.told} images in full after {one.images}")
        if len(self.measures) == 10:
            self._judge_growth(self.measures[1], self.measures[-1])

    def _judge_growth(self, first: Measure, last: Measure) -> None:
        if last.memory > first.memory * GROWTH + (2 << 20):
            self.findings.append(f"memory grew from {first.memory >> 10} to {last.memory >> 10} KiB")
        if last.handles > first.handles + HANDLES:
            self.findings.append(f"handles grew from {first.handles} to {last.handles}")


STATES = "SELECT state, count(*) AS n FROM images GROUP BY state"


def main() -> int:
    """One year; the folder stays where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=250)
    parser.add_argument("--patients", type=int, default=30, help="a day")
    parser.add_argument("--pictures", type=int, default=8, help="of a patient")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="soak-"))
    year = Year(root, options.days, options.patients, options.pictures, options.seed)
    year.go()
    for line in year.findings:
        print(f"  {line}")
    print(
        f"{len(year.digests)} images, {time.monotonic() - year.begun:.0f} s, seed {options.seed}, "
        f"{len(year.findings)} findings"
    )
    if not year.findings:
        shutil.rmtree(root)
    return int(bool(year.findings))


if __name__ == "__main__":
    sys.exit(main())
