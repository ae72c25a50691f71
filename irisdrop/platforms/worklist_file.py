"""A worklist kept as a file: CSV with IRIS's order fields, or JSON with the entries of the HTTP contract.

Whoever writes the file may be half-way through. A file that can't be parsed whole is refused as a whole
(`TornFile`), so that the last good list stays; a row that can't be read is a fault of that row alone.
"""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.entries import EYES, SEXES, START, EntryFault, entry_id, iso_date, parse_entry, standing
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.keys import canonical
from irisdrop.vocabulary.orders import Standing, Withdrawal, WorklistChanges

if TYPE_CHECKING:
    from irisdrop.profiles.config import Config

Wire = dict[str, object]

LARGEST: Final = 512 * 1024 * 1024
TIMES: Final = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y")
# IRIS field → DICOM keyword, where the value is taken over as it is.
TEXTS: Final[dict[str, str]] = {
    "OrderLocalId": "AccessionNumber",
    "PatientLocalId": "PatientID",
    "StudyInstanceUniqueId": "StudyInstanceUID",
    "EncounterNumber": "AdmissionID",
    "ScheduledProcedureStepID": "ScheduledProcedureStepID",
}
HEADINGS: Final = (
    *TEXTS,
    *("PatientFirstName", "PatientLastName", "PatientDob", "PatientBirthGender"),
    *("OrderScheduledTime", "OrderControlCode", "SingleEyeOnly", "SiteLocalId"),
)


class TornFile(Exception):
    """The file can't be parsed whole, for example because it is being written; the text holds no PHI."""


@dataclass(slots=True)
class Listing:
    """What a worklist file says: open entries and cancelled ones by id, and the rows that could not be read.

    `begun` are the entries of orders whose beginning is known (NW), whatever they were changed to since.
    """

    begun: set[str] = field(default_factory=set)
    entries: dict[str, Wire] = field(default_factory=dict)
    withdrawn: dict[str, Standing] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def open(self, wire: Wire) -> None:
        """Add an entry, or change it; a later row wins."""
        self.begun.add(str(wire["id"]))
        self._open(wire)

    def _open(self, wire: Wire) -> None:
        key = str(wire["id"])
        self.withdrawn.pop(key, None)
        self.entries[key] = wire

    def change(self, wire: Wire, same: Iterable[str], *, later: bool = True) -> None:
        """Take over an order that its source says is changed (XO); `same` are entries of its site and number.

        A change may give the order to another patient: after two records of one person were merged, or because it was
        the wrong one. Then the one open entry that has the number is what the order was before. Of a number that stands
        under two patients already nobody knows which is meant, so both stay, and an image of it is AMBIGUOUS. They stay
        too where nobody knows which of two changes came `later`, as in a list that begins with the newest row: of an
        order that was never told as new the earlier change may be the one that holds.
        """
        key = str(wire["id"])
        step, study = (wire.get(name) for name in ("ScheduledProcedureStepID", "StudyInstanceUID"))
        found = {one: self.entries[one] for one in same if one in self.entries}
        before = [one for one, entry in found.items() if entry.get("ScheduledProcedureStepID") == step]
        if key not in found and len(before) == 1 and before[0] in self.begun and later:
            theirs = found[before[0]].get("StudyInstanceUID")
            if not (study and theirs) or study == theirs:
                self.close(before[0], Standing.REPLACED)
                self.begun.add(key)
        self._open(wire)

    def close(self, key: str, why: Standing) -> None:
        """Withdraw an entry."""
        self.entries.pop(key, None)
        self.withdrawn[key] = why


@dataclass(frozen=True, slots=True)
class Dialect:
    """How somebody writes a CSV worklist.

    `headings` are theirs → IRIS's field names. Where `absence` is False, only a row with CA withdraws an order. A
    `trailer` is the last line's text, without which the file is still being written; `quiet` is how many seconds it
    must have been left alone.
    """

    headings: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    absence: bool = True
    trailer: str | None = None
    quiet: float = 0.0


# A list that shrinks to less than half between two looks may be half a list: its absences count only after a while.
SHRUNK: Final = 0.5
FEW: Final = 10
BELIEVED: Final = 900.0


class FileWorklist:
    """A worklist that is a file which somebody keeps up to date; `zone` is the site's."""

    def __init__(self, path: Path, zone: tzinfo, dialect: Dialect | None = None, clock: Clock | None = None) -> None:
        self._path = path
        self._zone = zone
        self._dialect = dialect or Dialect()
        self._clock = clock or SystemClock()

    def changes(self, cursor: str | None) -> WorklistChanges:
        """Everything in the file, or nothing where it is still as it was at `cursor`."""
        try:
            found = self._left_alone()
            now = f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"
            before, _, rows = (cursor or "").partition("/")
            age = self._clock.now().timestamp() - found.st_mtime
            if now == before:
                return WorklistChanges((), (), cursor, full=False)
            listing = read_listing(self._path, self._dialect)
        except TornFile as torn:
            raise WorklistUnavailable(f"the worklist file can't be parsed whole: {torn}") from None
        except OSError as error:
            raise WorklistUnavailable(f"the worklist file can't be read ({type(error).__name__})") from None
        entries = tuple(parse_entry(wire, self._zone) for wire in listing.entries.values())
        gone = tuple(Withdrawal(key, why) for key, why in listing.withdrawn.items())
        faults = tuple(listing.faults)
        known = int(rows) if rows.isdecimal() else 0
        if known >= FEW and len(entries) < known * SHRUNK and 0 <= age < BELIEVED:
            # The cursor stays, so that the file is looked at again when it has lain there for a while.
            fault = f"the list shrank from {known} to {len(entries)} orders: what it lacks counts only in a while"
            return WorklistChanges(entries, gone, cursor, full=False, faults=(*faults, fault))
        return WorklistChanges(entries, gone, f"{now}/{len(entries)}", full=self._dialect.absence, faults=faults)

    def close(self) -> None:
        """Nothing is held."""

    def _left_alone(self) -> os.stat_result:
        """The file's look, after nobody has written to it for a while. Raises WorklistUnavailable, OSError."""
        found = self._path.stat()
        age = self._clock.now().timestamp() - found.st_mtime
        if 0 <= age < self._dialect.quiet:
            self._clock.wait(threading.Event(), self._dialect.quiet - age)
            now = self._path.stat()
            if (now.st_mtime_ns, now.st_size, now.st_ino) != (found.st_mtime_ns, found.st_size, found.st_ino):
                raise WorklistUnavailable("the worklist file is still being written")
        return found


def open_worklist(config: Config) -> FileWorklist:
    """The file that `worklist: {from: csv, path: …}` names. Raises Foreseen where it names none."""
    options = config.worklist.options
    path = options.get("path")
    if path is None:
        raise Foreseen("NO_PATH", "the worklist has no path", "add `path:` to `worklist:`.")
    if config.worklist.source != "csv":
        return FileWorklist(path, config.site.zone)
    headings = options["map"] or {}
    unknown = [field for field in headings.values() if field not in HEADINGS]
    if unknown:
        raise Foreseen("UNKNOWN_FIELD", f"`{unknown[0]}` is no order field", f"use of {', '.join(HEADINGS)}.")
    dialect = Dialect(
        MappingProxyType({heading.strip().lower(): field for heading, field in headings.items()}),
        *(options["encoding"], options["withdrawals"] == "absence", options["trailer"], options["quiet"]),
    )
    return FileWorklist(path, config.site.zone, dialect)


def read_listing(path: Path, dialect: Dialect | None = None) -> Listing:
    """The listing of a `.json` or CSV file. Raises TornFile, or OSError where the file can't be read."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise TornFile("the worklist file is too large")
        raw = file.read()  # without a number: memory for as much as is asked for would be taken at once
    return parse_json(raw) if path.suffix.lower() == ".json" else parse_csv(raw, dialect)


def parse_json(raw: bytes) -> Listing:
    """A list of entries, or `{"entries": […], "withdrawn": […]}` as the HTTP contract has it."""
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise TornFile("the file is no complete JSON") from None
    whole = document if isinstance(document, dict) else {"entries": document}
    entries, withdrawn = whole.get("entries"), whole.get("withdrawn", [])
    if not isinstance(entries, list) or not isinstance(withdrawn, list):
        raise TornFile("the file holds no list of entries")
    listing = Listing()
    for number, wire in enumerate(entries, 1):
        try:
            listing.open(_json_entry(wire))
        except EntryFault as fault:
            listing.faults.append(f"entry {number}: {fault}")
    for item in withdrawn:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            listing.close(item["id"], standing(item.get("why")))
    return listing


def _json_entry(wire: object) -> Wire:
    if not isinstance(wire, dict):
        raise EntryFault("it is no object")
    if not wire.get("id"):
        site, order, patient, step = (
            wire.get(key) for key in ("site", "AccessionNumber", "PatientID", "ScheduledProcedureStepID")
        )
        if not isinstance(order, str) or not order:
            raise EntryFault("it has neither id nor AccessionNumber")
        wire = {**wire, "id": entry_id(_plain(site), order, _plain(patient), _plain(step))}
    parse_entry(wire, UTC)
    return wire


def _plain(value: object) -> str:
    return value if isinstance(value, str) else ""


def parse_csv(raw: bytes, dialect: Dialect | None = None) -> Listing:
    """IRIS's order fields; OrderControlCode NW opens an order, XO changes it or opens it, CA cancels it."""
    dialect = dialect or Dialect()
    text = decode(raw, dialect.encoding)
    lines = text.splitlines(keepends=True)
    if dialect.trailer is not None:
        if not lines or lines[-1].strip() != dialect.trailer:
            raise TornFile("its last line is not the trailer")
        lines = lines[:-1]
    if not lines:
        raise TornFile("the file is empty")
    rows = csv.reader(lines, delimiter=_delimiter(lines[0]), strict=True)
    listing, orders = Listing(), dict[tuple[str, str], set[str]]()
    try:
        columns = _columns(next(rows), dialect.headings)
        for number, row in _numbered(rows, whole=text.endswith(("\n", "\r")), width=len(columns)):
            try:
                _apply(listing, orders, _record(columns, row))
            except EntryFault as fault:
                listing.faults.append(f"row {number}: {fault}")
    except csv.Error:
        raise TornFile("a quoted field never ends") from None
    return listing


def decode(raw: bytes, encoding: str | None = None) -> str:
    """The text of a file: UTF-8 with or without a mark, UTF-16 with one, else Windows-1252 as Excel writes it."""
    if encoding is not None:
        try:
            return raw.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise TornFile("the file is not written in the encoding that is set") from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise TornFile("the file ends within a character") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _delimiter(heading: str) -> str:
    return max(",;\t|", key=heading.count)


def _columns(heading: list[str], mapped: Mapping[str, str]) -> list[str]:
    known = {name.lower(): name for name in HEADINGS} | dict(mapped)
    columns = [known.get(name.strip().lower(), "") for name in heading]
    if not {"OrderLocalId", "PatientLocalId"} <= set(columns):
        raise TornFile("the first row lacks OrderLocalId or PatientLocalId")
    return columns


def _numbered(rows: Iterator[list[str]], *, whole: bool, width: int) -> Iterator[tuple[int, list[str]]]:
    """Rows with their number. A short last row without a line end is a file that is still being written."""
    held: tuple[int, list[str]] | None = None
    for number, row in enumerate(rows, 2):
        if held is not None:
            yield held
        held = (number, row) if any(cell.strip() for cell in row) else None
    if held is not None:
        if not whole and len(held[1]) < width:
            raise TornFile("the last row is cut")
        yield held


def _record(columns: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(columns):
        raise EntryFault(f"it has {len(row)} columns, the heading has {len(columns)}")
    return {name: canonical(cell.strip()) for name, cell in zip(columns, row, strict=True) if name and cell.strip()}


def _apply(listing: Listing, orders: dict[tuple[str, str], set[str]], record: Mapping[str, str]) -> None:
    order = record.get("OrderLocalId")
    if order is None:
        raise EntryFault("it has no OrderLocalId")
    code = record.get("OrderControlCode", "NW").upper()
    place = (record.get("SiteLocalId", ""), order)
    key = entry_id(*place, record.get("PatientLocalId", ""), record.get("ScheduledProcedureStepID", ""))
    if code == "CA":
        for cancelled in {key, *orders.get(place, ())}:
            listing.close(cancelled, Standing.CANCELLED)
    elif code in ("NW", "XO"):
        wire = _entry(key, record)
        if code == "XO":
            listing.change(wire, orders.get(place, ()))
        else:
            listing.open(wire)
        orders.setdefault(place, set()).add(key)
    else:
        raise EntryFault("its OrderControlCode is none of NW, XO, CA")


def _entry(key: str, record: Mapping[str, str]) -> Wire:
    if "PatientLocalId" not in record:
        raise EntryFault("it has no PatientLocalId")
    wire: Wire = {"id": key}
    wire.update((keyword, record[name]) for name, keyword in TEXTS.items() if name in record)
    name = "^".join(record.get(part, "").replace("^", " ") for part in ("PatientLastName", "PatientFirstName"))
    if name.strip("^"):
        wire["PatientName"] = name.rstrip("^")
    if "SiteLocalId" in record:
        wire["site"] = record["SiteLocalId"]
    if "PatientDob" in record:
        wire["PatientBirthDate"] = iris_moment(record["PatientDob"], "PatientDob").date().isoformat()
    if sex := SEXES.get(record.get("PatientBirthGender", "").upper()):
        wire["PatientSex"] = sex
    if "OrderScheduledTime" in record:
        wire[START] = iris_moment(record["OrderScheduledTime"], "OrderScheduledTime").isoformat()
    if eye := EYES.get(record.get("SingleEyeOnly", "").upper()):
        wire["SingleEyeOnly"] = eye  # true and false say that one eye is expected, not which one
    return wire


def iris_moment(text: str, name: str) -> datetime:
    """A date or date-time as IRIS's order fields have it. Raises EntryFault that names the field."""
    for form in TIMES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - local to the site, whose zone the reader knows
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(iso_date(text) or text)
    except ValueError:
        raise EntryFault(f"{name} is neither MM/DD/YYYY[ HH:MM] nor ISO 8601") from None
