"""The spool: one file for each digest, its note first, nothing half."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from irisdrop.record.spool import Incoming, Origin, Spool

ARRIVED = datetime(2025, 1, 14, 9, 30, tzinfo=UTC)


def origin(path: str = "/x/a.jpg", camera: str = "room-2") -> Origin:
    return Origin(camera, path, Path(path).name, ARRIVED, True)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def keep(spool: Spool, content: bytes, source: Origin | None = None) -> str:
    copy = spool.receive()
    copy.write(content)
    return spool.keep(copy, source or origin())


def test_bytes_are_kept_under_their_digest_with_their_origin(spool: Spool) -> None:
    digest = keep(spool, b"picture")
    assert digest == hashlib.sha256(b"picture").hexdigest()
    assert spool.file(digest).read_bytes() == b"picture"
    assert spool.holds(digest)
    assert spool.sound(digest)
    assert spool.origins(digest) == [origin()]
    assert list(spool.digests()) == [digest]


def test_the_digest_so_far_is_that_of_the_bytes_so_far(spool: Spool) -> None:
    copy = spool.receive()
    copy.write(b"pic")
    assert copy.digest == hashlib.sha256(b"pic").hexdigest()
    copy.write(b"ture")
    assert copy.digest == hashlib.sha256(b"picture").hexdigest()
    copy.abandon()


def test_the_same_bytes_from_two_places_have_two_origins_and_take_their_room_once(spool: Spool) -> None:
    digest = keep(spool, b"picture", origin("/x/a.jpg"))
    keep(spool, b"picture", origin("/x/b.jpg"))
    keep(spool, b"picture", origin("/x/a.jpg"))
    assert [item.path for item in spool.origins(digest)] == ["/x/a.jpg", "/x/b.jpg"]
    assert spool.used == len(b"picture")


def test_many_threads_that_keep_the_same_bytes_lose_no_origin(spool: Spool) -> None:
    gate = threading.Barrier(8)

    def work(number: int) -> None:
        gate.wait()
        keep(spool, b"picture", origin(f"/x/{number}.jpg"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (digest,) = spool.digests()
    assert len(spool.origins(digest)) == 8
    assert spool.used == len(b"picture")


def test_an_abandoned_copy_leaves_nothing(spool: Spool) -> None:
    copy = spool.receive()
    copy.write(b"half")
    copy.abandon()
    copy.abandon()
    assert list(spool.digests()) == []
    assert list((spool.folder / "incoming").iterdir()) == []


def test_a_dropped_digest_is_gone_with_its_note(spool: Spool) -> None:
    digest = keep(spool, b"picture")
    spool.drop(digest)
    spool.drop(digest)
    assert not spool.holds(digest)
    assert spool.origins(digest) == []
    assert spool.used == 0


def test_the_room_is_limited_and_counted_again_at_the_start(tmp_path: Path) -> None:
    keep(Spool(tmp_path / "spool"), b"x" * 600)
    again = Spool(tmp_path / "spool", limit=1000)
    assert again.used == 600
    assert again.room(400)
    assert not again.room(401)


def test_copies_that_are_made_at_the_same_time_share_the_limit(tmp_path: Path) -> None:
    """Two readers that each found room passed it together."""
    spool = Spool(tmp_path / "spool", limit=1000)
    with spool.promise(600) as one, spool.promise(600) as other:
        assert (one, other) == (True, False)
        assert spool.room(400)
        assert not spool.room(401)
    assert spool.room(1000)


def test_a_damaged_file_is_not_sound(spool: Spool) -> None:
    digest = keep(spool, b"picture")
    spool.file(digest).write_bytes(b"pictura")
    assert not spool.sound(digest)
    assert not spool.sound("0" * 64)


def test_a_path_that_is_no_unicode_is_noted_exactly(spool: Spool) -> None:
    path = os.fsdecode(b"/x/\xff\xfe.jpg")
    digest = keep(spool, b"picture", Origin("room-2", path, "?.jpg", ARRIVED, False))
    assert spool.origins(digest)[0].path == path


def test_only_the_account_of_the_service_can_read_it(spool: Spool) -> None:
    assert spool.folder.stat().st_mode & 0o077 == 0


CUT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from irisdrop.record.spool import Incoming, Origin, Spool
spool = Spool(Path(sys.argv[1]))
copy = spool.receive()
copy.write(b"picture")
spool.keep(copy, Origin("room-2", "/x/a.jpg", "a.jpg", datetime(2025, 1, 14, tzinfo=UTC), True))
"""


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("spool.fsync.before", False),
        ("spool.fsync.after", False),
        ("note.fsync.before", False),
        ("note.rename.before", False),
        ("spool.rename.before", False),
        ("spool.rename.after", True),
        ("spool.folder.after", True),
    ],
)
def test_a_kill_at_any_line_leaves_whole_bytes_with_their_note_or_nothing(
    tmp_path: Path, place: str, kept: bool
) -> None:
    environment = {**os.environ, "IRISDROP_MARKS": f"{place}:1"}
    done = subprocess.run([sys.executable, "-c", CUT, str(tmp_path / "spool")], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    spool = Spool(tmp_path / "spool")
    digests = list(spool.digests())
    assert len(digests) == int(kept)
    for digest in digests:
        assert spool.sound(digest)
        assert [item.path for item in spool.origins(digest)] == ["/x/a.jpg"]
    # The next try of the same file succeeds whatever the first left.
    digest = keep(spool, b"picture", origin())
    assert spool.sound(digest)
    assert [item.path for item in spool.origins(digest)] == ["/x/a.jpg"]


def test_a_spool_that_is_removed_meanwhile_is_made_anew(spool: Spool) -> None:
    """Also where that happens while a copy is made, whose bytes are gone with it."""
    keep(spool, b"first")
    copy = spool.receive()
    copy.write(b"second")
    shutil.rmtree(spool.folder)
    with pytest.raises(OSError):
        spool.keep(copy, origin())
    digest = keep(spool, b"third")
    assert spool.holds(digest)
    assert spool.used == len(b"third")
    assert spool.folder.stat().st_mode & 0o077 == 0


def test_bytes_are_mended_from_where_the_journal_knows_them_to_have_come_from(spool: Spool, tmp_path: Path) -> None:
    """The note went with the bytes; another file in that place is no source."""
    source = tmp_path / "a.jpg"
    source.write_bytes(b"picture")
    digest = hashlib.sha256(b"picture").hexdigest()
    assert not spool.mend(digest)
    spool.elsewhere = lambda _: [origin(str(tmp_path / "gone.jpg")), origin(str(source))]
    assert spool.mend(digest)
    assert spool.sound(digest)
    assert list((spool.folder / "incoming").iterdir()) == []
    spool.drop(digest)
    source.write_bytes(b"another")
    assert not spool.mend(digest)


def test_a_disk_that_takes_no_bytes_says_nothing_about_the_source(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure is never read as "no": its image would go to quarantine as if the source were gone."""
    source = tmp_path / "a.jpg"
    source.write_bytes(b"picture")
    digest = keep(spool, b"picture", origin(str(source)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(Incoming, "write", full)
    with pytest.raises(OSError, match="no room"):
        spool.mend(digest)
    assert list((spool.folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", '{"exports": 5}', '{"exports": [{"camera": "x"}]}', "\xff"])
def test_a_damaged_note_stops_no_start_and_is_written_anew(spool: Spool, text: str) -> None:
    digest = keep(spool, b"picture")
    spool.file(digest).with_suffix(".json").write_text(text, "latin-1")
    assert spool.origins(digest) == []
    keep(spool, b"picture")
    assert spool.origins(digest) == [origin()]


def test_an_unloaded_image_lies_on_the_disk_as_before_and_an_absent_one_is_none(spool: Spool) -> None:
    digest = keep(spool, b"picture" * 100_000)
    spool.unload(digest)
    assert spool.sound(digest)
    spool.drop(digest)
    spool.unload(digest)
    assert not spool.holds(digest)


def test_a_note_that_the_disk_does_not_take_leaves_no_half_of_it(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = spool.receive()
    copy.write(b"picture")

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("irisdrop.record.hashed.Hashed.sync", full)
    monkeypatch.setattr("irisdrop.record.spool.Incoming.sync", lambda _: None)
    with pytest.raises(OSError, match="space"):
        spool.keep(copy, origin())
    copy.abandon()
    assert [path for path in spool.folder.rglob("*") if path.is_file()] == []


def test_names_of_copies_never_meet_whoever_makes_them(tmp_path: Path) -> None:
    one, other = Spool(tmp_path / "spool"), Spool(tmp_path / "spool")
    copies = [spool.receive() for spool in (one, other) for _ in range(20)]
    assert len({copy.path for copy in copies}) == 40
    for copy in copies:
        copy.abandon()
