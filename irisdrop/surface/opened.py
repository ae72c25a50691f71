"""What a command opens: the configuration, and the journal directly, whether the agent runs or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config
    from irisdrop.record.conditions import Conditions
    from irisdrop.record.journal import Journal
    from irisdrop.record.orders import Orders
    from irisdrop.record.spool import Spool


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one state folder."""

    config: Config
    journal: Journal
    orders: Orders
    spool: Spool
    conditions: Conditions
    clock: Clock


def load(path: Path | None) -> Config:
    """The configuration that a command works with; raises Foreseen that names the place where it was looked for."""
    from irisdrop.profiles.config import default_config_path, load_config

    chosen = path or default_config_path()
    if not chosen.is_file():
        raise Foreseen(
            "NO_CONFIG",
            f"There is no configuration at {chosen}.",
            "name one with `irisdrop --config PATH …` or IRISDROP_CONFIG; README.md shows the first one.",
        )
    return load_config(chosen)


@contextmanager
def records(path: Path | None) -> Iterator[Records]:
    """The records, opened for one command."""
    from irisdrop.record.conditions import Conditions
    from irisdrop.record.journal import Journal
    from irisdrop.record.orders import Orders
    from irisdrop.record.spool import Spool
    from irisdrop.recovery import JOURNAL

    config = load(path)
    file = config.state / JOURNAL
    if not file.exists():
        raise Foreseen(
            "NO_JOURNAL", f"irisdrop has not run yet: there is no journal in {config.state}.", "`irisdrop run`."
        )
    clock = SystemClock()
    try:
        journal = Journal.open(file, clock)
    except PermissionError:
        raise _not_ours(config) from None
    try:
        yield Records(
            config,
            journal,
            Orders(journal.database, clock, config.worklist.stale),
            Spool(config.state / "spool", config.spool.limit),
            Conditions(journal.database, clock),
            clock,
        )
    finally:
        journal.close()


def _not_ours(config: Config) -> Foreseen:
    return Foreseen(
        "NOT_PERMITTED",
        f"This account may not open the journal in {config.state}.",
        "run the command with the service's account or as an administrator.",
    )


def as_json(value: Any) -> None:
    """Print a value for scripts, in ASCII so that no console can spoil it."""
    click.echo(json.dumps(value, indent=2, default=str))
