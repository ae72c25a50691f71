"""A real reference platform, a courier to it, and a platform in between that fails as it is told to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from irisdrop.outcome.deliver import Courier
from irisdrop.platforms import Platform
from irisdrop.platforms.http import HttpPlatform
from irisdrop.reference.server import ReferencePlatform
from irisdrop.vocabulary.deliveries import Answer, Parcel, Postponed, Receipt
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.states import State

TOKEN = "a-token-for-tests"


class Reference:
    """A reference platform on one address and one folder, however often it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.token = TOKEN
        self.start()

    def start(self) -> None:
        self.server = ReferencePlatform(self.folder, ("127.0.0.1", self.port), token=self.token)
        self.server.start()
        self.port = self.server.address[1]

    def stop(self) -> None:
        self.server.stop()

    def orders(self, *numbers: str, **keys: str) -> None:
        self.server.worklist.put([{"id": number, "PatientID": "000815"} | keys for number in numbers])

    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt that was ever given, in their order."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.get(f"{self.server.url}/receipts", headers=headers, timeout=10)
        found: list[dict[str, Any]] = answer.json()["receipts"]
        return found

    def held(self) -> set[str]:
        """The digests of the bytes that it keeps."""
        return {path.name for path in (self.folder / "images").iterdir()}


class Between:
    """A platform that passes everything on, notes it, and answers what a test puts into `answers` instead.

    An answer that is a callable is called with the parcel; `loses` as an answer delivers and loses what was said.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.answers: list[Any] = []
        self.always: Callable[[Parcel], Answer | None] = lambda _: None
        self.sent: list[str] = []
        self.asked: list[str] = []

    def deliver(self, parcel: Parcel) -> Answer:
        self.sent.append(parcel.digest)
        if self.answers:
            answer = self.answers.pop(0)
            found: Answer = answer(parcel) if callable(answer) else answer
            return found
        return self.always(parcel) or self.platform.deliver(parcel)

    def loses(self, parcel: Parcel) -> Answer:
        """The bytes arrive, the acknowledgement does not."""
        self.platform.deliver(parcel)
        return Postponed("the connection was cut before the answer")

    def find(self, digest: str) -> Receipt | Postponed | None:
        self.asked.append(digest)
        return self.platform.find(digest)

    def close(self) -> None:
        self.platform.close()


class Delivery:
    """One state folder, one courier, one platform."""

    def __init__(self, records: Any, reference: Reference, between: Between) -> None:
        self.records, self.reference, self.platform = records, reference, between
        self.unmatched = 0
        self.open()

    def open(self) -> None:
        """A courier as a start makes it."""
        records = self.records
        self.courier = Courier(
            records.journal,
            records.spool,
            records.orders,
            self.platform,
            records.conditions,
            records.clock,
            workers=2,
            rng=random.Random(1),
            on_unmatched=self.tell,
        )

    def tell(self) -> None:
        self.unmatched += 1

    def order(self, number: str = "E1", **keys: str) -> Any:
        """An order on both sides."""
        self.reference.orders(number, **keys)
        entry = records_entry = self.records.entry(number, **keys)
        self.records.sync(records_entry, full=False)
        return entry

    def matched(self, entry: Any, number: int = 0, **more: Any) -> ImageFile:
        content = b"picture %d" % number
        image: ImageFile = self.records.matched(entry, name=f"{number}_R.jpg", content=content, **more)
        return image

    def turn(self) -> None:
        """Everything that is due now."""
        while self.courier.deliver_next():
            pass

    def drain(self, hours: float = 24) -> float:
        """Let time pass until nothing waits to be sent; the seconds that it took."""
        begin = self.records.clock.monotonic()
        while self.records.journal.in_state(State.MATCHED):
            assert self.records.clock.monotonic() - begin < hours * 3600
            self.turn()
            self.records.clock.advance(self.courier.idle_seconds())
        return float(self.records.clock.monotonic() - begin)

    def state(self, image: ImageFile) -> str:
        return str(self.records.journal.get(image.id).state)


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Reference]:
    running = Reference(tmp_path / "platform")
    yield running
    running.stop()


@pytest.fixture
def between(reference: Reference, clock: Any) -> Iterator[Between]:
    platform = Between(HttpPlatform(reference.server.url, lambda: TOKEN, clock=clock))
    yield platform
    platform.close()


@pytest.fixture
def delivery(records: Any, reference: Reference, between: Between) -> Delivery:
    return Delivery(records, reference, between)
