"""Durations and sizes."""

from __future__ import annotations

import pytest

from irisdrop.profiles.quantities import seconds, shift, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2s", 2), ("15m", 900), ("24h", 86400), ("7d", 604800), ("500ms", 0.5), ("1.5h", 5400), ("2 S", 2), ("0s", 0)],
)
def test_a_duration_is_a_number_with_its_unit(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "2", "s", "2w", "-2s", "2s 3s", "1e3s", "٢s", "2,5s"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert seconds(text) is None


def test_a_shift_may_go_back() -> None:
    assert shift("-3m") == -180
    assert shift("+1h") == 3600
    assert shift("--1h") is None


@pytest.mark.parametrize(("text", "expected"), [("500MB", 500_000_000), ("2GiB", 2**31), ("10 kb", 10_000), ("7B", 7)])
def test_a_size_is_decimal_or_binary(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "500", "MB", "-1MB", "5 apples"])
def test_anything_else_is_no_size(text: str) -> None:
    assert size(text) is None
