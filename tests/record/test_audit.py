"""The audit trail: what was done to which image, and a chain that shows whether a record was changed or lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irisdrop.record.audit import CODES, GENESIS, OF_TRANSITION, Audit, Head, Kind
from irisdrop.record.database import Database
from irisdrop.record.journal import Arrival, Journal
from irisdrop.record.known import Fingerprint
from irisdrop.vocabulary.reasons import Code
from irisdrop.vocabulary.states import Event


@pytest.fixture
def journal(tmp_path: Path, clock: Any) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "journal.db", clock)
    yield opened
    opened.close()


@pytest.fixture
def audit(journal: Journal) -> Audit:
    for number in range(5):
        journal.audit.write(Kind.ACCESS, "R", "operator", image=number)
    return journal.audit


def settled(journal: Journal) -> Any:
    arrival = Arrival("room-2", "", "a.jpg", "/exports/a.jpg", Fingerprint(3, 1, 1, 1))
    now = journal._clock.now()
    return journal.settle(arrival, "ab" * 32, 3, arrived=now, live=True, racy=False)


def altered(journal: Journal, sql: str) -> None:
    with journal.transaction():
        journal.database.execute(sql)


def test_each_record_names_the_one_before_it(audit: Audit) -> None:
    records = list(audit.records())
    assert [record.number for record in records] == [1, 2, 3, 4, 5]
    assert [record.before for record in records] == [GENESIS, *(record.hash for record in records[:-1])]
    assert audit.verify().wrong is None
    assert audit.verify().head == audit.head() == Head(5, records[-1].hash)


@pytest.mark.parametrize("column", ["at", "kind", "action", "who", "digest", "entry", "detail", "hash", "before"])
def test_a_changed_value_is_found_by_its_record(journal: Journal, audit: Audit, column: str) -> None:
    altered(journal, f"UPDATE audit SET {column} = 'x' WHERE number = 3")
    assert audit.verify().wrong == 3


@pytest.mark.parametrize("column", ["outcome", "image"])
def test_a_changed_number_is_found_by_its_record(journal: Journal, audit: Audit, column: str) -> None:
    altered(journal, f"UPDATE audit SET {column} = 77 WHERE number = 3")
    assert audit.verify().wrong == 3


def test_a_missing_record_is_named(journal: Journal, audit: Audit) -> None:
    altered(journal, "DELETE FROM audit WHERE number = 2")
    assert (audit.verify().wrong, audit.verify().why) == (2, "is missing")


def test_a_cut_tail_shows_only_where_the_head_was_told(journal: Journal, audit: Audit) -> None:
    told = audit.head()
    altered(journal, "DELETE FROM audit WHERE number > 3")
    assert audit.verify().wrong is None
    assert audit.verify(told).wrong == 4


def test_a_trail_that_was_written_anew_shows_by_the_head_that_was_told(journal: Journal, audit: Audit) -> None:
    told = audit.head()
    altered(journal, "DELETE FROM audit")
    for number in range(9):
        audit.write(Kind.ACCESS, "R", "somebody else", image=number)
    assert audit.verify().wrong is None
    assert audit.verify(told).wrong == 5


def test_a_record_and_its_transition_are_one_commit(journal: Journal) -> None:
    image = settled(journal)
    (record,) = journal.audit.records()
    assert (record.kind, record.image, record.digest, record.action) == (Kind.IMPORT, image.id, "ab" * 32, "C")
    quarantined = journal.refuse(image, Code.UNREADABLE, "flawed")
    with pytest.raises(RuntimeError), journal.transaction():
        journal.move(quarantined, Event.DISCARD, "operator", "no picture")
        raise RuntimeError("the power fails")
    assert journal.audit.head().number == 1
    journal.move(quarantined, Event.DISCARD, "operator", "Muster^Anna is no patient of ours")
    last = list(journal.audit.records())[-1]
    assert (last.kind, last.action, last.who, last.detail) == (Kind.ACCESS, "D", "operator", "discard")


def test_two_connections_write_one_chain(tmp_path: Path, clock: Any, journal: Journal) -> None:
    second = Database(tmp_path / "journal.db", clock)
    other = Audit(second, clock)
    for _ in range(20):
        journal.audit.write(Kind.QUERY, "E", "agent")
        other.write(Kind.ACCESS, "R", "operator")
    second.close()
    assert journal.audit.verify().wrong is None
    assert journal.audit.head().number == 40


def test_every_act_of_a_person_is_audited_and_every_kind_has_its_code() -> None:
    persons = {Event.RELEASE, Event.RELOOK, Event.ASSIGN, Event.DISCARD, Event.UNDO, Event.RECALL}
    assert persons <= set(OF_TRANSITION)
    assert set(CODES) == set(Kind)
