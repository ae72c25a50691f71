"""The one reading of a file, on real files of every kind."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from irisdrop.arrival import take as taking
from irisdrop.arrival.system import fingerprint
from irisdrop.arrival.take import (
    Changed,
    Gone,
    Incomplete,
    NotPlain,
    Order,
    SpoolFailed,
    SpoolFull,
    Stopped,
    Taken,
    TooLarge,
    Unreadable,
    take,
)
from irisdrop.record.spool import Incoming, Origin, Spool

NOW = datetime(2030, 1, 14, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def order(path: Path, **changes: object) -> Order:
    made = Order(
        path=str(path),
        looked=fingerprint(path.lstat()),
        origin=Origin("room-2", str(path), path.name, NOW, True),
        largest=1 << 40,
        digests=frozenset(),
        beginning=None,
        force=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def taken(made: Order, spool: Spool, stopped: Callable[[], bool] = lambda: False) -> taking.Outcome:
    return take(made, spool, NOW.timestamp(), stopped)


@pytest.fixture(params=[3_000_000, 100_000], ids=["in blocks", "at once"])
def file(tmp_path: Path, picture: Callable[..., bytes], request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(b"a", request.param))
    return path


@pytest.fixture
def nothing_left(spool: Spool) -> Iterator[None]:
    """No copy stays behind where nothing was taken."""
    yield
    assert list((spool.folder / "incoming").iterdir()) == []
    assert list(spool.digests()) == []
    assert spool.used == 0


def test_every_byte_is_in_the_spool_under_its_digest(file: Path, spool: Spool) -> None:
    outcome = taken(order(file), spool)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert outcome == Taken(digest, file.stat().st_size, racy=False, new=True, grown=False, complete=True)
    assert spool.file(digest).read_bytes() == file.read_bytes()
    assert [origin.path for origin in spool.origins(digest)] == [str(file)]


def test_bytes_that_the_path_has_already_are_not_copied_again(file: Path, spool: Spool) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    outcome = taken(order(file, digests=frozenset({digest})), spool)
    assert isinstance(outcome, Taken)
    assert not outcome.new
    assert not spool.holds(digest)


def test_a_file_written_within_two_seconds_of_its_reading_is_racy(file: Path, spool: Spool) -> None:
    os.utime(file, (NOW.timestamp(), NOW.timestamp() - 1.9))
    outcome = taken(order(file), spool)
    assert isinstance(outcome, Taken)
    assert outcome.racy


@pytest.mark.usefixtures("nothing_left")
def test_a_file_that_changed_since_it_was_looked_at_is_not_read(file: Path, spool: Spool) -> None:
    made = order(file)
    with file.open("ab") as more:
        more.write(b"!")
    assert taken(made, spool) == Changed()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("change", ["grow", "rewrite", "shrink", "replace", "touch"])
def test_a_file_that_changes_while_it_is_read_is_thrown_away(file: Path, spool: Spool, change: str) -> None:
    def act() -> bool:
        if change == "grow":
            with file.open("ab") as more:
                more.write(b"more")
        elif change == "rewrite":
            with file.open("r+b") as same:
                same.write(b"x")
        elif change == "shrink":
            os.truncate(file, 10)
        elif change == "touch":
            os.utime(file)
        else:
            other = file.with_suffix(".new")
            other.write_bytes(file.read_bytes())
            other.replace(file)
        return False

    assert taken(order(file), spool, act) == Changed()


@pytest.mark.usefixtures("nothing_left")
def test_a_file_that_is_removed_while_it_is_read_is_gone(file: Path, spool: Spool) -> None:
    def act() -> bool:
        file.unlink(missing_ok=True)
        return False

    # The name is gone, or the handle says so by its number of links: either way nothing is kept.
    assert taken(order(file), spool, act) in (Gone(), Changed())


@pytest.mark.usefixtures("nothing_left")
def test_a_missing_file_is_gone(file: Path, spool: Spool) -> None:
    made = order(file)
    file.unlink()
    assert taken(made, spool) == Gone()


@pytest.mark.usefixtures("nothing_left")
def test_a_reading_ends_when_the_agent_stops(file: Path, spool: Spool) -> None:
    assert taken(order(file), spool, lambda: True) == Stopped()


@pytest.mark.usefixtures("nothing_left")
def test_a_half_written_file_is_not_taken(file: Path, spool: Spool) -> None:
    """paperless-ngx#1279, connect#1443."""
    os.truncate(file, 100_000)
    assert taken(order(file), spool) == Incomplete()


def test_a_half_written_file_is_taken_by_force_and_says_so(file: Path, spool: Spool) -> None:
    os.truncate(file, 100_000)
    outcome = taken(order(file, force=True), spool)
    assert isinstance(outcome, Taken)
    assert not outcome.complete


@pytest.mark.parametrize("file", [3_000_000], indirect=True)
@pytest.mark.parametrize("cut", [0, 1, 100_000, 1024 * 1024, 1024 * 1024 + 1, 2_999_999])
def test_a_partial_that_grew_on_is_known_by_its_beginning(file: Path, spool: Spool, cut: int) -> None:
    digest = hashlib.sha256(file.read_bytes()[:cut]).hexdigest()
    outcome = taken(order(file, beginning=(cut, digest)), spool)
    assert isinstance(outcome, Taken)
    assert outcome.grown
    assert spool.sound(outcome.digest)


def test_other_bytes_at_the_same_path_are_not_its_continuation(file: Path, spool: Spool) -> None:
    outcome = taken(order(file, beginning=(1000, "0" * 64)), spool)
    assert isinstance(outcome, Taken)
    assert not outcome.grown


@pytest.mark.usefixtures("nothing_left")
def test_a_file_over_the_limit_is_not_read(tmp_path: Path, spool: Spool) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as sparse:
        sparse.truncate(5 << 40)
    assert taken(order(large), spool) == TooLarge(5 << 40)


@pytest.mark.usefixtures("nothing_left")
def test_no_link_is_followed(file: Path, tmp_path: Path, spool: Spool) -> None:
    link = tmp_path / "link.jpg"
    link.symlink_to(file)
    assert taken(order(link), spool) == NotPlain()


@pytest.mark.usefixtures("nothing_left")
def test_a_file_that_became_a_link_after_the_look_is_not_followed(
    file: Path, tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = order(file)
    before = file.lstat()
    secret = tmp_path / "secret"
    file.rename(secret)
    file.symlink_to(secret)
    monkeypatch.setattr(taking.os, "lstat", lambda _: before)
    assert taken(made, spool) == NotPlain()


@pytest.mark.usefixtures("nothing_left")
def test_a_pipe_neither_blocks_nor_is_read(tmp_path: Path, spool: Spool) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert taken(order(pipe), spool) == NotPlain()


@pytest.mark.usefixtures("nothing_left")
def test_a_pipe_in_the_place_of_a_file_does_not_block(
    file: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, before = order(file), file.lstat()
    file.unlink()
    os.mkfifo(file)
    monkeypatch.setattr(taking.os, "lstat", lambda _: before)
    assert taken(made, spool) == NotPlain()


@pytest.mark.usefixtures("nothing_left")
def test_a_socket_is_refused(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as held:
        held.bind("s.jpg")
        assert taken(order(tmp_path / "s.jpg"), spool) == NotPlain()


def test_a_hard_link_is_a_plain_file(file: Path, tmp_path: Path, spool: Spool) -> None:
    other = tmp_path / "other.jpg"
    other.hardlink_to(file)
    assert isinstance(taken(order(other), spool), Taken)


AS_NOBODY = """
import os, sys
from irisdrop.arrival.system import fingerprint
from irisdrop.arrival.take import Order, take
os.chdir(sys.argv[1])
if os.geteuid() == 0:  # root may read everything
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
order = Order("a.jpg", fingerprint(os.lstat("a.jpg")), None, 1 << 40, frozenset(), None, False)
print(take(order, None, 0.0, lambda: False))
"""


def test_a_file_that_is_not_ours_to_read_is_locked(file: Path) -> None:
    file.chmod(0)
    file.parent.chmod(0o755)
    command = [sys.executable, "-c", AS_NOBODY, str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "Locked(detail='Permission denied')\n"


@pytest.mark.usefixtures("nothing_left")
def test_a_bad_sector_is_unreadable(file: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(taking, "ended", fail)
    assert taken(order(file), spool) == Unreadable(errno.EIO)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.usefixtures("nothing_left")
def test_a_failing_spool_is_not_taken_for_a_failing_file(
    file: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, "x")

    monkeypatch.setattr(Incoming, "write", fail)
    assert taken(order(file), spool) == SpoolFailed(os.strerror(number))


@pytest.mark.parametrize("file", [3_000_000], indirect=True)
def test_on_a_full_disk_the_partial_copy_is_removed(file: Path, tmp_path: Path, small_disk: Path) -> None:
    """A real file system of 2 MB: the copy of 3 MB must not stay and keep it full."""
    spool = Spool(small_disk / "spool")
    assert taken(order(file), spool) == SpoolFailed(os.strerror(errno.ENOSPC))
    assert list((spool.folder / "incoming").iterdir()) == []
    small = tmp_path / "small.jpg"
    small.write_bytes(b"\xff\xd8\xff\xda\x00\x02" + b"a" * 100 + b"\xff\xd9")
    assert isinstance(taken(order(small), spool), Taken)


@pytest.mark.usefixtures("nothing_left")
def test_a_full_spool_takes_nothing(file: Path, spool: Spool) -> None:
    spool.budget.limit = 1000
    assert taken(order(file), spool) == SpoolFull()


@pytest.mark.parametrize(
    "name",
    [
        "über.jpg",
        "u\u0308ber.jpg",
        "眼底 写真.jpg",
        'it\'s "quoted".jpg',
        "new\nline.jpg",
        "ü" * 125 + ".jpg",
        "a" * 251 + ".jpg",
    ],
)
def test_names_in_any_script_are_opened_as_they_are(
    tmp_path: Path, spool: Spool, picture: Callable[..., bytes], name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(picture(name.encode()))
    outcome = taken(order(path), spool)
    assert isinstance(outcome, Taken)
    assert spool.origins(outcome.digest)[0].path == str(path)


def test_a_name_that_is_no_unicode_is_opened(tmp_path: Path, spool: Spool, picture: Callable[..., bytes]) -> None:
    path = Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\xfe.jpg"))
    path.write_bytes(picture(b"bytes"))
    outcome = taken(order(path), spool)
    assert isinstance(outcome, Taken)
    assert spool.origins(outcome.digest)[0].path == str(path)


def test_no_outcome_names_the_file(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "Muster_Anna_19620930.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    assert "Muster" not in repr(taken(order(path), spool))
