"""`irisdrop reference` as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from irisdrop.surface.commands.reference import address, reference, revealed
from irisdrop.vocabulary.faults import Foreseen

RUN = [sys.executable, "-c", "from irisdrop.surface.commands.reference import reference; reference()"]
Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command, and ends what it started by its own id."""
    running: list[subprocess.Popen[str]] = []

    def started(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [*RUN, "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )
        running.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+/v1", process.stdout.readline())
        assert found
        return process, found[0]

    yield started
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def got(url: str, token: str | None = None) -> Any:
    """The JSON at an address."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_it_serves_a_worklist_from_csv_behind_a_token_and_stops_when_told(start: Start, tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("OrderControlCode,OrderLocalId,PatientLocalId,PatientLastName\nNW,A-1,000815,Muster\n")
    process, url = start("--data", str(tmp_path / "data"), "--worklist", str(orders), "--token", "env:T", T="sesame")
    (entry,) = got(f"{url}/worklist", "sesame")["entries"]
    assert (entry["PatientID"], entry["AccessionNumber"]) == ("000815", "A-1")
    with pytest.raises(urllib.error.HTTPError) as denied:
        got(f"{url}/worklist")
    denied.value.close()
    assert denied.value.code == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("listen", "expected"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), (":9", ("127.0.0.1", 9))]
)
def test_an_address_is_host_and_port(listen: str, expected: tuple[str, int]) -> None:
    assert address(listen) == expected


@pytest.mark.parametrize("listen", ["127.0.0.1", "host:", "host:70000", "host:-1"])
def test_what_is_no_address_is_a_usage_error(listen: str) -> None:
    with pytest.raises(click.BadParameter):
        address(listen)


def test_a_token_in_clear_is_a_usage_error_that_does_not_repeat_it() -> None:
    result = CliRunner().invoke(reference, ["--data", "x", "--token", "sesame"])
    assert result.exit_code == 2
    assert "env:NAME" in result.output
    assert "sesame" not in result.output


def test_a_token_that_is_not_in_the_environment_is_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Foreseen, match="NOWHERE is not set"):
        revealed("env:NOWHERE")
    monkeypatch.setenv("SOMEWHERE", " sesame\n")
    assert revealed("env:SOMEWHERE") == "sesame"
    assert revealed(None) is None


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("")
    result = CliRunner().invoke(reference, ["--data", str(tmp_path / "data"), "--tls-cert", str(tmp_path / "c.pem")])
    assert (result.exit_code, "go together" in result.output) == (2, True)
