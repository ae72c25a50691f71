"""JPEGs that no two seeds share, and beginnings of them that are none."""

from __future__ import annotations

import functools
import io
import random
import struct


@functools.cache
def body() -> bytes:
    """The smallest picture that a decoder takes, without its first two bytes."""
    from PIL import Image

    kept = io.BytesIO()
    Image.new("L", (16, 16), 90).save(kept, "JPEG")
    return kept.getvalue()[2:]


def picture(rng: random.Random, size: int) -> bytes:
    """A whole JPEG of about `size` bytes; what fills it are comments, so that no cut of it ends like one."""
    filling = rng.randbytes(max(size - len(body()), 16))
    parts = [b"\xff\xd8"]
    for begin in range(0, len(filling), 60_000):
        piece = filling[begin : begin + 60_000].replace(b"\xff", b"\xfe")
        parts.append(b"\xff\xfe" + struct.pack(">H", len(piece) + 2) + piece)
    return b"".join((*parts, body()))
