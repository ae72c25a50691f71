"""A clinic whose agent and platform are processes of their own, started by exec: the tests' own process has threads."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]

from rig.camera import Camera  # noqa: E402
from rig.clinic import Clinic  # noqa: E402
from rig.line import Line  # noqa: E402
from rig.oracle import acknowledge, judge, quiet  # noqa: E402

FLOWS = 60.0  # seconds within which everything must have come to its end after the last fault


class Site(Clinic):
    """A clinic with a camera; `settled` is the end of every test of it."""

    camera: Camera

    def drop(self, count: int) -> set[str]:
        """Write whole images; their digests."""
        before = len(self.camera.writings)
        for _ in range(count):
            list(self.camera.whole())
        return {writing.digest for writing in self.camera.writings[before:]}

    def begin(self, **how: object) -> None:
        """Start platform and agent."""
        if self.platform is None or self.platform.ended():
            self.open_platform()
        self.open_agent(fresh=True, **how)  # type: ignore[arg-type]

    def acknowledged(self, digests: set[str]) -> Callable[[], bool]:
        """Whether the journal has taken these over."""
        return lambda: digests <= {row["digest"] for row in self.rows()}

    def settled(self, seconds: float = FLOWS) -> None:
        """Wait for peace, stop the agent in order, and ask the oracle."""
        from rig.nursery import wait_until

        assert self.agent is not None
        agent = self.agent
        came = wait_until(lambda: agent.ended() or quiet(self.camera, self.rows()), seconds, 0.1)
        assert not agent.ended(), f"the agent ended by itself: {self.agent_log.read_text()[-2000:]}"
        found = judge(self, self.camera)
        assert came and not found, "\n".join((*found.lines(), *map(str, self.conditions().items())))
        assert agent.stop() == 0
        acknowledge(self.camera, self.rows())
        assert not judge(self, self.camera)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites, and ends their processes."""
    made: list[Site] = []

    def make(**how: object) -> Site:
        root = tmp_path / f"site-{len(made)}"
        root.mkdir()
        site = Site(root, fresh=True, **how)  # type: ignore[arg-type]
        site.camera = Camera(site.exports, random.Random(f"{len(made)}"), 0.08)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """One site with an unspoilt line."""
    return make_site()


@pytest.fixture
def line(make_site: Callable[..., Site]) -> Iterator[tuple[Site, Line]]:
    """A site whose agent reaches the platform only by a line that can be told to misbehave."""
    site = make_site()
    with Line(site.port) as line:
        site.proxied = line.port
        site.write_config()
        yield site, line
        site.close()
