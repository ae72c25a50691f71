"""A JPEG's segments are walked; what lies between them and the end is read only where the end is looked for."""

from __future__ import annotations

import io
from typing import Any

import pytest

from irisdrop.identity.parsing.content import Damaged
from irisdrop.identity.parsing.jpeg import BLOCK, FIRST, walk


class Counted(io.BytesIO):
    """Bytes that say how many of them were asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.count += len(found)
        return found


def test_of_a_large_picture_only_the_head_and_the_last_two_bytes_are_read(make: Any) -> None:
    small = make.picture()
    assert small.endswith(b"\xff\xd9")
    large = small[:-2] + bytes(4_000_000) + b"\xff\xd9"
    file = Counted(large)
    walk(file, len(large))
    assert file.count < 32 * FIRST


def test_of_bytes_behind_the_end_no_more_are_read_than_where_the_end_is_found(make: Any) -> None:
    content = make.picture() + bytes(4_000_000)
    file = Counted(content)
    walk(file, len(content))
    assert file.count < len(make.picture()) + 32 * FIRST + BLOCK


@pytest.mark.parametrize("short", [-1, 0, 1, 2])
@pytest.mark.parametrize("beginning", [FIRST, FIRST + BLOCK])
def test_an_end_that_two_reads_share_is_found(make: Any, beginning: int, short: int) -> None:
    small = make.picture()[:-2]
    scan = small.index(b"\xff\xda")
    behind = scan + 2 + int.from_bytes(small[scan + 2 : scan + 4], "big")
    content = small[:behind] + bytes(beginning - short) + b"\xff\xd9" + b"more"
    walk(io.BytesIO(content), len(content))


def test_a_picture_without_its_end_is_damaged_however_long_it_is(make: Any) -> None:
    content = make.picture()[:-2] + bytes(3 * BLOCK)
    with pytest.raises(Damaged):
        walk(io.BytesIO(content), len(content))
