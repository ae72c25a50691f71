"""Kills the agent ten thousand times while a camera writes, and looks whether an image was lost.

    python tests/torture/torture.py --kills 10000 --seed 1 [--jobs 2] [--damage] [--keep FOLDER]

Each run has a site of its own, some kills of the agent at drawn marks and times, kills of the platform between them,
then peace: everything must come to its end by itself. A run is drawn from `SEED.NUMBER` alone; `--only SEED.NUMBER`
replays one. `--damage` also damages the journal between two lives. `--plant NAME` puts a bug in, to see it found.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from rig import damage, nursery, planted  # noqa: E402
from rig.camera import Camera, Steps  # noqa: E402
from rig.clinic import Clinic  # noqa: E402
from rig.nursery import Kill  # noqa: E402
from rig.oracle import Findings, acknowledge, between, judge, path_of, quiet  # noqa: E402

KILLS_A_RUN = 25
SETTLE = 0.08
FOUND = 3  # exit code of a job that stopped at a finding
LIVENESS = 60.0  # seconds from the last fault until everything has come to its end

# Where the agent is killed, and the most passings that one short life has of it.
PLACES = (
    ("", 40),
    ("", 12),
    ("commit.before", 14),
    ("commit.after", 14),
    ("spool.", 9),
    ("spool.fsync", 3),
    ("spool.rename", 2),
    ("spool.folder", 1),
    ("note.", 4),
    ("upload.", 6),
    ("upload.last", 2),
    ("upload.answer", 2),
    ("starts.", 4),
)


@dataclass
class Outcome:
    """One run."""

    name: str
    kills: int = 0
    images: int = 0
    places: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0


@dataclass
class Run:
    """One site's life."""

    name: str
    root: Path
    kills: int
    with_damage: bool
    plant: str | None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.name)
        after = self.rng.choice(("after: {leave: true}", "after: {leave: true}", "after: {move: MOVED}"))
        self.clinic = Clinic(self.root, after=after)
        self.camera = Camera(self.clinic.exports, random.Random(f"{self.name} camera"), SETTLE)
        self.outcome = Outcome(self.name)
        self.work: list[tuple[float, int, Steps]] = []
        self.number = itertools.count()
        self.prepare = planted.BUGS[self.plant] if self.plant else None
        self.platform_back = 0.0

    def go(self) -> Outcome:
        """The whole run."""
        begun = time.monotonic()
        with self.clinic:
            self.clinic.open_platform()
            for life in range(self.kills):
                self._live(life)
                if self.outcome.findings:
                    break
            else:
                self._peace()
        self.outcome.images = len(self.camera.writings)
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    # ------------------------------------------------------------------ lives

    def _live(self, life: int) -> None:
        kill = self._kill() if self.rng.random() < 0.8 else None
        longest = self.rng.choice((0.05, 0.15, 0.3, 0.5) if kill is None else (0.4, 0.6, 0.9))
        for _ in range(self.rng.randrange(1, 5)):
            self._begin(self.camera.anything(), self.rng.choice((0.0, 0.0, self.rng.uniform(0, 0.2))))
        if self.rng.random() < 0.05:
            self.camera.cut_short()
        platform_dies = self.rng.uniform(0, longest) if self.rng.random() < 0.12 else None
        once = self.rng.random() < 0.06
        self._step()
        agent = self.clinic.open_agent(
            kill, prepare=self.prepare, once=once, fresh=self.rng.random() < 0.02 and not self.plant
        )
        until = time.monotonic() + longest
        dies_at = None if platform_dies is None else time.monotonic() + platform_dies
        while not agent.ended(0.002) and time.monotonic() < until:
            self._step()
            dies_at = self._platform(dies_at)
        self._note_death(life, agent, once)
        self._between()

    def _kill(self) -> Kill:
        pattern, most = self.rng.choice(PLACES)
        return Kill(pattern, self.rng.randrange(1, most + 1))

    def _note_death(self, life: int, agent: nursery.Process, once: bool) -> None:
        agent.kill()
        place = "at a time"
        if self.clinic.killed_at.exists():
            place = self.clinic.killed_at.read_text() or place
        if agent.status == -9:
            self.outcome.kills += 1
            self.outcome.places[place] += 1
        elif not (once and agent.status == 0):
            self.outcome.findings.wrong.append(f"the agent ended by itself with {agent.status} in life {life}")

    def _platform(self, dies_at: float | None) -> float | None:
        """Kill the platform when its time has come, and let it come back a little later."""
        platform = self.clinic.platform
        assert platform is not None
        if dies_at is not None and time.monotonic() >= dies_at:
            platform.kill()
            self.outcome.places["the platform"] += 1
            return None
        if platform.ended() and dies_at is None and self.rng.random() < 0.05:
            self.clinic.open_platform()
        return dies_at

    def _between(self) -> None:
        """The agent is dead: look, let the camera clear away, damage the journal."""
        rows = self.clinic.rows()
        acknowledge(self.camera, rows)
        self.outcome.findings.add(between(self.clinic, self.camera, rows, damaged=self.with_damage))
        if self.rng.random() < 0.3:
            self.camera.clear_away()
        self.camera.old_ones = bool(self.clinic.rows("SELECT * FROM cameras")) and not self.with_damage
        if self.with_damage and self.rng.random() < 0.25:
            self.outcome.places[f"journal: {damage.harm(self.clinic.state, self.rng)}"] += 1
        platform = self.clinic.platform
        if platform is not None and platform.ended() and self.rng.random() < 0.7:
            self.clinic.open_platform()

    def _begin(self, steps: Steps, after: float) -> None:
        heapq.heappush(self.work, (time.monotonic() + after, next(self.number), steps))

    def _step(self) -> None:
        """Go on with whatever is due."""
        while self.work and self.work[0][0] <= time.monotonic():
            _, number, steps = heapq.heappop(self.work)
            try:
                pause = next(steps)
            except StopIteration:
                continue
            heapq.heappush(self.work, (time.monotonic() + pause, number, steps))

    # ------------------------------------------------------------------ peace

    def _peace(self) -> None:
        """No more faults: everything comes to its end, and what is new flows."""
        platform = self.clinic.platform
        if platform is None or platform.ended():
            self.clinic.open_platform()
        agent = self.clinic.open_agent(prepare=self.prepare)
        for steps in (self.camera.whole(), self.camera.slow(), self.camera.renamed()):
            self._begin(steps, 0.0)
        until = time.monotonic() + LIVENESS
        looked = 0.0
        while time.monotonic() < until and not agent.ended(0.002):
            self._step()
            if not self.work and time.monotonic() - looked > 0.25:
                looked = time.monotonic()
                if quiet(self.camera, self.clinic.rows()):
                    break
        code = agent.stop()
        if code != 0:
            self.outcome.findings.wrong.append(f"the agent did not stop in order: {code}")
        acknowledge(self.camera, self.clinic.rows())
        found = judge(self.clinic, self.camera)
        self.outcome.findings.add(found)
        if "MOVED" in self.clinic.after and not found:
            self._moved()

    def _moved(self) -> None:
        """The sources of delivered images are moved by a last turn, none is gone."""
        before = set(self.clinic.exports.rglob("*.jpg"))
        agent = self.clinic.open_agent(once=True)
        agent.ended(LIVENESS)
        there = sum(1 for _ in self.clinic.moved.rglob("*.jpg"))
        left = set(self.clinic.exports.rglob("*.jpg"))
        if agent.status != 0 or (before and not there) or left - before:
            self.outcome.findings.wrong.append(f"moving the sources ended with {agent.status}, {there} moved")
        for row in self.clinic.rows("SELECT * FROM images WHERE state = 'QUARANTINED' AND digest IS NOT NULL"):
            kept = self.clinic.state / "spool" / row["digest"][:2] / row["digest"]
            if not kept.exists():
                self.outcome.findings.lost.append(f"{path_of(row)}: in quarantine without bytes")


# ---------------------------------------------------------------------- many runs


def names(options: argparse.Namespace) -> Iterator[str]:
    """The runs of one job, each by the text that it is drawn from."""
    if options.only:
        yield options.only
        return
    for number in itertools.count(options.job, options.jobs):
        yield f"{options.seed}.{number}"


def work(options: argparse.Namespace) -> int:
    """One job: runs until it has its share of kills; a line of JSON for each."""
    nursery.load()
    kills = 0
    share = options.kills // options.jobs + (options.job < options.kills % options.jobs)
    for name in names(options):
        root = Path(options.folder) / name
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        run = Run(name, root, min(KILLS_A_RUN, max(share - kills, 1)), options.damage, options.plant)
        outcome = run.go()
        kills += outcome.kills
        print(
            json.dumps(
                {
                    "run": name,
                    "kills": outcome.kills,
                    "images": outcome.images,
                    "seconds": round(outcome.seconds, 2),
                    "places": outcome.places,
                    "lost": outcome.findings.lost,
                    "duplicated": outcome.findings.duplicated,
                    "wrong": outcome.findings.wrong,
                }
            ),
            flush=True,
        )
        if outcome.findings:
            if options.stop:
                return FOUND
        else:
            shutil.rmtree(root)
        if kills >= share or options.only:
            return 0
    return 0


def main() -> int:
    """Start the jobs, and sum up what they say."""
    options = arguments()
    if options.job is not None:
        return work(options)
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    total: Counter[str] = Counter()
    places: Counter[str] = Counter()
    jobs = [
        subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--folder", options.folder, "--job", str(job)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for job in range(1 if options.only else options.jobs)
    ]
    failed = False
    for line in merged(jobs):
        run = json.loads(line)
        total["runs"] += 1
        total["images"] += run["images"]
        total["kills"] += run["kills"]
        places.update(run["places"])
        for kind in ("lost", "duplicated", "wrong"):
            total[kind] += len(run[kind])
            for words in run[kind]:
                print(f"  {kind} in run {run['run']}: {words}", flush=True)
        if total["runs"] % 20 == 0 or run["lost"] or run["duplicated"] or run["wrong"]:
            print(f"… {total['runs']} runs, {total['kills']} kills, {time.monotonic() - begun:.0f} s", flush=True)
    for job in jobs:
        failed |= job.wait() not in (0, FOUND)
    for place, count in sorted(places.items()):
        print(f"  {count:6} {place}")
    print(f"{total['images']} images, {time.monotonic() - begun:.0f} s, seed {options.only or options.seed}")
    print(
        f"{total['runs']} runs, {total['kills']} kills, "
        f"lost {total['lost']}, duplicated {total['duplicated']}, wrong {total['wrong']}"
    )
    if failed:
        print("the harness itself failed")
    return int(failed or not total["runs"] or any(total[kind] for kind in ("lost", "duplicated", "wrong")))


def merged(jobs: list[subprocess.Popen[str]]) -> Iterator[str]:
    """Lines of all jobs as they come."""
    import selectors

    with selectors.DefaultSelector() as ready:
        for job in jobs:
            assert job.stdout is not None
            ready.register(job.stdout, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if line:
                    yield str(line)
                else:
                    ready.unregister(key.fileobj)


def arguments() -> argparse.Namespace:
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", metavar="SEED.NUMBER", help="replay one run")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--damage", action="store_true", help="damage the journal between two lives")
    parser.add_argument("--plant", choices=sorted(planted.BUGS))
    parser.add_argument("--stop", action="store_true", help="stop at the first run that failed")
    parser.add_argument(
        "--folder", default=tempfile.gettempdir() + f"/torture-{os.getpid()}", help="failed runs stay here"
    )
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
