"""What would be decided about any file, and whether a profile does what its examples say; nothing is written."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from irisdrop.identity.contents import Contents, Element, Note, Tag
from irisdrop.identity.identify import Export, Identified, Refusal, Sidecar, identify, readings
from irisdrop.identity.sandbox import Parsers
from irisdrop.matching.capture import Situation, capture
from irisdrop.matching.match import match
from irisdrop.matching.worklist import gather
from irisdrop.profiles.profile import DeviceProfile, Example
from irisdrop.profiles.zone import MachineZone
from irisdrop.record.orders import Orders
from irisdrop.record.text import shown
from irisdrop.vocabulary.decisions import Decision, Matched
from irisdrop.vocabulary.faults import Fault
from irisdrop.vocabulary.images import Reading, split_name
from irisdrop.vocabulary.orders import WorklistEntry
from irisdrop.vocabulary.reasons import Code


@dataclass(frozen=True, slots=True)
class Explanation:
    """One file, what was read from it, and what is decided about it; `digest` is None where it may not be opened."""

    file: str
    digest: str | None
    profile: str
    taken_by_profile: bool
    readings: tuple[Reading, ...]
    outcome: Decision | Refusal

    def plain(self) -> dict[str, Any]:
        """The explanation as the JSON of `irisdrop explain --json`."""
        refusal = isinstance(self.outcome, Refusal)
        candidates = () if isinstance(self.outcome, Refusal) else self.outcome.candidates
        return {
            "file": self.file,
            "digest": self.digest,
            "profile": self.profile,
            "taken": self.taken_by_profile,
            "readings": [{"key": r.key, "value": r.value, "raw": r.raw, "source": r.source} for r in self.readings],
            "decision": "unreadable" if refusal else "matched" if isinstance(self.outcome, Matched) else "unmatched",
            "reason": None if isinstance(self.outcome, Matched) else str(self.reason),
            "detail": None if isinstance(self.outcome, Matched) else self.outcome.detail,
            "entry": plain_entry(self.outcome.entry) if isinstance(self.outcome, Matched) else None,
            "eye": self.outcome.eye if isinstance(self.outcome, Matched) else None,
            "candidates": [{"entry": plain_entry(c.entry), "refused": c.refused} for c in candidates],
            "trace": [] if isinstance(self.outcome, Refusal) else list(self.outcome.trace),
        }

    @property
    def reason(self) -> Code | None:
        """Why it is not matched."""
        if isinstance(self.outcome, Matched):
            return None
        return self.outcome.code if isinstance(self.outcome, Refusal) else self.outcome.reason


def plain_entry(entry: WorklistEntry) -> dict[str, Any]:
    """A worklist entry as plain values."""
    return {
        "id": entry.id,
        **entry.keys,
        "start": None if entry.start is None else entry.start.isoformat(),
        "site": entry.site,
        "standing": str(entry.standing),
    }


def explain(
    file: Path,
    profile: DeviceProfile,
    parsers: Parsers,
    *,
    name: str | None = None,
    situation: Situation | None = None,
    orders: Orders | None = None,
    sidecars: tuple[Sidecar, ...] | None = None,
) -> Explanation:
    """What would be decided about `file`; `name` is its path below the camera's folder, `sidecars` its companion files
    (None: those beside it).

    Without `orders` no order can fit. Raises OSError where the file can't be read by this account.
    """
    name = name or name_below(file, profile)
    base = split_name(name)[1]
    mode = file.lstat().st_mode
    if not stat.S_ISREG(mode):
        refusal = Refusal(Code.NOT_A_PLAIN_FILE, "it is a link, a device or a pipe")
        return Explanation(shown(str(file)), None, profile.name, profile.takes(base), (), refusal)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    beside = tuple(sidecars_of(file, profile)) if sidecars is None else sidecars
    said = identify(profile, Export(file, name, beside), parsers)
    found: tuple[Reading, ...] = () if isinstance(said, Refusal) else said.readings
    here = replace(situation or Situation(MachineZone()), name=name)
    outcome: Decision | Refusal = said if isinstance(said, Refusal) else decided(found, profile, here, orders)
    return Explanation(shown(str(file)), digest, profile.name, profile.takes(base), found, outcome)


def sidecars_of(file: Path, profile: DeviceProfile) -> Iterator[Sidecar]:
    """The companion files beside a file, whatever the case of their names."""
    wanted = {name.casefold() for name in profile.companions_of(file.name)}
    for other in file.parent.iterdir() if wanted else ():
        if other.name.casefold() in wanted and other.is_file() and not other.is_symlink():
            yield Sidecar(other, other.name)


def decided(
    found: tuple[Reading, ...], profile: DeviceProfile, situation: Situation, orders: Orders | None
) -> Decision:
    """The decision about readings, with or without a worklist."""
    entries = gather(orders, found, profile) if orders is not None else []
    return match(found, profile, situation, entries)


def name_below(file: Path, profile: DeviceProfile) -> str:
    """The part of a path that a profile's folder patterns fit, shortest first; the base name where there are none."""
    parts = file.absolute().parts
    patterns = [rule.pattern for rule in profile.read if rule.kind == "folder"]
    for depth in range(1, len(parts) - 1):
        folder = "/".join(parts[-1 - depth : -1])
        if any(pattern.fullmatch(folder) is not None for pattern in patterns):
            return shown(f"{folder}/{parts[-1]}")
    return shown(parts[-1])


# ---------------------------------------------------------------------- examples


def prove(profile: DeviceProfile) -> list[Fault]:
    """Run every example of a profile; a fault for each that does not come out as it says."""
    faults: list[Fault] = []
    for example in profile.examples:
        wrong = _wrong(profile, example)
        if wrong is not None:
            message, expected = wrong
            faults.append(
                Fault("EXAMPLE_FAILED", profile.path, example.line, example.column, message, example.file, "", expected)
            )
    return faults


def _wrong(profile: DeviceProfile, example: Example) -> tuple[str, str] | None:
    said = example_said(profile, example)
    found = () if isinstance(said, Refusal) else said.readings
    for key, value in example.gives.items():
        read = sorted({r.value for r in found if r.key == key})
        if read != [value]:
            told = " and ".join(f"`{one}`" for one in read) or "nothing"
            return f"the example gives {told} for {key}", f"`{value}`"
    reason = said.code if isinstance(said, Refusal) else reason_alone(found, profile, example.file)
    if example.refuses is not None and reason is not example.refuses:
        return f"the example is {f'refused as {reason}' if reason else 'not refused'}", f"refused as {example.refuses}"
    if example.refuses is None and reason is not None:
        return f"the example is refused as {reason}", "a file whose order can be looked for"
    return None


def example_said(profile: DeviceProfile, example: Example) -> Identified | Refusal:
    """What is read from an example, its companion file too."""
    rules = [rule for rule in profile.read if rule.kind == "sidecar"]
    if not rules:
        return readings(profile, example.file, contents_of(example))
    if example.sidecar is None:
        return Refusal(Code.UNREADABLE, "its companion file is missing")
    from irisdrop.identity.parsing.companions import read_places
    from irisdrop.identity.parsing.content import Damaged, Misasked

    notes: list[Note] = []
    for rule in rules:
        try:
            found = read_places(example.sidecar.encode(), rule.format, rule.places, None)
        except Damaged as damage:
            return Refusal(Code.UNREADABLE, str(damage))
        except Misasked as fault:
            return Refusal(Code.PROFILE_FAULT, str(fault))
        notes += [Note(rule.file, one.place, tuple(one.values)) for one in found]
    return readings(profile, example.file, replace(contents_of(example), sidecars=tuple(notes)))


def reason_alone(found: Sequence[Reading], profile: DeviceProfile, name: str) -> Code | None:
    """Why the readings alone are refused; None where only the worklist is missing.

    The example is taken to arrive when it was taken: it proves the reading, not the age of the example.
    """
    situation = Situation(MachineZone(), live=False, name=name)
    sound = [reading for reading in found if reading.flaw is None]
    taken = capture(sound, situation)
    if taken is not None:
        situation = replace(situation, arrived=taken.end + timedelta(seconds=1))
    decision = match(tuple(found), profile, situation, ())
    reason = None if isinstance(decision, Matched) else decision.reason
    return None if reason is Code.NO_WORKLIST_ENTRY else reason


def contents_of(example: Example) -> Contents:
    """What a real file would hold that has the example's tags."""
    kind = "dicom" if example.dicom else "jpeg"
    tags = tuple(_tag(name, text) for name, text in example.exif.items())
    elements = tuple(one for asked, text in example.dicom.items() for one in _elements(asked, text))
    return Contents(kind, exif=tags, dicom=elements)


def _tag(name: str, text: str) -> Tag:
    directory, _, plain = name.rpartition(".")
    return Tag(directory or "0th", plain, text)


def _elements(asked: str, text: str) -> Iterator[Element]:
    """An element under every name by which a rule may ask for it."""
    place = _place(asked)
    for name in dict.fromkeys((asked, place, _keyword(place))):
        yield Element(name, place, tuple(text.split("\\")))


def _keyword(place: str) -> str:
    """The keyword of a plain `(gggg,eeee)`; anything else stays."""
    from pydicom.datadict import keyword_for_tag

    group, _, element = place.strip("()").partition(",")
    try:
        return keyword_for_tag((int(group, 16), int(element, 16))) or place
    except ValueError:
        return place


def _place(asked: str) -> str:
    """The tag of an element as a reading's source names it."""
    from pydicom.datadict import tag_for_keyword

    steps = []
    for step in asked.split("."):
        keyword, bracket, index = step.partition("[")
        tag = tag_for_keyword(keyword)
        steps.append((keyword if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X})") + bracket + index)
    return ".".join(steps)
