"""The tray's line to the page: proves itself, is proven to, and begins anew whenever the agent did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from irisdrop.surface.page.access import secret_of
from irisdrop.surface.page.knock import NotTheAgent, ask, knock
from irisdrop.surface.page.words import say
from irisdrop.surface.tray.look import DOWN, Look, look


class Line:
    """Asks the page how all is; every failure is a look too."""

    def __init__(self, state: Path, port: int, person: str, moved: Callable[[], int | None] = lambda: None) -> None:
        self._state = state
        self._port = port
        self._moved = moved  # the port that the configuration names now
        self._person = person
        self._token: str | None = None
        self._lock = threading.Lock()

    def look(self) -> Look:
        """How all is now; never raises for what can be told."""
        try:
            told = self._asked("GET", "/tray/state")
        except NotTheAgent:
            return Look("down", say("tray_stranger"))
        except PermissionError:
            return Look("down", say("tray_shut"))
        except OSError:
            self._port = self._moved() or self._port
            return DOWN
        return look(told) if told else DOWN

    def pause(self) -> None:
        """Let nothing be sent until `resume`."""
        self._asked("POST", "/tray/pause")

    def resume(self) -> None:
        """Let images be sent again."""
        self._asked("POST", "/tray/resume")

    def link(self, *, quarantine: bool = False) -> str:
        """A link that opens the page once."""
        admission = knock(self._port, secret_of(self._state), "page", self._person)
        to = "&to=quarantine" if quarantine else ""
        return f"http://{admission.host}:{self._port}/enter?code={admission.word}{to}"

    def _asked(self, method: str, path: str) -> dict[str, Any]:
        with self._lock:
            if self._token is not None:
                told = ask(self._port, method, path, token=self._token)
                if told:
                    return told
                self._token = None  # the agent was started again: it knows none of its former tokens
            self._token = knock(self._port, secret_of(self._state), "tray", self._person).word
            return ask(self._port, method, path, token=self._token)
