"""The icon on a real screen, from the agent's start to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from irisdrop.profiles.config import load_config
from irisdrop.surface.tray.icon import COLOURS
from irisdrop.surface.tray.line import Line

pytestmark = pytest.mark.xdist_group("screen")


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """A screen of our own."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "160x48x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as told:
        number = told.readline().strip()
    yield {"DISPLAY": f":{number}", "PYSTRAY_BACKEND": "xorg"}
    server.terminate()
    server.wait()


@pytest.fixture
def tray_host(screen: dict[str, str]) -> Iterator[None]:
    """A place for icons on it."""
    host = subprocess.Popen(
        [
            "trayer",
            "--edge",
            "bottom",
            "--height",
            "48",
            "--width",
            "160",
            "--widthtype",
            "pixel",
            "--iconspacing",
            "0",
        ],
        env=os.environ | screen,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    why = "from irisdrop.surface.tray.tray import why_no_tray; print(why_no_tray())"

    def there() -> bool:
        asked = subprocess.run([sys.executable, "-c", why], env=os.environ | screen, capture_output=True, text=True)
        return asked.stdout == "None\n"

    within(40, there)
    yield
    assert host.poll() is None
    host.terminate()
    host.wait()


def shows(screen: dict[str, str], face: str, shot: Path, seconds: float = 40) -> bool:
    """Whether the colour of a face comes to stand on the screen."""
    wanted = tuple(int(COLOURS[face][at : at + 2], 16) for at in (1, 3, 5))  # type: ignore[index]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        subprocess.run(["import", "-window", "root", str(shot)], env=os.environ | screen, check=True, timeout=60)
        with Image.open(shot) as picture:
            counts = picture.convert("RGB").getcolors(1 << 16) or []
        if sum(n for n, colour in counts if colour == wanted) > 30:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.usefixtures("tray_host")
def test_the_icon_follows_the_agent_through_its_life(site: Any, screen: dict[str, str], tmp_path: Path) -> None:
    shot = tmp_path / "screen.png"
    tray = site.start("tray", env=screen)
    assert shows(screen, "down", shot), "the agent was never started"
    agent = site.agent()
    assert shows(screen, "well", shot)
    site.export("no key in this name.JPG")
    assert shows(screen, "person", shot)
    site.stop(agent)
    assert shows(screen, "down", shot)
    site.agent()
    assert shows(screen, "person", shot), "it finds the agent again that was started anew"
    assert tray.poll() is None


def test_a_desktop_without_a_tray_is_told_in_words(site: Any, screen: dict[str, str]) -> None:
    tray = site.start("tray", env=screen)
    assert tray.stderr.readline().startswith("No icon: this desktop has no place for tray icons.")
    assert tray.stdout.readline() == "irisdrop is not running\n"


def test_a_tray_that_comes_later_than_we_is_taken_when_it_is_there(
    site: Any, screen: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    tray = site.start("tray", env=screen)
    assert tray.stdout.readline() == "irisdrop is not running\n"
    request.getfixturevalue("tray_host")
    assert shows(screen, "down", tmp_path / "screen.png")


def test_no_desktop_at_all_is_told_in_words(site: Any) -> None:
    tray = site.start("tray", env={"DISPLAY": ""})
    assert "there is no desktop here" in tray.stderr.readline()


def test_the_line_pauses_resumes_and_opens_and_survives_a_restart(site: Any) -> None:
    config = load_config(site.config)
    line = Line(config.state, config.page.port, "anna")
    assert line.look().face == "down"
    agent = site.agent()
    first = within(30, lambda: line.look() if line.look().face == "well" else None)
    assert not first.paused
    line.pause()
    assert line.look().paused
    assert "/enter?code=" in line.link(quarantine=True)
    site.stop(agent)
    assert line.look().face == "down"
    site.agent()
    assert line.look().paused, "a pause outlives the agent, and the line begins anew by itself"
    line.resume()
    assert not line.look().paused


def test_while_delivery_is_paused_images_are_taken_and_wait(site: Any) -> None:
    config = load_config(site.config)
    line = Line(config.state, config.page.port, "anna")
    site.order("4711")
    site.agent()
    within(30, lambda: line.look().face == "well")
    line.pause()
    site.export(f"{time.strftime('%Y%m%d')}_4711_R_001.JPG")
    within(40, lambda: site.status()["counts"]["matched"] == 1)
    line.resume()
    within(40, lambda: site.status()["counts"]["delivered"] == 1)


def within(seconds: float, wanted: Callable[[], Any]) -> Any:
    until = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found
