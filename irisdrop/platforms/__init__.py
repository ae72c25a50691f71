"""Where images go and where orders come from: one file per kind, behind one Protocol each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from irisdrop.vocabulary.deliveries import Answer, Parcel, Postponed, Receipt, Said
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.orders import WorklistChanges

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config


class Platform(Protocol):
    """A reading platform. Safe to use from several threads at once."""

    def deliver(self, parcel: Parcel) -> Answer:
        """Send one image. Whatever the wire does is an answer and never raises.

        `parcel.keys` are those of the order: a receipt that contradicts one of them is RECEIPT_MISMATCH.
        """
        ...

    def find(self, digest: str) -> Receipt | Postponed | None:
        """The receipt that the platform has for a digest; None where it says that it has none.

        None too where it can't be asked by digest: then `deliver` finds for itself what is there already, and sending
        again changes nothing.
        """
        ...

    def confirmations(self) -> Confirmations | None:
        """Where the platform says later what became of UPLOADED images; None where it never does."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Confirmations(Protocol):
    """What a platform says later. Used by one thread at a time; opened anew after ConfirmationsUnavailable."""

    within: float  # seconds after which a confirmation that has not come is overdue

    def receive(self, keep: Callable[[Said], bool], wait: float) -> int:
        """Give each message to `keep`, which makes it durable and says whether it is about an image of ours, before it
        is taken off; returns how many came. Raises ConfirmationsUnavailable.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class ConfirmationsUnavailable(Exception):
    """The platform's later word can't be had now; the text holds no PHI."""


class WorklistUnavailable(Exception):
    """No worklist can be had now, or none that can be trusted to be whole. `condition` is the code to raise."""

    def __init__(self, detail: str, condition: str = "WORKLIST_UNREACHABLE") -> None:
        super().__init__(detail)
        self.detail = detail
        self.condition = condition


class WorklistSource(Protocol):
    """Where orders come from. Used by one thread at a time."""

    def changes(self, cursor: str | None) -> WorklistChanges:
        """What changed since `cursor`, or everything. Raises WorklistUnavailable."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


# kind → (module, factory taking the configuration), imported when one is opened.
PLATFORMS: Final[dict[str, tuple[str, str]]] = {
    "http": ("irisdrop.platforms.http", "open_platform"),
    "folder": ("irisdrop.platforms.folder", "open_platform"),
    "dicomweb": ("irisdrop.platforms.dicomweb", "open_platform"),
    "dimse": ("irisdrop.platforms.dimse", "open_platform"),
    "iris": ("irisdrop.platforms.iris", "open_platform"),
}
# Kinds at which a person's correction takes the place of what was sent before. The others get a second image.
CORRECTING: Final = frozenset({"http"})
WORKLISTS: Final[dict[str, tuple[str, str]]] = {
    "platform": ("irisdrop.platforms.http_worklist", "open_worklist"),
    "csv": ("irisdrop.platforms.worklist_file", "open_worklist"),
    "json": ("irisdrop.platforms.worklist_file", "open_worklist"),
    "mwl": ("irisdrop.platforms.mwl", "open_worklist"),
    "orders": ("irisdrop.platforms.orders", "open_worklist"),
    "fhir": ("irisdrop.platforms.fhir", "open_worklist"),
}


def open_platform(config: Config) -> Platform:
    """The platform that the configuration names. Raises Foreseen where it names none, or none that can be used."""
    if config.platform is None:
        raise Foreseen("NO_PLATFORM", "the configuration names no platform", "add `platform:` to it.")
    platform: Platform = _factory(PLATFORMS, config.platform.kind)(config)
    return platform


def corrects(config: Config) -> bool:
    """Whether a delivered image that is given to another order takes the place of the first, not a place beside it."""
    return config.platform is None or config.platform.kind in CORRECTING


def silent(config: Config) -> bool:
    """Whether the platform's answer to an upload is the last that it ever says of an image: UPLOADED is its end."""
    platform = config.platform
    if platform is None:
        return False
    how = {"iris": "events", "dimse": "receipt"}.get(platform.kind)
    return how is not None and platform.options[how] == "none"


def open_worklist(config: Config) -> WorklistSource:
    """The worklist that the configuration names. Raises Foreseen where it names none, or none that can be used."""
    if config.worklist is None:
        raise Foreseen("NO_WORKLIST", "the configuration names no worklist", "add `worklist:` to it.")
    source: WorklistSource = _factory(WORKLISTS, config.worklist.source)(config)
    return source


def _factory(kinds: dict[str, tuple[str, str]], kind: str) -> Callable[[Config], Any]:
    if kind not in kinds:
        raise Foreseen("UNKNOWN_KIND", f"{kind!r} is no kind that is known", f"use one of {', '.join(sorted(kinds))}.")
    module, factory = kinds[kind]
    found: Callable[[Config], Any] = getattr(import_module(module), factory)
    return found
