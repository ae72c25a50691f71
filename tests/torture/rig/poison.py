"""A parser that does to some files what parsers were seen to do: hang, crash, eat memory."""

from __future__ import annotations

import os
import random
import signal
import struct
import threading
from typing import Any, BinaryIO

from rig.pictures import body

KINDS = ("HANG", "CRASH", "EAT")

# Read by the agent at its start: its parsers are told to be spoilt.
CUSTOM = """\
import os
if os.environ.get("POISON"):
    from irisdrop.identity import sandbox
    _command = sandbox.command
    def command(*given):
        words = _command(*given)
        spoilt = f"; sys.path.append({os.environ['POISON']!r}); from rig.poison import spoil; spoil(); main("
        words[-1] = words[-1].replace("; main(", spoilt)
        return words
    sandbox.command = command
"""


def poison(rng: random.Random, kind: str) -> bytes:
    """A whole JPEG that the spoilt parser can't stand."""
    comment = b"POISON-" + kind.encode() + rng.randbytes(2000).replace(b"\xff", b"\xfe")
    return b"\xff\xd8\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + body()


def spoil() -> None:
    """In the parser's own process: look at each file first."""
    from irisdrop.identity.parsing import content

    examine = content.examine

    def poisoned(file: BinaryIO, *more: Any) -> Any:
        head = file.read(96)
        file.seek(0)
        _act(head)
        return examine(file, *more)

    content.examine = poisoned


def _act(head: bytes) -> None:
    if b"POISON-HANG" in head:
        threading.Event().wait()
    if b"POISON-CRASH" in head:
        os.kill(os.getpid(), signal.SIGSEGV)
    eaten = []
    while b"POISON-EAT" in head:
        eaten.append(bytearray(16 << 20))
