"""What a scan finds, compared with what is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from irisdrop.arrival import listings
from irisdrop.arrival.distance import Distance
from irisdrop.arrival.entries import Entry
from irisdrop.arrival.scan import News, Scan
from irisdrop.arrival.system import fingerprint
from irisdrop.record.journal import Journal
from irisdrop.record.known import Fingerprint, Known, Standing
from irisdrop.vocabulary.clock import SystemClock

FAR = False


@pytest.fixture
def memory(tmp_path: Path) -> Known:
    return Journal.open(tmp_path / "journal.db", SystemClock()).known


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.fixture(params=["near", "far"], autouse=True)
def far(request: pytest.FixtureRequest) -> bool:
    """Every scan finds the same in a folder of this machine and on a share."""
    global FAR
    FAR = request.param == "far"
    return FAR


def scan(root: Path, memory: Known) -> tuple[Scan, dict[str, News], set[str]]:
    """The scan, what needs something by name, and what is gone."""
    distance = Distance("room-2", str(root))
    distance.near = not FAR
    made = Scan(str(root), "room-2", memory, lambda name: name.endswith(".jpg"), distance)
    found: dict[str, News] = {}
    gone: set[str] = set()
    for batch in (*made.walk(), *made.lost_folders()):
        prefix = f"{batch.folder}/" if batch.folder else ""
        found |= {prefix + item.base: item.news for item in batch.found}
        gone |= {prefix + base for base in batch.gone}
    return made, found, gone


def know(memory: Known, root: Path, standing: Standing, *names: str) -> None:
    for name in names:
        path = root / name
        folder = str(Path(name).parent) if "/" in name else ""
        memory.note("room-2", folder, [(path.name, fingerprint(path.lstat()), standing)])


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_new_files_are_found_in_every_folder(root: Path, memory: Known) -> None:
    put(root, "a.jpg", "p1/b.jpg", "p1/deep/c.jpg", "p1/notes.txt")
    assert scan(root, memory)[1] == {"a.jpg": News.NEW, "p1/b.jpg": News.NEW, "p1/deep/c.jpg": News.NEW}


def test_what_is_settled_and_as_it_was_needs_nothing(root: Path, memory: Known) -> None:
    put(root, "a.jpg", "p/b.jpg")
    know(memory, root, Standing.SETTLED, "a.jpg", "p/b.jpg")
    made, found, gone = scan(root, memory)
    assert (found, gone, made.known) == ({}, set(), 2)


@pytest.mark.parametrize(
    ("standing", "news"),
    [
        (Standing.PENDING, News.PENDING),
        (Standing.RACY, News.RACY),
        (Standing.ADOPTED, News.ADOPTED),
        (Standing.LEFT_ALONE, None),
        (Standing.REFUSED, None),
    ],
)
def test_each_standing_has_its_own_news(root: Path, memory: Known, standing: Standing, news: News | None) -> None:
    put(root, "a.jpg")
    know(memory, root, standing, "a.jpg")
    assert scan(root, memory)[1].get("a.jpg") is news


@pytest.mark.parametrize("change", ["size", "mtime", "inode"])
def test_any_difference_is_a_change(root: Path, memory: Known, change: str) -> None:
    put(root, "a.jpg")
    know(memory, root, Standing.SETTLED, "a.jpg")
    path = root / "a.jpg"
    before = path.stat()
    if change == "size":
        path.write_bytes(b"xy")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "mtime":
        os.utime(path, ns=(0, 0))
    else:
        other = root / "other"
        other.write_bytes(b"x")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(path)
    assert scan(root, memory)[1] == {"a.jpg": News.CHANGED}


def test_what_is_gone_is_told_and_what_was_left_alone_is_remembered(root: Path, memory: Known) -> None:
    put(root, "a.jpg", "b.jpg", "old.jpg", "p/c.jpg", "p/d.jpg")
    know(memory, root, Standing.SETTLED, "a.jpg", "b.jpg", "p/c.jpg", "p/d.jpg")
    know(memory, root, Standing.LEFT_ALONE, "old.jpg")
    for name in ("a.jpg", "old.jpg", "p/c.jpg", "p/d.jpg"):
        (root / name).unlink()
    (root / "p").rmdir()
    assert scan(root, memory)[2] == {"a.jpg", "p/c.jpg", "p/d.jpg"}


def test_an_old_file_on_a_share_that_numbers_its_files_anew_is_still_old(root: Path, memory: Known) -> None:
    """watchdog#802: a remount looks like thousands of new files."""
    put(root, "old.jpg")
    seen = fingerprint((root / "old.jpg").lstat())
    memory.note("room-2", "", [("old.jpg", Fingerprint(seen.size, seen.mtime_ns, 1, 1), Standing.LEFT_ALONE)])
    assert scan(root, memory)[1] == {"old.jpg": News.AGED}
    (root / "old.jpg").write_bytes(b"another size")
    assert scan(root, memory)[1] == {"old.jpg": News.CHANGED}


def test_links_pipes_and_sockets_are_no_plain_files(root: Path, memory: Known) -> None:
    put(root, "a.jpg", "real/b.jpg")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "dangling.jpg").symlink_to(root / "nowhere")
    (root / "folder.jpg").symlink_to(root / "real")
    (root / "folder-link").symlink_to(root / "real")
    os.mkfifo(root / "pipe.jpg")
    found = scan(root, memory)[1]
    assert found.pop("a.jpg") is found.pop("real/b.jpg") is News.NEW
    assert found == dict.fromkeys(("link.jpg", "dangling.jpg", "folder.jpg", "pipe.jpg"), News.NOT_PLAIN)


def test_a_folder_whose_name_the_profile_would_take_is_a_folder(root: Path, memory: Known) -> None:
    put(root, "study.jpg/a.jpg")
    assert scan(root, memory)[1] == {"study.jpg/a.jpg": News.NEW}


def test_a_loop_of_links_ends(root: Path, memory: Known) -> None:
    put(root, "p/a.jpg")
    (root / "p" / "up").symlink_to(root)
    assert scan(root, memory)[1] == {"p/a.jpg": News.NEW}


def test_an_unreadable_folder_is_not_an_empty_one(root: Path, memory: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """beats#51694: unreadable was treated as deleted."""
    put(root, "a.jpg", "p/b.jpg", "p/deep/c.jpg", "q/d.jpg")
    know(memory, root, Standing.SETTLED, "a.jpg", "p/b.jpg", "p/deep/c.jpg", "q/d.jpg")
    real, real_far = os.scandir, listings.listed

    def refuse(path: str) -> None:
        if path.endswith("/p"):
            raise PermissionError(13, "Permission denied")

    def listing(path: str) -> object:
        refuse(path)
        return real(path)

    def far_listing(path: str, turn: AbstractContextManager[object]) -> Iterator[list[Entry]]:
        refuse(path)
        return real_far(path, turn)

    (root / "q" / "d.jpg").unlink()
    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(listings, "listed", far_listing)
    made, found, gone = scan(root, memory)
    assert (found, gone) == ({}, {"q/d.jpg"})
    assert list(made.unreadable) == ["p"]


def test_names_of_every_kind_are_known_again(root: Path, memory: Known) -> None:
    names = [
        "über.jpg",
        "u\u0308ber.jpg",
        "眼底.jpg",
        "a'b\"c.jpg",
        "new\nline.jpg",
        "back\\slash.jpg",
        "é" * 125 + ".jpg",
    ]
    put(root, *names)
    raw = os.fsdecode(os.fsencode(str(root)) + b"/\xff\xfe\x80.jpg")
    Path(raw).write_bytes(b"x")
    (root / "ordner ü").mkdir()
    put(root, "ordner ü/x.jpg")
    assert len(scan(root, memory)[1]) == 9
    know(memory, root, Standing.SETTLED, *names, Path(raw).name, "ordner ü/x.jpg")
    assert scan(root, memory)[1:] == ({}, set())


def test_a_time_far_in_the_future_is_remembered(root: Path, memory: Known) -> None:
    put(root, "a.jpg")
    os.utime(root / "a.jpg", (10_000_000_000, 10_000_000_000))
    know(memory, root, Standing.SETTLED, "a.jpg")
    assert scan(root, memory)[1] == {}


def test_a_folder_of_many_files_is_compared_in_pieces(root: Path, memory: Known, picture: Callable[..., bytes]) -> None:
    names = [f"{number}.jpg" for number in range(1300)]
    put(root, *names)
    know(memory, root, Standing.SETTLED, *names)
    (root / "700.jpg").unlink()
    (root / "701.jpg").write_bytes(picture(b"other"))
    assert scan(root, memory)[1:] == ({"701.jpg": News.CHANGED}, {"700.jpg"})


def test_a_file_that_the_disk_can_say_nothing_of_delays_no_other_and_is_not_gone(
    root: Path, memory: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad inode, and everything that was listed after it would never have been found."""
    put(root, "a.jpg", "bad.jpg", "known-bad.jpg", "z.jpg", "p/b.jpg")
    know(memory, root, Standing.SETTLED, "known-bad.jpg")
    broken_looks(monkeypatch)
    made, found, gone = scan(root, memory)
    assert (found, gone) == ({"a.jpg": News.NEW, "z.jpg": News.NEW, "p/b.jpg": News.NEW}, set())
    assert (made.hidden, made.unreadable) == (["", ""], {})


class Broken:
    """An entry whose inode can't be read where its name says so."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self._entry, self.name = entry, entry.name

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def is_symlink(self) -> bool:
        return self._entry.is_symlink()

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        if "bad" in self.name:
            raise OSError(5, "Input/output error")
        return self._entry.stat(follow_symlinks=follow_symlinks)


def broken_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    real, real_stat = os.scandir, os.stat

    @contextmanager
    def listing(path: str) -> Iterator[Iterator[Broken]]:
        with real(path) as entries:
            yield (Broken(entry) for entry in entries)

    def look(path: str, **options: Any) -> os.stat_result:
        if "bad" in str(path):
            raise OSError(5, "Input/output error")
        return real_stat(path, **options)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(os, "stat", look)


def test_a_folder_with_the_name_that_a_file_had_is_looked_through(root: Path, memory: Known) -> None:
    put(root, "a.jpg", "old.jpg")
    know(memory, root, Standing.SETTLED, "a.jpg")
    know(memory, root, Standing.LEFT_ALONE, "old.jpg")
    for name in ("a.jpg", "old.jpg"):
        (root / name).unlink()
        put(root, f"{name}/b.jpg")
    found, gone = scan(root, memory)[1:]
    assert found == {"a.jpg/b.jpg": News.NEW, "old.jpg/b.jpg": News.NEW}
    assert gone == {"a.jpg"}
