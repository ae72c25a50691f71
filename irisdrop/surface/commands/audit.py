"""`irisdrop audit`: is the trail whole, and the trail itself."""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irisdrop.surface.opened import Records, as_json, records
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.record.audit import AuditRecord, Head, Verdict

HEAD = re.compile(r"(\d+):([0-9a-f]{64})")


@click.group("audit")
def audit() -> None:
    """Who did what to which image: verify, export."""


@audit.command("verify")
@click.option("--head", metavar="NUMBER:HASH", help="A head that was told elsewhere: the log writes one each hour.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def verify(config_path: Path | None, head: str | None, for_scripts: bool) -> None:
    """Recompute the chain; names the first record that was changed or is missing, with exit code 1."""
    told = None if head is None else _head(head)
    with records(config_path) as opened:
        verdict = opened.journal.audit.verify(told)
        _note(opened, "verify")
    if for_scripts:
        as_json({"whole": verdict.wrong is None, "wrong": verdict.wrong, "why": verdict.why, "head": str(verdict.head)})
    else:
        click.echo(_words(verdict, told))
    if verdict.wrong is not None:
        raise click.exceptions.Exit(1)


@audit.command("export")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file; default: standard output.")
@click.option("--beyond", default=0, metavar="NUMBER", help="Only records after this one.")
@click.option("--as", "shape", type=click.Choice(["json", "dicom"]), default="json", help="JSON lines, or PS3.15 XML.")
@click.pass_obj
def export(config_path: Path | None, output: Path | None, beyond: int, shape: str) -> None:
    """Write the trail, one record a line, as it is chained (json) or as AuditMessage of DICOM PS3.15 A.5 (dicom)."""
    with records(config_path) as opened:
        lines = _lines(opened.journal.audit.records(beyond), shape)
        if output is None:
            for line in lines:
                click.echo(line)
        else:
            click.echo(f"{_written(output, lines)} records are in {output}.", err=True)
        _note(opened, "export")


def _lines(found: Iterator[AuditRecord], shape: str) -> Iterator[str]:
    from irisdrop.surface.atna import message

    for record in found:
        yield json.dumps(asdict(record)) if shape == "json" else message(record)


def _written(output: Path, lines: Iterator[str]) -> int:
    count = 0
    try:
        with output.open("x", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    except FileExistsError:
        raise Foreseen("FILE_EXISTS", f"{output} exists already.", "name a new file.") from None
    return count


def _note(opened: Records, act: str) -> None:
    from irisdrop.record.audit import Kind

    opened.journal.audit.write(Kind.LOG_USED, "R", getpass.getuser(), detail=act)


def _head(text: str) -> Head:
    from irisdrop.record.audit import Head

    found = HEAD.fullmatch(text)
    if found is None:
        raise click.BadParameter("a head is NUMBER:HASH, as the log writes it after `audit head`", param_hint="--head")
    return Head(int(found[1]), found[2])


def _words(verdict: Verdict, told: Head | None) -> str:
    head = verdict.head
    if verdict.wrong is not None:
        return f"Record {verdict.wrong} {verdict.why}. Records 1 to {head.number} are as they were written."
    whole = f"Records 1 to {head.number} are as they were written; the head is {head}."
    if told is None:
        return (
            f"{whole}\nWhether later records were cut off can't be known from here: compare with a head that was told"
            " to the system's log (`audit head …`), by --head."
        )
    return f"{whole}\nThe head that was told ({told.number}) is among them, so none up to it was cut off."
