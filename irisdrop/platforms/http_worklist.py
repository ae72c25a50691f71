"""The worklist of a platform of kind `http`, asked for by cursor."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.entries import EntryFault, parse_entry, standing
from irisdrop.platforms.http import token_of
from irisdrop.platforms.wire import NoToken, Reply, Token, Unreachable, Wire
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges, WorklistEntry

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

LARGEST: Final = 512 * 1024 * 1024


class HttpWorklist:
    """Incremental by cursor and ETag; a cursor that the platform no longer knows leads to the full list."""

    def __init__(self, url: str, token: Token, zone: tzinfo, patience: float = 120.0) -> None:
        self._wire = Wire(url, token, connections=1, patience=patience)
        self._zone = zone
        self._tag: tuple[str, str] | None = None  # a cursor, and the ETag of the answer that was empty for it

    def changes(self, cursor: str | None) -> WorklistChanges:
        """What changed since `cursor`, or everything. Raises WorklistUnavailable."""
        reply = self._ask(cursor)
        if reply.status == 410 and cursor:
            cursor, reply = None, self._ask(None)
        if reply.status == 304 and cursor:
            return WorklistChanges((), (), cursor, full=False)
        if reply.status in (401, 403):
            raise WorklistUnavailable(f"the platform answered {reply.status}", "PLATFORM_DENIED")
        if reply.status == 429 or reply.status >= 500:
            raise WorklistUnavailable(f"the platform answered {reply.status}")
        if reply.status != 200:
            raise _strange(f"the platform answered {reply.status}, which the contract does not know")
        changes = _changes(reply.body, self._zone, full=not cursor)
        tag = reply.headers.get("ETag")
        self._tag = (changes.cursor, tag) if tag and changes.cursor and changes.cursor == cursor else None
        return changes

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _ask(self, cursor: str | None) -> Reply:
        headers = {"If-None-Match": self._tag[1]} if self._tag and self._tag[0] == cursor else {}
        query = {"cursor": cursor} if cursor else None
        try:
            return self._wire.ask("GET", "/worklist", query=query, headers=headers, limit=LARGEST)
        except NoToken as error:
            raise WorklistUnavailable(str(error), "PLATFORM_DENIED") from None
        except Unreachable as error:
            raise _strange(error.detail) if error.strange else WorklistUnavailable(error.detail) from None


def open_worklist(config: Config) -> HttpWorklist:
    """The worklist of the platform in a configuration. Raises Foreseen where that has none."""
    platform = config.platform
    if platform is None or platform.kind != "http" or platform.url is None:
        raise Foreseen(
            "NO_WORKLIST",
            "a platform of kind http is needed for a worklist from it",
            "name another source in `worklist: {from: …}`.",
        )
    return HttpWorklist(platform.url, token_of(platform.token), config.site.zone)


def _changes(body: object, zone: tzinfo, *, full: bool) -> WorklistChanges:
    if not isinstance(body, dict):
        raise _strange("the worklist is no JSON object")
    entries, withdrawn, cursor = body.get("entries"), body.get("withdrawn"), body.get("cursor")
    if not isinstance(entries, list) or not isinstance(withdrawn, list) or not isinstance(cursor, str) or not cursor:
        raise _strange("the worklist lacks entries, withdrawn or cursor")
    gone = [_withdrawal(item) for item in withdrawn]
    good: list[WorklistEntry] = []
    faults: list[str] = []
    for wire in entries:
        try:
            good.append(parse_entry(wire, zone))
        except EntryFault as fault:
            if fault.id is None:
                raise _strange(str(fault)) from None
            # Its older version may be wrong by now: what can't be read must not be matched.
            gone.append(Withdrawal(fault.id, Standing.COMPLETED))
            faults.append(str(fault))
    return WorklistChanges(tuple(good), tuple(gone), cursor, full, tuple(faults))


def _withdrawal(item: object) -> Withdrawal:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise _strange("a withdrawal names no id")
    return Withdrawal(item["id"], standing(item.get("why")))


def _strange(detail: str) -> WorklistUnavailable:
    return WorklistUnavailable(detail, "PLATFORM_STRANGE")
