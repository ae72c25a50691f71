"""Secrets by reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from irisdrop.profiles.secret import Secret, secret_of
from irisdrop.vocabulary.faults import Foreseen


def test_a_secret_is_revealed_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRISDROP_TOKEN", "geheim\n")
    secret = Secret("env", "IRISDROP_TOKEN")
    assert secret.reveal() == "geheim"
    assert "geheim" not in f"{secret!r} {secret}"


def test_a_secret_is_revealed_from_a_file_as_notepad_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "token.txt"
    path.write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert Secret("file", str(path)).reveal() == "geheim"


def test_a_secret_that_is_not_there_is_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "latin").write_bytes(b"\xfc")
    monkeypatch.delenv("NOT_THERE", raising=False)
    for secret, code in (
        (Secret("env", "NOT_THERE"), "SECRET_MISSING"),
        (Secret("file", str(tmp_path / "none")), "SECRET_UNREADABLE"),
        (Secret("file", str(tmp_path / "latin")), "SECRET_UNREADABLE"),
        (Secret("file", str(tmp_path / "empty")), "SECRET_EMPTY"),
    ):
        with pytest.raises(Foreseen) as caught:
            secret.reveal()
        assert caught.value.code == code
        assert caught.value.remedy


def test_the_keyring_answers_or_the_failure_is_foreseen() -> None:
    with pytest.raises(Foreseen) as caught:
        Secret("keyring", "irisdrop/nobody").reveal()
    assert caught.value.code in ("KEYRING_MISSING", "KEYRING_REFUSED", "SECRET_MISSING")


def test_only_a_reference_is_one() -> None:
    assert secret_of({"env": "X"}) == Secret("env", "X")
    assert secret_of({"env": "X", "file": "y"}) is None
    assert secret_of({"evn": "X"}) is None
    assert secret_of("X") is None
    assert secret_of({"env": " "}) is None
