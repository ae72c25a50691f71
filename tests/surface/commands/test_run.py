"""`irisdrop run` as a process of its own: what it starts with while its configuration has a fault."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.surface.conftest import Site


def code_and_detail(told: Any) -> dict[str, str]:
    return {condition["code"]: condition["detail"] for condition in told["conditions"]}


def delivered(site: Site) -> int:
    return int(site.status()["counts"].get("delivered", 0))


def within(seconds: float, wanted: Callable[[], object]) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.05)


def name(counter: int) -> str:
    return f"{datetime.now():%Y%m%d}_000815_R_{counter:03}.jpg"  # noqa: DTZ005 - the camera's own clock


@pytest.fixture
def ran(site: Site) -> Site:
    """A site whose agent has delivered one image and was stopped."""
    site.order("000815")
    agent = site.agent()
    site.export(name(1))
    within(60, lambda: delivered(site) == 1)
    assert site.stop(agent) == 0
    return site


def test_a_restart_with_a_faulty_configuration_delivers_by_the_last_good_one_and_says_so(ran: Site) -> None:
    good = ran.config.read_text()
    ran.config.write_text(good.replace("worklist:", "worklst:"))
    assert code_and_detail(ran.status())["CONFIG_FAULTY"].startswith("irisdrop.yaml line 3: UNKNOWN_SETTING")
    agent = ran.agent()
    ran.export(name(2), "L")
    within(60, lambda: delivered(ran) == 2)
    assert code_and_detail(ran.status())["CONFIG_FAULTY"].startswith("irisdrop.yaml line 3: UNKNOWN_SETTING")
    assert "irisdrop.yaml line 3: UNKNOWN_SETTING" in (ran.root / "state/log/irisdrop.log").read_text()
    ran.config.write_text(good)
    within(60, lambda: "CONFIG_FAULTY" not in code_and_detail(ran.status()))
    agent.terminate()
    _, told = agent.communicate(timeout=60)
    ran.running.remove(agent)
    assert "irisdrop.yaml:3:1: `worklst` is no setting here [UNKNOWN_SETTING]" in told
    assert "The last good configuration is in use until that is mended." in told
    assert len(list((ran.root / "platform/images").iterdir())) == 2


def test_a_restart_with_a_camera_whose_profile_never_was_good_begins_with_the_cameras_that_were(ran: Site) -> None:
    (ran.root / "new.yaml").write_text("irisdrop: 1\n")
    good = ran.config.read_text()
    (ran.root / "exports-3").mkdir()
    ran.config.write_text(
        good.replace("folder: exports}", "folder: exports}, {name: room-3, profile: ./new.yaml, folder: exports-3}")
    )
    ran.agent()
    ran.export(name(2), "L")
    within(60, lambda: delivered(ran) == 2)
    assert code_and_detail(ran.status())["CONFIG_FAULTY"].startswith("new.yaml line 1: MISSING")


@pytest.mark.parametrize("words", [("run", "--once"), ("check",), ("quarantine", "list"), ("doctor",)])
def test_every_other_command_fails_with_the_place_of_the_fault(ran: Site, words: tuple[str, ...]) -> None:
    ran.config.write_text(ran.config.read_text().replace("worklist:", "worklst:"))
    done = ran.run(*words)
    assert done.returncode == 1
    assert ":3:1: " in done.stdout + done.stderr


def test_no_agent_starts_where_the_faulty_configuration_names_another_state_folder(ran: Site) -> None:
    ran.config.write_text(
        ran.config.read_text().replace("state: state", "state: elsewhere").replace("worklist:", "worklst:")
    )
    done = ran.run("run")
    assert done.returncode == 1
    assert "`worklst` is no setting here" in done.stderr
    assert not (ran.root / "elsewhere").exists()


def test_a_first_start_with_a_faulty_configuration_fails_with_its_place(site: Site) -> None:
    site.config.write_text(site.config.read_text().replace("worklist:", "worklst:"))
    done = site.run("run")
    assert done.returncode == 1
    assert "`worklst` is no setting here" in done.stderr
    assert not (site.root / "state").exists()


def test_status_shows_the_agent_that_runs_on_the_state_folder_of_before(ran: Site) -> None:
    ran.agent()
    ran.config.write_text(ran.config.read_text().replace("state: state", "state: elsewhere"))
    within(60, lambda: "STATE_MOVED" in code_and_detail(ran.status()))
    told = json.loads(ran.run("status", "--json").stdout)
    assert told["agent"]
    assert told["counts"]["delivered"] == 1
    assert not Path(ran.root / "elsewhere").exists()
