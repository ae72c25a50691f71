"""The examples of a learnt profile: exports of people who don't exist, laid out like the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from irisdrop.explain import example_said, reason_alone
from irisdrop.identity.identify import Refusal
from irisdrop.learning.channel import Channel, Rule
from irisdrop.learning.companions import invented_text as companion_text
from irisdrop.learning.companions import place_of, text_at
from irisdrop.learning.propose import Inventor, flow, quoted, row_of
from irisdrop.learning.samples import Sample, dicom_values, exif_text
from irisdrop.learning.tokens import Token
from irisdrop.profiles.profile import DeviceProfile, Example
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.keys import DECIDING_KEYS
from irisdrop.vocabulary.reasons import Code

MOST_EXAMPLES: Final = 4
SHOWN: Final = (*DECIDING_KEYS, "ImageLaterality", "AcquisitionDate", "AcquisitionDateTime", "AcquisitionTime")


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
        file = f"{folder}/{base}" if folder else base
        examples.append(example(file, exif, {}, invented_companion(channels, texts)))
    return examples


def invented_companion(channels: Sequence[Channel], texts: Mapping[str, str | None]) -> str | None:
    """The companion file of an invented export; None where the profile reads none."""
    places = [(*place_of(channel), texts[channel.name]) for channel in channels if channel.name.startswith("sidecar:")]
    return companion_text(places[0][0], {place: text for _, place, text in places if text}) if places else None


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
    if channel.name.startswith("sidecar:"):
        text = text_at(sample, *place_of(channel))
    else:
        text = {"filename": sample.base, "folder": sample.folder}.get(channel.name) or exif_text(
            sample, channel.name.partition(":")[2]
        )
    return inventor.text(None, row_of(text), number) if text else None


def person_of(rule: Rule, row: Sequence[object], number: int) -> object:
    """Whose an export is, as far as telling people apart needs it."""
    texts = tuple(str(getattr(token, "text", "")) for token in row if getattr(token, "kind", "") == "key")
    return texts[0] if texts and rule.identifies else number


KEPT: Final = ("ImageLaterality", "Laterality")


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


def example(file: str, exif: Mapping[str, str], dicom: Mapping[str, str], sidecar: str | None = None) -> Example:
    """An example that does not say yet what comes of it."""
    return Example(file, {}, None, 0, 0, exif, dicom, sidecar)


DRAFTED: Final = {
    "AcquisitionDate": '"2025-01-14"',
    "AcquisitionDateTime": '"2025-01-14T10:12:45"',
    "AcquisitionTime": '"10:12:45"',
    "ImageLaterality": "R",
    "PatientBirthDate": '"1961-03-07"',
}


def draft(invented: Sequence[Example], key: str) -> str:
    """Examples that let a profile load, before it is known what they give."""
    file = quoted(invented[0].file)
    return f"examples:\n  - {{file: {file}, gives: {{{key}: {DRAFTED.get(key, 'x')}}}, refuses: NO_KEYS}}\n"


def drafted_key(channels: Sequence[Channel], dicom: Mapping[str, str]) -> str:
    """A key that the profile reads."""
    return next(iter(sorted({*dicom.values(), *(k for c in channels for rule in c.rules for k in rule.layout.keys)})))


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
    for one in broken(profile, invented[0]):
        _read, reason = outcome(profile, one)
        if reason is not None and profile.takes(one.file.rpartition("/")[2]) and not found:
            found.append(
                "  - {" + ", ".join([f"file: {quoted(one.file)}", *content_parts(one), f"refuses: {reason}"]) + "}"
            )
    return found


def companion_of(profile: DeviceProfile) -> str:
    """The name of the companion file that a profile reads."""
    return next(rule.file for rule in profile.read if rule.kind == "sidecar")


def broken(profile: DeviceProfile, one: Example) -> list[Example]:
    """Ways in which an export can say nothing."""
    ending = one.file.rpartition(".")[2]
    exif = dict.fromkeys(one.exif, "test picture")
    sidecar = None if one.sidecar is None else companion_text(companion_of(profile), {"test": "picture"})
    return [
        example(f"test.{ending}", exif, {}, sidecar),
        example(f"TEST 1.{ending}", exif, {"ImageLaterality": "R"} if one.dicom else {}, sidecar),
    ]


def outcome(profile: DeviceProfile, one: Example) -> tuple[tuple[Reading, ...], Code | None]:
    """What is read from an example, and why it is refused."""
    said = example_said(profile, one)
    if isinstance(said, Refusal):
        return (), said.code
    return said.readings, reason_alone(said.readings, profile, one.file)


def content_parts(one: Example) -> list[str]:
    """The tags of an example."""
    parts = [f"exif: {mapping(one.exif)}"] if one.exif else []
    parts += [f"dicom: {mapping(one.dicom)}"] if one.dicom else []
    return [*parts, f"sidecar: {quoted(one.sidecar)}"] if one.sidecar is not None else parts


def mapping(values: Mapping[str, str]) -> str:
    """A flow mapping."""
    return (
        "{"
        + ", ".join(
            f"{quoted(name)}: {flow(value) if value.isalpha() else quoted(value)}" for name, value in values.items()
        )
        + "}"
    )
