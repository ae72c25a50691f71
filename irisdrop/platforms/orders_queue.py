"""OrderRequests that come in a queue: each is in the folder of orders, on the disk, before it is taken off the queue.

The readers of a queue compete, so it must be one that only this agent reads; other agents of the site read the folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.orders import OURS
from irisdrop.platforms.service_bus import Bus, BusUnavailable
from irisdrop.record.system import sync_folder
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.platforms.orders import OrderFolder
    from irisdrop.platforms.service_bus import Message
    from irisdrop.vocabulary.orders import WorklistChanges

WAIT: Final = 1.0  # seconds without a message after which the queue counts as empty


class OrderQueue:
    """A queue that is emptied into a folder before the folder is read. `keep`: seconds that a message stays there."""

    def __init__(self, bus: Bus, queue: str, path: Path, folder: OrderFolder, keep: float) -> None:
        self._bus = bus
        self._queue = queue
        self._path = path
        self._folder = folder
        self._keep = timedelta(seconds=keep)

    def changes(self, cursor: str | None) -> WorklistChanges:
        """What came, as the folder tells it. Raises WorklistUnavailable where the queue can't be read to its end: it may
        hold a cancellation."""
        try:
            self._drain()
            changes = self._folder.changes(cursor)
            if changes.cursor == cursor:  # the mirror has all that lies here, whatever the wall clock says
                self._tidy()
            return changes
        except BusUnavailable as error:
            code = "PLATFORM_DENIED" if error.denied else "WORKLIST_UNREACHABLE"
            raise WorklistUnavailable(error.detail, code) from None
        except OSError as error:
            raise WorklistUnavailable(f"a message can't be kept ({type(error).__name__})") from None

    def close(self) -> None:
        """Nothing is held between two looks."""
        self._folder.close()

    def _drain(self) -> None:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        listening = self._bus.listen(self._queue)
        try:
            while listening.receive(self._put, WAIT):
                pass
        finally:
            with suppress(BusUnavailable):
                listening.close()

    def _put(self, message: Message) -> None:
        """Under a name that stays the same when the message comes again, and with the time at which it was put into the
        queue: a new order that comes once more after its cancellation still stands before it."""
        raw = message.text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(message.enqueued.isoformat().encode() + raw).hexdigest()[:16]
        target = self._path / f"{OURS}{message.number:020d}-{digest}.json"
        if target.exists():
            return
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            file.write(raw)
            file.flush()
            os.utime(part, (message.enqueued.timestamp(),) * 2)
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(self._path)

    def _tidy(self) -> None:
        """Drop old messages of the queue; what somebody else put there stays."""
        before = (datetime.now(UTC) - self._keep).timestamp()
        for path in self._path.glob(f"{OURS}*.json"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)


def open_queue(options: Mapping[str, Any], folder: OrderFolder) -> OrderQueue:
    """The queue of a configuration. Raises Foreseen where nothing says how to reach it."""
    secret = options["bus_connection_string"]
    if secret is None:
        raise Foreseen(
            "NO_CREDENTIALS",
            "nothing says how to reach the queue of orders",
            "set `bus_connection_string: {env: NAME}` below `worklist:`.",
        )
    bus = Bus(secret.reveal, websocket=options["transport"] == "websocket")
    return OrderQueue(bus, options["queue"], options["path"], folder, options["keep"])
