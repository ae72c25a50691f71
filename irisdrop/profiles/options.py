"""What each kind of platform and each source of orders knows beyond the common settings, with their types."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from irisdrop.profiles import quantities
from irisdrop.profiles.secret import Secret, secret_of


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. Seconds are float, counts int, flags bool, paths absolute, mappings of text to text."""

    type: Literal["text", "path", "seconds", "count", "flag", "secret", "mapping", "choice", "encoding"] = "text"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


Options = Mapping[str, Option]

TLS: Final[Options] = {
    "tls": Option("flag", default=False),
    "ca": Option("path"),
    "certificate": Option("path"),
    "key_file": Option("path"),
}
PEER: Final[Options] = {
    "host": Option(required=True),
    "port": Option("count", required=True),
    "called": Option(required=True),
    "calling": Option(default="IRISDROP"),
    **TLS,
}
OBJECTS: Final[Options] = {
    "coerce": Option("flag", default=False),
    "burned_in": Option("flag", default=True),
    "receipt": Option("choice", default="query", choices=("query", "none")),
}

PLATFORM_OPTIONS: Final[dict[str, Options]] = {
    "http": {},
    "folder": {"path": Option("path", required=True), "template": Option(), "marker": Option()},
    "dicomweb": {"user": Option(), "password": Option("secret"), **OBJECTS},
    "dimse": {**PEER, **OBJECTS},
    "iris": {
        "organization": Option(required=True),
        "container": Option(required=True),
        "connection_string": Option("secret"),
        "sas": Option("secret"),
        "prefix": Option(default=""),
        "mode": Option("choice", default="order-first", choices=("order-first", "image-first")),
        "stamp": Option("mapping"),
        "announce": Option("mapping"),
        "bus_connection_string": Option("secret"),
        "transport": Option("choice", default="amqp", choices=("amqp", "websocket")),
        "events": Option("choice", default="none", choices=("none", "owner")),
        "events_queue": Option(),
        "events_keep": Option("path"),
        "receipt_within": Option("seconds", default=86400.0),
        "cameras": Option("mapping"),
    },
}
WORKLIST_OPTIONS: Final[dict[str, Options]] = {
    "platform": {},
    "csv": {
        "path": Option("path", required=True),
        "map": Option("mapping"),
        "encoding": Option("encoding"),
        "withdrawals": Option("choice", default="absence", choices=("absence", "column")),
        "trailer": Option(),
        "quiet": Option("seconds", default=2.0),
    },
    "json": {"path": Option("path", required=True)},
    "mwl": {
        **PEER,
        "station": Option(),
        "modality": Option(default="OP"),
        "back": Option("seconds", default=86400.0),
        "ahead": Option("seconds", default=86400.0),
        "encoding": Option("encoding"),
    },
    "orders": {
        "path": Option("path", required=True),
        "queue": Option(),
        "bus_connection_string": Option("secret"),
        "transport": Option("choice", default="amqp", choices=("amqp", "websocket")),
        "keep": Option("seconds", default=90 * 86400.0),
    },
    "fhir": {
        "url": Option(required=True),
        "token": Option("secret"),
        "patient_system": Option(),
        "order_system": Option(),
        "search": Option(default="status=active"),
    },
}
# Kinds of platform that are reached by `url:`.
ADDRESSED: Final = frozenset({"http", "dicomweb"})

EXPECTED: Final[dict[str, str]] = {
    "text": "text",
    "path": "a path",
    "seconds": "a duration: 30s, 15m, 1d",
    "count": "a number from 1 to 65535",
    "flag": "true or false",
    "secret": "a reference: {env: NAME}, {file: PATH} or {keyring: SERVICE/NAME}",
    "mapping": "a mapping: {name: value}",
    "encoding": "an encoding: utf-8, cp1252, iso-8859-1, …",
}


def expected(option: Option) -> str:
    """What a setting takes, in words."""
    return " or ".join(f"`{one}`" for one in option.choices) if option.choices else EXPECTED[option.type]


def typed(option: Option, raw: Any, base: Path) -> Any:
    """The value of a setting as written; None where it is none."""
    if option.type == "mapping":
        plain = isinstance(raw, dict) and all(isinstance(value, str) for value in raw.values())
        return MappingProxyType(dict(raw)) if plain else None
    if option.type == "secret":
        return raw if isinstance(raw, Secret) else secret_of(raw)
    return TYPES[option.type](raw, option, base) if isinstance(raw, str) and raw.strip() else None


def _count(raw: str, *_: Any) -> int | None:
    return int(raw) if raw.isascii() and raw.isdecimal() and 0 < int(raw[:9]) < 65536 else None


def _encoding(raw: str, *_: Any) -> str | None:
    try:
        return codecs.lookup(raw).name
    except (LookupError, ValueError):
        return None


TYPES: Final[dict[str, Callable[[str, Option, Path], Any]]] = {
    "text": lambda raw, *_: raw,
    "path": lambda raw, _, base: base / Path(raw).expanduser(),
    "seconds": lambda raw, *_: quantities.seconds(raw),
    "count": _count,
    "flag": lambda raw, *_: {"true": True, "false": False}.get(raw.lower()),
    "choice": lambda raw, option, _: raw if raw in option.choices else None,
    "encoding": _encoding,
}
