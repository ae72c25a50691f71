"""Threads that write at the same time share a commit; what fails in it fails for one of them alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from irisdrop.record.commits import Commits
from irisdrop.record.database import Damaged, Database


@pytest.fixture
def opened(tmp_path: Path, clock: Any) -> Iterator[Database]:
    database = Database(tmp_path / "journal.db", clock)
    yield database
    database.close()


def writing(database: Database, key: str, fails: bool = False) -> Callable[[], str]:
    def write() -> str:
        database.execute("INSERT INTO meta VALUES (?, 'x')", (key,))
        if fails:
            raise KeyError(key)
        return key

    return write


def test_everybody_gets_what_his_own_writing_returned(opened: Database) -> None:
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda n: opened.share(writing(opened, str(n))), range(200)))
    assert told == [str(number) for number in range(200)]
    assert opened.row("SELECT count(*) FROM meta")[0] == 200  # type: ignore[index]


def test_what_fails_is_raised_where_it_was_asked_for_and_leaves_the_others(opened: Database) -> None:
    def one(number: int) -> object:
        try:
            return opened.share(writing(opened, str(number), fails=number % 3 == 0))
        except KeyError:
            return None

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(one, range(90)))
    assert told == [None if number % 3 == 0 else str(number) for number in range(90)]
    assert {row["key"] for row in opened.rows("SELECT key FROM meta")} == {one for one in told if one is not None}


def test_who_comes_while_a_commit_is_flushed_shares_the_next_one() -> None:
    begun, gate, commits = threading.Event(), threading.Event(), 0

    @contextmanager
    def transaction() -> Iterator[None]:
        nonlocal commits
        yield
        begun.set()
        gate.wait(30)
        commits += 1

    shared = Commits(transaction)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.share, lambda: "first")
        assert begun.wait(30)
        others = [pool.submit(shared.share, lambda: "other") for _ in range(8)]
        while len(shared._waiting) < 8:
            pass
        assert not first.done()
        gate.set()
        assert first.result() == "first"
        assert [other.result() for other in others] == ["other"] * 8
    assert commits == 2


def test_within_a_transaction_it_joins_that_one(opened: Database) -> None:
    with pytest.raises(RuntimeError), opened.transaction():
        opened.share(writing(opened, "a"))
        raise RuntimeError
    assert opened.rows("SELECT * FROM meta") == []


def test_rows_that_were_gathered_are_written_with_their_commit_and_forgotten_with_it(opened: Database) -> None:
    def write(rows: list[Any]) -> None:
        opened.executemany("INSERT INTO meta VALUES (?, 'x')", rows)

    with pytest.raises(RuntimeError), opened.transaction():
        opened.gather(write, ("lost",))
        raise RuntimeError
    with opened.transaction():
        opened.gather(write, ("a",))
        with opened.transaction():
            opened.gather(write, ("b",))
        assert opened.rows("SELECT * FROM meta") == []
    assert [row["key"] for row in opened.rows("SELECT key FROM meta ORDER BY key")] == ["a", "b"]


def test_what_fails_in_being_told_keeps_nobody_waiting(opened: Database) -> None:
    def told(_: BaseException | None) -> None:
        raise Damaged("a page")

    opened.hand_over(writing(opened, "a"), told)
    others = [threading.Thread(target=opened.share, args=(writing(opened, key),), daemon=True) for key in "bc"]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(30)
    assert not any(thread.is_alive() for thread in others)
    assert {row["key"] for row in opened.rows("SELECT key FROM meta")} == {"a", "b", "c"}


def test_what_is_committed_is_never_taken_for_failed_or_written_twice(opened: Database) -> None:
    told: list[str] = []

    def fails() -> None:
        raise RuntimeError

    def write(key: str) -> str:
        opened.execute("INSERT INTO meta VALUES (?, 'x')", (key,))
        opened.afterwards(fails)
        opened.afterwards(lambda: told.append(key))
        return key

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda key: opened.share(lambda: write(key)), "abcdefgh")) == list("abcdefgh")
    assert sorted(told) == list("abcdefgh")


def test_nothing_is_handed_over_within_a_transaction_that_may_still_be_rolled_back(opened: Database) -> None:
    told: list[object] = []
    with pytest.raises(AssertionError), opened.transaction():
        opened.hand_over(writing(opened, "a"), told.append)
    assert told == []
