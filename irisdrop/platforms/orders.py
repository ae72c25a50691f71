"""Orders as a folder of OrderRequest messages (JSON, version 2.3.1): NW opens an order, XO changes or opens it, CA cancels it.

A message that is gone withdraws nothing: who keeps the folder may clear away what is old. Messages of a queue are put
into the folder first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop.platforms import WorklistSource, WorklistUnavailable
from irisdrop.platforms.entries import EYES, SEXES, START, EntryFault, entry_id, parse_entry
from irisdrop.platforms.worklist_file import Listing, iris_moment
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

LARGEST: Final = 4 * 1024 * 1024
OURS: Final = "queue-"  # before the number that the queue gave to a message
CODES: Final = frozenset({"NW", "XO", "CA", "ResendResult"})


class OrderFolder:
    """A folder into which OrderRequests are put, one JSON file each; the later one of an order wins."""

    def __init__(self, folder: Path, zone: tzinfo) -> None:
        self._folder = folder
        self._zone = zone

    def changes(self, cursor: str | None) -> WorklistChanges:
        """Every message, in the order in which the files were written, or nothing where the folder is as it was."""
        try:
            files = list(self._files())
            now = hashlib.sha256(repr(files).encode(errors="surrogatepass")).hexdigest()[:32]
            if now == cursor:
                return WorklistChanges((), (), cursor, full=False)
            listing = self._listing(files)
        except OSError as error:
            raise WorklistUnavailable(f"the folder of orders can't be read ({type(error).__name__})") from None
        entries = tuple(parse_entry(wire, self._zone) for wire in listing.entries.values())
        gone = tuple(Withdrawal(key, why) for key, why in listing.withdrawn.items())
        return WorklistChanges(entries, gone, now, full=False, faults=tuple(listing.faults))

    def close(self) -> None:
        """Nothing is held."""

    def _files(self) -> Iterator[tuple[int, str, int]]:
        found = [
            (path.stat().st_mtime_ns, path.name, path.stat().st_size)
            for path in self._folder.iterdir()
            if path.suffix.lower() == ".json" and not path.name.startswith(".") and path.is_file()
        ]
        yield from sorted(found)

    def _listing(self, files: list[tuple[int, str, int]]) -> Listing:
        listing, orders = Listing(), dict[str, set[tuple[str, str]]]()
        last: tuple[int, str] = (0, "")
        for number, (written, name, _) in enumerate(files, 1):
            with (self._folder / name).open("rb") as opened:
                raw = opened.read(LARGEST + 1)
            # Of one moment (two seconds on FAT), and no numbers of the queue: their names are no order in time.
            later = written != last[0] or (name.startswith(OURS) and last[1].startswith(OURS))
            last = (written, name)
            try:
                apply(listing, orders, parsed(raw), later=later)
            except EntryFault as fault:
                # By its number: a file's name may be a patient's. A half one is read again when it has changed.
                listing.faults.append(f"message {number}: {fault}")
        return listing


def open_worklist(config: Config) -> WorklistSource:
    """The folder of a configuration, and the queue that fills it where one is named. Raises Foreseen."""
    options = config.worklist.options
    folder = OrderFolder(options["path"], config.site.zone)
    if options["queue"] is None:
        return folder
    from irisdrop.platforms.orders_queue import open_queue

    return open_queue(options, folder)


def parsed(raw: bytes) -> Mapping[str, Any]:
    """One OrderRequest. Raises EntryFault."""
    try:
        message = json.loads(raw.decode("utf-8-sig")) if len(raw) <= LARGEST else None
    except (ValueError, RecursionError):
        raise EntryFault("it is no complete JSON") from None
    if not isinstance(message, dict):
        raise EntryFault("it is no object")
    return message


def apply(
    listing: Listing, orders: dict[str, set[tuple[str, str]]], message: Mapping[str, Any], *, later: bool = True
) -> None:
    """Take one OrderRequest over, which came `later` than all others as far as anybody knows; `orders` holds (site, entry)
    of each order number so far. Raises EntryFault."""
    code = _text(message, "OrderControlCode")
    order, patient = _text(message, "Order", "LocalId"), _text(message, "Patient", "LocalId")
    site = _text(message, "Site", "LocalId")
    if code not in CODES:
        raise EntryFault("its OrderControlCode is none of NW, XO, CA")
    if code == "ResendResult":
        return
    if not order:
        raise EntryFault("it has no Order.LocalId")
    key = entry_id(site, order, patient)
    if code == "CA":
        # One that names no site is of all: an image too many for a person is better than one for a cancelled order.
        named = {entry for place, entry in orders.get(order, ()) if place == site or not (place and site)}
        for cancelled in {key, *named}:
            listing.close(cancelled, Standing.CANCELLED)
        return
    if not patient:
        raise EntryFault("it has no Patient.LocalId")
    wire = _wire(key, message, site)
    parse_entry(wire, UTC)
    if code == "XO":
        listing.change(wire, [entry for place, entry in orders.get(order, ()) if place == site], later=later)
    else:
        listing.open(wire)
    orders.setdefault(order, set()).add((site, key))


def _wire(key: str, message: Mapping[str, Any], site: str) -> dict[str, object]:
    family, given = (_text(message, "Patient", "Name", part).replace("^", " ") for part in ("Last", "First"))
    born, start = _text(message, "Patient", "Dob"), _text(message, "Order", "ScheduledTime")
    day = iris_moment(born, "Patient.Dob").date().isoformat() if born else ""
    wire = {
        "id": key,
        "site": site,
        "AccessionNumber": _text(message, "Order", "LocalId"),
        "PatientID": _text(message, "Patient", "LocalId"),
        "PatientName": f"{family}^{given}".rstrip("^") if family or given else "",
        "PatientBirthDate": day,
        "PatientSex": _sex(message),
        "StudyInstanceUID": _text(message, "Order", "StudyInstanceUniqueId"),
        START: iris_moment(start, "Order.ScheduledTime").isoformat() if start else "",
        "SingleEyeOnly": EYES.get(_text(message, "Order", "SingleEyeOnly").upper(), ""),
    }
    return {name: value for name, value in wire.items() if value}


def _sex(message: Mapping[str, Any]) -> str:
    """The birth sex, else the only one that is given."""
    patient = message.get("Patient")
    genders = patient.get("Genders") if isinstance(patient, dict) else None
    found = [one for one in genders if isinstance(one, dict)] if isinstance(genders, list) else []
    birth = [one for one in found if "birth" in str(one.get("Context", "")).lower()] or (
        found if len(found) == 1 else []
    )
    return SEXES.get(str(birth[0].get("Gender", "")).upper(), "") if birth else ""


def _text(message: Mapping[str, Any], *steps: str) -> str:
    """The text at a place; "" where there is none. Raises EntryFault where it is no text: a number lost its zeros."""
    found: Any = message
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    if found is None or isinstance(found, bool):
        return ""
    if not isinstance(found, str):
        raise EntryFault(f"{'.'.join(steps)} is no text")
    return found.strip()
