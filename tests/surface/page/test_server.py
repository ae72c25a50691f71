"""The page beside a real agent: it comes and goes with it, and never takes it along."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from irisdrop.profiles.config import load_config
from irisdrop.record.conditions import Conditions
from irisdrop.record.journal import Journal
from irisdrop.record.spool import Spool
from irisdrop.recovery import JOURNAL
from irisdrop.surface.page.server import PageBeside
from irisdrop.surface.tray.line import Line
from irisdrop.vocabulary.clock import SystemClock


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

        until = time.monotonic() + 80
        site.within(40, lambda: "PAGE_PORT_TAKEN" in {one["code"] for one in site.status()["conditions"]})
        site.export("20260302_4711_R_001.JPG")
        while site.status()["counts"]["quarantined"] + site.status()["counts"]["delivered"] == 0:
            assert time.monotonic() < until
        assert agent.poll() is None


def test_the_page_moves_to_another_port_while_the_agent_runs_and_the_tray_follows(site: Any) -> None:
    agent = site.agent()
    before, after = site.port, site.free_port()
    line = Line(site.root / "state", before, "anna", lambda: site.port)
    site.within(30, lambda: line.look().face == "well")
    site.config.write_text(site.config.read_text("utf-8").replace(f"port: {before}", f"port: {after}"), "utf-8")
    site.port = after
    site.within(60, site.serves)
    site.within(30, lambda: not site.listens(before))
    site.within(60, lambda: line.look().face == "well")
    assert agent.poll() is None and site.run("page", "--print").returncode == 0


def test_a_page_whose_new_port_is_taken_stays_where_it_is_and_moves_when_it_can(site: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("irisdrop.surface.page.server.AGAIN", 0.2)
    config, clock = load_config(site.config), SystemClock()
    config.state.mkdir()
    journal = Journal.open(config.state / JOURNAL, clock)
    agent: Any = SimpleNamespace(  # what the page needs of one
        config=config,
        clock=clock,
        journal=journal,
        conditions=Conditions(journal.database, clock),
        spool=Spool(config.state / "spool"),
        profiles={},
        sync_asked=threading.Event(),
    )
    codes = lambda: {one.code for one in agent.conditions.active()}  # noqa: E731
    with PageBeside(agent) as beside, socket.socket() as squatter:
        assert beside.ready.wait(30)
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        agent.config = replace(config, page=replace(config.page, port=port))
        agent.on_reconfigured()
        site.within(30, lambda: "PAGE_PORT_TAKEN" in codes())
        assert beside.page is not None and beside.page.port == config.page.port
        assert site.serves()
        squatter.close()
        site.within(30, lambda: beside.page.port == port and "PAGE_PORT_TAKEN" not in codes())
    journal.close()


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
