"""A platform that costs next to nothing: it reads each body, throws it away and answers with the receipt.

For measuring the sender alone; what keeps and checks images is `irisdrop reference`. Runs as a process of its own:
`python tests/bench/sink.py PORT ENTRIES`.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from datetime import UTC, datetime

NUMBERS = itertools.count(1)
FIRST_BYTES: dict[str, float] = {}


def orders(count: int) -> bytes:
    """A full worklist of so many patients, all due now."""
    now = datetime.now(UTC).isoformat()
    entries = [
        {"id": f"E{n:06}", "PatientID": f"{n:06}", "ScheduledProcedureStepStartDateTime": now} for n in range(count)
    ]
    return json.dumps({"entries": entries, "withdrawn": [], "cursor": "1"}).encode()


def answer(connection: socket.socket, status: str, body: bytes) -> None:
    """One response on a connection that stays open."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


def receipt(digest: str, meant: dict[str, str]) -> bytes:
    """What the agent needs to count an image as delivered."""
    return json.dumps(
        {
            "id": str(next(NUMBERS)),
            "digest": digest,
            "entry": meant.get("entry"),
            "ImageLaterality": meant.get("ImageLaterality"),
            "at": datetime.now(UTC).isoformat(),
        }
    ).encode()


def serve(connection: socket.socket, worklist: bytes) -> None:
    """One connection, request by request."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reused, left = bytearray(1 << 20), b""
    while True:
        while b"\r\n\r\n" not in left:
            got = connection.recv_into(reused)
            if not got:
                return
            left += bytes(reused[:got])
        head, _, left = left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if fields.get("expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = int(fields.get("content-length", "0"))
        body_left, left = size - len(left), b"" if size >= len(left) else left[size:]
        while body_left > 0:
            body_left -= connection.recv_into(reused, min(len(reused), body_left))
        path = target.partition("?")[0]
        if method == "PUT":
            digest = path.rpartition("/")[2]
            FIRST_BYTES.setdefault(digest, time.monotonic())
            answer(connection, "201 Created", receipt(digest, json.loads(fields.get("irisdrop-metadata", "{}"))))
        elif path.endswith("/worklist"):
            fresh = "cursor=1" in target
            answer(connection, "200 OK", b'{"entries":[],"withdrawn":[],"cursor":"1"}' if fresh else worklist)
        else:
            answer(connection, "404 Not Found", b"{}")


def main() -> None:
    """Serve until killed."""
    worklist = orders(int(sys.argv[2]))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, worklist), daemon=True).start()


if __name__ == "__main__":
    main()
