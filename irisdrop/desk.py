"""The quarantine desk: what a person decides, with every check that the agent itself would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache

from irisdrop.matching.capture import Situation, capture, implausible, outside
from irisdrop.matching.contradictions import Objection, conflict, objections
from irisdrop.matching.match import ACQUISITION_KEYS
from irisdrop.outcome.quarantine import Quarantine
from irisdrop.profiles.config import Config
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.record.journal import Journal
from irisdrop.record.orders import Orders
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.clock import Clock
from irisdrop.vocabulary.faults import FaultyFile
from irisdrop.vocabulary.images import ARCHIVE, ImageFile, split_name
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

    def against(image: ImageFile, entry: WorklistEntry, eye: str) -> Sequence[Objection]:
        profile = profile_of(image.camera, profiles, journal)
        return objections_of(image, entry, eye, profile, config, mismatched=journal.mismatched(image.id))

    def unpacks(image: ImageFile) -> bool:
        profile = profile_of(image.camera, profiles, journal)
        whole = ARCHIVE.search(image.name) is None
        return whole and profile is not None and profile.unpacks(split_name(image.name)[1])

    return Quarantine(journal, orders, spool, clock, against, config.undo, unpacks)


def profile_of(camera: str, profiles: Callable[[str], DeviceProfile | None], journal: Journal) -> DeviceProfile | None:
    """A camera's profile; where it is no longer configured, the one that it had last, so that no check is left out."""
    found = profiles(camera)
    text = journal.last_profile(camera) if found is None else None
    return found if text is None else _parsed(text)


@lru_cache(maxsize=16)
def _parsed(text: str) -> DeviceProfile | None:
    try:
        return parse_profile(text, "no longer configured")
    except FaultyFile:  # kept by a version with another language
        return None


def objections_of(
    image: ImageFile,
    entry: WorklistEntry,
    eye: str,
    profile: DeviceProfile | None,
    config: Config,
    *,
    mismatched: bool = False,
) -> list[Objection]:
    """Everything that an image says against an order for the eye that a person names, and against itself.

    `mismatched`: the platform confirmed it for somebody else before its present reason.
    """
    found = objections(
        image.readings,
        entry,
        agree=profile.agree if profile else ("PatientName", "PatientSex"),
        modality=profile.modality if profile else None,
        shown=eye,
    )
    if any(r.key == "ImageLaterality" and r.value not in (eye, "U") for r in image.readings):
        found.append(Objection(Code.CONFLICTING_KEYS, "the image says another eye than the one that was chosen"))
    found += [
        Objection(Code.PROFILE_FAULT, f"{reading.key} of {reading.source} is {reading.flaw}")
        for reading in image.readings
        if reading.flaw is not None and reading.key not in ACQUISITION_KEYS
    ]
    itself = conflict(image.readings, config.site.zone)
    if itself is not None:
        found.append(Objection(Code.CONFLICTING_KEYS, itself))
    if mismatched or image.reason is Code.RECEIPT_MISMATCH:
        found.append(Objection(Code.RECEIPT_MISMATCH, "the platform confirmed it for another order, patient or eye"))
    if config.site.id is not None and entry.site not in (None, config.site.id):
        found.append(Objection(Code.NO_WORKLIST_ENTRY, "the order belongs to another site"))
    if profile is not None:
        found += _against_time(image, entry, profile, config)
    return found


def _against_time(image: ImageFile, entry: WorklistEntry, profile: DeviceProfile, config: Config) -> list[Objection]:
    clock = next((camera.clock for camera in config.cameras if camera.name == image.camera), timedelta(0))
    situation = Situation(config.site.zone, image.arrived, image.live, clock, config.site.id)
    flawed = next((r for r in image.readings if r.flaw is not None and r.key in ACQUISITION_KEYS), None)
    taken = None if flawed else capture(image.readings, situation)
    wrong = f"{flawed.source} is {flawed.flaw}" if flawed else None
    if taken is not None:
        wrong = implausible(taken, situation, profile.oldest)
    if wrong is not None:
        return [Objection(Code.CLOCK_IMPLAUSIBLE, wrong)]
    away = None if taken is None else outside(taken, entry.start, profile.within)
    return [] if away is None else [Objection(Code.NO_WORKLIST_ENTRY, away)]
