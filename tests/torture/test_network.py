"""What networks do to a delivery: nothing is lost, nothing comes twice, and it flows again by itself."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rig.line import Fault, Line
from rig.nursery import wait_until

Sited = tuple[Any, Line]

TOLD = {
    Fault.REFUSED: "PLATFORM_UNREACHABLE",
    Fault.CUT_IN_BODY: "PLATFORM_UNREACHABLE",
    Fault.CUT_BEFORE_ANSWER: "PLATFORM_UNREACHABLE",
    Fault.RESET: "PLATFORM_UNREACHABLE",
    Fault.GARBAGE: "PLATFORM_UNREACHABLE",
    Fault.TORN_ANSWER: "PLATFORM_UNREACHABLE",
    Fault.ERROR_500: "PLATFORM_UNREACHABLE",
    Fault.BUSY_503: "PLATFORM_UNREACHABLE",
    Fault.DATE_503: "PLATFORM_UNREACHABLE",
    Fault.BUSY_429: "PLATFORM_UNREACHABLE",
    Fault.PORTAL: "PLATFORM_STRANGE",
    Fault.REDIRECT: "PLATFORM_STRANGE",
}


@pytest.mark.parametrize("fault", TOLD, ids=lambda fault: fault.name.lower())
def test_a_network_fault_is_told_and_loses_nothing(line: Sited, fault: Fault) -> None:
    """While it lasts nothing counts as delivered that is not; once it is over everything flows by itself."""
    site, wire = line
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    wire.become(fault)
    digests = site.drop(4)
    assert wait_until(lambda: TOLD[fault] in site.conditions(), 30, 0.05), site.conditions()
    assert wait_until(site.acknowledged(digests), 20)
    delivered = {row["digest"] for row in site.rows() if row["state"] == "DELIVERED"}
    assert delivered <= {row["digest"] for row in site.receipts()}
    wire.become(Fault.NONE)
    site.settled()
    assert wait_until(lambda: True, 1) and not {"PLATFORM_UNREACHABLE", "PLATFORM_STRANGE"} & set(site.conditions())


def test_a_lost_acknowledgement_is_asked_for_and_not_sent_again(line: Sited) -> None:
    """The platform has the image, the answer is lost: the bytes cross the line once."""
    site, wire = line
    site.begin()
    wire.become(Fault.CUT_BEFORE_ANSWER, only=b"PUT")
    digests = site.drop(2)
    assert wait_until(lambda: wire.faults >= 2, 30)
    wire.become(Fault.NONE)
    assert site.wait_delivered(digests, 30)
    site.settled()
    puts = site.platform_log.read_text().count("PUT /v1/images")
    assert puts == 2


def test_a_black_hole_holds_up_delivery_alone(line: Sited) -> None:
    """Nobody answers at all: images are still taken over, and the camera may forget them."""
    site, wire = line
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    wire.become(Fault.BLACK_HOLE, only=b"PUT")
    digests = site.drop(6)
    assert wait_until(site.acknowledged(digests), 20)
    for writing in site.camera.writings[1:]:
        writing.path.unlink()
        writing.ended, writing.acknowledged = 0.0, True
    wire.become(Fault.NONE)
    assert site.wait_delivered(digests, 60)
    site.settled()


def test_a_slow_line_delivers_slowly(line: Sited) -> None:
    """A few kilobytes at a time are enough."""
    site, wire = line
    site.begin()
    wire.become(Fault.SLOW)
    assert site.wait_delivered(site.drop(3), 60)
    site.settled()


@pytest.mark.parametrize("fault", [Fault.OTHER_DIGEST, Fault.OTHER_ORDER], ids=["digest", "order"])
def test_an_answer_about_something_else_is_an_alarm_and_no_delivery(line: Sited, fault: Fault) -> None:
    """The platform claims another digest or order: the image is in quarantine, and somebody is called."""
    site, wire = line
    site.begin()
    wire.become(fault, only=b"PUT")
    (digest,) = site.drop(1)
    assert wait_until(lambda: any(row["state"] == "QUARANTINED" for row in site.rows()), 30)
    (row,) = [row for row in site.rows() if row["digest"] == digest]
    assert row["reason"] == "RECEIPT_MISMATCH"
    assert "RECEIPT_ALARM" in site.conditions()
    wire.become(Fault.NONE)
    assert site.wait_delivered(site.drop(2), 30)


def test_a_restart_after_a_long_outage_waits_for_nothing(line: Sited) -> None:
    """Back-off is for a platform that is away: a new start tries at once, whatever was noted before."""
    site, wire = line
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    wire.become(Fault.REFUSED)
    digests = site.drop(3)
    assert wait_until(lambda: any(row["tries"] for row in site.rows()), 30)
    site.agent.kill()
    with contextlib.closing(sqlite3.connect(site.state / "journal.db")) as journal, journal:
        later = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        journal.execute("UPDATE images SET tries = 12, next_try = ? WHERE state = 'MATCHED'", (later,))
    wire.become(Fault.NONE)
    site.begin()
    assert site.wait_delivered(digests, 10)
    site.settled()


def certificate(folder: Path, name: str, when: str) -> tuple[Path, Path]:
    """A certificate for localhost that is valid for two days from `when`, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    subject = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["faketime", when, "openssl", *request.split(), *subject], check=True, capture_output=True)
    return cert, key


def test_a_certificate_that_expires_is_told_and_its_renewal_is_noticed(site: Any, tmp_path: Path) -> None:
    """TLS expired in the middle: no image goes out unproven, and none is lost."""
    good, expired = certificate(tmp_path, "good", "now"), certificate(tmp_path, "expired", "2024-02-29 12:00")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good[0].read_bytes() + expired[0].read_bytes())
    site.env["SSL_CERT_FILE"] = str(trusted)
    site.write_config(f"https://localhost:{site.port}/v1")

    def serve(pair: tuple[Path, Path]) -> None:
        if site.platform is not None:
            site.platform.kill()
        site.open_platform(tls=pair)

    serve(good)
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    serve(expired)
    digests = site.drop(2)
    assert wait_until(lambda: "PLATFORM_STRANGE" in site.conditions(), 30)
    assert "certificate" in json.dumps(site.conditions()["PLATFORM_STRANGE"])
    assert not digests & {row["digest"] for row in site.receipts()}
    serve(good)
    assert site.wait_delivered(digests, 60)
    site.settled()


NO_NAMES = """\
import os, socket
_ask = socket.getaddrinfo
def getaddrinfo(host, *more, **named):
    if os.path.exists(os.environ["NO_NAMES"]) and host == "localhost":
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _ask(host, *more, **named)
socket.getaddrinfo = getaddrinfo
"""


def test_names_that_no_longer_resolve_stop_nothing_but_delivery(line: Sited, tmp_path: Path) -> None:
    """DNS gone: told as an outage, over when it is over."""
    site, wire = line
    gone, custom = tmp_path / "gone", tmp_path / "custom"
    custom.mkdir()
    (custom / "sitecustomize.py").write_text(NO_NAMES)
    site.env |= {"PYTHONPATH": str(custom), "NO_NAMES": str(gone)}
    site.write_config(f"http://localhost:{wire.port}/v1")
    site.begin()
    assert site.wait_delivered(site.drop(1), 30)
    gone.touch()
    wire.become(Fault.NONE)  # what is open is cut: the name is asked for again
    digests = site.drop(2)
    assert wait_until(lambda: "PLATFORM_UNREACHABLE" in site.conditions(), 30)
    gone.unlink()
    assert site.wait_delivered(digests, 60)
    site.settled()


@pytest.mark.parametrize("seed", range(3))
def test_any_sequence_of_faults_ends_well(line: Sited, seed: int) -> None:
    """Faults follow one another while the camera goes on."""
    import random

    site, wire = line
    rng = random.Random(seed)
    kinds = [*TOLD, Fault.SLOW, Fault.BLACK_HOLE]
    site.begin()
    pause = threading.Event()
    for _ in range(8):
        wire.become(rng.choice(kinds), only=rng.choice((b"", b"PUT", b"GET")))
        site.drop(2)
        pause.wait(rng.uniform(0.1, 1.0))
    wire.become(Fault.NONE)
    site.settled()
