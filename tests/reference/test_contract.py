"""The HTTP contract as a stranger sees it."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import socket
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from irisdrop.reference.server import ReferencePlatform

IMAGE = b"\xff\xd8 a picture \xff\xd9" * 100
DIGEST = hashlib.sha256(IMAGE).hexdigest()


def test_an_image_is_kept_by_its_digest_and_confirmed_for_its_order(client: Any, data: Path) -> None:
    status, receipt, _ = client.put(IMAGE)
    assert status == 201
    assert (receipt["digest"], receipt["entry"], receipt["ImageLaterality"]) == (DIGEST, "E1", "R")
    assert (receipt["PatientID"], receipt["AccessionNumber"]) == ("000815", "A-1")
    assert receipt["AcquisitionDateTime"] == "2025-01-14T09:31:00+01:00"
    assert (data / "images" / DIGEST).read_bytes() == IMAGE
    assert client.ask("GET", f"/v1/images/{DIGEST}")[1] == receipt


def test_the_same_image_again_gets_the_same_receipt_and_makes_no_news(client: Any) -> None:
    first = client.put(IMAGE)[1]
    feed = client.ask("GET", "/v1/receipts")[1]
    status, again, _ = client.put(IMAGE)
    assert (status, again) == (200, first)
    assert client.ask("GET", "/v1/receipts")[1] == feed
    assert feed["receipts"] == [first]


@pytest.mark.parametrize(("entry", "eye"), [("E2", "R"), ("E1", "L")])
def test_the_same_image_for_another_order_or_eye_is_refused_with_the_receipt_that_holds(
    client: Any, entry: str, eye: str
) -> None:
    first = client.put(IMAGE)[1]
    status, problem, _ = client.put(IMAGE, entry, eye)
    assert (status, problem["code"], problem["receipt"]) == (409, "ASSIGNED_ELSEWHERE", first)


def test_a_persons_correction_replaces_the_receipt_it_names(client: Any) -> None:
    first = client.put(IMAGE)[1]
    status, second, _ = client.put(IMAGE, "E2", "L", If_Match=f'"{first["id"]}"')
    assert (status, second["replaces"], second["entry"]) == (201, first["id"], "E2")
    assert client.ask("GET", f"/v1/images/{DIGEST}")[1] == second
    assert client.ask("GET", "/v1/receipts")[1]["receipts"] == [first, second]
    repeated = client.put(IMAGE, "E2", "L", If_Match=f'"{first["id"]}"')
    assert repeated[:2] == (200, second)


def test_a_correction_of_a_receipt_that_no_longer_holds_is_refused(client: Any) -> None:
    first = client.put(IMAGE)[1]
    second = client.put(IMAGE, "E2", "L", If_Match=f'"{first["id"]}"')[1]
    status, problem, _ = client.put(IMAGE, "E1", "L", If_Match=f'"{first["id"]}"')
    assert (status, problem["code"], problem["receipt"]) == (409, "ASSIGNED_ELSEWHERE", second)


def test_a_withdrawn_order_takes_nothing_more_but_confirms_what_it_has(
    client: Any, platform: ReferencePlatform
) -> None:
    first = client.put(IMAGE)[1]
    platform.worklist.withdraw("E1", "cancelled")
    assert client.put(IMAGE)[:2] == (200, first)
    status, problem, _ = client.put(b"another")
    assert (status, problem["code"]) == (409, "ORDER_WITHDRAWN")


def test_an_order_that_never_was_is_refused(client: Any, data: Path) -> None:
    status, problem, _ = client.put(IMAGE, "E9")
    assert (status, problem["code"]) == (422, "ORDER_UNKNOWN")
    assert list((data / "images").iterdir()) == list((data / "incoming").iterdir()) == []


def test_a_patient_who_is_not_the_orders_is_refused(client: Any) -> None:
    metadata = json.dumps({"entry": "E1", "ImageLaterality": "R", "PatientID": "000816"})
    status, problem, _ = client.put(IMAGE, Irisdrop_Metadata=metadata)
    assert (status, problem["code"]) == (422, "CONTRADICTION")
    assert "000816" not in json.dumps(problem)


def test_bytes_that_are_not_what_their_address_says_are_not_kept(client: Any, data: Path) -> None:
    metadata = json.dumps({"entry": "E1", "ImageLaterality": "R"})
    status, problem, _ = client.ask("PUT", f"/v1/images/{'0' * 64}", IMAGE, Irisdrop_Metadata=metadata)
    assert (status, problem["code"]) == (400, "DIGEST_MISMATCH")
    assert list((data / "images").iterdir()) == list((data / "incoming").iterdir()) == []


def test_a_digest_header_that_contradicts_the_address_is_refused(client: Any) -> None:
    status, problem, _ = client.put(IMAGE, Repr_Digest="sha-256=:AAAA:")
    assert (status, problem["code"]) == (400, "DIGEST_MISMATCH")


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"entry": "E1"}',
        '{"entry": "E1", "ImageLaterality": "OD"}',
        '{"entry": 1, "ImageLaterality": "R"}',
    ],
)
def test_metadata_that_do_not_say_order_and_eye_are_refused(client: Any, metadata: str) -> None:
    status, problem, _ = client.put(IMAGE, Irisdrop_Metadata=metadata)
    assert (status, problem["code"]) == (400, "METADATA_INVALID")


def test_metadata_longer_than_4_kib_are_refused(client: Any) -> None:
    metadata = json.dumps({"entry": "E1", "ImageLaterality": "R", "PatientName": "x" * 4096})
    assert client.put(IMAGE, Irisdrop_Metadata=metadata)[0] == 400


def test_metadata_carry_any_script_in_ascii(client: Any, platform: ReferencePlatform) -> None:
    platform.worklist.put([{"id": "Ä 中", "PatientID": "Ünï"}])
    metadata = json.dumps({"entry": "Ä 中", "ImageLaterality": "L", "PatientID": "Ünï"})
    status, receipt, _ = client.put(IMAGE, Irisdrop_Metadata=metadata)
    assert (status, receipt["entry"], receipt["PatientID"]) == (201, "Ä 中", "Ünï")


def test_a_chunked_body_is_taken(client: Any, data: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (IMAGE[:7], IMAGE[7:])

    metadata = json.dumps({"entry": "E1", "ImageLaterality": "R"})
    status, _, _ = client.ask("PUT", f"/v1/images/{DIGEST}", chunks(), Irisdrop_Metadata=metadata)
    assert status == 201
    assert client.ask("GET", f"/v1/images/{DIGEST}")[0] == 200  # the connection goes on
    assert (data / "images" / DIGEST).read_bytes() == IMAGE


def test_an_image_that_is_too_large_is_refused_before_it_is_read(client: Any) -> None:
    status, problem, headers = client.put(bytes(4_000_001))
    assert (status, problem["code"], headers["Connection"]) == (413, "TOO_LARGE", "close")


def test_a_sender_that_leaves_within_the_body_leaves_nothing_behind(
    platform: ReferencePlatform, client: Any, data: Path
) -> None:
    metadata = json.dumps({"entry": "E1", "ImageLaterality": "R"})
    with socket.create_connection(platform.address) as raw:
        raw.sendall(
            f"PUT /v1/images/{DIGEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-token-for-tests\r\n"
            f"Irisdrop-Metadata: {metadata}\r\nContent-Length: {len(IMAGE)}\r\n\r\n".encode()
        )
        raw.sendall(IMAGE[:100])
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100) == b""
    assert client.ask("GET", f"/v1/images/{DIGEST}")[0] == 404
    assert list((data / "incoming").iterdir()) == []


@pytest.mark.parametrize("token", [None, "wrong", ""])
def test_without_the_token_nothing_is_shown_or_taken(
    platform: ReferencePlatform, connect: Any, token: str | None
) -> None:
    stranger = connect(platform.address, token)
    for path in ("/v1/worklist", "/v1/receipts", f"/v1/images/{DIGEST}"):
        status, problem, headers = stranger.ask("GET", path)
        assert (status, problem["code"], headers["WWW-Authenticate"]) == (401, "UNAUTHORIZED", "Bearer")
    assert stranger.put(bytes(3_000_000))[0] == 401


def test_the_worklist_comes_in_full_and_then_by_what_changed(client: Any, platform: ReferencePlatform) -> None:
    _, full, headers = client.ask("GET", "/v1/worklist")
    assert [entry["id"] for entry in full["entries"]] == ["E1", "E2"]
    assert full["entries"][0]["PatientID"] == "000815"
    platform.worklist.withdraw("E2", "replaced")
    platform.worklist.put([{"id": "E3", "PatientID": "7"}])
    _, news, headers = client.ask("GET", f"/v1/worklist?cursor={full['cursor']}")
    assert ([entry["id"] for entry in news["entries"]], news["withdrawn"]) == (
        ["E3"],
        [{"id": "E2", "why": "replaced"}],
    )
    status, body, _ = client.ask("GET", f"/v1/worklist?cursor={news['cursor']}", If_None_Match=headers["ETag"])
    assert (status, body) == (304, None)
    assert client.ask("GET", "/v1/worklist?cursor=")[1]["cursor"] == news["cursor"]


@pytest.mark.parametrize("cursor", ["x", "0-0", "-", "feed-ffff", "%00", "é"])
@pytest.mark.parametrize("feed", ["worklist", "receipts"])
def test_a_cursor_of_another_platform_is_gone(client: Any, cursor: str, feed: str) -> None:
    from urllib.parse import quote

    status, problem, _ = client.ask("GET", f"/v1/{feed}?cursor={quote(cursor)}")
    assert (status, problem["code"]) == (410, "CURSOR_UNKNOWN")


def test_an_entry_that_is_put_again_unchanged_makes_no_news(client: Any, platform: ReferencePlatform) -> None:
    cursor = client.ask("GET", "/v1/worklist")[1]["cursor"]
    platform.worklist.put([{"id": "E9", "PatientID": "1"}])
    middle = client.ask("GET", f"/v1/worklist?cursor={cursor}")[1]["cursor"]
    platform.worklist.put([{"id": "E9", "PatientID": "1"}])
    assert client.ask("GET", f"/v1/worklist?cursor={middle}")[1]["cursor"] == middle != cursor


def test_every_path_of_the_openapi_document_is_served(client: Any) -> None:
    document = json.loads(files("irisdrop.reference").joinpath("openapi.json").read_text())
    assert client.ask("GET", "/v1/openapi.json")[1] == document
    for path in document["paths"]:
        status, problem, _ = client.ask("GET", "/v1" + path.replace("{sha256}", DIGEST))
        assert status == 200 or problem == {"code": "NOT_FOUND", "message": "no image has this digest"}


def test_every_status_that_the_code_can_answer_is_in_the_openapi_document() -> None:
    document = json.loads(files("irisdrop.reference").joinpath("openapi.json").read_text())
    told = {
        status
        for path in document["paths"].values()
        for verb in path.values()
        if "responses" in verb
        for status in verb["responses"]
    }
    source = files("irisdrop.reference").joinpath("contract.py").read_text()
    answered = set(re.findall(r"(?:Rejected\(|_json\(|_send\(|\": )([2-5]\d\d)\b", source))
    assert answered - {"201"} <= told
    assert answered >= {"400", "401", "404", "409", "410", "411", "413", "422", "503"}


def test_neither_queries_nor_headers_reach_the_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "irisdrop.reference"):
        client.ask("GET", "/v1/worklist?cursor=secret-cursor")
        client.put(IMAGE)
    assert "/v1/worklist" in caplog.text
    for secret in ("secret-cursor", "a-token-for-tests", "Muster", "000815"):
        assert secret not in caplog.text
