"""A whole profile as text, with invented examples, from the rules that were learnt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Final

from irisdrop.learning.channel import Channel, Rule
from irisdrop.learning.companions import form_of, place_of
from irisdrop.learning.layout import Row, eye_of
from irisdrop.learning.tokens import Token, tokens

PEOPLE: Final = (("Muller", "Anna"), ("Smith", "John"), ("Costa", "Rui"), ("Novak", "Eva"))
NUMBERS: Final = ("815274", "526931", "952648", "738195")
BORN: Final = ("19610307", "19481231", "19750825", "19901119")
PLAIN: Final = re.compile(r"[A-Za-z0-9_./^]+(?:[ -][A-Za-z0-9_./^]+)*")


def profile_text(
    title: str,
    take: Sequence[str],
    channels: Sequence[Channel],
    dicom: Mapping[str, str],
    archives: Sequence[str] = (),
) -> str:
    """Everything but the examples."""
    rules = [rule for channel in channels for rule in channel.rules]
    keys = {key for rule in rules for key in rule.layout.keys} | set(dicom.values())
    zipped = f", archives: {globs(archives)}" if archives else ""
    lines = [
        "# yaml-language-server: $schema=profile.schema.json",
        "irisdrop: 1",
        f"title: {quoted(title)}",
        "status: sampled # learnt from exports",
        "modality: OP",
        f"files: {{take: {globs(take)}, skip: {globs(['._*'])}{zipped}}}",
        "read:",
    ]
    for channel in channels:
        lines += read_lines(channel)
    lines += sidecar_lines([channel for channel in channels if channel.name.startswith("sidecar:")])
    if dicom:
        lines += ["  - dicom:", *(f"      {quoted(place)}: {key}" for place, key in dicom.items())]
    cleaned = clean_of(rules)
    if cleaned:
        lines += ["clean:", *(f"  {key}: {flow(steps)}" for key, steps in cleaned.items())]
    lines.append(f"match: [{', '.join(match_of(keys))}]")
    agree = [key for key in ("PatientName", "PatientSex") if key in keys]
    if agree:
        lines.append(f"agree: [{', '.join(agree)}]")
    return "\n".join(lines) + "\n"


def globs(texts: Sequence[str]) -> str:
    """A list of globs."""
    return "[" + ", ".join(json.dumps(text) for text in texts) + "]"


def read_lines(channel: Channel) -> list[str]:
    """The rules of one channel."""
    source, _, place = channel.name.partition(":")
    if source == "sidecar":
        return []  # its places stand together
    if not place:
        return [f"  - {source}: {single(rule.pattern)}" for rule in channel.rules]
    return [f"  - {source}: {{{quoted(place)}: {target(rule)}}}" for rule in channel.rules[:1]]


def sidecar_lines(channels: Sequence[Channel]) -> list[str]:
    """The rule of a companion file with all its places."""
    if not channels:
        return []
    file, _ = place_of(channels[0])
    places = [f"        {quoted(place_of(channel)[1])}: {target(channel.rules[0])}" for channel in channels]
    return ["  - sidecar:", f"      file: {json.dumps(file)}", f"      {form_of(file)}:", *places, "      wait: 30s"]


def target(rule: Rule) -> str:
    """A key where the whole text is its value, else the pattern."""
    whole = re.fullmatch(r"\(\?P<(\w+)>(?:\.\+|\\d\+)\)", rule.pattern)
    return whole[1] if whole else single(rule.pattern)


def clean_of(rules: Iterable[Rule]) -> dict[str, object]:
    """The steps of all rules; identifiers are trimmed."""
    cleaned: dict[str, object] = {}
    for rule in rules:
        if "PatientID" in rule.layout.keys:
            cleaned.setdefault("PatientID", "trim")
        if "PatientName" in rule.layout.keys:
            cleaned.setdefault("PatientName", ["trim", {"replace": {"_": "^"}}])
        for key, steps in rule.layout.clean.items():
            cleaned.setdefault(key, steps)
    return cleaned


def match_of(keys: set[str]) -> list[str]:
    """The key sets, surest first."""
    sets = [key for key in ("AccessionNumber",) if key in keys]
    if "StudyInstanceUID" in keys:
        sets.insert(0, "StudyInstanceUID?")
    if "PatientID" in keys:
        sets += [*(["PatientID + PatientBirthDate"] if "PatientBirthDate" in keys else []), "PatientID"]
    elif {"PatientName", "PatientBirthDate"} <= keys:
        sets.append("PatientName + PatientBirthDate")
    return sets


# ---------------------------------------------------------------------- YAML


def single(text: str) -> str:
    """A pattern in 'single quotes'."""
    return "'" + text.replace("'", "''") + "'"


def quoted(text: str) -> str:
    """A text as YAML takes it, in quotes where it needs them."""
    if PLAIN.fullmatch(text) and not re.fullmatch(r"[\d.:-]+|y|n|yes|no|on|off|true|false|null", text, re.IGNORECASE):
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: object) -> str:
    """Steps on one line."""
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(str(name))}: {flow(one)}" if not str(name).isalpha() else f"{name}: {flow(one)}"
                for name, one in value.items()
            )
            + "}"
        )
    return quoted(str(value)) if re.fullmatch(r"\w+", str(value)) else json.dumps(str(value))


# ---------------------------------------------------------------------- examples


class Inventor:
    """People who don't exist, in the shape of those that do: one for each person of the exports."""

    def __init__(self) -> None:
        self._numbers = cycle(range(len(PEOPLE)))
        self._people: dict[object, int] = {}

    def person(self, real: object) -> int:
        """The number of the invented person who stands for a real one."""
        if real not in self._people:
            self._people[real] = next(self._numbers)
        return self._people[real]

    def name(self, number: int) -> tuple[str, str]:
        """Last and first name of an invented person."""
        return PEOPLE[number]

    def text(self, rule: Rule | None, row: Row, person: object) -> str:
        """A text that is laid out like a row and says nothing of anybody."""
        number = self.person(person)
        fields = {} if rule is None else {index % len(row): key for index, key in rule.layout.fields.items()}
        fixed = (
            set() if rule is None else {index % len(row) for index in rule.layout.indices() if constant(rule, index)}
        )
        if len(row) > 1 and row[-2].text == ".":
            fixed.add(len(row) - 1)  # an extension
        return "".join(self.piece(token, fields.get(at), at in fixed, number) for at, token in enumerate(row))

    def piece(self, token: Token, key: str | None, fixed: bool, number: int) -> str:
        """One piece."""
        if token.kind == "key":
            return self.value(token, number)
        if token.kind in ("stamp", "ymd", "dmy"):
            return shaped_date(token, "2025-01-14")
        if token.kind in ("mark", "clock") or fixed or key in ("ImageLaterality", "InstanceNumber", "AcquisitionTime"):
            return token.text
        if key in ("AcquisitionDate", "AcquisitionDateTime"):
            return "20250114" + token.text[8:]
        if token.kind == "word":
            return token.text if eye_of(token.text) or len(token.text) < 3 else like(token.text, "Sample")
        return token.text if len(token.text) < 4 else digits_like(token.text, number)

    def value(self, token: Token, number: int) -> str:
        """An invented name, birth date or identifier in the shape of the one that was found."""
        if token.key == "PatientName":
            words = iter(cycle(PEOPLE[number]))
            return re.sub(r"[^\W\d_]+", lambda word: like(word[0], next(words)), token.text)
        if token.key == "PatientSex":
            return token.text  # of one half of mankind
        if token.key == "PatientBirthDate":
            day = BORN[number]
            return re.sub("%Y", day[:4], re.sub("%m", day[4:6], re.sub("%d", day[6:], token.form or "%Y%m%d")))
        return digits_like(token.text, number)


def constant(rule: Rule, index: int) -> bool:
    """Whether a piece is the same in every export, so that it is of the camera and of nobody."""
    return (
        len(rule.exports) > 2 and rule.layout.rows[0][index].kind != "key" and len(set(rule.layout.column(index))) == 1
    )


def like(word: str, invented: str) -> str:
    """An invented word in the case of a real one."""
    return invented.upper() if word.isupper() and len(word) > 1 else invented.lower() if word.islower() else invented


def digits_like(text: str, number: int) -> str:
    """Other digits and letters in the same places; a zero in front stays."""
    digits, letters = cycle(NUMBERS[number]), cycle("ABCD"[number:] + "EFG")
    zeros = len(text) - len(text.lstrip("0"))
    rest = re.sub("[0-9]", lambda _: next(digits), text[zeros:])
    return text[:zeros] + re.sub(
        r"[^\W\d_]", lambda old: like(old[0], next(letters)) if old[0].isascii() else "A", rest
    )


def shaped_date(token: Token, day: str) -> str:
    """The invented day in a date's own shape; a stamp keeps its time."""
    year, month, date = day.split("-")
    if token.kind == "dmy":
        return f"{date}{token.text[2]}{month}{token.text[5]}{year}"
    return f"{year}{token.text[4]}{month}{token.text[7]}{date}{token.text[10:]}"


def row_of(text: str) -> Row:
    """A text of which nothing is known, in pieces."""
    return tokens(text)
