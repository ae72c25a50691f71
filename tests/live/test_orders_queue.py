"""OrderRequests out of a queue of a broker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms import WorklistUnavailable, open_worklist
from irisdrop.platforms.orders import OrderFolder
from irisdrop.platforms.orders_queue import OrderQueue
from irisdrop.platforms.service_bus import Bus
from irisdrop.profiles.config import parse_config
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.orders import Standing

ZONE = ZoneInfo("America/Chicago")
DAY = 86400.0


def request(code: str = "NW", order: str = "A-1", patient: str = "000815") -> dict[str, Any]:
    return {
        "Version": "2.3.1",
        "OrderControlCode": code,
        "Site": {"LocalId": "S1"},
        "Order": {"LocalId": order, "ScheduledTime": "2025-01-14T09:30:00"},
        "Patient": {"LocalId": patient, "Name": {"First": "Ngozi", "Last": "Okafor"}, "Dob": "3/7/1961"},
    }


def opened(bus: Any, folder: Path, keep: float = 90 * DAY) -> OrderQueue:
    return OrderQueue(Bus(lambda: bus.connection_string), "orders-in", folder, OrderFolder(folder, ZONE), keep)


def test_what_a_queue_holds_are_orders_and_a_later_cancellation_withdraws(bus: Any, tmp_path: Path) -> None:
    source = opened(bus, tmp_path / "orders")
    bus.put("orders-in", request(order="A-1"))
    bus.put("orders-in", request(order="A-2", patient="000816"))
    first = source.changes(None)
    assert [entry.keys["AccessionNumber"] for entry in first.entries] == ["A-1", "A-2"]
    assert bus.take("orders-in") == []
    bus.put("orders-in", request("CA", "A-1"))
    second = source.changes(first.cursor)
    assert [(gone.id, gone.why) for gone in second.withdrawn] == [(first.entries[0].id, Standing.CANCELLED)]
    assert source.changes(second.cursor).cursor == second.cursor


def test_an_order_that_comes_again_after_its_cancellation_stays_cancelled(bus: Any, tmp_path: Path) -> None:
    """The end of a lock, or a kill between keeping and completing, gives a message a second time and out of turn."""
    folder = tmp_path / "orders"
    source = opened(bus, folder)
    bus.put("orders-in", request())
    bus.put("orders-in", request("CA"))
    kept: list[Any] = []
    listening = Bus(lambda: bus.connection_string).listen("orders-in")
    while listening.receive(kept.append, 1.0):
        pass
    listening.close()
    folder.mkdir()
    new, cancelled = kept
    for message in (cancelled, new, cancelled, new):
        source._put(message)
    assert len(list(folder.iterdir())) == 2
    changes = source.changes(None)
    assert changes.entries == () and [gone.why for gone in changes.withdrawn] == [Standing.CANCELLED]


def test_a_message_that_could_not_be_kept_stays_in_the_queue(
    bus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(bus, tmp_path / "orders")
    bus.put("orders-in", request())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(WorklistUnavailable, match="can't be kept"):
            source.changes(None)
    assert len(source.changes(None).entries) == 1


def test_old_messages_go_only_after_the_mirror_has_them(bus: Any, tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    source = opened(bus, folder, keep=0.0)
    folder.mkdir()
    (folder / "by-hand.json").write_text(json.dumps(request(order="A-2")))
    os.utime(folder / "by-hand.json", (0, 0))
    bus.put("orders-in", request())
    first = source.changes(None)
    assert len(first.entries) == 2 and len(list(folder.iterdir())) == 2
    source.changes(first.cursor)
    assert [path.name for path in folder.iterdir()] == ["by-hand.json"]
    gone = source.changes(first.cursor)
    assert gone.withdrawn == () and not gone.full


def test_a_queue_that_cannot_be_read_to_its_end_is_no_worklist(bus: Any, tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(request()))
    text = bus.connection_string.replace("SharedAccessKeyName=k", "SharedAccessKeyName=wrong")
    refused = OrderQueue(Bus(lambda: text), "orders-in", folder, OrderFolder(folder, ZONE), DAY)
    with pytest.raises(WorklistUnavailable):
        refused.changes(None)


def test_the_configuration_opens_the_queue_or_says_what_is_missing(tmp_path: Path) -> None:
    def written(more: str) -> str:
        orders = f"{{from: orders, path: '{tmp_path}/orders', queue: orders-in{more}}}"
        platform = f"{{kind: folder, path: '{tmp_path}/out'}}"
        camera = f"{{name: room-2, profile: topcon-nw400, folder: '{tmp_path}/exports'}}"
        return f"state: '{tmp_path}/state'\nplatform: {platform}\nworklist: {orders}\ncameras: [{camera}]\n"

    config = tmp_path / "irisdrop.yaml"
    with pytest.raises(Foreseen, match="queue of orders"):
        open_worklist(parse_config(written(""), config))
    whole = parse_config(written(", bus_connection_string: {env: BUS}"), config)
    assert isinstance(open_worklist(whole), OrderQueue)
