"""The stored table: `table.json` for CI, and the same figures in README.md for people."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from row import Row

HERE: Final = Path(__file__).parent
JSON: Final = HERE / "table.json"
README: Final = HERE / "README.md"
BEGIN, END = "<!-- the table: written by `bench.py --store` -->", "<!-- end of the table -->"


def store(rows: list[Row], *, quick: bool, seconds: float) -> None:
    """Put the rows of a run in place of those of the last one of its kind; of a full run, into README.md as well."""
    table: dict[str, Any] = json.loads(JSON.read_text()) if JSON.exists() else {}
    kind = "quick" if quick else "full"
    table[kind] = [asdict(row) for row in rows]
    table[f"{kind} measured"] = measured(seconds)
    JSON.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    if not quick:
        head, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{head}{BEGIN}\n{table['full measured']}\n\n{markdown(rows)}\n{END}{rest.partition(END)[2]}")


def measured(seconds: float) -> str:
    """When and where."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit.stdout.strip()}, {os.cpu_count()} cores (load "
        f"{os.getloadavg()[0]:.1f} at the end), {platform.system()} {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, {seconds:.0f} s"
    )


def markdown(rows: list[Row]) -> str:
    """The rows as a table of Markdown."""
    lines = ["| | irisdrop | beside | ratio | goal | |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        compared = bool(row.beside)
        ratio = f"{row.ratio:.2f}" if compared else ""
        goal = f"{'≥' if row.at_least else '≤'} {row.goal:g}" if compared else ""
        verdict = ("met" if row.meets else f"missed: {_missed(row)}") if compared else ""
        lines.append(f"| {row.name} | {row.figure} | {row.beside} | {ratio} | {goal} | {verdict} |")
    return "\n".join(lines)


def _missed(row: Row) -> str:
    by = (row.goal / row.ratio if row.at_least else row.ratio / row.goal) if row.ratio and row.goal else 0.0
    return f"{by:.1f} times" if by else "should be none"
