"""The quarantine desk: what a person decides, with every check that the agent itself would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from irisdrop.matching.contradictions import Objection, conflict, objections
from irisdrop.outcome.quarantine import Quarantine
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.images import ImageFile
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code


def open_desk(
    config: Config,
    journal: Journal,
    orders: Orders,
    spool: Spool,
    clock: Clock,
    profiles: Callable[[str], DeviceProfile | None],
) -> Quarantine:
    """The acts of a person on a journal; works whether the agent runs or not."""

    def against(image: ImageFile, entry: WorklistEntry) -> Sequence[Objection]:
        return objections_of(image, entry, profiles(image.camera), config)

    return Quarantine(journal, orders, spool, clock, against, config.undo)


def objections_of(
    image: ImageFile, entry: WorklistEntry, profile: DeviceProfile | None, config: Config
) -> list[Objection]:
    """Everything that an image says against an order, and against itself."""
    found = objections(
        image.readings,
        entry,
        agree=profile.agree if profile else ("PatientName", "PatientSex"),
        modality=profile.modality if profile else None,
    )
    itself = conflict(image.readings, config.site.zone)
    if itself is not None:
        found.append(Objection(Code.CONFLICTING_KEYS, itself))
    if image.reason is Code.RECEIPT_MISMATCH:
        found.append(Objection(Code.RECEIPT_MISMATCH, "the platform confirmed it for another order, patient or eye"))
    if config.site.id is not None and entry.site not in (None, config.site.id):
        found.append(Objection(Code.NO_WORKLIST_ENTRY, "the order belongs to another site"))
    return found
