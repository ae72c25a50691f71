"""Secrets by reference: a configuration says where one is kept, never what it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal

from irisdrop.vocabulary.faults import Foreseen

PLACES: Final = ("env", "file", "keyring")

# Settings whose value is a secret whatever it looks like.
NAMES: Final = re.compile(
    r"(?i)(?:.*[_-])?(?:token|password|passwd|pwd|secret|sas|api_?key|account_?key|access_?key|connection_?string|credential)"
)

# What gives a secret away wherever it stands: SAS signatures, account keys, user and password in a URL.
IN_CLEAR: Final = re.compile(
    r"(?i)\b(?:sig|AccountKey|SharedAccessKey|SharedAccessSignature)=\S|://[^/\s:@]*:[^/\s@]+@"
)


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept: an environment variable, a file, or SERVICE/NAME in the system's keyring."""

    kind: Literal["env", "file", "keyring"]
    place: str

    def reveal(self) -> str:
        """The secret itself, without the line's end; raises Foreseen where it can't be had."""
        value = {"env": from_environment, "file": from_file, "keyring": from_keyring}[self.kind](self.place).strip()
        if not value:
            raise Foreseen("SECRET_EMPTY", f"the secret in {self} is empty", "put the secret there.")
        return value

    def __str__(self) -> str:
        return f"{self.kind} {self.place}"


def from_environment(name: str) -> str:
    """The value of an environment variable."""
    value = os.environ.get(name)
    if value is None:
        raise Foreseen(
            "SECRET_MISSING", f"the environment variable {name} is not set", f"set {name} for the account of the agent."
        )
    return value


def from_file(name: str) -> str:
    """The first line of a file."""
    try:
        return Path(name).read_text(encoding="utf-8-sig").partition("\n")[0]
    except UnicodeDecodeError:
        raise Foreseen("SECRET_UNREADABLE", f"the secret's file {name} is no text", "save it as UTF-8.") from None
    except OSError as error:
        why = error.strerror or "unknown"
        raise Foreseen(
            "SECRET_UNREADABLE", f"the secret's file {name} can't be read: {why}", "check the path and its rights."
        ) from None


def from_keyring(name: str) -> str:
    """A password of the system's keyring."""
    service, _, account = name.partition("/")
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]
        import keyring.errors  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise Foreseen(
            "KEYRING_MISSING",
            "the Python package keyring is not installed",
            "install it, or use {env: …} or {file: …}.",
        ) from None
    try:
        value = keyring.get_password(service, account)
    except keyring.errors.KeyringError as error:
        why = type(error).__name__
        raise Foreseen(
            "KEYRING_REFUSED", f"the keyring does not answer ({why})", "use {env: …} or {file: …} for a service."
        ) from None
    if value is None:
        raise Foreseen("SECRET_MISSING", f"the keyring holds nothing for {name}", f"keyring set {service} {account}")
    return str(value)


def secret_of(written: Any) -> Secret | None:
    """A reference as written, `{env: NAME}`; None where it is none."""
    if isinstance(written, dict) and len(written) == 1:
        kind, place = next(iter(written.items()))
        if kind in PLACES and isinstance(place, str) and place.strip():
            return Secret(kind, place)
    return None


def secrets_in(settings: Any) -> Iterator[Secret]:
    """Every secret that a configuration, or a part of one, names."""
    if isinstance(settings, Secret):
        yield settings
    elif is_dataclass(settings):
        for field in fields(settings):
            yield from secrets_in(getattr(settings, field.name))
    elif isinstance(settings, Mapping):
        for item in settings.values():
            yield from secrets_in(item)
    elif isinstance(settings, tuple | list):
        for item in settings:
            yield from secrets_in(item)
