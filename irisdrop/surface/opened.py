"""What a command opens: the configuration, and the journal directly, whether the agent runs or not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.faults import FaultyFile, Foreseen

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
    from irisdrop.profiles.config import load_config

    file = chosen(path)
    if not file.is_file():
        raise Foreseen(
            "NO_CONFIG",
            f"There is no configuration at {file}.",
            "name one with `irisdrop --config PATH …` or IRISDROP_CONFIG; README.md shows the first one.",
        )
    return load_config(file)


def chosen(path: Path | None) -> Path:
    """The file of the configuration: the one that was named, else the default place."""
    from irisdrop.profiles.config import default_config_path

    return path or default_config_path()


def standing(path: Path | None) -> Config:
    """The configuration that the agent works by: what is written, but while that is faulty the last good one, and while
    it names another state folder the one that the agent still runs on."""
    from irisdrop.profiles.lastgood import in_use, last_good
    from irisdrop.record.lease import Lease
    from irisdrop.recovery import JOURNAL

    try:
        config = load(path)
    except FaultyFile:
        last = last_good(chosen(path))
        if last is None:
            raise
        return last
    if os.path.exists(config.state / JOURNAL):  # noqa: PTH110 - false where this account may not look
        return config
    used = in_use(chosen(path))
    return used if used is not None and Lease.holder(used.state) is not None else config


@contextmanager
def records(path: Path | None, config_of: Callable[[Path | None], Config] = load) -> Iterator[Records]:
    """The records, opened for one command."""
    from irisdrop.record.conditions import Conditions
    from irisdrop.record.journal import Journal
    from irisdrop.record.orders import Orders
    from irisdrop.record.spool import Spool
    from irisdrop.recovery import JOURNAL

    config = config_of(path)
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
