"""One agent per state folder, by a lock that dies with its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from irisdrop.record.lease import Lease
from irisdrop.vocabulary.faults import Foreseen

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from irisdrop.record.lease import Lease
lease = Lease.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
lease.release()
"""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_by_the_name_of_the_first(first: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(Foreseen) as refused:
        Lease.take(tmp_path)
    assert refused.value.code == "ALREADY_RUNNING"
    assert f"process {first.pid} " in refused.value.message
    assert f"process {first.pid} " in (Lease.holder(tmp_path) or "")


def test_a_killed_process_leaves_the_folder_free(first: subprocess.Popen[str], tmp_path: Path) -> None:
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert Lease.holder(tmp_path) is None
    lease = Lease.take(tmp_path)
    assert f"process {os.getpid()} " in (tmp_path / "agent.holder").read_text()
    lease.release()


def test_a_released_folder_can_be_taken_again(first: subprocess.Popen[str], tmp_path: Path) -> None:
    first.communicate("")
    assert first.returncode == 0
    Lease.take(tmp_path).release()
    assert Lease.holder(tmp_path) is None


def test_nobody_holds_a_folder_that_was_never_used(tmp_path: Path) -> None:
    assert Lease.holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_who_only_asks_keeps_nobody_from_starting(tmp_path: Path) -> None:
    """`status` holds the lock for a moment: a start in that moment waits for it."""
    Lease.take(tmp_path).release()
    asking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, fcntl\nfile = open(sys.argv[1], 'a+b')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\ntime.sleep(0.2)\n",
            str(tmp_path / "agent.lock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    asking.stdout.readline()
    Lease.take(tmp_path).release()
    asking.communicate()
