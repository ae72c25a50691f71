"""The data set of a C-STORE in large writes, many fragments in one (P-DATA-TF: PS3.8 §9.3.5 and Annex E).

pynetdicom makes an object of each fragment, queues it for the thread that owns the connection, and writes it alone. Most servers
take 16 kB in one, which is 370 fragments and 10 ms under Python's lock for 6 MB; all of the image waits in memory meanwhile, and
the time for the answer runs out on a slow line while it is still being sent. Here pynetdicom sends the command, and the same
thread goes on with the data set from the file, so that nobody else ever writes to or reads from the connection.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

from irisdrop.platforms.association import NoAssociation
from irisdrop.vocabulary.marks import mark

if TYPE_CHECKING:
    from pynetdicom.association import Association

HEADER: Final = struct.Struct(">BxIIBB")  # P-DATA-TF, its length; the fragment's length, context and control
AROUND: Final = 6  # bytes of the item's header, which the server's limit counts
P_DATA: Final = 4
COMMAND: Final = 1
LAST: Final = 2
BLOCK: Final = 256 * 1024  # bytes of one write
SLOWEST: Final = 4_000  # bytes a second, on the whole; who takes less holds a connection for ever
CHECK: Final = 0.5  # seconds until it is looked whether the connection's thread is still there


class Fragments:
    """Has the files of one association sent in large writes. Where pynetdicom lacks what that needs, it sends as it does."""

    def __init__(self, line: Association) -> None:
        from pynetdicom import evt

        self._line = line
        self._plain = line.dimse.send_msg
        self._next: DataSet | None = None
        line.dimse.send_msg = self._send
        line.bind(evt.EVT_PDU_SENT, self._sent)

    def _send(self, message: Any, context: int) -> None:
        """In the thread that asked for the C-STORE. Raises NoAssociation, or OSError where the file can't be read."""
        file, offset = getattr(message, "_dataset_path", None) or (None, 0)
        if file is None:
            self._plain(message, context)
            return
        with file.open("rb", buffering=0) as opened:
            size = os.fstat(opened.fileno()).st_size - offset
            if size <= 0:
                raise OSError("the file holds no data set")
            opened.seek(offset)
            limit = self._line.acceptor.maximum_length or 0
            begun = self._next = DataSet(opened, size, context, limit)
            for part in _command(message, context, limit):
                self._line.dul.send_pdu(part)
            while not begun.over.wait(CHECK) and self._line.dul.is_alive():
                pass
            self._next = None
        if begun.fault is not None:
            raise begun.fault
        if not begun.whole:
            raise NoAssociation("the connection ended while an image was being sent")

    def _sent(self, event: Any) -> None:
        """In the connection's own thread, when it wrote something: the data set follows its command."""
        begun, pdu = self._next, event.pdu
        if begun is not None and pdu.pdu_type == P_DATA:
            control = pdu.presentation_data_value_items[-1].data[0]
            if control == COMMAND | LAST:
                self._next = None
                begun.write(self._line.dul.socket.socket)


class DataSet:
    """The bytes of a file from where it stands, as fragments for a server that takes `limit` bytes in one (0: any)."""

    def __init__(self, file: IO[bytes], size: int, context: int, limit: int) -> None:
        most = min(limit or BLOCK, BLOCK) - AROUND
        self._most = max(most - most % 2, 2)  # an odd fragment is refused by DCMTK
        self._file = file
        self._size = size
        self._context = context
        self._until = 0.0
        self.over = threading.Event()
        self.whole = False
        self.fault: OSError | NoAssociation | None = None

    def write(self, connection: Any) -> None:
        """Write all of it. At the first fault the connection is cut before the last fragment: what came is no instance."""
        self._until = time.monotonic() + connection_wait(connection) + self._size / SLOWEST
        try:
            mark("upload.first.before")
            for block in self.blocks():
                self._give(connection, block)
                mark("upload.block.before")
            mark("upload.last.after")
            self.whole = True
        except (OSError, NoAssociation) as error:
            self.fault = error
        finally:
            if not self.whole:
                cut(connection)
            self.over.set()

    def blocks(self) -> Iterator[memoryview]:
        """What is written, some fragments at a time. Raises OSError, also where the file is shorter than it was."""
        buffer = memoryview(bytearray(min(max(BLOCK // self._most, 1) * self._most, self._size)))
        left = self._size
        while left:
            count: int = self._file.readinto(buffer[:left])  # type: ignore[attr-defined]
            if not count:
                raise OSError("the file ends early")
            left -= count
            yield self._fragments(buffer[:count], last=not left)

    def _fragments(self, block: memoryview, *, last: bool) -> memoryview:
        parts: list[bytes | memoryview] = []
        for begin in range(0, len(block), self._most):
            piece = block[begin : begin + self._most]
            control = LAST if last and begin + self._most >= len(block) else 0
            size = len(piece) + 2
            parts += (HEADER.pack(P_DATA, size + 4, size, self._context, control), piece)
        return memoryview(b"".join(parts))

    def _give(self, connection: Any, block: memoryview) -> None:
        try:
            while block:
                block = block[connection.send(block) :]
                if time.monotonic() > self._until:
                    raise TimeoutError
        except (OSError, AttributeError) as error:
            # None in the connection's place: the server had closed it before.
            raise NoAssociation(f"the server took no more of an image ({type(error).__name__})") from None


def _command(message: Any, context: int, limit: int) -> Iterator[Any]:
    """The fragments of a request without its data set."""
    from pynetdicom.dimse_messages import C_STORE_RQ

    request = C_STORE_RQ()
    request.primitive_to_message(message)
    for part in request.encode_msg(context, limit):
        yield part
        if part.presentation_data_value_list[-1][1][0] & LAST:
            return


def connection_wait(connection: Any) -> float:
    """Seconds that a connection waits for its peer; 0 where it is none any more, or waits for ever."""
    return (connection and connection.gettimeout()) or 0.0


def cut(connection: Any) -> None:
    """End a connection at once, in both directions; its thread sees it at its next look."""
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
