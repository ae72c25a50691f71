"""The other side of the door: how a program on this machine gets a code or a token of the page."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from irisdrop.surface.page.access import Purpose, proof
from irisdrop.vocabulary.faults import Foreseen

PATIENCE: Final = 5.0  # seconds
LONGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Admission:
    """What knocking gave: the code or token, and the host name under which the page is opened."""

    word: str
    host: str


class NotTheAgent(Foreseen):
    """Something answers on the port that does not know the secret: it is told nothing."""

    def __init__(self, port: int) -> None:
        super().__init__(
            "NOT_THE_AGENT",
            f"Something that is not this irisdrop answers on port {port}.",
            "see which program holds the port, or set another one with `page: {port: …}`.",
        )


def knock(port: int, secret: bytes, purpose: Purpose, person: str) -> Admission:
    """Prove to each other that both know the secret; OSError where nobody answers, NotTheAgent where a stranger does."""
    nonce = secrets.token_urlsafe(24)
    answer = ask(port, "POST", "/door/challenge", {"nonce": nonce})
    ours = str(answer.get("nonce", ""))
    if not hmac.compare_digest(str(answer.get("proof", "")), proof(secret, "server", port, nonce, ours)):
        raise NotTheAgent(port)
    told = {
        "nonce": ours,
        "proof": proof(secret, "client", port, nonce, ours, purpose, person),
        "purpose": purpose,
        "person": person,
    }
    admitted = ask(port, "POST", "/door/admit", told)
    if "word" not in admitted:
        raise NotTheAgent(port)
    return Admission(str(admitted["word"]), str(admitted.get("host", "127.0.0.1")))


def ask(
    port: int, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
) -> dict[str, Any]:
    """One question to whatever listens on the port; an answer that is no JSON object of 200 is an empty one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read(LONGEST)
        found = json.loads(text) if response.status == 200 else {}
    except (http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}
