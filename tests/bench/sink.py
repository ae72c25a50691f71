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
FIRST_BYTES: dict[str, float] = {}  # by digest, of the monotonic clock that all processes of a machine share
SIZES: dict[str, int] = {}  # by path: rclone asks by WebDAV what became of what it sent


def orders(count: int) -> bytes:
    """A full worklist of so many patients, all due now."""
    now = datetime.now(UTC).isoformat()
    entries = [
        {"id": f"E{n:06}", "PatientID": f"{n:06}", "ScheduledProcedureStepStartDateTime": now} for n in range(count)
    ]
    return json.dumps({"entries": entries, "withdrawn": [], "cursor": "1"}).encode()


def answer(connection: socket.socket, status: str, body: bytes, kind: str = "application/json") -> None:
    """One response on a connection that stays open."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
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


def properties(path: str) -> bytes:
    """What WebDAV says of a file, or of a folder in which nothing lies."""
    size = SIZES.get(path)
    kind = "<D:resourcetype><D:collection/></D:resourcetype>" if size is None else "<D:resourcetype/>"
    length = "" if size is None else f"<D:getcontentlength>{size}</D:getcontentlength>"
    return (
        f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>{path}</D:href><D:propstat><D:prop>'
        f"{kind}{length}<D:getlastmodified>Tue, 14 Jan 2025 09:30:00 GMT</D:getlastmodified></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
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
        begun = time.monotonic()
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
            FIRST_BYTES.setdefault(digest, begun)
            SIZES[path] = size
            answer(connection, "201 Created", receipt(digest, json.loads(fields.get("irisdrop-metadata", "{}"))))
        elif path.startswith("/first/"):
            answer(connection, "200 OK", json.dumps(FIRST_BYTES.get(path.removeprefix("/first/"))).encode())
        elif method == "PROPFIND" and (path in SIZES or path.endswith("/")):
            answer(connection, "207 Multi-Status", properties(path), "application/xml")
        elif method == "MKCOL":
            answer(connection, "201 Created", b"")
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
