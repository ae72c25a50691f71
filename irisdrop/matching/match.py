"""The decision: exactly one open order that nothing contradicts, or the reason why a person must look.

Pure: no clock, no connection, no logger. What is decided depends on the arguments alone, and neither on the order of
readings nor on that of entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from irisdrop.matching.capture import MOMENT, Situation, capture, implausible, outside
from irisdrop.matching.contradictions import Objection, conflict, eye, objections, same_patient
from irisdrop.profiles.profile import DeviceProfile, KeySet
from irisdrop.vocabulary.decisions import Candidate, Capture, Decision, Matched, Unmatched
from irisdrop.vocabulary.images import Reading, split_name
from irisdrop.vocabulary.orders import Standing, WorklistEntry
from irisdrop.vocabulary.reasons import Code

# Passed over, they decide nothing; but somebody else's number or birthday is nothing that a camera invents.
SOMEBODY = frozenset({"PatientID", "PatientBirthDate", "PatientName", "PatientSex", "IssuerOfPatientID"})
ACQUISITION_KEYS = ("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime")


@dataclass(frozen=True, slots=True)
class _Case:
    """One image before the worklist: all that the steps below look at."""

    readings: tuple[Reading, ...]
    profile: DeviceProfile
    situation: Situation
    entries: tuple[WorklistEntry, ...]
    taken: Capture | None
    passed_over: frozenset[str]
    key_set: KeySet | None


def match(
    readings: Sequence[Reading], profile: DeviceProfile, situation: Situation, entries: Sequence[WorklistEntry]
) -> Decision:
    """Decide about one image; `entries` are all, open or not, that share a value with it (`Worklist.gather`)."""
    ordered = tuple(sorted(readings, key=lambda r: (r.key, r.source, r.value)))
    among = tuple(sorted(entries, key=lambda entry: entry.id))
    trace: list[str] = []
    refusal = _before_worklist(ordered, profile, situation)
    flawed = any(reading.flaw for reading in ordered if reading.key in ACQUISITION_KEYS)
    taken = None if flawed else capture(ordered, situation)
    passed_over = _passed_over(ordered, profile, among)
    key_set = _deciding(ordered, profile, passed_over)
    case = _Case(ordered, profile, situation, among, taken, passed_over, key_set)
    trace += _told(case)
    candidates = _candidates(case)
    if refusal is None:
        refusal = _keyless(case) or _implausible(case) or _eyeless(case) or _unknown(case)
    if refusal is not None:
        trace.append(f"refused before the worklist: {refusal[1]}")
        return _unmatched(case, refusal, candidates, trace)
    return _choose(case, candidates, trace)


def refusal_of(case: _Case, entry: WorklistEntry) -> Objection | None:
    """The first fact that keeps an entry from being the image's order; None where it fits (open or completed)."""
    if _elsewhere(case, entry):
        return Objection(Code.NO_WORKLIST_ENTRY, "it belongs to another site")
    if not _hit(case, entry):
        return _missed(case, entry)
    if entry.standing in (Standing.CANCELLED, Standing.REPLACED):
        return Objection(Code.NO_WORKLIST_ENTRY, f"it was {entry.standing}")
    against = objections(
        case.readings,
        entry,
        agree=case.profile.agree,
        modality=case.profile.modality,
        passed_over=case.passed_over - SOMEBODY,
    )
    away = outside(case.taken, entry.start, case.profile.within)
    if away is not None:
        return Objection(Code.NO_WORKLIST_ENTRY, away)
    if against:
        return min(against, key=lambda objection: objection.code is not Code.PATIENT_MISMATCH)
    return _under_two(case, entry)


def _missed(case: _Case, entry: WorklistEntry) -> Objection:
    """Why an entry does not carry the deciding values: the number of one person with another's birth date says that
    one of both is wrong, and no later order will mend that."""
    missed = Objection(Code.NO_WORKLIST_ENTRY, f"its {_names(case)} is not the image's")
    if case.key_set is None or entry.standing is not Standing.OPEN or "PatientID" not in case.key_set.keys:
        return missed
    if outside(case.taken, entry.start, case.profile.within) is not None:
        return missed
    said = [r for r in case.readings if r.flaw is None and r.key in case.key_set.keys]
    if not any(r.key == "PatientID" and _carries(entry, r) for r in said):
        return missed
    born = [r for r in said if r.key == "PatientBirthDate" and entry.keys.get(r.key) not in (None, r.value)]
    if not born:
        return missed
    return Objection(Code.PATIENT_MISMATCH, f"PatientBirthDate of {born[0].source} is not the order's")


def _choose(case: _Case, candidates: tuple[Candidate, ...], trace: list[str]) -> Decision:
    fitting = [c.entry for c in candidates if c.refused is None]
    still_open = [entry for entry in fitting if entry.standing is Standing.OPEN]
    trace.append(f"{len(candidates)} considered, {len(fitting)} fit, {len(still_open)} of them open")
    if len(fitting) > 1:
        return _unmatched(case, (Code.AMBIGUOUS, f"{len(fitting)} orders fit"), candidates, trace)
    doubtful = next((c.refused for c in candidates if c.code is Code.AMBIGUOUS), None)
    if doubtful is not None:
        # It may be the image's order all the same: to take the other one because of that would be a guess.
        return _unmatched(case, (Code.AMBIGUOUS, doubtful), candidates, trace)
    if still_open and _arrival_chooses(case, candidates):
        words = "by its stamp it is of one order, by its arrival of another"
        return _unmatched(case, (Code.CLOCK_IMPLAUSIBLE, words), candidates, trace)
    if still_open:
        return _matched(case, still_open[0], candidates, trace)
    if fitting:
        return _unmatched(case, (Code.NO_WORKLIST_ENTRY, "the only order that fits is completed"), candidates, trace)
    codes = {c.code for c in candidates}
    if Code.PATIENT_MISMATCH in codes:
        words = next(c.refused for c in candidates if c.code is Code.PATIENT_MISMATCH) or ""
        return _unmatched(case, (Code.PATIENT_MISMATCH, words), candidates, trace)
    words = f"no open order has this {_names(case)}" if not candidates else "every order with it was refused"
    return _unmatched(case, (Code.NO_WORKLIST_ENTRY, words), candidates, trace)


def _arrival_chooses(case: _Case, candidates: tuple[Candidate, ...]) -> bool:
    """Whether an order that the stamp alone refused fits the moment of arrival.

    A clock that is days behind makes a patient's missed order of last week fit, and today's not. Nothing in the image
    tells that from a late export, so where it decides between two orders it is not believed.
    """
    arrived = case.situation.arrived
    if arrived is None or not case.situation.live or case.taken is None or case.taken.source == "arrival":
        return False
    on_arrival = replace(case, taken=Capture(arrived, arrived + MOMENT, "arrival"))
    return any(c.refused is not None and refusal_of(on_arrival, c.entry) is None for c in candidates)


def _matched(case: _Case, entry: WorklistEntry, candidates: tuple[Candidate, ...], trace: list[str]) -> Matched:
    assert case.key_set is not None
    keys = case.key_set.keys
    deciding = tuple(reading for reading in case.readings if reading.key in keys)
    return Matched(entry, eye(case.readings), case.taken, deciding, keys, candidates, tuple(trace))


def _unmatched(
    case: _Case, refusal: tuple[Code, str], candidates: tuple[Candidate, ...], trace: list[str]
) -> Unmatched:
    keys = case.key_set.keys if case.key_set else ()
    return Unmatched(refusal[0], refusal[1], candidates, tuple(trace), case.taken, keys)


def _before_worklist(
    readings: tuple[Reading, ...], profile: DeviceProfile, situation: Situation
) -> tuple[Code, str] | None:
    if profile.status == "unverified":
        return Code.PROFILE_UNVERIFIED, "the profile's status is unverified"
    name = None if situation.name is None else split_name(situation.name)[1]
    held = profile.held_back(name, readings)
    if held is not None:
        return Code.PROFILE_UNVERIFIED, f"`deliver` of the profile holds it back by {held.key or 'its name'}"
    for reading in readings:
        if reading.flaw is not None:
            code = Code.CLOCK_IMPLAUSIBLE if reading.key in ACQUISITION_KEYS else Code.PROFILE_FAULT
            return code, f"{reading.key} of {reading.source} is {reading.flaw}"
    differing = conflict(readings, situation.zone)
    return None if differing is None else (Code.CONFLICTING_KEYS, differing)


def _keyless(case: _Case) -> tuple[Code, str] | None:
    if _deciding(case.readings, case.profile, frozenset()) is not None:
        return None
    return Code.NO_KEYS, "none of the profile's key sets is complete in what was read"


def _unknown(case: _Case) -> tuple[Code, str] | None:
    """Everything that could decide was passed over: the order that carries it may still come."""
    if case.key_set is not None:
        return None
    return Code.NO_WORKLIST_ENTRY, f"no order has this {' or '.join(sorted(case.passed_over))}"


def _implausible(case: _Case) -> tuple[Code, str] | None:
    why = None if case.taken is None else implausible(case.taken, case.situation, case.profile.oldest)
    return None if why is None else (Code.CLOCK_IMPLAUSIBLE, why)


def _eyeless(case: _Case) -> tuple[Code, str] | None:
    if case.profile.eye == "platform" or eye(case.readings) != "U":
        return None
    token = next((r for r in case.readings if r.key == "ImageLaterality"), None)
    return Code.EYE_UNKNOWN, "no reading says the eye" if token is None else f"{token.source} is no declared eye"


def _passed_over(
    readings: tuple[Reading, ...], profile: DeviceProfile, entries: tuple[WorklistEntry, ...]
) -> frozenset[str]:
    """Keys marked `?` whose value no entry carries, open or closed: a camera invented it, and it says nothing."""
    optional = {key for key_set in profile.match for key in key_set.optional} & {r.key for r in readings}
    carried = {
        reading.key
        for reading in readings
        for entry in entries
        if reading.key in optional and entry.keys.get(reading.key) == reading.value
    }
    return frozenset(optional - carried)


def _deciding(readings: tuple[Reading, ...], profile: DeviceProfile, passed_over: frozenset[str]) -> KeySet | None:
    present = {reading.key for reading in readings if reading.flaw is None} - passed_over
    return next((key_set for key_set in profile.match if present.issuperset(key_set.keys)), None)


def _candidates(case: _Case) -> tuple[Candidate, ...]:
    if case.key_set is None:
        return ()
    found = []
    for entry in case.entries:
        objection = refusal_of(case, entry)
        if objection is None:
            found.append(Candidate(entry, None))
        elif _hit(case, entry) or _claims(case, entry):
            found.append(Candidate(entry, objection.words, objection.code))
    return tuple(found)


def _hit(case: _Case, entry: WorklistEntry) -> bool:
    """Whether an entry carries every value of the deciding key set."""
    if case.key_set is None:
        return False
    return all(
        any(r.key == key and _carries(entry, r) for r in case.readings if r.flaw is None) for key in case.key_set.keys
    )


def _carries(entry: WorklistEntry, reading: Reading) -> bool:
    wanted = entry.keys.get(reading.key)
    if reading.key == "PatientName" and wanted:
        return not objections([reading], entry, agree=("PatientName",))
    return wanted == reading.value


def _claims(case: _Case, entry: WorklistEntry) -> bool:
    """Whether an entry that is no hit carries something by which the image names an order or a patient."""
    return any(
        entry.keys.get(r.key) == r.value
        for r in case.readings
        if r.key in ("PatientID", "AccessionNumber", "StudyInstanceUID")
    )


def _under_two(case: _Case, entry: WorklistEntry) -> Objection | None:
    """An identifier that stands for two people decides nothing, whichever of them fits better."""
    for other in case.entries:
        if other.standing in (Standing.CANCELLED, Standing.REPLACED) or _elsewhere(case, other):
            continue
        if same_patient(entry, other):
            continue
        if _share(entry, other, "AccessionNumber"):
            return Objection(Code.AMBIGUOUS, "its AccessionNumber stands under two patients")
        if _share(entry, other, "PatientID") and not _tells_apart(case, other):
            return Objection(Code.AMBIGUOUS, "its PatientID stands for two people, and the image does not say which")
    for reading in case.readings:
        if reading.key not in ("AccessionNumber", "StudyInstanceUID") or reading.key in case.passed_over:
            continue
        others = [e for e in case.entries if e.keys.get(reading.key) == reading.value and not same_patient(entry, e)]
        # An order that was replaced because its patient was corrected leaves its numbers to the one in its place.
        if entry.keys.get(reading.key) == reading.value:
            others = [e for e in others if e.standing not in (Standing.CANCELLED, Standing.REPLACED)]
        if any(not _elsewhere(case, other) for other in others):
            return Objection(Code.PATIENT_MISMATCH, f"{reading.key} of {reading.source} is another patient's")
    return None


def _elsewhere(case: _Case, entry: WorklistEntry) -> bool:
    ours = case.situation.site
    return ours is not None and entry.site is not None and entry.site != ours


def _share(one: WorklistEntry, other: WorklistEntry, key: str) -> bool:
    return bool(one.keys.get(key)) and one.keys.get(key) == other.keys.get(key)


def _tells_apart(case: _Case, other: WorklistEntry) -> bool:
    """Whether the image itself says that it is not this other patient's.

    A name counts only where the profile lets it agree: then it is the chosen order's, and not the other's.
    """
    telling = {"IssuerOfPatientID", "PatientBirthDate", *({"PatientName"} & set(case.profile.agree))}
    said = [reading for reading in case.readings if reading.key in telling]
    return bool(objections(said, replace(other, single_eye=None), agree=telling))


def _names(case: _Case) -> str:
    return " + ".join(case.key_set.keys) if case.key_set else "key"


def _told(case: _Case) -> list[str]:
    told = [f"read {len(case.readings)} values: " + ", ".join(f"{r.key} from {r.source}" for r in case.readings)]
    told += [f"{r.key}: {r.source} was normalised" for r in case.readings if r.raw != r.value]
    told += [f"{key} passed over: no order carries its value" for key in sorted(case.passed_over)]
    if case.key_set is not None:
        told.append(f"decided by {_names(case)}")
    if case.taken is not None:
        told.append(f"taken {case.taken.begin.isoformat()} by {case.taken.source}")
    return told
