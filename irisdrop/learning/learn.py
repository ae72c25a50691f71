"""From exports and the people on the worklist to a profile that is tried on every one of them."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from irisdrop.explain import contents_of, reason_alone
from irisdrop.identity.contents import Contents, Wanted
from irisdrop.identity.identify import IMAGES, Identified, readings
from irisdrop.identity.sandbox import ParserFailed, Parsers
from irisdrop.learning.channel import Channel, Rule, learn_channel
from irisdrop.learning.propose import Inventor, flow, profile_text, quoted, row_of
from irisdrop.learning.spans import Person
from irisdrop.learning.tokens import Token
from irisdrop.profiles.profile import DeviceProfile, Example, parse_profile
from irisdrop.vocabulary.faults import Foreseen
from irisdrop.vocabulary.images import MEMBER, Reading, split_name
from irisdrop.vocabulary.keys import DECIDING_KEYS, canonical
from irisdrop.vocabulary.reasons import Code

FEWEST: Final = 3
MOST_NAMES: Final = 2000
MOST_CONTENTS: Final = 200
MOST_EXAMPLES: Final = 4
PICTURE: Final = re.compile(r"(?i)\.(?:jpe?g|png|tiff?|dcm)$")
SHOWN: Final = (*DECIDING_KEYS, "ImageLaterality", "AcquisitionDate", "AcquisitionDateTime", "AcquisitionTime")

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


@dataclass(frozen=True, slots=True)
class Sample:
    """One export: its path below the folder with `/`, what it holds, and whose it is where somebody said so."""

    name: str
    contents: Contents
    told: Person | None = None

    @property
    def folder(self) -> str:
        """The path without the base name."""
        return split_name(self.name)[0]

    @property
    def base(self) -> str:
        """The base name."""
        return split_name(self.name)[1]


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


def samples(folder: Path, parsers: Parsers, told: Mapping[Path, str]) -> list[Sample]:
    """The images below a folder, as many as teach something; what is no image is left out."""
    known = {path.absolute(): number for path, number in told.items()}
    paths = sorted(files(folder), key=lambda path: (path.absolute() not in known, str(path)))[:MOST_NAMES]
    found: list[Sample] = []
    for number, path in enumerate(paths):
        below = canonical(path.relative_to(folder).as_posix())
        if path.suffix.lower() == ".zip":
            found += [Sample(f"{below}{MEMBER}{canonical(member)}", Contents("jpeg")) for member in members(path)]
            continue
        wanted = Wanted(everything=number < MOST_CONTENTS)
        try:
            contents = parsers.read(path, wanted)
        except (ParserFailed, OSError):
            continue
        if contents.kind not in IMAGES or contents.flaw is not None:
            continue
        person = Person({"PatientID": known[path.absolute()]}) if path.absolute() in known else None
        found.append(Sample(below, contents, person))
    return found[:MOST_NAMES]


def members(path: Path) -> list[str]:
    """The pictures in an archive by their names; none where it can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:MOST_NAMES]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return []
    return [name for name in names if PICTURE.search(name) and not name.rpartition("/")[2].startswith(".")]


def files(folder: Path) -> Iterable[Path]:
    """Plain files below a folder, without what systems leave behind."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


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
    return [channel for channel in channels if channel.rules or channel.unsure]


def exif_text(sample: Sample, place: str) -> str | None:
    """What stands in one tag."""
    return next((t.text.strip(" \0") for t in sample.contents.exif if f"{t.directory}.{t.name}" == place), None) or None


def dicom_rule(found: Sequence[Sample], people: Sequence[Person]) -> dict[str, str]:
    """The standard's elements, where DICOM headers name two people or more that are known."""
    numbers = {person.keys.get("PatientID") for person in people} - {None, ""}
    seen = {value for sample in found for place, value in dicom_values(sample) if place == "PatientID"}
    if len(seen & numbers) < 2:
        return {}
    filled = {place for sample in found for place, value in dicom_values(sample) if value}
    return {place: key for place, key in STANDARD.items() if place in filled}


def dicom_values(sample: Sample) -> Iterable[tuple[str, str]]:
    """Keyword and value of every element."""
    return ((item.asked, item.values[0].strip(" \0")) for item in sample.contents.dicom if item.values)


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
        f"In none of {len(found)} exports' names, folders or tags stand the numbers of two people who are known.",
        "look with `irisdrop inspect FILE --worklist`; say it of some files with `--is FILE=PatientID`.",
    )


# ---------------------------------------------------------------------- the proposal


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
    for sample in found:
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


# ---------------------------------------------------------------------- examples


def invent(found: Sequence[Sample], channels: Sequence[Channel], dicom: Mapping[str, str]) -> list[Example]:
    """Exports of people who don't exist, laid out like the real ones."""
    inventor = Inventor()
    chosen = picked(found, channels)
    if dicom:
        return [dicom_example(inventor, found[number], dicom) for number in chosen]
    examples = []
    for number in chosen:
        texts = {channel.name: invented_text(inventor, channel, number, found[number]) for channel in channels}
        base = texts.get("filename") or inventor.text(None, row_of(found[number].base), number)
        folder = texts.get("folder") or ""
        exif = {
            name.partition(":")[2]: text
            for name, text in texts.items()
            if name.startswith("exif:") and text is not None
        }
        examples.append(example(f"{folder}/{base}" if folder else base, exif, {}))
    return examples


def picked(found: Sequence[Sample], channels: Sequence[Channel]) -> list[int]:
    """A few exports: of every layout, and of different people and eyes."""
    chosen: list[int] = []
    for channel in channels:
        for rule in channel.rules:
            seen: set[tuple[str, ...]] = set()
            for number, row in zip(rule.exports, rule.layout.rows, strict=True):
                look = tuple(
                    row[index].text for index, key in rule.layout.fields.items() if key in ("PatientID", "PatientName")
                )
                if look not in seen and len(seen) < 2:
                    seen.add(look)
                    chosen += [number] if number not in chosen else []
            chosen += other_eye(rule, chosen)
    return (chosen or list(range(len(found))))[:MOST_EXAMPLES]


def other_eye(rule: Rule, chosen: Sequence[int]) -> list[int]:
    """An export that shows another eye than those that were chosen."""
    place = next((index for index, key in rule.layout.fields.items() if key == "ImageLaterality"), None)
    if place is None:
        return []
    eyes = {number: row[place].text.upper() for number, row in zip(rule.exports, rule.layout.rows, strict=True)}
    shown = {eyes[number] for number in chosen if number in eyes}
    return next(([number] for number, eye in eyes.items() if eye not in shown), [])


def invented_text(inventor: Inventor, channel: Channel, number: int, sample: Sample) -> str | None:
    """One export's text in one channel, invented."""
    for rule in channel.rules:
        if number in rule.exports:
            row = rule.layout.rows[rule.exports.index(number)]
            return inventor.text(rule, row, person_of(rule, row, number))
    text = {"filename": sample.base, "folder": sample.folder}.get(channel.name) or exif_text(
        sample, channel.name.partition(":")[2]
    )
    return inventor.text(None, row_of(text), number) if text else None


def person_of(rule: Rule, row: Sequence[object], number: int) -> object:
    """Whose an export is, as far as telling people apart needs it."""
    texts = tuple(str(getattr(token, "text", "")) for token in row if getattr(token, "kind", "") == "key")
    return texts[0] if texts and rule.identifies else number


def dicom_example(inventor: Inventor, sample: Sample, dicom: Mapping[str, str]) -> Example:
    """The header of an export with invented values."""
    held = dict(dicom_values(sample))
    number = held.get("PatientID", "")
    person = inventor.person(number)
    values = {place: held[place] for place in dicom if held.get(place) and place in KEPT}
    values["PatientID"] = inventor.value(Token("key", number, "PatientID"), person)
    if "PatientName" in held:
        values["PatientName"] = "^".join(inventor.name(person))
    return example(f"IM{person:06}.dcm", {}, values)


KEPT: Final = ("ImageLaterality", "Laterality")


def example(file: str, exif: Mapping[str, str], dicom: Mapping[str, str]) -> Example:
    """An example that does not say yet what comes of it."""
    return Example(file, {}, None, 0, 0, exif, dicom)


def draft(invented: Sequence[Example], key: str) -> str:
    """Examples that let a profile load, before it is known what they give."""
    file = quoted(invented[0].file)
    return f"examples:\n  - {{file: {file}, gives: {{{key}: {DRAFTED.get(key, 'x')}}}, refuses: NO_KEYS}}\n"


def drafted_key(channels: Sequence[Channel], dicom: Mapping[str, str]) -> str:
    """A key that the profile reads."""
    return next(iter(sorted({*dicom.values(), *(k for c in channels for rule in c.rules for k in rule.layout.keys)})))


DRAFTED: Final = {
    "AcquisitionDate": '"2025-01-14"',
    "AcquisitionDateTime": '"2025-01-14T10:12:45"',
    "AcquisitionTime": '"10:12:45"',
    "ImageLaterality": "R",
    "PatientBirthDate": '"1961-03-07"',
}


def example_line(profile: DeviceProfile, one: Example) -> str:
    """One example with what the profile makes of it; empty where it makes nothing of it."""
    read, reason = outcome(profile, one)
    gives = {reading.key: reading.value for reading in read if reading.key in SHOWN}
    if not gives or reason not in (None, Code.EYE_UNKNOWN):
        return ""
    parts = [f"file: {quoted(one.file)}", *content_parts(one), f"gives: {mapping(gives)}"]
    return "  - {" + ", ".join([*parts, *([f"refuses: {reason}"] if reason else [])]) + "}"


def strange_eye(profile: DeviceProfile, channels: Sequence[Channel]) -> list[str]:
    """An export whose eye is written as no camera writes it: never taken for one of the two."""
    for channel in channels:
        for rule in channel.rules:
            place = next((at for at, key in rule.layout.fields.items() if key == "ImageLaterality"), None)
            if channel.name == "filename" and place is not None and rule.identifies:
                row = list(rule.layout.rows[0])
                row[place] = Token("word", "X" * len(row[place].text))
                one = example(Inventor().text(rule, tuple(row), person_of(rule, row, 0)), {}, {})
                _read, reason = outcome(profile, one)
                return [f"  - {{file: {quoted(one.file)}, refuses: {reason}}}"] if reason else []
    return []


def broken_lines(profile: DeviceProfile, invented: Sequence[Example]) -> list[str]:
    """An export of nobody, and one whose eye is no eye: both must be refused."""
    found: list[str] = []
    for one in broken(invented[0]):
        _read, reason = outcome(profile, one)
        if reason is not None and profile.takes(one.file.rpartition("/")[2]) and not found:
            found.append(
                "  - {" + ", ".join([f"file: {quoted(one.file)}", *content_parts(one), f"refuses: {reason}"]) + "}"
            )
    return found


def broken(one: Example) -> list[Example]:
    """Ways in which an export can say nothing."""
    ending = one.file.rpartition(".")[2]
    exif = dict.fromkeys(one.exif, "test picture")
    return [
        example(f"test.{ending}", exif, {}),
        example(f"TEST 1.{ending}", exif, {"ImageLaterality": "R"} if one.dicom else {}),
    ]


def outcome(profile: DeviceProfile, one: Example) -> tuple[tuple[Reading, ...], Code | None]:
    """What is read from an example, and why it is refused."""
    said = readings(profile, one.file, contents_of(one))
    if not isinstance(said, Identified):
        return (), said.code
    return said.readings, reason_alone(said.readings, profile, one.file)


def content_parts(one: Example) -> list[str]:
    """The tags of an example."""
    parts = [f"exif: {mapping(one.exif)}"] if one.exif else []
    return [*parts, f"dicom: {mapping(one.dicom)}"] if one.dicom else parts


def mapping(values: Mapping[str, str]) -> str:
    """A flow mapping."""
    return (
        "{"
        + ", ".join(
            f"{quoted(name)}: {flow(value) if value.isalpha() else quoted(value)}" for name, value in values.items()
        )
        + "}"
    )
