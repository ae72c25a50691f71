"""A reference platform in this process, and a plain HTTP client that knows nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from irisdrop.reference.server import ReferencePlatform

TOKEN = "a-token-for-tests"
ENTRY = {
    "id": "E1",
    "site": "S1",
    "PatientID": "000815",
    "PatientName": "Muster^Anna",
    "AccessionNumber": "A-1",
    "ScheduledProcedureStepStartDateTime": "2025-01-14T09:30:00",
}


@dataclass
class Client:
    """One kept-alive connection."""

    address: tuple[str, int]
    token: str | None = TOKEN

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(*self.address, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, parsed body and headers."""
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with self.connection.getresponse() as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None, dict(answer.headers)

    def put(self, image: bytes, entry: str = "E1", eye: str = "R", **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Bring one image to an order."""
        digest = hashlib.sha256(image)
        headers.setdefault("Repr_Digest", f"sha-256=:{base64.b64encode(digest.digest()).decode()}:")
        headers.setdefault(
            "Irisdrop_Metadata",
            json.dumps({"entry": entry, "ImageLaterality": eye, "Taken": "2025-01-14T09:31:00+01:00"}),
        )
        return self.ask("PUT", f"/v1/images/{digest.hexdigest()}", image, **headers)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The platform's folder."""
    return tmp_path / "data"


@pytest.fixture
def platform(data: Path) -> Iterator[ReferencePlatform]:
    """A platform with two open orders."""
    with ReferencePlatform(data, token=TOKEN, largest=4_000_000) as platform:
        platform.worklist.put([ENTRY, ENTRY | {"id": "E2", "PatientID": "000816", "AccessionNumber": "A-2"}])
        yield platform


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes clients, and closes them."""
    made: list[Client] = []

    def client(address: tuple[str, int], token: str | None = TOKEN) -> Client:
        made.append(Client(address, token))
        return made[-1]

    yield client
    for one in made:
        one.connection.close()


@pytest.fixture
def client(platform: ReferencePlatform, connect: Callable[..., Client]) -> Client:
    """A client of the platform."""
    return connect(platform.address)
