"""Orders by FHIR R4, asked of a server that pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.fhir import FhirWorklist
from irisdrop.vocabulary.orders import Standing

PARIS = ZoneInfo("Europe/Paris")
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:mrn", "value": "000815"}, {"system": "urn:nhs", "value": "9"}],
    "name": [{"use": "official", "family": "Okafor", "given": ["Ngozi", "A"]}],
    "birthDate": "1961-03-07",
    "gender": "female",
}


def order(number: int, **more: Any) -> dict[str, Any]:
    """A ServiceRequest."""
    return {
        "resourceType": "ServiceRequest",
        "id": f"s{number}",
        "status": "active",
        "identifier": [{"system": "urn:acc", "value": f"A-{number}"}],
        "subject": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2025-01-14T09:30:00+01:00",
    } | more


class Fhir:
    """A server of one search, `size` resources a page; `breaks` is the page that fails."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.patients = [PATIENT]
        self.size, self.breaks, self.next_host = 2, -1, ""
        self.asked: list[dict[str, list[str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One page."""
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(query)
        page = int(query.get("page", ["0"])[0])
        part = self.orders[page * self.size : (page + 1) * self.size]
        bundle: dict[str, Any] = {
            "resourceType": "Bundle",
            "entry": [{"resource": one} for one in (*part, *self.patients)],
        }
        if (page + 1) * self.size < len(self.orders):
            host = self.next_host or self.url
            bundle["link"] = [{"relation": "next", "url": f"{host}/ServiceRequest?page={page + 1}"}]
        body = json.dumps(bundle).encode()
        request.send_response(500 if page == self.breaks else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def stop(self) -> None:
        """End the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def fhir() -> Iterator[Fhir]:
    """A running server."""
    server = Fhir()
    yield server
    server.stop()


def source(fhir: Fhir, **more: Any) -> FhirWorklist:
    """The worklist of that server."""
    return FhirWorklist(
        fhir.url, lambda: None, PARIS, **({"patient_system": "urn:mrn", "order_system": "urn:acc"} | more)
    )


def test_every_page_is_read(fhir: Fhir) -> None:
    fhir.orders = [order(number) for number in range(5)]
    changes = source(fhir, search="status=active&category=opto").changes(None)
    assert changes.full
    assert [entry.keys["AccessionNumber"] for entry in changes.entries] == [f"A-{number}" for number in range(5)]
    assert dict(changes.entries[0].keys) == {
        "PatientID": "000815",
        "PatientName": "Okafor^Ngozi A",
        "PatientBirthDate": "1961-03-07",
        "PatientSex": "F",
        "AccessionNumber": "A-0",
    }
    assert changes.entries[0].start == datetime(2025, 1, 14, 9, 30, tzinfo=PARIS)
    assert (fhir.asked[0]["category"], len(fhir.asked)) == (["opto"], 3)


def test_a_list_of_which_a_page_is_missing_is_none(fhir: Fhir) -> None:
    fhir.orders, fhir.breaks = [order(number) for number in range(5)], 2
    with pytest.raises(WorklistUnavailable):
        source(fhir).changes(None)


def test_a_next_page_elsewhere_is_not_followed_with_our_token(fhir: Fhir) -> None:
    fhir.orders, fhir.next_host = [order(number) for number in range(5)], "http://127.0.0.1:9"
    with pytest.raises(WorklistUnavailable) as caught:
        source(fhir).changes(None)
    assert caught.value.condition == "PLATFORM_STRANGE"


def test_an_order_whose_numbers_are_not_clear_is_a_fault_and_no_guess(fhir: Fhir) -> None:
    fhir.orders = [
        order(1, subject={"reference": "Patient/other"}),
        order(2, identifier=[]),
        order(3, status="revoked"),
        order(4),
    ]
    changes = source(fhir).changes(None)
    assert [entry.keys["AccessionNumber"] for entry in changes.entries] == ["A-4"]
    assert len(changes.faults) == 2
    assert len(source(fhir, patient_system=None).changes(None).entries) == 0


def other_patient(fhir: Fhir) -> None:
    """Another patient comes with every page, as one that was merged into."""
    fhir.patients = [PATIENT, PATIENT | {"id": "p2", "identifier": [{"system": "urn:mrn", "value": "000816"}]}]


def test_an_order_that_is_given_to_another_patient_is_the_same_entry(fhir: Fhir, records: Any) -> None:
    other_patient(fhir)
    fhir.orders = [order(1), order(2)]
    records.orders.apply(source(fhir).changes(None))
    fhir.orders = [order(1, subject={"reference": "Patient/p2"}), order(2)]
    changes = source(fhir).changes(None)
    assert len(records.orders.apply(changes)) == 1
    found = records.orders.find([("AccessionNumber", "A-1")])
    assert [(entry.keys["PatientID"], entry.standing) for entry in found] == [("000816", Standing.OPEN)]


def test_an_order_of_another_server_that_has_the_same_id_there_is_another_entry(fhir: Fhir, records: Any) -> None:
    """A site goes from the test system to the real one, and both count from 1: what was delivered stays its patient's."""
    fhir.orders = [order(1)]
    records.orders.apply(source(fhir).changes(None))
    (before,) = records.orders.find([("PatientID", "000815")])
    real = Fhir()
    try:
        other_patient(real)
        changed = {"subject": {"reference": "Patient/p2"}, "identifier": [{"system": "urn:acc", "value": "B-1"}]}
        real.orders = [order(1, **changed)]
        records.orders.apply(source(real).changes(None))
    finally:
        real.stop()
    found = records.orders.get(before.id)
    assert (found.keys, found.standing) == (before.keys, Standing.COMPLETED)
    assert [entry.keys["PatientID"] for entry in records.orders.open_entries()] == ["000816"]


def test_two_orders_of_one_number_stay_two(fhir: Fhir) -> None:
    other_patient(fhir)
    second = order(2, subject={"reference": "Patient/p2"}, identifier=[{"system": "urn:acc", "value": "A-1"}])
    fhir.orders = [order(1), second]
    assert len({entry.id for entry in source(fhir).changes(None).entries}) == 2


def test_an_order_that_takes_anothers_place_says_so(fhir: Fhir, records: Any) -> None:
    fhir.orders = [order(1), order(2)]
    records.orders.apply(source(fhir).changes(None))
    fhir.orders = [order(3, replaces=[{"reference": "ServiceRequest/s1"}, {"display": "an older one"}]), order(2)]
    records.orders.apply(source(fhir).changes(None))
    assert [entry.standing for entry in records.orders.find([("AccessionNumber", "A-1")])] == [Standing.REPLACED]
    fhir.orders.append(order(1))  # it is active all the same: nobody knows
    assert source(fhir).changes(None).withdrawn == ()


def test_a_list_in_which_an_order_stands_twice_with_two_patients_is_none(fhir: Fhir) -> None:
    """It was changed between two pages."""
    other_patient(fhir)
    fhir.orders = [order(1), order(2), order(1)]
    assert len(source(fhir).changes(None).entries) == 2
    fhir.orders[2] = order(1, subject={"reference": "Patient/p2"})
    with pytest.raises(WorklistUnavailable):
        source(fhir).changes(None)
