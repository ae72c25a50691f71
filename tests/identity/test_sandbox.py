"""Parsers in children that can be killed."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from irisdrop.identity import sandbox
from irisdrop.identity.contents import Wanted
from irisdrop.identity.sandbox import ParserFailed, Parsers, ParsersClosed, ParserUnstartable

NOTHING = Wanted()
MAKER_NOTE = Wanted(exif=frozenset({"MakerNote.ImageType"}))


@pytest.fixture
def picture(tmp_path: Path, make: Any) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(make.picture())
    return path


@pytest.fixture
def poison(tmp_path: Path, make: Any) -> Path:
    """A picture whose MakerNote says that it has two thousand million values: exifread reads them one by one."""
    inner = struct.pack("<HHHII", 1, 0x927C, 7, 0x7FFFFFFF, 8) + bytes(4)
    entries = [(0x010F, 2, 6, b"Canon\0"), (0x8769, 4, 1, struct.pack("<I", 44))]
    path = tmp_path / "poison.jpg"
    path.write_bytes(make.with_exif_block(make.tiff_block(entries) + inner))
    return path


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stand_in(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Children that do `body` when they are asked, as a parser with a bug would."""
    script = f"import os, sys, time\nprint('{{}}', flush=True)\nfor line in sys.stdin:\n    {body}\n"
    monkeypatch.setattr(sandbox, "command", lambda _: [sys.executable, "-I", "-S", "-c", script])


def test_a_parser_that_hangs_is_killed_and_the_next_file_is_read(picture: Path, poison: Path) -> None:
    with Parsers(seconds=1.0) as parsers:
        begin = time.monotonic()
        with pytest.raises(ParserFailed, match="hung"):
            parsers.read(poison, MAKER_NOTE)
        assert time.monotonic() - begin < 20.0  # the file itself takes more than a minute
        assert parsers.pids() == ()
        assert parsers.read(picture, MAKER_NOTE).kind == "jpeg"


def test_a_file_that_hangs_delays_no_other(picture: Path, poison: Path) -> None:
    """With one child kept, the others get one of their own while it hangs."""
    with Parsers(size=1, seconds=8.0) as parsers:
        parsers.read(picture, NOTHING)

        def swallow() -> None:
            with pytest.raises(ParserFailed):
                parsers.read(poison, MAKER_NOTE)

        hanging = threading.Thread(target=swallow)
        hanging.start()
        while parsers._idle:
            time.sleep(0.001)
        for _ in range(2):
            parsers.read(picture, NOTHING)
        assert hanging.is_alive()
        hanging.join()


def test_a_parser_that_crashes_costs_its_file_alone(monkeypatch: pytest.MonkeyPatch, picture: Path) -> None:
    with Parsers() as parsers:
        with monkeypatch.context() as patch:
            stand_in(patch, "os.abort()")
            with pytest.raises(ParserFailed, match="crashed"):
                parsers.read(picture, NOTHING)
        assert parsers.read(picture, NOTHING).kind == "jpeg"


def test_a_child_that_somebody_else_killed_is_no_fault_of_the_file(picture: Path) -> None:
    with Parsers() as parsers:
        parsers.read(picture, NOTHING)
        (pid,) = parsers.pids()
        os.kill(pid, signal.SIGKILL)
        assert parsers.read(picture, NOTHING).kind == "jpeg"
        assert parsers.pids() != (pid,)


def test_a_file_that_swells_is_stopped_at_the_memory_limit(tmp_path: Path, make: Any, picture: Path) -> None:
    whole = make.dicom(syntax="1.2.840.10008.1.2.1")
    head = make.dicom(syntax="1.2.840.10008.1.2.1.99")
    begin = head.index(b"1.2.840.10008.1.2.1.99")
    swollen = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    path = tmp_path / "bomb.dcm"
    with path.open("wb") as file:
        file.write(_meta(head, begin))
        for _ in range(220):
            file.write(swollen.compress(bytes(1 << 20)))
        file.write(swollen.flush())
    assert len(whole) > path.stat().st_size / 1000
    with Parsers(memory=200 << 20) as parsers:
        with pytest.raises(ParserFailed, match="memory"):
            parsers.read(path, NOTHING)
        assert parsers.read(picture, NOTHING).kind == "jpeg"


def _meta(head: bytes, near: int) -> bytes:
    """The part of a DICOM file before its data set: 132 bytes, the group's length, and what that counts."""
    assert near > 144
    return head[: 144 + int.from_bytes(head[140:144], "little")]


def test_an_installation_without_parsers_blames_no_file(monkeypatch: pytest.MonkeyPatch, picture: Path) -> None:
    monkeypatch.setattr(sandbox, "command", lambda _: [sys.executable, "-c", "raise SystemExit(3)"])
    with Parsers() as parsers, pytest.raises(ParserUnstartable):
        parsers.read(picture, NOTHING)


def test_a_machine_that_is_slow_to_start_a_parser_blames_no_file(
    monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    """The agent gives way to all other programs, so its children may wait long for their first moment."""
    begun = sandbox.command

    def late(memory: int) -> list[str]:
        *start, code = begun(memory)
        return [*start, f"import time; time.sleep(2); {code}"]

    monkeypatch.setattr(sandbox, "command", late)
    with Parsers(seconds=1.0) as parsers:
        assert parsers.read(picture, NOTHING).kind == "jpeg"
    monkeypatch.setattr(sandbox, "STARTS", 0.2)
    with Parsers() as parsers:
        with pytest.raises(ParserUnstartable):
            parsers.read(picture, NOTHING)
        assert parsers.pids() == ()


def test_a_child_whose_time_was_up_just_after_its_answer_reads_no_other_file(
    monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    with Parsers() as parsers:
        give = parsers._give

        def late(child: sandbox.Child) -> None:
            child.expire()
            give(child)

        with monkeypatch.context() as patch:
            patch.setattr(parsers, "_give", late)
            parsers.read(picture, NOTHING)
        assert parsers.pids() == ()
        assert parsers.read(picture, NOTHING).kind == "jpeg"


def test_without_a_thread_to_watch_it_no_child_is_left_behind(monkeypatch: pytest.MonkeyPatch, picture: Path) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError

    with Parsers() as parsers:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(RuntimeError):
                parsers.read(picture, NOTHING)
        assert parsers.pids() == ()
        assert parsers.read(picture, NOTHING).kind == "jpeg"


def test_children_are_kept_warm_and_retire_without_work(picture: Path) -> None:
    with Parsers(retire=0.2) as parsers:
        parsers.read(picture, NOTHING)
        (pid,) = parsers.pids()
        parsers.read(picture, NOTHING)
        assert parsers.pids() == (pid,)
        deadline = time.monotonic() + 60
        while parsers.pids() and time.monotonic() < deadline:
            time.sleep(0.01)
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_alive(pid)
        assert parsers.read(picture, NOTHING).kind == "jpeg"


def test_closing_ends_every_child_and_blames_no_file(poison: Path) -> None:
    parsers = Parsers(seconds=30.0)
    seen: list[BaseException] = []

    def reading() -> None:
        try:
            parsers.read(poison, MAKER_NOTE)
        except ParsersClosed as closed:
            seen.append(closed)

    thread = threading.Thread(target=reading)
    thread.start()
    while not parsers.pids():
        time.sleep(0.001)
    (pid,) = parsers.pids()
    parsers.close()
    thread.join(60)
    assert len(seen) == 1
    assert not is_alive(pid)
    with pytest.raises(ParsersClosed):
        parsers.read(poison, NOTHING)


def test_a_ctrl_c_in_our_terminal_is_not_for_the_children(picture: Path) -> None:
    with Parsers() as parsers:
        parsers.read(picture, NOTHING)
        (pid,) = parsers.pids()
        assert os.getpgid(pid) != os.getpgid(0)
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        parsers.read(picture, NOTHING)
        assert parsers.pids() == (pid,)


def test_children_die_with_their_parent(picture: Path) -> None:
    """Even with one that is killed: their input ends."""
    program = (
        "import os, sys; from pathlib import Path; from irisdrop.identity.contents import Wanted\n"
        "from irisdrop.identity.sandbox import Parsers\n"
        f"parsers = Parsers(); parsers.read(Path({str(picture)!r}), Wanted())\n"
        "print(*parsers.pids(), flush=True); os.kill(os.getpid(), 9)\n"
    )
    root = str(Path(sandbox.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_many_threads_share_the_parsers(picture: Path) -> None:
    with Parsers(size=2) as parsers:
        kinds: list[str] = []
        threads = [
            threading.Thread(target=lambda: kinds.extend(parsers.read(picture, NOTHING).kind for _ in range(20)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kinds == ["jpeg"] * 160
        assert len(parsers.pids()) <= 2


def test_a_file_that_is_gone_raises_instead_of_being_blamed(tmp_path: Path) -> None:
    with Parsers() as parsers, pytest.raises(FileNotFoundError):
        parsers.read(tmp_path / "gone.jpg", NOTHING)


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with Parsers(seconds=5.0) as parsers:
        assert parsers.read(tmp_path / "pipe.jpg", NOTHING).kind == "special"


def test_a_name_that_is_no_utf_8_is_opened(picture: Path) -> None:
    other = Path(os.fsdecode(os.fsencode(picture.parent) + b"/\xff\xfe.jpg"))
    other.write_bytes(picture.read_bytes())
    with Parsers() as parsers:
        assert parsers.read(other, NOTHING).kind == "jpeg"


STOPPED = """\
import sys
from pathlib import Path
from irisdrop.identity import sandbox
from irisdrop.identity.contents import Wanted
script = f'''
import os, pathlib, sys, time
print("{{}}", flush=True)
for line in sys.stdin:
    pathlib.Path({sys.argv[2]!r}).write_text(str(os.getpid()) + ";")
    for _ in range(15):
        time.sleep(0.1)
    print('{{"memory": 1}}', flush=True)
'''
sandbox.command = lambda _: [sys.executable, "-I", "-S", "-c", script]
with sandbox.Parsers(seconds=3.0) as parsers:
    try:
        parsers.read(Path(sys.argv[1]), Wanted())
    except sandbox.ParserFailed as failure:
        print(failure.kind)
"""


def test_a_file_that_is_read_while_everything_is_stopped_for_long_is_not_called_hanging(
    picture: Path, tmp_path: Path
) -> None:
    """A service that is frozen, a laptop that sleeps: the time went by, and the child had none of it."""
    asked = tmp_path / "asked"
    words = [sys.executable, "-c", STOPPED, str(picture), str(asked)]
    process = subprocess.Popen(words, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    try:
        pause, until = threading.Event(), time.monotonic() + 60
        while not (asked.exists() and asked.read_text().endswith(";")):
            assert time.monotonic() < until
            pause.wait(0.01)
        both = (process.pid, int(asked.read_text()[:-1]))
        for pid in both:
            os.kill(pid, signal.SIGSTOP)
        pause.wait(6)  # it is the time that goes by
        for pid in both:
            os.kill(pid, signal.SIGCONT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert said == "memory\n", "the stand-in's own answer"
