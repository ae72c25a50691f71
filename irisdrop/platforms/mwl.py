"""Orders by DICOM Modality Worklist (C-FIND, PS3.4 Annex K): the whole list of some days at each sync."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

from irisdrop.platforms import WorklistUnavailable
from irisdrop.platforms.association import NoAssociation, Peer, peer_of
from irisdrop.platforms.entries import START, EntryFault, entry_id, parse_entry
from irisdrop.vocabulary.clock import Clock, SystemClock
from irisdrop.vocabulary.orders import WorklistChanges, WorklistEntry

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from irisdrop.profiles.config import Config

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
SYNTAXES: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
PATIENT: Final = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
ORDER: Final = ("AccessionNumber", "StudyInstanceUID", "RequestedProcedureID", "AdmissionID")
STEP: Final = ("ScheduledProcedureStepID", "Modality")
MOST: Final = 100_000


class ModalityWorklist:
    """`back` and `ahead` say how far from now a step may start (seconds); `station` and `modality` narrow the list.

    `encoding` is assumed where a server leaves the character set out (wlmscpfs does, unless it is told not to).
    """

    def __init__(
        self,
        peer: Peer,
        zone: tzinfo,
        *,
        station: str | None = None,
        modality: str = "OP",
        back: float = 86400.0,
        ahead: float = 86400.0,
        encoding: str | None = None,
        site: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._peer = peer
        self._zone = zone
        self._station = station
        self._modality = modality
        self._window = (timedelta(seconds=back), timedelta(seconds=ahead))
        self._encoding = encoding
        self._site = site
        self._clock = clock or SystemClock()

    def changes(self, cursor: str | None) -> WorklistChanges:  # noqa: ARG002
        """Everything in the window. A list that was not answered to its end is none."""
        entries: dict[str, WorklistEntry] = {}
        faults: list[str] = []
        for number, item in enumerate(self._found(), 1):
            try:
                entry = parse_entry(self._wire(item), self._zone)
            except EntryFault as fault:
                faults.append(f"answer {number}: {fault}")
                continue
            entries[entry.id] = entry
        return WorklistChanges(tuple(entries.values()), (), None, full=True, faults=tuple(faults))

    def close(self) -> None:
        """Nothing is held: each sync is an association of its own."""

    def _found(self) -> list[Dataset]:
        try:
            line = self._peer.open([(MODALITY_WORKLIST, SYNTAXES)])
        except NoAssociation as error:
            raise WorklistUnavailable(
                error.detail, "PLATFORM_DENIED" if error.denied else "WORKLIST_UNREACHABLE"
            ) from None
        try:
            found = _answers(line.send_c_find(self._query(), MODALITY_WORKLIST))
            line.release()
        except ValueError:
            raise WorklistUnavailable(f"{self._peer.place} keeps no worklist") from None
        finally:
            if line.is_alive():
                line.abort()
        return found

    def _query(self) -> Dataset:
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        now = self._clock.now().astimezone(self._zone)
        query, step = Dataset(), Dataset()
        for key in (*PATIENT, *ORDER):
            setattr(query, key, "")
        step.ScheduledProcedureStepID = ""
        step.Modality = self._modality
        step.ScheduledStationAETitle = self._station or ""
        step.ScheduledProcedureStepStartDate = f"{now - self._window[0]:%Y%m%d}-{now + self._window[1]:%Y%m%d}"
        step.ScheduledProcedureStepStartTime = ""
        query.ScheduledProcedureStepSequence = Sequence([step])
        return query

    def _wire(self, item: Dataset) -> dict[str, object]:
        """The entry of one answer, in the words of the HTTP contract."""
        if self._encoding is not None and not item.get("SpecificCharacterSet"):
            _assume(item, self._encoding)
        steps = item.get("ScheduledProcedureStepSequence") or [{}]
        step: Any = steps[0]
        wire: dict[str, object] = {key: str(item.get(key) or "") for key in (*PATIENT, *ORDER)}
        wire |= {key: str(step.get(key) or "") for key in STEP}
        wire = {key: value for key, value in wire.items() if value}
        order = wire.get("AccessionNumber") or wire.get("RequestedProcedureID") or wire.get("StudyInstanceUID")
        if not order or "PatientID" not in wire:
            raise EntryFault("it names no order or no patient")
        identifier = wire.get("ScheduledProcedureStepID", "")
        wire["id"] = entry_id(self._site, str(order), str(wire["PatientID"]), str(identifier))
        if self._site is not None:
            wire["site"] = self._site
        start = _start(step)
        return wire | ({START: start} if start else {})


def open_worklist(config: Config) -> ModalityWorklist:
    """The worklist of a configuration. Raises Foreseen where its settings can't be used."""
    options = config.worklist.options
    return ModalityWorklist(
        peer_of(options),
        config.site.zone,
        station=options["station"],
        modality=options["modality"],
        back=options["back"],
        ahead=options["ahead"],
        encoding=options["encoding"],
        site=config.site.id,
    )


def _answers(replies: Iterable[tuple[Dataset, Dataset | None]]) -> list[Dataset]:
    """Every answer up to the final success; raises WorklistUnavailable for a list that ends in any other way."""
    found: list[Dataset] = []
    code: int | None = None
    for status, item in replies:
        code = status.get("Status")
        if code in (0xFF00, 0xFF01):
            if item is None:
                raise WorklistUnavailable("an answer of the worklist can't be decoded")
            found.append(item)
        if len(found) > MOST:
            raise WorklistUnavailable(f"the worklist has more than {MOST} orders: narrow it")
    if code != 0x0000:
        said = "broke off" if code is None else f"ended with {code:04X}"
        raise WorklistUnavailable(f"the worklist {said} after {len(found)} orders")
    return found


def _start(step: Any) -> str | None:
    day = str(step.get("ScheduledProcedureStepStartDate") or "")
    time = str(step.get("ScheduledProcedureStepStartTime") or "").partition(".")[0]
    try:
        found = datetime.strptime(day + time.ljust(6, "0")[:6], "%Y%m%d%H%M%S")  # noqa: DTZ007 - the site's, by parse_entry
    except ValueError:
        return None
    return found.isoformat()


def _assume(item: Dataset, encoding: str) -> None:
    """Names as bytes of a character set that the server did not tell."""
    for key in ("PatientName", "PatientID", "AccessionNumber"):
        if key in item:
            raw = item[key].value
            text = getattr(raw, "original_string", raw)
            raw_bytes = text if isinstance(text, bytes) else str(text).encode("latin-1", "replace")
            setattr(item, key, raw_bytes.decode(encoding, "replace"))
