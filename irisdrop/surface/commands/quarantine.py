"""`irisdrop quarantine`: what waits for a person, and what a person decides."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irisdrop.platforms import corrects
from irisdrop.surface.mask import visible
from irisdrop.surface.opened import Records, as_json, records
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.reasons import REASONS, Code
from irisdrop.vocabulary.states import State

if TYPE_CHECKING:
    from irisdrop.outcome.quarantine import Quarantine
    from irisdrop.profiles.profile import DeviceProfile


SECOND = (
    "This platform can't take an image back: it keeps the one that it has, and gets a second one with the next order. "
    "Have the first one removed there."
)
NUMBERS = click.argument("numbers", type=int, nargs=-1, required=True, metavar="ID...")


@click.group("quarantine")
def quarantine() -> None:
    """What waits for a person: list, show, assign, release, discard, undo, recall."""


@quarantine.command("list")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def list_(config_path: Path | None, for_scripts: bool) -> None:
    """Every image in quarantine, with its reason; the images of one exam stand together."""
    from irisdrop.surface.exams import exams_of

    with records(config_path) as opened:
        exams = exams_of(opened.journal.in_state(State.QUARANTINED), _last_profiles(opened))
        found = [row(opened, image) | {"exam": exam.id} for exam in exams for image in exam.images]
    if for_scripts:
        as_json(found)
        return
    for number, item in enumerate(found):
        first = number == 0 or found[number - 1]["exam"] != item["exam"]
        lead = "" if first else "  "
        click.echo(
            f"{item['id']:>6}  {lead}{item['reason']:<20} {item['since'][:16]}  {item['camera']}  "
            f"{visible(item['file'])}"
        )
    told = f"{len(found)} images of {len(exams)} exams wait for a person."
    click.echo(told if found else "Nothing waits for a person.")


@quarantine.command("show")
@click.argument("number", type=int, metavar="ID")
@click.option("--json", "for_scripts", is_flag=True, help="For scripts.")
@click.pass_obj
def show(config_path: Path | None, number: int, for_scripts: bool) -> None:
    """One image: what was read from where, why it was refused, and everything that happened to it."""
    with records(config_path) as opened:
        image = _image(opened, number)
        _audit(opened, image)
        found = row(opened, image) | {
            "state": str(image.state),
            "detail": image.detail,
            "entry": image.entry,
            "eye": image.eye,
            "decision": json.loads(opened.journal.decision(number) or "null"),
            "history": [
                {
                    "at": step.at.isoformat(),
                    "event": step.event,
                    "before": step.before,
                    "after": step.after,
                    "who": step.who,
                    "why": step.why,
                }
                for step in opened.journal.history(number)
            ],
        }
    if for_scripts:
        as_json(found)
    else:
        _show(found)


@quarantine.command("assign")
@NUMBERS
@click.option("--entry", required=True, metavar="ENTRY", help="The order's id, as `worklist show` prints it.")
@click.option("--eye", type=click.Choice(["R", "L", "B"]), help="The eye, where the image does not say it or is wrong.")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who decides this; default: your account.")
@click.option("--despite", multiple=True, metavar="REASON", help="A contradiction that you have looked at.")
@click.pass_obj
def assign(
    config_path: Path | None,
    numbers: tuple[int, ...],
    entry: str,
    eye: str | None,
    by: str,
    despite: Sequence[str],
) -> None:
    """Give images to an order, all or none; they are sent when the time for `undo` is over."""
    codes = [_code(text) for text in despite]
    with _acting(config_path) as (opened, desk, told):
        for number in numbers:
            image = desk.assign(number, entry, by=by, eye=eye, despite=codes)
            told.append(f"Image {number} goes to the order as the {_eye(image.eye)} in {opened.config.undo:g} seconds.")
            if image.replaces is not None and not corrects(opened.config):
                told.append(SECOND)


@quarantine.command("release")
@NUMBERS
@click.option("--by", default=getpass.getuser, metavar="NAME")
@click.pass_obj
def release(config_path: Path | None, numbers: tuple[int, ...], by: str) -> None:
    """Let irisdrop read and decide images again."""
    with _acting(config_path) as (_, desk, told):
        for number in numbers:
            told.append(f"Image {number} is {desk.release(number, by=by).state} again.")


@quarantine.command("discard")
@NUMBERS
@click.option("--by", default=getpass.getuser, metavar="NAME")
@click.option("--why", required=True, metavar="TEXT", help="Why it will never be delivered.")
@click.pass_obj
def discard(config_path: Path | None, numbers: tuple[int, ...], by: str, why: str) -> None:
    """Never deliver images; `undo` takes it back."""
    with _acting(config_path) as (_, desk, told):
        for number in numbers:
            desk.discard(number, by=by, why=why)
            told.append(f"Image {number} is discarded.")


@quarantine.command("undo")
@NUMBERS
@click.option("--by", default=getpass.getuser, metavar="NAME")
@click.pass_obj
def undo(config_path: Path | None, numbers: tuple[int, ...], by: str) -> None:
    """Take back assignments that have not been sent, or discards."""
    with _acting(config_path) as (_, desk, told):
        for number in numbers:
            desk.undo(number, by=by)
            told.append(f"Image {number} is back in quarantine.")


@quarantine.command("recall")
@NUMBERS
@click.option("--by", default=getpass.getuser, metavar="NAME")
@click.option("--why", required=True, metavar="TEXT", help="What was wrong with the delivery.")
@click.pass_obj
def recall(config_path: Path | None, numbers: tuple[int, ...], by: str, why: str) -> None:
    """Take delivered images back; the next assignment corrects the platform's record, or where the platform can't be
    corrected (every kind but http) sends a second image."""
    with _acting(config_path) as (opened, desk, told):
        for number in numbers:
            desk.recall(number, by=by, why=why)
            told.append(
                f"Image {number} is back in quarantine; the platform keeps it where it was until it is assigned."
            )
        if not corrects(opened.config):
            told.append(SECOND)


@contextmanager
def _acting(config_path: Path | None) -> Iterator[tuple[Records, Quarantine, list[str]]]:
    """What a person decides about several images is one commit: all of it, or nothing; it is told when it is done."""
    told: list[str] = []
    with records(config_path) as opened:
        desk = _desk(opened)
        with opened.journal.transaction():
            yield opened, desk, told
    for line in told:
        click.echo(line)


def row(opened: Records, image: ImageFile) -> dict[str, Any]:
    """One image as `quarantine list --json` prints it."""
    from irisdrop.suggest import suggestions_for

    return {
        "id": image.id,
        "digest": image.digest,
        "file": image.name,
        "camera": image.camera,
        "reason": None if image.reason is None else str(image.reason),
        "since": opened.journal.since(image.id).isoformat(),
        "readings": [{"key": r.key, "value": r.value, "raw": r.raw, "source": r.source} for r in image.readings],
        "suggestions": suggestions_for(image, opened.orders, opened.config),
    }


def _show(found: dict[str, Any]) -> None:
    click.echo(f"image {found['id']}  {found['state']}  {found['camera']}  {visible(found['file'])}")
    if found["reason"]:
        reason = REASONS[Code(found["reason"])]
        click.echo(f"{reason.code}: {reason.sentence} ({visible(found['detail'] or '')})\nTry: {reason.remedy}")
    for reading in found["readings"]:
        click.echo(f"  {reading['key']:<22} {visible(reading['value']):<28} {visible(reading['source'])}")
    for suggestion in found["suggestions"]:
        click.echo(f"  maybe {suggestion['entry']}: {visible('; '.join(suggestion['why']))}")
    for step in found["history"]:
        click.echo(f"  {step['at'][:19]}  {step['after']:<12} {visible(step['who'])}: {visible(step['why'] or '')}")


def _desk(opened: Records) -> Quarantine:
    from irisdrop.desk import open_desk
    from irisdrop.profiles.config import load_profiles

    profiles = load_profiles(opened.config)
    return open_desk(opened.config, opened.journal, opened.orders, opened.spool, opened.clock, profiles.get)


def _last_profiles(opened: Records) -> dict[str, DeviceProfile]:
    """The profiles that the cameras had last; those that this version can't read are left out."""
    from irisdrop.profiles.profile import parse_profile
    from irisdrop.vocabulary.faults import FaultyFile

    found: dict[str, DeviceProfile] = {}
    for camera in opened.config.cameras:
        text = opened.journal.last_profile(camera.name)
        with suppress(FaultyFile):
            if text is not None:
                found[camera.name] = parse_profile(text, camera.profile)
    return found


def _audit(opened: Records, image: ImageFile) -> None:
    """That a person looked at an image is worth a record; that the list was printed names nobody in particular."""
    from irisdrop.record.audit import Kind

    who, entry = getpass.getuser(), image.entry
    opened.journal.audit.write(Kind.ACCESS, "R", who, image=image.id, digest=image.digest, entry=entry, detail="show")


def _image(opened: Records, number: int) -> ImageFile:
    try:
        return opened.journal.get(number)
    except KeyError:
        raise Foreseen("NO_SUCH_IMAGE", f"There is no image {number}.", "`irisdrop quarantine list`.") from None


def _code(text: str) -> Code:
    try:
        return Code(text.upper())
    except ValueError:
        raise click.BadParameter(f"{text} is no reason; one of {', '.join(Code)}", param_hint="--despite") from None


def _eye(eye: str | None) -> str:
    return {"R": "right eye", "L": "left eye", "B": "picture of both eyes"}.get(eye or "", "unknown eye")
