"""Delivery by HTTP: each thing that the wire can do, to its right end."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from irisdrop.platforms.http import HttpPlatform
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.deliveries import Answer, Confirmed, Damaged, Parcel, Postponed, Receipt, Refused, Withdrawn
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

Agent = Callable[..., HttpPlatform]
Parcels = Callable[..., Parcel]


def receipt_for(parcel: Parcel, **other: object) -> str:
    """A receipt that is right but for `other`."""
    right = {"id": "R1", "digest": parcel.digest, "entry": "E1", "ImageLaterality": "R", "at": "2025-01-14T10:00:00Z"}
    return json.dumps(right | {"PatientID": "000815", "AccessionNumber": "A-1"} | other)


def condition(answer: Answer) -> str | None:
    """The condition of an answer that must be Postponed."""
    assert isinstance(answer, Postponed)
    return answer.condition


def test_an_image_is_delivered_and_found(
    reference: ReferencePlatform, agent: Agent, parcel: Parcels, tmp_path: Path
) -> None:
    platform, one = agent(reference.url), parcel()
    answer = platform.deliver(one)
    assert isinstance(answer, Confirmed)
    assert (answer.receipt.digest, answer.receipt.entry, answer.receipt.eye) == (one.digest, "E1", "R")
    assert platform.find(one.digest) == answer.receipt
    assert platform.find("0" * 64) is None
    assert (tmp_path / "data" / "images" / one.digest).read_bytes() == Path(one.file).read_bytes()


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5_000_000])
def test_images_of_any_size_go_through(reference: ReferencePlatform, agent: Agent, parcel: Parcels, size: int) -> None:
    assert isinstance(
        agent(reference.url).deliver(parcel(bytes(range(256)) * (size // 256) + bytes(size % 256))), Confirmed
    )


def test_sending_again_gives_the_same_receipt(reference: ReferencePlatform, agent: Agent, parcel: Parcels) -> None:
    platform, one = agent(reference.url), parcel()
    assert platform.deliver(one) == platform.deliver(one)


def test_several_at_once_share_the_connections(reference: ReferencePlatform, agent: Agent, parcel: Parcels) -> None:
    platform, answers = agent(reference.url, concurrency=4), []
    parcels = [parcel(bytes([number]) * 50_000) for number in range(24)]
    threads = [
        threading.Thread(target=lambda part=part: answers.extend(platform.deliver(one) for one in part))  # type: ignore[misc]
        for part in (parcels[0::4], parcels[1::4], parcels[2::4], parcels[3::4])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.receipt.digest for answer in answers} == {one.digest for one in parcels}


def test_another_order_is_assigned_elsewhere_and_a_correction_moves_it(
    reference: ReferencePlatform, agent: Agent, parcel: Parcels
) -> None:
    reference.worklist.put([{"id": "E2", "PatientID": "000815", "AccessionNumber": "A-1"}])
    platform = agent(reference.url)
    first = platform.deliver(parcel())
    assert isinstance(first, Confirmed)
    second = platform.deliver(parcel(entry="E2"))
    assert isinstance(second, Refused)
    assert (second.code, second.receipt) == (Code.ASSIGNED_ELSEWHERE, first.receipt)
    third = platform.deliver(parcel(entry="E2", replaces=first.receipt.id))
    assert isinstance(third, Confirmed)
    assert third.receipt.replaces == first.receipt.id


def test_a_correction_names_a_receipt_whatever_its_id_is_written_in(
    hostile: Any, agent: Agent, parcel: Parcels
) -> None:
    one = parcel(entry="E2", replaces="квитанция-1")
    hostile.says("200 OK", receipt_for(one, id="R2", entry="E2", replaces="квитанция-1"))
    assert isinstance(agent(hostile.url).deliver(one), Confirmed)
    assert 'If-Match: "квитанция-1"'.encode() in hostile.requests[-1]


def test_a_withdrawn_order_is_decided_again_and_an_unknown_one_is_refused(
    reference: ReferencePlatform, agent: Agent, parcel: Parcels
) -> None:
    reference.worklist.withdraw("E1", "cancelled")
    assert isinstance(agent(reference.url).deliver(parcel()), Withdrawn)
    unknown = agent(reference.url).deliver(parcel(entry="E9"))
    assert isinstance(unknown, Refused)
    assert unknown.code is Code.REJECTED_BY_PLATFORM
    assert "ORDER_UNKNOWN" in unknown.detail


def test_a_wrong_token_halts_delivery(reference: ReferencePlatform, agent: Agent, parcel: Parcels) -> None:
    answer = agent(reference.url, "wrong").deliver(parcel(b"x" * 3_000_000))
    assert isinstance(answer, Postponed)
    assert (answer.condition, answer.halts) == ("PLATFORM_DENIED", True)


def test_a_renewed_token_is_used_without_a_restart(reference: ReferencePlatform, parcel: Parcels) -> None:
    tokens = ["old", "a-token-for-tests"]
    platform = HttpPlatform(reference.url, lambda: tokens.pop(0))
    assert condition(platform.deliver(parcel())) == "PLATFORM_DENIED"
    assert isinstance(platform.deliver(parcel()), Confirmed)
    platform.close()


def test_a_token_that_cant_be_had_or_sent_halts_delivery(reference: ReferencePlatform, parcel: Parcels) -> None:
    def missing() -> str:
        raise Foreseen("NO_SECRET", "the file is not there", "write it.")

    for token in (missing, lambda: "", lambda: "two\r\nlines", lambda: "tökén"):
        platform = HttpPlatform(reference.url, token)
        answer = platform.deliver(parcel())
        assert isinstance(answer, Postponed)
        assert (answer.condition, answer.halts) == ("PLATFORM_DENIED", True)
        assert "lines" not in answer.detail
        platform.close()


def test_bytes_that_changed_in_the_spool_are_never_sent(
    reference: ReferencePlatform, agent: Agent, parcel: Parcels
) -> None:
    platform, one = agent(reference.url), parcel()
    for spoilt in (b"An image" * 1000, b"an image" * 999, b"an image" * 1001):
        Path(one.file).write_bytes(spoilt)
        assert isinstance(platform.deliver(one), Damaged)
    Path(one.file).unlink()
    assert isinstance(platform.deliver(one), Damaged)
    assert platform.find(one.digest) is None


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "0" * 64},
        {"entry": "E2"},
        {"ImageLaterality": "L"},
        {"PatientID": "000816"},
        {"AccessionNumber": "A-2"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_receipt_for_something_else_is_an_alarm(
    hostile: Any, agent: Agent, parcel: Parcels, other: dict[str, str]
) -> None:
    one = parcel()
    hostile.says("201 Created", receipt_for(one, **other))
    answer = agent(hostile.url).deliver(one)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.receipt is not None) == (Code.RECEIPT_MISMATCH, True)
    assert "000816" not in answer.detail


def test_an_eye_that_was_left_to_the_platform_is_what_it_says(hostile: Any, agent: Agent, parcel: Parcels) -> None:
    one = parcel(eye="U")
    hostile.says("200 OK", receipt_for(one, ImageLaterality="L"))
    assert isinstance(agent(hostile.url).deliver(one), Confirmed)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("409 Conflict", Code.REJECTED_BY_PLATFORM),
        ("422 No", Code.REJECTED_BY_PLATFORM),
        ("413 Too Large", Code.TOO_LARGE),
    ],
)
def test_what_the_platform_refuses_is_refused_whatever_it_adds(
    hostile: Any, agent: Agent, parcel: Parcels, status: str, code: Code
) -> None:
    hostile.says(status, "<html>no</html>")
    answer = agent(hostile.url).deliver(parcel())
    assert isinstance(answer, Refused)
    assert answer.code is code


def test_a_refusal_can_be_read_though_the_body_was_not(hostile: Any, agent: Agent, parcel: Parcels) -> None:
    hostile.says("413 Too Large")
    answer = agent(hostile.url).deliver(parcel(b"x" * 8_000_000))
    assert isinstance(answer, Refused)
    assert answer.code is Code.TOO_LARGE


@pytest.mark.parametrize(
    "status",
    [
        "200 OK",
        "202 Accepted",
        "204 No Content",
        "301 Moved",
        "302 Found",
        "307 Away",
        "400 Bad",
        "404 None",
        "418 Teapot",
    ],
)
def test_whatever_the_contract_does_not_list_is_tried_again_with_a_condition(
    hostile: Any, agent: Agent, parcel: Parcels, status: str
) -> None:
    hostile.says(
        status, "<html>Welcome to our guest network</html>", f"Location: {hostile.url}/elsewhere\r\nSet-Cookie: a=b\r\n"
    )
    platform = agent(hostile.url)
    assert condition(platform.deliver(parcel())) == "PLATFORM_STRANGE"
    assert len(hostile.requests) == 1  # no redirect was followed
    platform.deliver(parcel())
    assert b"Cookie" not in hostile.requests[1]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"id": 1}',
        "[" * 50_000,
        "\x00\xff",
        '{"id": "R1", "digest": 5, "entry": "E1"}',
        "x" * 200_000,
    ],
    ids=["empty", "null", "list", "object", "number", "deep", "binary", "types", "huge"],
)
def test_a_garbled_receipt_never_delivers(hostile: Any, agent: Agent, parcel: Parcels, body: str) -> None:
    hostile.says("200 OK", body)
    platform = agent(hostile.url)
    assert condition(platform.deliver(parcel())) in ("PLATFORM_STRANGE", "PLATFORM_UNREACHABLE")
    assert isinstance(platform.find("0" * 64), Postponed)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: Wed, 14 Jan 2015 10:00:00 GMT\r\n", 0.0),
        ("Retry-After: 99999999999999999999\r\n", 86_400.0),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: -4\r\n", None),
        ("", None),
    ],
)
@pytest.mark.parametrize(
    ("status", "expected"), [("429 Slow", None), ("500 No", "PLATFORM_UNREACHABLE"), ("503 No", "PLATFORM_UNREACHABLE")]
)
def test_a_busy_platform_says_when_to_come_back(
    hostile: Any, agent: Agent, parcel: Parcels, status: str, expected: str | None, headers: str, wait: float | None
) -> None:
    hostile.says(status, "", headers)
    answer = agent(hostile.url).deliver(parcel())
    assert isinstance(answer, Postponed)
    assert (answer.wait, answer.condition, answer.halts) == (wait, expected, False)


@pytest.mark.parametrize(
    "answer",
    [None, b"", b"HTTP/1.1", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", b"\x16\x03\x01"],
)
@pytest.mark.parametrize("reads", [0, 1_000_000])
def test_a_cut_or_garbled_answer_is_tried_again(
    hostile: Any, agent: Agent, parcel: Parcels, answer: bytes | None, reads: int
) -> None:
    hostile.answer, hostile.reads = answer, reads
    assert condition(agent(hostile.url).deliver(parcel(b"x" * 2_000_000))) == "PLATFORM_UNREACHABLE"


def test_a_receipt_that_was_cut_does_not_deliver(hostile: Any, agent: Agent, parcel: Parcels) -> None:
    one = parcel()
    whole = receipt_for(one)
    hostile.answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole) + 1}\r\n\r\n{whole}".encode()
    assert condition(agent(hostile.url).deliver(one)) == "PLATFORM_UNREACHABLE"


def test_a_platform_that_never_answers_does_not_hold_the_image_for_ever(
    hostile: Any, agent: Agent, parcel: Parcels
) -> None:
    hostile.holds = True
    assert condition(agent(hostile.url, patience=0.3).deliver(parcel())) == "PLATFORM_UNREACHABLE"


def test_no_platform_at_all_is_tried_again(hostile: Any, agent: Agent, parcel: Parcels) -> None:
    hostile.stop()
    assert condition(agent(hostile.url).deliver(parcel())) == "PLATFORM_UNREACHABLE"
    assert isinstance(agent(hostile.url).find("0" * 64), Postponed)


def test_metadata_are_ascii_and_drop_what_the_order_does_not_need_before_they_grow_too_long(
    hostile: Any, agent: Agent, parcel: Parcels
) -> None:
    hostile.says("503 No")
    agent(hostile.url).deliver(
        parcel(entry="Ä", keys=(("PatientID", "0815"), ("PatientName", "中" * 1000), ("AccessionNumber", "A")))
    )
    line = next(line for line in hostile.requests[0].split(b"\r\n") if line.lower().startswith(b"irisdrop-metadata:"))
    text = line.split(b": ", 1)[1]
    assert len(text) <= 4096
    assert json.loads(text.decode("ascii")) == {
        "entry": "Ä",
        "ImageLaterality": "R",
        "Taken": "2025-01-14T09:31:00+00:00",
        "PatientID": "0815",
        "AccessionNumber": "A",
    }


@pytest.mark.parametrize(
    "url", ["http://reading.example/v1", "http://10.0.0.5/v1", "ftp://x/v1", "https://u:p@x/v1", "https:///v1", "x"]
)
def test_images_leave_this_machine_by_tls_alone(url: str) -> None:
    with pytest.raises(Foreseen):
        HttpPlatform(url, lambda: None)


def test_only_a_certificate_that_the_system_trusts_is_accepted(
    tmp_path: Path, certificate: tuple[Path, Path], agent: Agent, parcel: Parcels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReferencePlatform(tmp_path / "tls", tls=certificate) as reference:
        reference.worklist.put([{"id": "E1", "PatientID": "000815", "AccessionNumber": "A-1"}])
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))  # not the system's word
        answer = agent(reference.url).deliver(parcel())
        assert condition(answer) == "PLATFORM_STRANGE"
        assert isinstance(answer, Postponed)
        assert "TLS-inspecting proxy" in answer.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert isinstance(agent(reference.url).deliver(parcel()), Confirmed)
        assert isinstance(agent(reference.url.replace("127.0.0.1", "localhost")).deliver(parcel()), Confirmed)


def test_proxies_of_whoever_is_logged_in_are_not_asked(
    reference: ReferencePlatform, agent: Agent, parcel: Parcels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert isinstance(agent(reference.url).deliver(parcel()), Confirmed)


def test_nothing_secret_reaches_a_log_or_an_answer(
    hostile: Any, agent: Agent, parcel: Parcels, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hostile.says("503 No", '{"code": "000815 Muster"}')
    told = [str(agent(hostile.url).deliver(parcel()))]
    hostile.answer = None
    told.append(str(agent(hostile.url).deliver(parcel())))
    for secret in ("a-token-for-tests", "000815", "Muster"):
        assert secret not in caplog.text
        assert all(secret not in text for text in told)


def test_a_receipt_of_another_digest_is_not_found(hostile: Any, agent: Agent, parcel: Parcels) -> None:
    one = parcel()
    hostile.says("200 OK", receipt_for(one))
    platform = agent(hostile.url)
    assert isinstance(platform.find(one.digest), Receipt)
    assert isinstance(platform.find(replace(one, digest="1" * 64).digest), Postponed)
