"""`irisdrop doctor`: looks at everything that irisdrop needs, and changes nothing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from irisdrop.surface.doctor import PARTS
from irisdrop.surface.doctor.finding import Case, Finding, Grade
from irisdrop.surface.opened import as_json
from irisdrop.vocabulary.faults import Foreseen, place


@click.command("doctor")
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)), metavar="[PART]...")
@click.option("--probe", is_flag=True, help="Try the camera folders with a file of our own, which is removed again.")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def doctor(config_path: Path | None, parts: tuple[str, ...], probe: bool, for_scripts: bool) -> None:
    """Look at what irisdrop needs, all of it or each PART: ok, look or broken, and what to do.

    Exit code 1 where something is broken.
    """
    found = [(part, finding) for part in parts or PARTS for finding in findings(part, case_of(config_path, probe))]
    if for_scripts:
        as_json([{"part": part, "grade": f.grade, "text": f.text, "try": f.remedy} for part, f in found])
    else:
        for part, finding in found:
            _show(part, finding)
        _sum_up([finding.grade for _, finding in found])
    if any(finding.grade is Grade.BROKEN for _, finding in found):
        raise click.exceptions.Exit(1)


def case_of(config_path: Path | None, probe: bool = False) -> Case:
    """The installation that a configuration describes, or why it can't be read."""
    from irisdrop.profiles.config import default_config_path, load_config

    chosen = config_path or default_config_path()
    try:
        return Case(chosen, load_config(chosen), probe=probe)
    except Foreseen as failure:
        return Case(chosen, None, failure.message.partition("\n")[0], probe)


def findings(part: str, case: Case) -> list[Finding]:
    """What one part finds; a part that fails is a finding too, and hides no other."""
    module, name = PARTS[part]
    found: list[Finding] = []
    try:
        found.extend(getattr(import_module(module), name)(case))
    except Exception as error:  # noqa: BLE001 - the doctor must say what it saw, whatever is broken
        found.append(Finding(Grade.BROKEN, f"this could not be looked at ({place(error)})", "send a support bundle."))
    return found


def _show(part: str, finding: Finding) -> None:
    colour = {Grade.OK: "green", Grade.LOOK: "yellow", Grade.BROKEN: "red"}[finding.grade]
    click.echo(f"{click.style(f'{finding.grade:<7}', fg=colour)} {part:<13} {finding.text}")
    if finding.remedy and finding.grade is not Grade.OK:
        click.echo(f"{'':<21} Try: {finding.remedy}")


def _sum_up(grades: list[Grade]) -> None:
    """How much is left to do, below a list that may be longer than the screen."""
    bad, doubtful = grades.count(Grade.BROKEN), grades.count(Grade.LOOK)
    if bad or doubtful:
        click.echo(f"\n{bad} broken, {doubtful} to look at, {grades.count(Grade.OK)} ok.")
