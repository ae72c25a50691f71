"""`irisdrop worklist` beside a real agent: the mirror is never filled from two sources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.surface.conftest import Site


def open_orders(site: Site) -> set[str]:
    told = site.run("worklist", "show", "--json")
    assert told.returncode == 0, told.stderr
    return {entry["PatientID"] for entry in json.loads(told.stdout)}


def name_another_source(site: Site, more: str = "") -> None:
    """The configuration takes its orders from a folder that holds one of another patient."""
    (site.root / "orders").mkdir()
    order = {"LocalId": "A-1", "ScheduledTime": "2026-11-24T09:00:00"}
    message = {"OrderControlCode": "NW", "Order": order, "Patient": {"LocalId": "000816"}}
    (site.root / "orders/one.json").write_text(json.dumps(message))
    text = site.config.read_text().replace("from: platform,", "from: orders, path: orders,")
    site.config.write_text(text.replace("profile: topcon-nw400", more) if more else text)


def test_another_source_that_is_asked_while_nothing_runs_takes_the_place_of_the_former_one(site: Site) -> None:
    site.order("000815")
    agent = site.agent()
    site.within(60, lambda: open_orders(site) == {"000815"})
    assert site.stop(agent) == 0
    name_another_source(site)
    assert site.run("worklist", "sync").returncode == 0
    assert open_orders(site) == {"000816"}


def test_another_source_than_the_running_agents_is_not_asked(site: Site) -> None:
    site.order("000815")
    site.agent()
    site.within(60, lambda: open_orders(site) == {"000815"})
    (site.root / "faulty.yaml").write_text("irisdrop: 1\n")
    name_another_source(site, "profile: ./faulty.yaml")  # so the edit is not taken over
    site.within(60, lambda: "CONFIG_FAULTY" in {one["code"] for one in site.status()["conditions"]})
    told = site.run("worklist", "sync")
    assert told.returncode == 1
    assert "another source" in told.stderr
    assert open_orders(site) == {"000815"}
