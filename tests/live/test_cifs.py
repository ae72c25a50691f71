"""A real share: Samba behind a real CIFS mount, the agent on it, the server's own writes, and the share going away.

The kernel that runs the tests need not know CIFS: user-mode Linux boots with the machine's own files (read-only), joined
to Samba by a line of a name space of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from irisdrop.reference.retina import draw

pytestmark = [pytest.mark.xdist_group("cifs"), pytest.mark.timeout(600)]

SERVER = "10.77.0.1"
SAMBA = """\
[global]
 workgroup = CLINIC
 server role = standalone server
 interfaces = 10.77.0.1
 bind interfaces only = yes
 smb ports = 4455
 disable netbios = yes
 private dir = HERE
 lock directory = HERE
 state directory = HERE
 cache directory = HERE
 pid directory = HERE
 ncalrpc dir = HERE/ncalrpc
 log file = HERE/log
 passdb backend = tdbsam:HERE/accounts.tdb
 load printers = no
 server min protocol = SMB2
[camera]
 path = HERE/share
 read only = no
 force user = root
"""
PROFILE = """\
irisdrop: 1
title: A camera that writes to a share
status: sampled
modality: OP
files: {take: ["*.jpg"]}
settle: 1s
read:
  - filename: '(?P<AcquisitionDate>\\d{8})_(?P<PatientID>[^_]+)_(?P<ImageLaterality>[RL])_(?P<InstanceNumber>\\d+)\\.jpg'
match: [PatientID]
within: 24h
patience: 0s
examples:
  - {file: 20250114_000001_R_001.jpg, gives: {PatientID: "000001", ImageLaterality: R}}
  - {file: nothing.jpg, refuses: NO_KEYS}
"""
CONFIG = """\
state: /mnt/site/state
site: {zone: UTC}
platform: {kind: http, url: "http://127.0.0.1:7480/v1"}
worklist: {from: platform, every: 1s, stale: 15m}
undo: 0s
cameras:
  - {name: room-2, profile: ./camera.yaml, folder: /mnt/exports, after: {leave: true}}
"""
LOCAL = "  - {name: room-3, profile: ./camera.yaml, folder: /mnt/local, after: {leave: true}}\n"
MANY = 20_000


def wait_until(holds: Callable[[], object], seconds: float, tell: Callable[[], object]) -> None:
    """Look every tenth of a second until it holds."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < end, tell()
        pause.wait(0.1)


class Line:
    """A name space with the server's end of a line, for as long as its process lives."""

    def __init__(self) -> None:
        lay = f"ip link set lo up; ip tuntap add tap0 mode tap; ip addr add {SERVER}/24 dev tap0; ip link set tap0 up"
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-ec", f"{lay}; echo laid; exec sleep infinity"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "laid\n"

    @contextmanager
    def running(self, words: list[str], log: Path, ending: int = signal.SIGTERM) -> Iterator[subprocess.Popen[bytes]]:
        """A program at the server's end, with a process group of its own, which ends with the block."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            for number in (ending, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                    process.wait(10)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
            process.wait(10)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


class Share:
    """Samba with one share, which can go and come."""

    def __init__(self, folder: Path, line: Line) -> None:
        self.folder, self.files = folder, folder / "share"
        self.line, self._settings, self._running = line, folder / "smb.conf", ExitStack()
        self.files.mkdir(parents=True)
        (folder / "ncalrpc").mkdir()
        self._settings.write_text(SAMBA.replace("HERE", str(folder)))
        words = ["smbpasswd", "-c", str(self._settings), "-s", "-a", "root"]
        subprocess.run(words, input=b"invented\ninvented\n", check=True, capture_output=True)

    def come(self) -> None:
        """Serve it."""
        words = ["smbd", "-F", "--no-process-group", "-s", str(self._settings)]
        self._server = self._running.enter_context(self.line.running(words, self.folder / "smbd.log"))

    def hang(self) -> None:
        """Answer nothing more, and refuse nothing."""
        os.killpg(self._server.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        os.killpg(self._server.pid, signal.SIGCONT)

    def go(self) -> None:
        """Stop the server with all of its connections; the files stay."""
        self._running.close()


class Site:
    """The clinic inside user-mode Linux, and the camera's hand on the server."""

    def __init__(self, folder: Path, share: Share) -> None:
        self.folder, self.share = folder, share
        self.meant: dict[str, tuple[str, str]] = {}  # of each image's digest: its order and its eye
        folder.mkdir()
        now = datetime.now(UTC).isoformat()
        orders = [
            {"id": f"E-{one}", "PatientID": one, "ScheduledProcedureStepStartDateTime": now}
            for one in ("000001", "000002")
        ]
        (folder / "orders.json").write_text(json.dumps(orders))
        (folder / "camera.yaml").write_text(PROFILE)
        (folder / "irisdrop.yaml").write_text(CONFIG)
        (folder / "local").mkdir()

    @contextmanager
    def booted(self) -> Iterator[None]:
        """The clinic has the share mounted, and its agent looks at it."""
        words = [
            *("linux.uml", "mem=384M", "rootfstype=hostfs", "root=/dev/root", "rootflags=/", "ro", "quiet"),
            *("vec0:transport=tap,ifname=tap0,depth=128,gro=1", "con=null", "con0=null,fd:1", "init=/bin/sh", "--"),
            *(str(Path(__file__).with_name("cifs_init.sh")), str(self.folder), sys.executable),
        ]
        with self.share.line.running(words, self.folder / "console", signal.SIGKILL):
            yield

    def export(self, patient: str, *numbers: int, folder: Path | None = None) -> None:
        """The server itself writes images into the share: a client gets no event of that."""
        for number in numbers:
            eye = "RL"[number % 2]
            content = draw(number, eye) + number.to_bytes(4, "big") * 4096
            self.meant[hashlib.sha256(content).hexdigest()] = (f"E-{patient}", eye)
            name = f"{datetime.now(UTC):%Y%m%d}_{patient}_{eye}_{number:03}.jpg"
            part = (folder or self.share.files) / f"{name}.part"
            part.write_bytes(content)
            part.rename(part.with_suffix(""))

    def export_locally(self, patient: str, *numbers: int) -> None:
        """Another camera writes images into a folder of the clinic's own machine."""
        self.export(patient, *numbers, folder=self.folder / "local")

    def slow(self, how: str) -> None:
        """Make the line bad, in netem's words."""
        part = self.folder / "slow.part"
        part.write_text(how)
        part.rename(self.folder / "slow")

    def fill(self, count: int) -> None:
        """So many files of the week before lie in the share."""
        before = time.time() - 7 * 86400
        for number in range(count):
            path = self.share.files / f"20250114_000001_R_{number:05}.jpg"
            path.write_bytes(b"%d" % number)
            os.utime(path, (before, before))

    def seen(self) -> dict[str, Any]:
        """The last report."""
        report = self.folder / "seen.json"
        found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
        return found

    def told(self, code: str) -> list[str]:
        """Details of the Conditions of this kind."""
        return [one["detail"] for one in self.seen().get("conditions", []) if one["code"] == code]

    def ready(self) -> bool:
        """Whether the folder is looked after and the orders are known."""
        codes = {one["code"] for one in self.seen().get("conditions", [])}
        return "FOLDER_POLLED" in codes and not codes & {"WORKLIST_NEVER", "WORKLIST_UNREACHABLE"}

    def away(self) -> bool:
        """Whether it is told that the folder can't be looked through."""
        return bool(self.told("FOLDER_MISSING") or self.told("FOLDER_UNREADABLE"))

    def delivered(self) -> bool:
        """Whether the platform has given as many receipts as there are images."""
        return len(self.seen().get("receipts", [])) >= len(self.meant)

    def wait(self, holds: Callable[[], object], seconds: float) -> None:
        """Until it holds; else what was seen and the last words of each program are told."""
        wait_until(holds, seconds, self._last_words)

    def _last_words(self) -> str:
        logs = (self.folder / "console", self.folder / "platform.log", self.folder / "agent.log")
        ends = [f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs if log.exists()]
        return "\n".join([json.dumps(self.seen(), indent=1), *ends])

    def end(self) -> None:
        """Stop the agent in order: each image is at its order with its eye and its bytes, sent by one attempt, and nothing else."""
        (self.folder / "end").touch()
        self.wait(lambda: "ended" in self.seen(), 60)
        seen = self.seen()
        assert seen["ended"] == 0
        assert {one["digest"]: (one["entry"], one["eye"]) for one in seen["receipts"]} == self.meant
        assert len(seen["receipts"]) == len(self.meant)
        assert seen["kept"] == sorted(self.meant)
        assert sorted(one["digest"] for one in seen["images"]) == sorted(self.meant)
        assert {one["state"] for one in seen["images"]} == {"DELIVERED"}
        assert len(seen["attempts"]) == len(self.meant)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A share that is served, and the line to a clinic that is not booted yet."""
    line = Line()
    try:
        share = Share(tmp_path / "server", line)
        share.come()
        yield Site(tmp_path / "clinic", share)
        share.go()
    finally:
        line.close()


@pytest.fixture
def mounted(site: Site) -> Iterator[Site]:
    """The clinic is up."""
    with site.booted():
        yield site


def test_a_real_share_is_polled_and_its_going_and_coming_sends_nothing_twice(mounted: Site) -> None:
    """Server-side writes are found; without the server a Condition stands; a bad line only delays."""
    site = mounted
    site.wait(site.ready, 90)
    assert site.seen()["mount"] == ["cifs"]
    assert ["cifs" in detail for detail in site.told("FOLDER_POLLED")] == [True]
    site.export("000001", 1, 2, 3)
    site.wait(site.delivered, 60)
    site.share.go()
    site.wait(site.away, 60)
    site.export("000002", 4)  # the server's disk is there: only its network is not
    site.share.come()
    site.export("000001", 5, 6)
    site.wait(lambda: site.delivered() and not site.away(), 60)
    site.slow("delay 100ms loss 5%")
    site.wait(lambda: site.seen().get("slow"), 30)
    site.export("000002", 7, 8)
    site.wait(site.delivered, 60)
    site.end()


def test_a_slow_listing_of_twenty_thousand_files_holds_up_no_other_camera_and_removes_nothing(site: Site) -> None:
    """A look at a file may ask the server, a hundred milliseconds away on a line that loses much: a look for each would
    take an hour. In the middle of a listing the server goes; at the end it hangs, and
    holds up neither the other camera nor the agent's end."""
    site.fill(MANY)
    (site.folder / "irisdrop.yaml").write_text(CONFIG + LOCAL)
    site.slow("delay 100ms loss 5%")
    site.export_locally("000002", 1, 2)
    with site.booted():
        site.wait(lambda: site.seen().get("slow") and site.ready(), 90)
        site.wait(site.delivered, 60)
        site.wait(lambda: any(str(MANY) in detail for detail in site.told("FILES_KNOWN")), 150)
        (listed,) = (one["since"] for one in site.seen()["conditions"] if one["code"] == "FILES_KNOWN")
        assert all(one["arrived"] < listed for one in site.seen()["images"]), "the other camera waited for the listing"
        site.export("000001", 3, 4)
        site.wait(site.delivered, 120)
        site.share.go()
        site.export_locally("000002", 5, 6)
        site.wait(lambda: site.delivered() and site.away(), 60)
        site.share.come()
        site.export("000001", 7)
        site.wait(lambda: site.delivered() and not site.away(), 120)
        site.share.hang()
        site.export_locally("000002", 8)
        site.wait(lambda: site.delivered() and site.away(), 120)
        site.end()
        site.share.go_on()
