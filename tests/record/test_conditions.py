"""What is not well now, as every surface shows it."""

from __future__ import annotations

import errno
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from irisdrop.record import conditions as module
from irisdrop.record.conditions import Conditions
from irisdrop.record.database import Damaged
from irisdrop.record.journal import Journal
from irisdrop.vocabulary.conditions import KINDS


def told(records: Any) -> list[tuple[str, str, str]]:
    return [(condition.code, condition.subject, condition.detail) for condition in records.conditions.active()]


def test_what_is_raised_is_shown_until_it_is_cleared(records: Any) -> None:
    records.conditions.raise_("DISK_FULL", "spool", "no room")
    assert told(records) == [("DISK_FULL", "spool", "no room")]
    records.conditions.clear("DISK_FULL", "spool")
    assert told(records) == []
    records.conditions.clear("DISK_FULL", "spool")


def test_it_says_since_when_and_a_new_detail_does_not_begin_anew(records: Any, clock: Any) -> None:
    records.conditions.raise_("DISK_FULL", "spool", "no room")
    since = records.conditions.active()[0].since
    clock.advance(60)
    records.conditions.raise_("DISK_FULL", "spool", "still no room")
    condition = records.conditions.active()[0]
    assert (condition.since, condition.detail) == (since, "still no room")


def test_what_may_pass_by_itself_is_shown_only_when_it_lasts(records: Any, clock: Any) -> None:
    records.conditions.raise_("PLATFORM_UNREACHABLE", "platform")
    clock.advance(59)
    assert told(records) == []
    assert records.conditions.subjects("PLATFORM_UNREACHABLE") == ["platform"]
    clock.advance(1)
    assert told(records) == [("PLATFORM_UNREACHABLE", "platform", "")]


def test_a_symptom_is_silent_while_its_cause_shows(records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    symptom = replace(KINDS["WORKLIST_STALE"], depends_on=("PLATFORM_DENIED",))
    monkeypatch.setitem(KINDS, "WORKLIST_STALE", symptom)
    records.conditions.raise_("WORKLIST_STALE", "worklist")
    records.conditions.raise_("PLATFORM_DENIED", "platform")
    assert [code for code, _, _ in told(records)] == ["PLATFORM_DENIED"]
    records.conditions.clear("PLATFORM_DENIED", "platform")
    assert [code for code, _, _ in told(records)] == ["WORKLIST_STALE"]


def test_the_worst_comes_first(records: Any) -> None:
    for code in ("FILES_KNOWN", "QUARANTINE_WAITING", "DISK_FULL"):
        records.conditions.raise_(code, "x")
    assert [code for code, _, _ in told(records)] == ["DISK_FULL", "QUARANTINE_WAITING", "FILES_KNOWN"]


def test_a_condition_survives_a_restart_and_another_process_can_clear_it(records: Any) -> None:
    records.conditions.raise_("DISK_FULL", "spool")
    other = Journal.open(records.state / "journal.db", records.clock)
    Conditions(other.database, records.clock).clear("DISK_FULL", "spool")
    other.close()
    assert told(records) == []
    records.conditions.raise_("DISK_FULL", "spool")
    assert told(records) == [("DISK_FULL", "spool", "")]


def test_what_was_raised_in_a_commit_that_failed_can_be_raised_again(records: Any) -> None:
    with pytest.raises(RuntimeError), records.journal.transaction():
        records.conditions.raise_("RECEIPT_ALARM", "image 1")
        raise RuntimeError
    assert told(records) == []
    records.conditions.raise_("RECEIPT_ALARM", "image 1")
    assert told(records) == [("RECEIPT_ALARM", "image 1", "")]


def test_an_unknown_code_is_a_fault_of_ours(records: Any) -> None:
    with pytest.raises(KeyError):
        records.conditions.raise_("NO_SUCH_THING", "x")


def test_a_code_of_another_version_hides_nothing(records: Any) -> None:
    with records.journal.transaction():
        records.journal.database.execute("INSERT INTO conditions VALUES ('OF_TOMORROW', 'x', '', 'then')")
    records.conditions.raise_("DISK_FULL", "spool")
    assert told(records) == [("DISK_FULL", "spool", "")]


def test_a_failure_that_can_not_be_noted_ends_nobody(records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the thread that tells of its failure must be there when there is room again."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(records.journal.database, "transaction", full)
        records.conditions.note_failure("deciding", ValueError("a name"))
    records.conditions.note_failure("deciding", ValueError("a name"))
    assert [(one.subject, one.detail) for one in records.conditions.active()] == [("deciding", "ValueError")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_once_and_as_what_it_is(records: Any, number: int) -> None:
    """Whichever stage met it: none of them is broken."""
    for stage in ("deciding", "delivery", "image 5"):
        records.conditions.note_failure(stage, OSError(number, "no room"))
    assert told(records) == [("DISK_FULL", "journal", "")]


def test_a_quota_that_lets_nothing_be_noted_is_seen_by_who_looks(records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "page_refused", lambda _: OSError(errno.EDQUOT, "quota"))
    assert told(records) == [("DISK_FULL", "journal", "")]


@pytest.mark.parametrize(("refused", "again"), [(False, 3600), (True, 120)])
def test_a_page_is_written_to_try_the_disk_once_an_hour_or_soon_where_a_commit_was_refused(
    records: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, refused: bool, again: int
) -> None:
    """The tray looks every two seconds, and an idle night writes nothing."""
    tried: list[Any] = []
    monkeypatch.setattr(module, "page_refused", tried.append)
    assert told(records) == []
    records.journal.database.refused = refused
    clock.advance(again - 1)
    assert told(records) == []
    assert len(tried) == 1
    clock.advance(1)
    assert told(records) == []
    assert len(tried) == 2


def test_the_page_tries_the_disk_soon_where_the_agents_commit_was_refused(
    records: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(module, "page_refused", tried.append)
    of_the_page = Conditions(records.journal.database, clock, lambda: True)
    for _ in range(2):
        of_the_page.active()
        clock.advance(120)
    assert len(tried) == 2


def test_what_was_found_well_is_not_asked_for_half_a_minute(records: Any, clock: Any) -> None:
    records.conditions.clear("DISK_FULL", "spool")
    Conditions(records.journal.database, clock).raise_("DISK_FULL", "spool")  # as another process does
    clock.advance(29)
    records.conditions.clear("DISK_FULL", "spool")
    assert told(records) == [("DISK_FULL", "spool", "")]
    clock.advance(1)
    records.conditions.clear("DISK_FULL", "spool")
    assert told(records) == []


def test_what_was_cleared_in_a_commit_that_failed_is_cleared_by_the_next_one(records: Any) -> None:
    records.conditions.raise_("DISK_FULL", "spool")
    with pytest.raises(RuntimeError), records.journal.transaction():
        records.conditions.clear("DISK_FULL", "spool")
        raise RuntimeError
    assert told(records) == [("DISK_FULL", "spool", "")]
    records.conditions.clear("DISK_FULL", "spool")
    assert told(records) == []


def test_what_was_told_long_enough_is_forgotten_and_nothing_else(records: Any, clock: Any) -> None:
    records.conditions.raise_("PROFILE_CHANGES", "room-2")
    records.conditions.raise_("TWIN_CONFLICT", "image 1")
    clock.advance(60)
    records.conditions.forget({"PROFILE_CHANGES": timedelta(seconds=60)})
    assert len(told(records)) == 2
    clock.advance(1)
    records.conditions.forget({"PROFILE_CHANGES": timedelta(seconds=60)})
    assert [code for code, _, _ in told(records)] == ["TWIN_CONFLICT"]


def test_a_failure_on_a_damaged_journal_is_not_answered_by_another(
    records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise Damaged("a page")

    monkeypatch.setattr(records.journal.database, "transaction", damaged)
    records.conditions.note_failure("delivery", ValueError("a name"))


def test_what_another_thread_found_well_just_before_it_was_raised_can_be_cleared_at_once(
    records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = records.conditions._detail

    def meanwhile(code: str, subject: str) -> str | None:
        found: str | None = asked(code, subject)
        monkeypatch.undo()
        records.conditions.clear(code, subject)
        return found

    monkeypatch.setattr(records.conditions, "_detail", meanwhile)
    records.conditions.raise_("DISK_FULL", "spool")
    records.conditions.clear("DISK_FULL", "spool")
    assert records.conditions.subjects("DISK_FULL") == []
