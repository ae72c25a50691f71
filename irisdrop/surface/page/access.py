"""Who may look in: a challenge that both sides answer, a one-use code, and the cookie that it becomes.

Whoever can read the secret's file may open the page. The secret itself never travels: tray and page each prove that they
know it, with the port in what is proven, so that a squatter on the port learns nothing and can't relay.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from irisdrop.surface.page.system import shut

CODE_LIVES: Final = 30.0  # seconds, of challenges too
IDLE: Final = 15 * 60.0  # seconds without a person's doing until a session ends
SHIFT: Final = 12 * 3600.0  # seconds until a session ends whatever is done in it
MOST: Final = 200  # challenges, codes and sessions at once: nobody fills our memory by knocking

Purpose = Literal["page", "tray"]


@dataclass(slots=True)
class Session:
    """One browser, or one tray icon; `person` is who decides in it."""

    purpose: Purpose
    person: str
    began: float
    seen: float
    theme: str = ""
    looked_at: set[int] = field(default_factory=set)  # images: each is told to the audit trail once


class Doorkeeper:
    """Challenges, codes and sessions, all in memory: a restart ends every session."""

    def __init__(self, secret: bytes, port: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._secret = secret
        self._port = port
        self._now = monotonic
        self._lock = threading.Lock()
        self._challenges: dict[str, tuple[str, float]] = {}
        self._codes: dict[str, tuple[Session, float]] = {}
        self._sessions: dict[str, Session] = {}

    def challenge(self, nonce: str) -> tuple[str, str]:
        """Our own nonce and the proof that we know the secret, for who sent `nonce`."""
        ours = secrets.token_urlsafe(24)
        with self._lock:
            self._tidy()
            self._challenges[ours] = (nonce, self._now() + CODE_LIVES)
        return ours, proof(self._secret, "server", self._port, nonce, ours)

    def admit(self, ours: str, told: str, purpose: Purpose, person: str) -> str | None:
        """A one-use code (page) or a token (tray) for who proved to know the secret; None for anybody else."""
        with self._lock:
            self._tidy()
            nonce, _ = self._challenges.pop(ours, ("", 0.0))
            expected = proof(self._secret, "client", self._port, nonce, ours, purpose, person)
            if not nonce or not hmac.compare_digest(expected, told):
                return None
            word = secrets.token_urlsafe(32)
            session = Session(purpose, person, self._now(), self._now())
            if purpose == "tray":
                self._sessions[_key(word)] = session
            else:
                self._codes[_key(word)] = (session, self._now() + CODE_LIVES)
            return word

    def enter(self, code: str) -> str | None:
        """The cookie that a one-use code becomes; None where it was used, is too old, or never was."""
        with self._lock:
            self._tidy()
            session, _ = self._codes.pop(_key(code), (None, 0.0))
            if session is None:
                return None
            word = secrets.token_urlsafe(32)
            session.began = session.seen = self._now()
            self._sessions[_key(word)] = session
            return word

    def session(self, word: str | None, purpose: Purpose, *, by_person: bool = True) -> Session | None:
        """The session of a cookie or token; what the page asks by itself does not keep it alive."""
        with self._lock:
            self._tidy()
            session = self._sessions.get(_key(word)) if word else None
            if session is None or session.purpose != purpose:
                return None
            if by_person or purpose == "tray":
                session.seen = self._now()
            return session

    def leave(self, word: str | None) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_key(word or ""), None)

    def _tidy(self) -> None:
        now = self._now()
        self._challenges = dict([(k, v) for k, v in self._challenges.items() if v[1] > now][-MOST:])
        self._codes = dict([(k, v) for k, v in self._codes.items() if v[1] > now][-MOST:])
        alive = [(k, s) for k, s in self._sessions.items() if now - s.seen < IDLE and now - s.began < _longest(s)]
        self._sessions = dict(alive[-MOST:])


def proof(secret: bytes, *said: str | int) -> str:
    """The proof of knowing the secret, over everything that was said."""
    text = "".join(f"{len(str(part))}:{part}" for part in said)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def secret_of(state: Path) -> bytes:
    """The secret of a state folder, for who may read it; OSError for anybody else."""
    return secret_file(state).read_bytes()


def secret_file(state: Path) -> Path:
    """Where the secret lies. The folder is apart from journal and spool: a group may be let in to it alone."""
    return state / "door" / "secret"


def make_secret(state: Path) -> bytes:
    """The secret, made anew where there is none; readable by our account and the group `irisdrop` alone."""
    path = secret_file(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    shut(path.parent)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        known = path.read_bytes()
        if len(known) >= 32:
            shut(path)
            return known
        path.unlink()  # a crash left it half written
        return make_secret(state)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    shut(path)
    return path.read_bytes()


def _key(word: str) -> str:
    """Words are kept hashed, so that looking one up takes the same time whatever it is."""
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()


def _longest(session: Session) -> float:
    return float("inf") if session.purpose == "tray" else SHIFT
