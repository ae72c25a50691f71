"""The page beside a real agent: it comes and goes with it, and never takes it along."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest


def ask(link: str, port: int, **headers: str) -> http.client.HTTPResponse:
    parts = urlsplit(link)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Host": parts.netloc, **headers})
    return connection.getresponse()


def test_a_command_opens_the_page_of_a_running_agent_once(site: Any) -> None:
    site.agent()
    printed = site.run("page", "--print", "--quarantine")
    assert printed.returncode == 0
    link = printed.stdout.strip()
    first = ask(link, site.port)
    assert first.status == 303 and first.headers["Location"] == "/quarantine"
    assert ask(link, site.port).status == 403, "a link works once"


def test_without_an_agent_the_command_says_what_to_do(site: Any) -> None:
    printed = site.run("page", "--print")
    assert printed.returncode == 1 and "Try: start the agent" in printed.stderr


def test_an_agent_ends_in_time_while_a_page_is_looked_at(site: Any) -> None:
    agent = site.agent()
    link = site.run("page", "--print").stdout.strip()
    cookie = ask(link, site.port).headers["Set-Cookie"].partition(";")[0]
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("GET", "/live", headers={"Cookie": cookie})
    assert connection.getresponse().readline() == b"retry: 2000\n"
    assert site.stop(agent) == 0


def test_an_agent_whose_port_is_taken_works_on_and_says_so(site: Any) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", site.port))
        squatter.listen()
        agent = site.start("run")
        site.order("4711")

        def told() -> bool:
            return "PAGE_PORT_TAKEN" in {one["code"] for one in site.status()["conditions"]}

        until = time.monotonic() + 40
        while not told():
            assert time.monotonic() < until
        site.export("20260302_4711_R_001.JPG")
        while site.status()["counts"]["quarantined"] + site.status()["counts"]["delivered"] == 0:
            assert time.monotonic() < until + 40
        assert agent.poll() is None


def test_a_page_that_is_shot_at_leaves_the_agent_unharmed(site: Any) -> None:
    """Half requests, garbage and more connections than it takes: the agent goes on, and so does the page."""
    agent = site.agent()
    left = []
    for number in range(150):
        shot = socket.create_connection(("127.0.0.1", site.port), timeout=30)
        shot.sendall((b"GET / HTTP/1.1\r\nHost: ", b"\x16\x03\x01\x02\x00" * 40, b"POST /x HTTP/1.1\r\n")[number % 3])
        left.append(shot)
    for shot in left:
        shot.close()
    assert agent.poll() is None and site.serves()
    assert site.run("page", "--print").returncode == 0
    assert site.stop(agent) == 0


def test_the_page_and_its_libraries_are_not_imported_by_other_commands() -> None:
    code = (
        "import sys; from irisdrop.surface import cli; import irisdrop.agent, irisdrop.surface.commands.run;"
        "print([name for name in ('starlette', 'uvicorn', 'jinja2', 'pystray', 'PIL') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "jinja2"])
def test_an_agent_runs_without_a_page_where_the_page_is_not_installed(missing: str, monkeypatch: Any) -> None:
    from irisdrop.surface.commands.run import page_beside

    monkeypatch.setitem(sys.modules, missing, None)
    assert isinstance(page_beside(None), nullcontext)  # type: ignore[arg-type]
