"""The adversarial clinic, the short version: twenty days, and what must make the suite fail."""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import suite
from clinic import day
from troubles import KINDS, UNDETECTABLE

from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match as sound_match
from irisdrop.matching.worklist import gather as sound_gather
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.orders import Orders
from irisdrop.vocabulary.decisions import Decision, Matched, Unmatched
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.reasons import Code

HERE = Path(__file__).resolve().parent
SEED = 11
GENERATOR = ("cameras.py", "clinic.py", "troubles.py")


@pytest.fixture(scope="module")
def mirrors() -> Iterator[Path]:
    """A folder for the mirrors of the days."""
    with tempfile.TemporaryDirectory(dir=suite.memory()) as place:
        yield Path(place)


@pytest.fixture(scope="module")
def table(mirrors: Path) -> suite.Table:
    """Twenty days, played once."""
    return suite.run(SEED, range(20), mirrors)


def test_no_image_reaches_a_wrong_order_and_few_need_a_person(table: suite.Table) -> None:
    """Wrong 0, guessed 0, 97 % of the determinable decided, the right entry is suggestion 1 in 95 %."""
    assert table.failures() == [], "\n".join([*suite.markdown(table), *table.examples])


def test_every_kind_of_trouble_is_at_least_three_percent_of_the_images(table: suite.Table) -> None:
    images = sum(row.images for row in table.kinds().values())
    assert {kind: row.images / images for kind, row in table.kinds().items() if row.images < 0.03 * images} == {}
    assert len(table.kinds()) == len(KINDS)


def test_what_nobody_can_detect_has_rows_of_its_own(table: suite.Table) -> None:
    """The typed number of another scheduled patient does go wrong, and is not hidden in a kind that counts."""
    apart = [row for kind, row in table.kinds().items() if kind in UNDETECTABLE]
    assert len(apart) == 2
    assert all(row.wrong > 0.9 * row.images > 0 for row in apart)
    assert table.total().images + sum(row.images for row in apart) == sum(row.images for row in table.rows.values())


def test_a_seed_makes_the_same_day_each_time_and_another_seed_another() -> None:
    assert day(3, 5) == day(3, 5)
    assert day(3, 5) != day(4, 5)


@pytest.mark.parametrize("name", GENERATOR)
def test_the_generator_imports_only_words_profiles_and_contents(name: str) -> None:
    """It knows the truth by itself: nothing of what decides may reach it."""
    imported = {
        found
        for node in ast.walk(ast.parse((HERE / name).read_text(encoding="utf-8")))
        for found in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
            if isinstance(node, ast.Import) else []
        )
        if found and found.startswith("irisdrop")
    }  # fmt: skip
    allowed = ("irisdrop.vocabulary.", "irisdrop.profiles.", "irisdrop.identity.contents")
    assert [module for module in imported if not module.startswith(allowed)] == []


def test_making_a_day_loads_nothing_of_matching() -> None:
    """Neither directly nor by way of something else."""
    code = "import sys, clinic; clinic.day(1, 1); print([m for m in sys.modules if m.startswith('irisdrop.matching')])"
    path = {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}" if sys.platform != "win32" else f"{HERE};{HERE.parent.parent}"}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------- planted weaknesses

Match = Callable[[Sequence[Reading], DeviceProfile, Situation, Sequence[WorklistEntry]], Decision]


def zeros_ignored(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Compares numbers without their leading zeros."""
    known = {entry.id: entry for entry in entries}
    bare = [replace(r, value=r.value.lstrip("0")) if r.key == "PatientID" else r for r in readings]
    stripped = [replace(e, keys={**e.keys, "PatientID": e.keys["PatientID"].lstrip("0")}) for e in entries]
    decision = sound_match(bare, profile, situation, stripped)
    return replace(decision, entry=known[decision.entry.id]) if isinstance(decision, Matched) else decision


def nearest_order(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Takes the nearest of several orders that fit."""
    decision = sound_match(readings, profile, situation, entries)
    if not isinstance(decision, Unmatched) or decision.reason is not Code.AMBIGUOUS or decision.taken is None:
        return decision
    begin = decision.taken.begin
    fitting = [c.entry for c in decision.candidates if c.refused is None and c.entry.standing is Standing.OPEN]
    if not fitting:
        return decision
    entry = min(fitting, key=lambda one: abs(one.start - begin) if one.start else begin - begin)
    eye = next(r.value for r in readings if r.key == "ImageLaterality")
    return Matched(entry, eye, decision.taken, (), decision.key_set, decision.candidates, decision.trace)


def eye_defaulted(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Takes an eye that nobody declared for the left one, as four exports in the field do."""
    known = [r for r in readings if r.key != "ImageLaterality" or r.value != "U"]
    if not any(r.key == "ImageLaterality" for r in known):
        known.append(Reading("ImageLaterality", "L", "", "default"))
    return sound_match(known, profile, situation, entries)


def name_ignored(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Does not compare names and sexes with the order's."""
    return sound_match(readings, replace(profile, agree=()), situation, entries)


def clock_believed(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Lets a stamp decide between two orders whatever the moment of arrival says."""
    return sound_match(readings, profile, replace(situation, live=False), entries)


def site_ignored(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Takes the orders of every site."""
    return sound_match(readings, profile, replace(situation, site=None), entries)


def completed_forgotten(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Gives a late image of a completed order to the other one."""
    return sound_match(readings, profile, situation, [e for e in entries if e.standing is not Standing.COMPLETED])


def everything(orders: Orders, readings: Sequence[Reading], profile: DeviceProfile) -> list[WorklistEntry]:
    """What a comparison without zeros would have to look through."""
    found = {entry.id: entry for entry in orders.open_entries(10_000)}
    return list((found | {entry.id: entry for entry in sound_gather(orders, readings, profile)}).values())


@pytest.mark.parametrize(
    "weakness",
    [zeros_ignored, nearest_order, eye_defaulted, name_ignored, clock_believed, site_ignored, completed_forgotten],
)
def test_a_planted_weakness_makes_the_suite_fail(
    weakness: Match, mirrors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images at a wrong patient, order or eye: so the 0 of the sound one says something."""
    planted: list[tuple[Any, str, Any]] = [(suite.match, "match", weakness)]
    if weakness is zeros_ignored:
        planted.append((suite.worklist, "gather", everything))
    for module, name, function in planted:
        monkeypatch.setattr(module, name, function)
    for begin in range(0, 32, 8):  # each kind comes every day, but not each of its cases
        played = suite.run(SEED, range(begin, begin + 8), mirrors)
        if played.total().wrong:
            break
    assert played.total().wrong > 0
    assert any("wrong patient, order or eye" in missed for missed in played.failures())
