"""What is remembered of the export folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irisdrop.record.journal import Journal
from irisdrop.record.known import SIFT, Fingerprint, KnownFile, Standing, signed
from irisdrop.vocabulary.clock import SystemClock


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.open(tmp_path / "journal.db", SystemClock())


ONE = Fingerprint(100, 1_700_000_000_000_000_000, 1_700_000_000_000_000_001, 42)


def test_a_path_is_remembered_with_its_look_and_standing(journal: Journal) -> None:
    journal.known.note("room-2", "p", [("a.jpg", ONE, Standing.PENDING)])
    assert journal.known.get("room-2", "p", "a.jpg") == KnownFile(ONE, Standing.PENDING)
    assert journal.known.get("room-2", "", "a.jpg") is None
    assert journal.known.get("room-3", "p", "a.jpg") is None


def test_a_second_note_takes_the_place_of_the_first(journal: Journal) -> None:
    journal.known.note("room-2", "", [("a.jpg", ONE, Standing.PENDING)])
    journal.known.note("room-2", "", [("a.jpg", ONE._replace(size=7), Standing.SETTLED)])
    assert journal.known.folder("room-2", "") == {"a.jpg": KnownFile(ONE._replace(size=7), Standing.SETTLED)}


def test_sifting_tells_the_known_of_many_names(journal: Journal) -> None:
    journal.known.note("room-2", "", [(f"{n}.jpg", ONE, Standing.SETTLED) for n in range(0, SIFT, 2)])
    found = journal.known.of("room-2", "").sift([f"{n}.jpg" for n in range(SIFT)])
    assert set(found) == {f"{n}.jpg".encode() for n in range(0, SIFT, 2)}
    assert found[b"0.jpg"] == (*ONE, int(Standing.SETTLED))


def test_a_folder_that_was_never_seen_knows_nothing(journal: Journal) -> None:
    folder = journal.known.of("room-2", "never")
    assert (folder.count(), folder.sift(["a.jpg"]), folder.names()) == (0, {}, [])
    assert not journal.known.any("room-2")


def test_names_that_are_no_unicode_come_back_as_they_were(journal: Journal) -> None:
    name = b"\xff\xfe \xc3\xbc.jpg".decode("utf-8", "surrogateescape")
    journal.known.note("room-2", name, [(name, ONE, Standing.SETTLED)])
    assert journal.known.folders("room-2") == [name]
    assert list(journal.known.folder("room-2", name)) == [name]
    assert journal.known.of("room-2", name).names() == [(name, Standing.SETTLED)]


def test_a_folder_in_which_nothing_is_known_any_more_is_forgotten(journal: Journal) -> None:
    journal.known.note("room-2", "p1", [("a.jpg", ONE, Standing.SETTLED), ("b.jpg", ONE, Standing.SETTLED)])
    journal.known.forget("room-2", "p1", ["a.jpg"])
    assert journal.known.folders("room-2") == ["p1"]
    journal.known.forget("room-2", "p1", ["b.jpg"])
    assert journal.known.folders("room-2") == []


def test_adopting_takes_what_was_left_alone_since_a_time(journal: Journal) -> None:
    files = [(f"{n}.jpg", ONE._replace(mtime_ns=n), Standing.LEFT_ALONE) for n in range(10)]
    journal.known.note("room-2", "", [*files, ("s.jpg", ONE, Standing.SETTLED)])
    journal.start_camera("room-2", "/x", SystemClock().now(), 10)
    assert journal.known.adopt("room-2", 6) == 4
    assert journal.left_alone("room-2") == 6
    assert journal.known.count("room-2", Standing.LEFT_ALONE) == 6
    assert journal.known.count("room-2", Standing.ADOPTED) == 4
    assert journal.known.adopt("room-3", 0) == 0


@given(st.integers(min_value=-(2**70), max_value=2**70))
def test_every_number_fits_and_stays_itself_once_it_fits(number: int) -> None:
    fitted = signed(number)
    assert -(2**63) <= fitted < 2**63
    assert signed(fitted) == fitted


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 10**19])
def test_the_largest_file_ids_and_times_are_kept(journal: Journal, number: int) -> None:
    seen = Fingerprint(1, signed(number), signed(number), signed(number))
    journal.known.note("room-2", "", [("a.jpg", seen, Standing.SETTLED)])
    found = journal.known.get("room-2", "", "a.jpg")
    assert found is not None
    assert found.fingerprint == seen
