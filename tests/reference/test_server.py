"""Starting, stopping, TLS, and what survives."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.faults import Foreseen

SERVE = """
import sys, threading
from pathlib import Path
from irisdrop.reference.server import ReferencePlatform
platform = ReferencePlatform(Path(sys.argv[1]), token="a-token-for-tests")
platform.worklist.put([{"id": "E1", "PatientID": "000815"}])
platform.start()
print(platform.address[1], flush=True)
threading.Event().wait()
"""


class Processes:
    """Reference platforms as processes of their own, each ended by its own id."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, data: Path, marks: str | None = None) -> tuple[subprocess.Popen[str], tuple[str, int]]:
        environment = dict(os.environ) | ({"IRISDROP_MARKS": marks} if marks else {})
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(data)], stdout=subprocess.PIPE, text=True, env=environment
        )
        self.running.append(process)
        assert process.stdout is not None
        return process, ("127.0.0.1", int(process.stdout.readline()))

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.end()


def test_what_was_acknowledged_survives_a_kill(processes: Processes, data: Path, connect: Any) -> None:
    process, address = processes.start(data)
    images = [bytes([number]) * 5000 for number in range(20)]
    receipts = [connect(address).put(image)[1] for image in images]
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, address = processes.start(data)
    client = connect(address)
    for image, receipt in zip(images, receipts, strict=True):
        digest = hashlib.sha256(image).hexdigest()
        assert client.ask("GET", f"/v1/images/{digest}")[1] == receipt
        assert (data / "images" / digest).read_bytes() == image
    assert client.ask("GET", "/v1/receipts")[1]["receipts"] == receipts


@pytest.mark.parametrize("place", ["reference.bytes:1", "reference.name:1", "reference.commit:2"])
def test_a_kill_at_any_step_leaves_one_receipt_after_the_next_try(
    processes: Processes, data: Path, connect: Any, place: str
) -> None:
    process, address = processes.start(data, place)
    with pytest.raises((ConnectionError, OSError)):
        connect(address).put(b"an image")
    assert process.wait(60) == -signal.SIGKILL
    _, address = processes.start(data)
    client = connect(address)
    status, receipt, _ = client.put(b"an image")
    assert status == (200 if place.startswith("reference.commit") else 201)
    assert client.ask("GET", "/v1/receipts")[1]["receipts"] == [receipt]
    assert list((data / "incoming").iterdir()) == []


@pytest.mark.usefixtures("platform")
def test_a_second_platform_on_the_same_folder_is_refused(data: Path) -> None:
    with pytest.raises(Foreseen, match="belongs to a reference platform that is running"):
        ReferencePlatform(data)


def test_a_port_that_is_taken_is_a_foreseen_failure_and_frees_the_folder(
    platform: ReferencePlatform, tmp_path: Path
) -> None:
    with pytest.raises(Foreseen, match="can't listen on"):
        ReferencePlatform(tmp_path / "other", platform.address)
    ReferencePlatform(tmp_path / "other").stop()


def test_others_are_served_only_with_tls(tmp_path: Path) -> None:
    with pytest.raises(Foreseen, match="without TLS"):
        ReferencePlatform(tmp_path, ("0.0.0.0", 0))


def test_it_serves_tls_with_a_certificate(data: Path, certificate: tuple[Path, Path]) -> None:
    with ReferencePlatform(data, tls=certificate) as platform:
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        with urllib.request.urlopen(
            f"https://localhost:{platform.address[1]}/v1/worklist", context=trusting, timeout=10
        ) as answer:
            assert json.load(answer)["entries"] == []


def test_a_certificate_that_is_none_is_a_foreseen_failure(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    with pytest.raises(Foreseen, match="certificate and key"):
        ReferencePlatform(tmp_path / "data", tls=(tmp_path / "c.pem", tmp_path / "c.pem"))


def test_stopping_does_not_wait_for_clients_that_stay(platform: ReferencePlatform, client: Any, data: Path) -> None:
    assert client.ask("GET", "/v1/worklist")[0] == 200  # and the connection stays open
    platform.stop()
    with pytest.raises((OSError, HTTPException)):
        client.ask("GET", "/v1/worklist")
    ReferencePlatform(data).stop()
