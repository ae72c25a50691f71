"""A text without anybody."""

from __future__ import annotations

import pytest

from irisdrop.surface.scrubbing import MASK, Scrubber
from irisdrop.surface.support import config_without_secrets

KNOWN = [
    ("PatientName", "Muster^Anna Maria"),
    ("PatientName", "Łącki^Jan"),
    ("PatientID", "AB-00815"),
    ("PatientBirthDate", "1931-07-19"),
    ("PatientID", "2"),
    ("file", "20250114_000815_R_012.JPG"),
]


@pytest.mark.parametrize(
    "text",
    [
        "Muster, Anna",
        "of MUSTER.",
        "łącki",
        "AB-00815",
        "ab 00815",
        '"AB-00815"',
        "born 1931-07-19",
        "19310719",
        "20250114_000815_R_012",
        "C:\\x\\20250114_000815_R_012.JPG",
    ],
)
def test_who_is_known_is_masked_however_it_is_written(text: str) -> None:
    scrubbed, count = Scrubber(KNOWN).scrub(text)
    assert count >= 1
    assert MASK in scrubbed
    for part in ("muster", "anna", "łącki", "00815", "1931", "2025"):
        assert part not in scrubbed.casefold()


@pytest.mark.parametrize("text", ["Annabelle", "musterhaft", "AB-008159", "image 2 of 2", "", "…"])
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert Scrubber(KNOWN).scrub(text) == (text, 0)


def test_a_secret_in_clear_does_not_get_into_a_bundle() -> None:
    text = (
        "state: /home/anna/irisdrop\n"
        "platform: {kind: http, url: https://user:hunter2@reading.example, token: hunter3}\n"
        "  token: hunter4\n"
        "  connection: AccountKey=hunter5\n"
        "cameras:\n  - {name: room-2, folder: 'D:\\Dr Muster', profile: topcon-nw400}\n"
    )
    found = config_without_secrets(text)
    for secret in ("hunter", "anna", "Muster"):
        assert secret not in found
    assert "room-2" in found
    assert "topcon-nw400" in found


def test_where_a_secret_is_kept_may_be_told() -> None:
    line = "platform: {kind: http, token: {env: IRISDROP_TOKEN}}\n"
    assert config_without_secrets(line) == line
