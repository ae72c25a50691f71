"""The plan holds: identity and matching, by the shipped profiles, come to the end that each export names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from irisdrop.identity.identify import Export as Arrived
from irisdrop.identity.identify import Refusal, identify
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.capture import Situation
from irisdrop.matching.match import match
from irisdrop.profiles.profile import load_profile
from irisdrop.reference.camera import CAMERAS
from irisdrop.reference.clinic import SITE, Clinic
from irisdrop.reference.plan import APART, Export, Plan, plan
from irisdrop.vocabulary.decisions import Matched
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code

ZONE = ZoneInfo("America/New_York")
NOON = datetime(2025, 1, 14, 17, 0, tzinfo=UTC)


def made(seconds: float = 20, seed: int = 7, now: datetime = NOON, zone: ZoneInfo = ZONE, **more: float) -> Plan:
    """A plan of some seconds."""
    return plan(Clinic(seed, now, zone), seconds, **more)


@pytest.fixture(scope="module")
def parsers() -> Iterator[Parsers]:
    """One pool for the module."""
    with Parsers() as pool:
        yield pool


def found(
    export: Export, orders: tuple[WorklistEntry, ...], parsers: Parsers, folder: Path
) -> tuple[object, object, object]:
    """Reason, entry and eye that our own stages come to for the bytes of an export."""
    file = folder / "bytes"
    file.write_bytes(export.content())
    profile = load_profile(export.profile)
    assert profile.takes(Path(export.path).name)
    read = identify(profile, Arrived(file, export.path), parsers)
    if isinstance(read, Refusal):
        return read.code, None, None
    situation = Situation(ZONE, NOON + timedelta(seconds=export.at), live=True, site=SITE)
    decision = match(read.readings, profile, situation, orders)
    if isinstance(decision, Matched):
        return None, decision.entry.id, decision.eye
    return decision.reason, None, None


@pytest.mark.parametrize("seed", [1, 2])
def test_every_export_comes_to_the_end_that_it_names(parsers: Parsers, tmp_path: Path, seed: int) -> None:
    of = made(seed=seed, patience=2.0, give_up=2.0)
    orders = of.orders + tuple(late.entry for late in of.late)
    for export in of.exports:
        expected = (export.reason, export.entry, export.eye)
        assert found(export, orders, parsers, tmp_path) == expected, export.story


def test_a_late_order_is_missing_at_first(parsers: Parsers, tmp_path: Path) -> None:
    of = made()
    (export,) = (export for export in of.exports if export.story == "the order comes late")
    assert found(export, of.orders, parsers, tmp_path)[0] is Code.NO_WORKLIST_ENTRY
    assert export.at < of.late[0].at
    assert of.late[0].entry not in of.orders


def test_without_time_to_end_what_nobody_ordered_and_what_was_never_finished_still_wait() -> None:
    ends = {export.story: (export.end, export.reason) for export in made().exports}
    assert ends["a patient whom nobody ordered"] == ends["never finished"] == ("waiting", None)
    ends = {export.story: (export.end, export.reason) for export in made(patience=2.0, give_up=3.0).exports}
    assert ends["a patient whom nobody ordered"] == ("quarantined", Code.NO_WORKLIST_ENTRY)
    assert ends["never finished"] == ("quarantined", Code.UNREADABLE)


def test_every_camera_every_end_and_every_pace_is_there() -> None:
    exports = made().exports
    assert {export.camera for export in exports} == set(CAMERAS)
    assert {export.end for export in exports} == {"delivered", "quarantined", "duplicate", "waiting"}
    assert {export.pace for export in exports} == {"slow", "burst", "renamed"}
    assert len({export.reason for export in exports}) >= 8


@pytest.mark.parametrize("seconds", [1, 5, 10, 20, 60, 200])
def test_it_ends_in_time_and_grows_with_it(seconds: float) -> None:
    exports = made(seconds).exports
    assert max(export.at for export in exports) <= max(4.0, seconds - 8)
    assert len(exports) >= max(16, seconds)


def test_a_name_is_used_again_only_after_it_was_at_rest_and_with_other_bytes() -> None:
    exports = made(200).exports
    again = [name for name, number in Counter((export.camera, export.path) for export in exports).items() if number > 1]
    assert again
    for name in again:
        first, second = (export for export in exports if (export.camera, export.path) == name)
        assert second.at - first.at >= APART
        assert first.content() != second.content()


def test_only_a_duplicate_has_the_bytes_of_another() -> None:
    exports = made().exports
    contents = Counter(export.content() for export in exports if export.story != "no image")
    assert sorted(contents.values())[-2:] == [1, 2]
    assert [export.story for export in exports if export.end == "duplicate"] == ["exported twice"]


def test_the_same_seed_gives_the_same_plan() -> None:
    one, two = made(), made()
    assert one == two
    assert [export.content() for export in one.exports[:5]] == [export.content() for export in two.exports[:5]]
    assert made(seed=8) != one


def test_patients_differ_in_every_number() -> None:
    clinic = Clinic(3, NOON, ZONE)
    plan(clinic, 120)
    ids = [patient.id for patient in clinic.patients]
    assert len(ids) == len(set(ids))
    assert any(number.startswith("0") for number in ids)
    assert (
        len({entry.id for entry in clinic.entries})
        == len({entry.keys["AccessionNumber"] for entry in clinic.entries})
        == len(clinic.entries)
    )


def test_pictures_have_the_size_of_pictures() -> None:
    sizes = [len(export.content()) for export in made().exports if export.end == "delivered"]
    assert 150_000 < min(sizes) <= max(sizes) < 1_000_000


@pytest.mark.parametrize(
    "now", [datetime(2025, 1, 14, 4, 59, 55, tzinfo=UTC), datetime(2025, 3, 9, 6, 59, 55, tzinfo=UTC)]
)
def test_midnight_and_the_change_of_clocks_do_no_harm(parsers: Parsers, tmp_path: Path, now: datetime) -> None:
    of = made(now=now)
    for export in of.exports:
        if export.end == "delivered" and export.camera in ("room-2", "room-3", "room-5"):
            situation = Situation(ZONE, now + timedelta(seconds=export.at), live=True, site=SITE)
            (tmp_path / "bytes").write_bytes(export.content())
            read = identify(load_profile(export.profile), Arrived(tmp_path / "bytes", export.path), parsers)
            assert not isinstance(read, Refusal)
            orders = of.orders + tuple(late.entry for late in of.late)
            assert isinstance(match(read.readings, load_profile(export.profile), situation, orders), Matched), (
                export.story
            )
