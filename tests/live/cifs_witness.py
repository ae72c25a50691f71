"""Runs inside user-mode Linux: starts platform and agent, and writes what it sees to a folder of the host.

`cifs_witness.py FOLDER`: the folder has `irisdrop.yaml`, `camera.yaml` and `orders.json`; `seen.json` is replaced
several times a second. A file `slow` there says how to make the line slow; a file `end` ends it all; pictures in `local` are moved
to a folder of this machine's own, /mnt/local.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = Path("/mnt/site")
PLATFORM = ["reference", "--listen", "127.0.0.1:7480", "--data", str(SITE / "platform")]


def start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """`irisdrop` with these words."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-m", "irisdrop", *words], env=env, stdout=file, stderr=file)


def rows(database: Path, sql: str) -> list[dict[str, object]]:
    """What a query finds; nothing where the database is not there yet."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as opened:
            opened.row_factory = sqlite3.Row
            return [dict(row) for row in opened.execute(sql)]
    except sqlite3.OperationalError:
        return []


def seen() -> dict[str, object]:
    """Journal and platform at this moment."""
    journal = SITE / "state" / "journal.db"
    images = [path for path in (SITE / "platform" / "images").glob("*") if path.is_file()]
    return {
        "mount": [line.split()[2] for line in Path("/proc/mounts").read_text().splitlines() if "/mnt/exports" in line],
        "images": rows(journal, "SELECT id, state, digest, camera, arrived FROM images ORDER BY id"),
        "attempts": rows(journal, "SELECT image, outcome FROM attempts ORDER BY id"),
        "conditions": rows(journal, "SELECT code, subject, detail, since FROM conditions"),
        "receipts": rows(SITE / "platform" / "platform.sqlite3", "SELECT digest, entry, eye FROM receipt ORDER BY seq"),
        "kept": sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in images),
    }


def write(folder: Path, facts: dict[str, object]) -> None:
    """Put the report in the place of the former one."""
    part = folder / "seen.part"
    part.write_text(json.dumps(facts))
    part.replace(folder / "seen.json")


def slow(how: str) -> None:
    """A bad line, in netem's words."""
    subprocess.run(["tc", "qdisc", "add", "dev", "vec0", "root", "netem", *how.split()], check=True)


def carry(folder: Path) -> None:
    """What the host put into `local` is what a camera of this machine exports."""
    for path in (folder / "local").glob("*.jpg"):
        part = Path("/mnt/local") / f"{path.name}.part"
        shutil.copyfile(path, part)
        part.rename(part.with_suffix(""))
        path.unlink()


def main(folder: Path) -> int:
    """Until `end` is there: then the agent is stopped; 0 where it ended by itself."""
    SITE.mkdir()
    for name in ("irisdrop.yaml", "camera.yaml", "orders.json"):
        shutil.copyfile(folder / name, SITE / name)
    platform = start([*PLATFORM, "--worklist", str(SITE / "orders.json")], folder / "platform.log")
    agent = start(["--config", str(SITE / "irisdrop.yaml"), "run", "--verbose"], folder / "agent.log")
    pause, slowed = threading.Event(), False
    while not (folder / "end").exists() and agent.poll() is None:
        if not slowed and (folder / "slow").exists():
            slow((folder / "slow").read_text())
            slowed = True
        carry(folder)
        write(folder, seen() | {"slow": slowed})
        pause.wait(0.3)
    agent.terminate()
    ended = agent.wait(30)
    platform.terminate()
    platform.wait(30)
    write(folder, seen() | {"slow": slowed, "ended": ended})
    return ended


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
