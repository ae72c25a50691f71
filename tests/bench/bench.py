"""Measures irisdrop beside its limits and prints one table: `python tests/bench/bench.py [--quick] [--json FILE]
[--store]`.

Each row is a ratio of two figures of the same run, so that a slow machine is slow on both sides. Ends with 1 where a
goal is not met.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import rest
import rows
import scale
import table
from row import Row

Part = Callable[[Path], Iterator[Row]]

FULL: dict[str, Part] = {
    "machine": rows.hashing,
    "size": rows.size,
    "large": lambda base: rows.throughput(base, 2000, 2_000_000, 0.8),
    "small": lambda base: rows.throughput(base, 20_000, 46_000, 0.4),
    "dicom": lambda base: rows.dicom(base, 200, 6_000_000),
    "parsing": lambda base: rows.parsing(base, 300),
    "latency": lambda base: rows.latency(base, 20),
    "backlog": lambda base: rows.backlog(base, 20_000, 12),
    "rescan": lambda base: scale.rescan(base, 20_000),
    "rescan-large": lambda base: scale.rescan(base, 200_000),
    "start": lambda base: scale.start(base, 200_000),
    "decision": lambda base: scale.decision(base, (1_000, 1_000_000)),
    "years": lambda base: scale.years(base, (1_000, 1_000_000)),
    "rest": lambda base: rest.rest(base, 60),
}
QUICK: dict[str, Part] = {
    "machine": rows.hashing,
    "size": rows.size,
    "large": lambda base: rows.throughput(base, 100, 2_000_000, 0.8),
    "small": lambda base: rows.throughput(base, 600, 46_000, 0.4),
    "dicom": lambda base: rows.dicom(base, 20, 6_000_000),
    "parsing": lambda base: rows.parsing(base, 50),
    "latency": lambda base: rows.latency(base, 3),
    "rescan": lambda base: scale.rescan(base, 20_000),
    "start": lambda base: scale.start(base, 20_000),
    "decision": lambda base: scale.decision(base, (1_000, 50_000)),
}


def measure(parts: dict[str, Part]) -> Iterator[Row]:
    """Every row of some parts, each in a folder of its own that is removed after it."""
    for name, part in parts.items():
        with tempfile.TemporaryDirectory(prefix=f"irisdrop-bench-{name}-") as folder:
            yield from part(Path(folder))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller corpora, as CI does")
    parser.add_argument("--only", action="append", choices=sorted(FULL), help="one part")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--store", action="store_true", help="into table.json, and a full run into README.md")
    given = parser.parse_args()
    parts = QUICK if given.quick else FULL
    begun = time.monotonic()
    print(f"{platform.platform()}, Python {platform.python_version()}")
    print(f"{'':<48} {'irisdrop':<32} {'beside':<15} {'ratio':>7}  goal")
    found = []
    for row in measure({name: part for name, part in parts.items() if not given.only or name in given.only}):
        found.append(row)
        goal = f"{'≥' if row.at_least else '≤'} {row.goal:g}" if row.beside else ""
        ratio = f"{row.ratio:7.2f}" if row.beside else " " * 7
        print(
            f"{row.name:<48} {row.figure:<32} {row.beside:<15} {ratio}  {goal:<8} {'' if row.meets else 'NOT MET'}",
            flush=True,
        )
    print(f"{time.monotonic() - begun:.0f} s")
    if given.store:
        table.store(found, quick=given.quick, seconds=time.monotonic() - begun)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in found], indent=1))
    return 0 if all(row.meets for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
