"""Worklists by C-FIND, of Orthanc and of DCMTK."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.association import Peer
from irisdrop.platforms.mwl import MODALITY_WORKLIST, ModalityWorklist, _answers

ZONE = ZoneInfo("America/New_York")
TODAY = f"{datetime.now(UTC).astimezone(ZONE):%Y%m%d}"
LATER = f"{datetime.now(UTC).astimezone(ZONE) + timedelta(days=5):%Y%m%d}"

Write = Callable[..., None]


def test_the_orders_of_some_days_come_from_orthanc(orthanc: Any, write_order: Write) -> None:
    write_order(orthanc.worklists / "1.wl", "A-1", "000815", "Müller^Jürgen", TODAY)
    write_order(orthanc.worklists / "2.wl", "A-2", "000816", "Li^Wei", LATER)
    write_order(orthanc.worklists / "3.wl", "A-3", "000817", "Okafor^Ngozi", TODAY, station="OCT1")
    source = ModalityWorklist(orthanc.peer(), ZONE, station="FUNDUS1", site="S1")
    changes = source.changes(None)
    (entry,) = changes.entries
    assert dict(entry.keys) == {
        "PatientID": "000815",
        "PatientName": "Müller^Jürgen",
        "PatientBirthDate": "1961-03-07",
        "PatientSex": "M",
        "AccessionNumber": "A-1",
        "StudyInstanceUID": "1.2.3.815",
        "RequestedProcedureID": "R1",
        "ScheduledProcedureStepID": "S1",
        "Modality": "OP",
    }
    assert entry.start is not None and entry.start.astimezone(ZONE).strftime("%H:%M") == "09:30"
    assert (changes.full, entry.site) == (True, "S1")
    assert source.changes(None).entries[0].id == entry.id
    assert len(ModalityWorklist(orthanc.peer(), ZONE, ahead=6 * 86400.0).changes(None).entries) == 3


def test_a_server_that_drops_the_character_set_is_read_by_the_assumed_one(
    wlmscpfs: tuple[int, Path], write_order: Write
) -> None:
    port, folder = wlmscpfs
    write_order(folder / "1.wl", "A-1", "000815", "Müller^Jürgen", TODAY)
    peer = Peer("127.0.0.1", port, "WLM", "IRISDROP")
    (spoilt,) = ModalityWorklist(peer, ZONE).changes(None).entries
    assert spoilt.keys["PatientName"] != "Müller^Jürgen"
    (entry,) = ModalityWorklist(peer, ZONE, encoding="utf-8").changes(None).entries
    assert entry.keys["PatientName"] == "Müller^Jürgen"


@pytest.mark.parametrize(
    "ends", [[], [0xFE00], [0xA700], [0xC001], [0xFF00]], ids=["broke off", "cancelled", "full", "failed", "unfinished"]
)
def test_a_list_that_does_not_end_well_is_none(ends: list[int]) -> None:
    replies = [(status_of(0xFF00), Dataset()) for _ in range(3)] + [(status_of(end), None) for end in ends]
    with pytest.raises(WorklistUnavailable):
        _answers(replies if ends else [*replies, (Dataset(), None)])
    assert len(_answers([*replies[:3], (status_of(0x0000), None)])) == 3


def status_of(code: int) -> Dataset:
    """A C-FIND status."""
    found = Dataset()
    found.Status = code
    return found


def test_a_server_that_is_gone_or_keeps_no_such_list_is_no_empty_worklist(
    wlmscpfs: tuple[int, Path], free_port: Callable[[], int], storescp: tuple[int, Path]
) -> None:
    for port, called in ((free_port(), "WLM"), (wlmscpfs[0], "OTHER"), (storescp[0], "STORESCP")):
        with pytest.raises(WorklistUnavailable):
            ModalityWorklist(Peer("127.0.0.1", port, called, "IRISDROP"), ZONE).changes(None)


def test_a_server_that_stops_in_the_middle_of_an_answer_is_unreachable() -> None:
    over = threading.Event()

    def half(event: Any) -> Iterator[Any]:
        event.assoc.dul.socket.socket.send(b"\x04\x00\x00\x00\x10\x00half of it")
        over.wait(100)
        yield 0x0000, None

    own = AE("WLM")
    own.add_supported_context(MODALITY_WORKLIST)
    server = own.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, half)])
    try:
        source = ModalityWorklist(Peer("127.0.0.1", server.server_address[1], "WLM", "IRISDROP", wait=1.0), ZONE)
        with pytest.raises(WorklistUnavailable):
            source.changes(None)
    finally:
        over.set()
        server.shutdown()
