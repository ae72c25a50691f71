"""From exports and the people on the worklist to a profile that is tried on every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from irisdrop.explain import reason_alone
from irisdrop.identity.identify import Identified, readings
from irisdrop.learning.channel import Channel, Rule, learn_channel
from irisdrop.learning.companions import learn_companions
from irisdrop.learning.invented import broken_lines, draft, drafted_key, example_line, invent, strange_eye
from irisdrop.learning.propose import profile_text
from irisdrop.learning.samples import Sample, dicom_values, exif_text, samples
from irisdrop.learning.spans import Person
from irisdrop.profiles.profile import DeviceProfile, parse_profile
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import MEMBER
from irisdrop.vocabulary.keys import DECIDING_KEYS

__all__ = ["Proposal", "Sample", "learn", "samples"]

FEWEST: Final = 3

# What the standard means by an element is taken at its word where the patient's number proves that it is filled in.
STANDARD: Final = {
    "PatientID": "PatientID",
    "IssuerOfPatientID": "IssuerOfPatientID",
    "PatientName": "PatientName",
    "PatientBirthDate": "PatientBirthDate",
    "PatientSex": "PatientSex",
    "AccessionNumber": "AccessionNumber",
    "StudyInstanceUID": "StudyInstanceUID",
    "ImageLaterality": "ImageLaterality",
    "Laterality": "ImageLaterality",
    "AcquisitionDateTime": "AcquisitionDateTime",
    "ContentDate": "AcquisitionDate",
    "ContentTime": "AcquisitionTime",
    "SOPInstanceUID": "SOPInstanceUID",
    "InstanceNumber": "InstanceNumber",
}


@dataclass(slots=True)
class Proposal:
    """A profile as text, and how far it can be trusted.

    `decided` exports say whose they are and which eye, of somebody who is known; `unknown` are read as somebody who is
    not on the worklist; `undecided` are refused, by reason.
    """

    text: str
    exports: int = 0
    decided: int = 0
    unknown: int = 0
    undecided: dict[str, int] = field(default_factory=dict)
    sure: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)


def learn(title: str, found: Sequence[Sample], people: Sequence[Person]) -> Proposal:
    """A profile for exports; raises Foreseen where they don't show whose they are."""
    if len(found) < FEWEST:
        raise Foreseen(
            "TOO_FEW",
            f"{len(found)} images are too few to learn from.",
            f"export {FEWEST} or more, of two people or more.",
        )
    known = [*people, *(sample.told for sample in found if sample.told is not None)]
    if not known:
        raise Foreseen(
            "NOBODY_KNOWN",
            "Nothing says whose any of the exports are.",
            "name a worklist with `--worklist FILE`, or say it of two files or more: `--is FILE=PatientID`.",
        )
    of_each = [[sample.told] if sample.told else known for sample in found]
    dicom = dicom_rule(found, known)
    channels = channels_of(found, of_each, dicom)
    if not dicom and not any(rule.identifies for channel in channels for rule in channel.rules):
        raise nothing(found, of_each)
    return proposed(title, found, known, channels, dicom)


def channels_of(found: Sequence[Sample], people: Sequence[Sequence[Person]], dicom: Mapping[str, str]) -> list[Channel]:
    """What name, folder and tags say; a tag counts only where it says whose the image is."""
    if dicom:
        return []
    channels = [
        learn_channel("filename", [sample.base for sample in found], people),
        learn_channel("folder", [sample.folder for sample in found], people),
    ]
    tags = sorted({f"{tag.directory}.{tag.name}" for sample in found for tag in sample.contents.exif})
    for place in tags:
        channel = learn_channel(f"exif:{place}", [exif_text(sample, place) for sample in found], people)
        if any(rule.identifies for rule in channel.rules) and place.partition(".")[0] not in ("XMP", "IPTC"):
            channels.append(channel)
    said = frozenset(key for channel in channels for rule in channel.rules for key in rule.layout.keys)
    if not any(rule.identifies for channel in channels for rule in channel.rules) or "ImageLaterality" not in said:
        # A companion is waited for: it is read only where it says what nothing else does.
        channels += learn_companions(found, people, said)
    return [channel for channel in channels if channel.rules or channel.unsure]


def dicom_rule(found: Sequence[Sample], people: Sequence[Person]) -> dict[str, str]:
    """The standard's elements, where DICOM headers name two people or more that are known."""
    numbers = {person.keys.get("PatientID") for person in people} - {None, ""}
    seen = {value for sample in found for place, value in dicom_values(sample) if place == "PatientID"}
    if len(seen & numbers) < 2:
        return {}
    filled = {place for sample in found for place, value in dicom_values(sample) if value}
    return {place: key for place, key in STANDARD.items() if place in filled}


STRANGERS: Final = "text files lie beside the images and bear no image's name: a profile reads only those that do"


def nothing(found: Sequence[Sample], people: Sequence[Sequence[Person]]) -> Foreseen:
    """Why nothing could be learnt."""
    one = len({person.identity for sample in people for person in sample}) == 1
    if one:
        return Foreseen(
            "ONE_PERSON",
            "Everything that is known is about one person, and what is the same in every export may mean anything.",
            "add exports of a second person, or say whose another file is: `--is FILE=PatientID`.",
        )
    return Foreseen(
        "NOTHING_FOUND",
        f"In none of {len(found)} exports' names, folders, tags or companion files stand the numbers of two people who "
        "are known." + (f" {STRANGERS[0].upper()}{STRANGERS[1:]}." if any(one.strangers for one in found) else ""),
        "look with `irisdrop inspect FILE --worklist`; say it of some files with `--is FILE=PatientID`.",
    )


def proposed(
    title: str, found: Sequence[Sample], people: Sequence[Person], channels: Sequence[Channel], dicom: Mapping[str, str]
) -> Proposal:
    """The profile with its examples, tried on every export."""
    endings = sorted({ending_of(sample.base) for sample in found})
    archives = ["*.zip"] if any(MEMBER in sample.name for sample in found) else []
    head = profile_text(title, endings, channels, dicom, archives)
    invented = invent(found, channels, dicom)
    profile = parse_profile(head + draft(invented, drafted_key(channels, dicom)), "learnt.yaml")
    lines = [line for line in (example_line(profile, one) for one in invented) if line]
    lines += [*strange_eye(profile, channels), *broken_lines(profile, invented)]
    proposal = Proposal(head + "examples:\n" + "\n".join(lines) + "\n", len(found))
    try_all(proposal, profile, found, people)
    for channel in channels:
        proposal.unsure += channel.unsure
        for rule in channel.rules:
            tell(proposal, channel, rule)
    if any(channel.name.startswith("sidecar") for channel in channels):
        proposal.unsure.append("an image whose companion file does not come within `wait` is UNREADABLE")
    elif any(sample.strangers for sample in found):
        proposal.unsure.append(STRANGERS)
    if dicom:
        proposal.sure.append("the DICOM header says whose each image is")
    if "ImageLaterality" not in profile.keys:
        proposal.unsure.append("no part says the eye: a person gives it, or set `eye: platform`")
    if not profile.keys & {"AcquisitionDate", "AcquisitionDateTime"}:
        proposal.unsure.append("no part says the date: only what appears while irisdrop watches has a time")
    return proposal


def ending_of(base: str) -> str:
    """The glob of a name's extension."""
    stem, dot, extension = base.rpartition(".")
    return f"*.{extension.lower()}" if dot and stem else "*"


def tell(proposal: Proposal, channel: Channel, rule: Rule) -> None:
    """What a rule is known by."""
    keys = ", ".join(sorted(rule.layout.keys))
    told = f"{channel.name}: {keys}, by {len(rule.exports)} exports" + (
        f" of {rule.people} people" if rule.identifies else ""
    )
    (proposal.sure if rule.people > 2 or not rule.identifies else proposal.unsure).append(told)
    proposal.sure += [line for line in rule.layout.sure if line not in proposal.sure]
    proposal.unsure += [line for line in rule.layout.unsure if line not in proposal.unsure]


def try_all(proposal: Proposal, profile: DeviceProfile, found: Sequence[Sample], people: Sequence[Person]) -> None:
    """Count what the profile makes of every export; raises Foreseen where it takes one for somebody else's."""
    numbers = {key: {person.keys.get(key) for person in people} for key in DECIDING_KEYS}
    wanted = {rule.file for rule in profile.read if rule.kind == "sidecar"}
    if any(rule.kind not in ("filename", "folder") for rule in profile.read):
        found = [sample for sample in found if sample.whole]
        proposal.exports = len(found)
    for sample in found:
        if not wanted <= {note.rule for note in sample.contents.sidecars}:
            proposal.undecided["UNREADABLE"] = proposal.undecided.get("UNREADABLE", 0) + 1
            continue
        said = readings(profile, sample.name, sample.contents)
        read = said.readings if isinstance(said, Identified) else ()
        reason = reason_alone(read, profile, sample.name) if isinstance(said, Identified) else said.code
        if reason is not None:
            proposal.undecided[str(reason)] = proposal.undecided.get(str(reason), 0) + 1
        elif sample.told is not None and any(
            r.value != sample.told.keys["PatientID"] for r in read if r.key == "PatientID"
        ):
            raise Foreseen(
                "CONTRADICTION",
                "What was said of a file with `--is` contradicts what the others show.",
                "compare the files that were named with `irisdrop inspect`.",
            )
        elif any(reading.value in numbers[reading.key] for reading in read if reading.key in numbers):
            proposal.decided += 1
        else:
            proposal.unknown += 1
