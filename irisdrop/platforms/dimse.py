"""Kind `dimse`: C-STORE to any PACS (PS3.4 Annex B), several images in one association, C-FIND as the receipt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from irisdrop.platforms.association import NoAssociation, Peer, peer_of
from irisdrop.platforms.dicom_object import JPEG_SYNTAX, OPHTHALMIC, PHOTOGRAPHIC, Unfit
from irisdrop.platforms.dicomweb import ASKED, LATER, judged, maker_of
from irisdrop.platforms.fragments import Fragments
from irisdrop.platforms.instance import Instance, Maker, Rotten
from irisdrop.platforms.unsent import unsent
from irisdrop.vocabulary.deliveries import Answer, Parcel, Postponed, Refused, Uploaded
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association

    from irisdrop.profiles.config import Config

FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve - FIND
PLAIN: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
IDLE: Final = 10.0  # seconds that an association is kept for the next image
PARTING: Final = 2.0  # seconds that a server has to agree to an end, as a stop waits for it
STORED: Final = frozenset({0x0000, 0x0111, 0xB000, 0xB006, 0xB007})  # 0111: it was there; Bxxx: with a warning


class DimsePlatform:
    """Delivers by C-STORE. `query` asks by C-FIND what the server has; without it UPLOADED is the end."""

    def __init__(self, peer: Peer, maker: Maker, *, query: bool = True) -> None:
        self._peer = peer
        self._maker = maker
        self._query = query
        self._lines = Lines(peer)

    def deliver(self, parcel: Parcel) -> Answer:
        """Store one instance; whatever the wire does is an answer."""
        try:
            with self._maker.instance(parcel) as instance, self._lines.line(instance, query=self._query) as line:
                return self._store(parcel, instance, line)
        except NoAssociation as error:
            condition = "PLATFORM_DENIED" if error.denied else "PLATFORM_UNREACHABLE"
            return Postponed(error.detail, condition=condition, halts=error.denied)
        except (Unfit, Rotten, OSError) as error:
            return unsent(error)

    def find(self, digest: str) -> None:  # noqa: ARG002
        """A PACS can't be asked by digest; the UIDs are derived, so that sending again changes nothing."""
        return

    def confirmations(self) -> None:
        """What the server says when it is asked is its word."""
        return

    def close(self) -> None:
        """Release every association."""
        self._lines.close()

    def _store(self, parcel: Parcel, instance: Instance, line: Association) -> Answer:
        try:
            status = line.send_c_store(instance.file)
        except ValueError:
            # pynetdicom: no context for this class and syntax was accepted.
            return Refused(Code.REJECTED_BY_PLATFORM, "the server takes no images of this class and transfer syntax")
        except AttributeError:
            return Refused(
                Code.UNREADABLE, "the DICOM file's meta information lacks its class, instance or transfer syntax"
            )
        except RuntimeError:
            raise NoAssociation(f"{self._peer.place} ended the association") from None
        code = status.get("Status")
        if code is None:
            raise NoAssociation(f"{self._peer.place} gave no answer to C-STORE")
        if code in STORED:
            return self._ask(parcel, instance, line)
        if code & 0xFF00 == 0xA700:
            return Postponed(f"the server is out of resources ({code:04X})", condition="PLATFORM_UNREACHABLE")
        if code == 0x0124:
            return Postponed("the server does not let us store", condition="PLATFORM_DENIED", halts=True)
        return Refused(Code.REJECTED_BY_PLATFORM, f"the server refused the instance ({code:04X})")

    def _ask(self, parcel: Parcel, instance: Instance, line: Association) -> Answer:
        if not self._query:
            return Uploaded(instance.sent, instance.uid, "the server stored it; it is not asked what it has")
        study = _one(line, _query("STUDY", instance, ("PatientID", "AccessionNumber")))
        image = _one(line, _query("IMAGE", instance, ("ImageLaterality",)))
        if study is None or image is None:
            return Postponed("the server stored the instance and does not know it yet", LATER)
        found = {tag: str((image if key in image else study).get(key, "") or "") for tag, key in ASKED.items()}
        found |= {tag: str(study.get(key, "") or "") for tag, key in ASKED.items() if key in study}
        return judged(parcel, instance, found)


def open_platform(config: Config) -> DimsePlatform:
    """The server of a configuration. Raises Foreseen where its settings can't be used."""
    if config.platform is None:
        raise Foreseen("NO_PLATFORM", "the configuration names no platform", "add `platform:` to it.")
    options = config.platform.options
    return DimsePlatform(peer_of(options), maker_of(config), query=options["receipt"] == "query")


class Lines:
    """Open associations that are kept for the next image for a while."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._idle: list[Association] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @contextmanager
    def line(self, instance: Instance, *, query: bool) -> Iterator[Association]:
        """An association that can carry an instance; it is kept where nothing went wrong."""
        line = self._kept(instance) or self._open(instance, query=query)
        try:
            yield line
        except BaseException:
            line.abort()
            raise
        self._keep(line)

    def close(self) -> None:
        """Release all that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for line in idle:
            line.acse_timeout = PARTING
            line.release()

    def _open(self, instance: Instance, *, query: bool) -> Association:
        line = self._peer.open(_contexts(instance, query=query))
        Fragments(line)
        return line

    def _kept(self, instance: Instance) -> Association | None:
        with self._lock:
            self._idle = [line for line in self._idle if line.is_established]
            for line in self._idle:
                if _carries(line, instance):
                    self._idle.remove(line)
                    return line
        return None

    def _keep(self, line: Association) -> None:
        if not line.is_established:
            return
        with self._lock:
            self._idle.append(line)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(IDLE, self.close)
            self._timer.daemon = True
            self._timer.start()


def _carries(line: Association, instance: Instance) -> bool:
    return any(
        context.abstract_syntax == instance.sop_class and instance.syntax in context.transfer_syntax
        for context in line.accepted_contexts
    )


def _contexts(instance: Instance, *, query: bool) -> list[tuple[str, tuple[str, ...]]]:
    """One context a syntax: a server chooses one of those that stand together, and it may choose the wrong one."""
    pairs = {(instance.sop_class, instance.syntax): None}
    for sop_class in (OPHTHALMIC, PHOTOGRAPHIC):
        pairs[(sop_class, JPEG_SYNTAX + "50")] = None
    contexts: list[tuple[str, tuple[str, ...]]] = [(sop_class, (syntax,)) for sop_class, syntax in pairs]
    return [*contexts, (FIND, PLAIN)] if query else contexts


def _query(level: str, instance: Instance, wanted: tuple[str, ...]) -> Dataset:
    from pydicom.dataset import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID = instance.study
    if level == "IMAGE":
        query.SeriesInstanceUID = instance.series
        query.SOPInstanceUID = instance.uid
    for key in wanted:
        setattr(query, key, "")
    return query


def _one(line: Association, query: Dataset) -> Dataset | None:
    """The one match of a query; None where there is none. Raises NoAssociation where the answer is not whole."""
    found: Dataset | None = None
    code = None
    try:
        for status, match in line.send_c_find(query, FIND):
            code = status.get("Status")
            if code in (0xFF00, 0xFF01) and match is not None:
                found = match
    except ValueError:
        raise NoAssociation("the server takes no queries; `receipt: none` does without") from None
    if code != 0x0000:
        raise NoAssociation("the server gave no whole answer to a query")
    return found
