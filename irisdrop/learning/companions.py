"""What companion files say: each of their places is a channel of its own, and its text is mostly the value itself.

Only a file that bears its image's name is proposed. One for a whole folder is told to be there and not read: it is the
same for every image, so that of the patient before it would be read for the next one's pictures, and the language of
profiles refuses it for that reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from irisdrop.learning.channel import WORTH, Channel, Rule, learn_channel
from irisdrop.learning.layout import layout
from irisdrop.learning.samples import ENDINGS, Sample
from irisdrop.learning.spans import FORMS, IDENTIFIERS, Person, full_name, plain
from irisdrop.learning.tokens import Token
from irisdrop.profiles.patterns import Pattern

PIECES: Final = re.compile(r"\d+|[^\W\d_]+|[^\W_]+")
BORN: Final = re.compile(r"(?i)birth|born|dob")
TAKEN: Final = re.compile(r"(?i)acqui|captur|taken|exam|image|shot|study")
TIMES: Final = ("AcquisitionDateTime", "AcquisitionDate")
FORMAT: Final = {"xml": "xpath", "json": "json", "csv": "csv", "ini": "ini"}  # as a rule names it

Column = Sequence[str | None]


def channel_name(file: str, place: str) -> str:
    """The name of the channel of one place."""
    return f"sidecar:{file} {place}"


def place_of(channel: Channel) -> tuple[str, str]:
    """The file and the place of such a channel."""
    file, _, place = channel.name.partition(":")[2].partition(" ")
    return file, place


def form_of(file: str) -> str:
    """The format of a companion file."""
    return FORMAT[ENDINGS[file[file.rindex(".") :].lower()]]


def text_at(sample: Sample, file: str, place: str) -> str | None:
    """The one text at a place; None where there is none, or more than one."""
    for note in sample.contents.sidecars:
        if (note.rule, note.place) == (file, place):
            return note.values[0] if len(set(note.values)) == 1 else None
    return None


def learn_companions(
    found: Sequence[Sample], people: Sequence[Sequence[Person]], elsewhere: frozenset[str]
) -> list[Channel]:
    """The channels of the companion file that tells of most exports whose they are; none where none does.

    `elsewhere` are the keys that name, folder or tags say already.
    """
    files = sorted({note.rule for sample in found for note in sample.contents.sidecars})
    learnt = [told(file, columns_of(file, found), people, elsewhere) for file in files]
    return max(learnt, key=lambda channels: sum(len(channel.rules[0].exports) for channel in channels), default=[])


def columns_of(file: str, found: Sequence[Sample]) -> dict[str, Column]:
    """What each place of a companion file says of every export."""
    places = dict.fromkeys(note.place for sample in found for note in sample.contents.sidecars if note.rule == file)
    return {place: [text_at(sample, file, place) for sample in found] for place in places}


def told(
    file: str, columns: Mapping[str, Column], people: Sequence[Sequence[Person]], elsewhere: frozenset[str]
) -> list[Channel]:
    """The channels of one companion file."""
    sure = [one for place, column in columns.items() if (one := whose(file, place, column, people)) is not None]
    kept = first_of_each(sure)
    if not kept:
        return []
    owners = owners_of(kept, columns, people)
    rest = {place: column for place, column in columns.items() if channel_name(file, place) not in names(sure)}
    agreeing = [one for place, column in rest.items() if (one := agrees(file, place, column, owners)) is not None]
    kept += first_of_each(agreeing)
    rest = {place: column for place, column in rest.items() if channel_name(file, place) not in names(agreeing)}
    return kept + pictured(file, rest, elsewhere)


def names(channels: Iterable[Channel]) -> set[str]:
    """The names of channels."""
    return {channel.name for channel in channels}


def first_of_each(channels: Sequence[Channel]) -> list[Channel]:
    """Of the channels that say the same key, the one that says it of most exports."""
    kept: dict[frozenset[str], Channel] = {}
    for channel in sorted(channels, key=lambda one: -len(one.rules[0].exports)):
        kept.setdefault(channel.rules[0].layout.keys, channel)
    return list(kept.values())


# ---------------------------------------------------------------------- whose it is


def whose(file: str, place: str, column: Column, people: Sequence[Sequence[Person]]) -> Channel | None:
    """The rule of a place that names two people or more who are known; what is the same everywhere names nobody."""
    near = [named_in(text, of_one) for text, of_one in zip(column, people, strict=True)]
    if len({person.identity for of_one in near for person in of_one}) < 2:
        return None
    channel = learn_channel(channel_name(file, place), column, near)
    rules = [rule for rule in channel.rules if rule.layout.keys & set(IDENTIFIERS)]
    return Channel(channel.name, rules[:1]) if rules else None


def named_in(text: str | None, people: Sequence[Person]) -> list[Person]:
    """The people one of whose identifiers stands in a text."""
    if not text:
        return []
    pieces = {
        text.casefold(),
        *(piece.casefold() for piece in PIECES.findall(text)),
        *re.split(r"[\s:;,|=]", text.casefold()),
    }
    return [p for p in people if any((p.keys.get(key) or "\0").casefold() in pieces for key in IDENTIFIERS)]


def owners_of(
    channels: Sequence[Channel], columns: Mapping[str, Column], people: Sequence[Sequence[Person]]
) -> list[Person | None]:
    """Whose each export is by the first channel; None where nobody is known."""
    _, place = place_of(channels[0])
    made = Pattern(channels[0].rules[0].pattern)
    found: list[Person | None] = []
    for text, of_one in zip(columns[place], people, strict=True):
        read = made.fullmatch(text or "") or {}
        owners = [p for p in of_one if any(p.keys.get(key) == value for key, value in read.items())]
        found.append(owners[0] if owners else None)
    return found


def agrees(file: str, place: str, column: Column, owners: Sequence[Person | None]) -> Channel | None:
    """The rule of a place that says of every export what is known of its owner, and of two owners something else."""
    pairs = [(at, text, owner) for at, (text, owner) in enumerate(zip(column, owners, strict=True)) if text and owner]
    for key in ("PatientName", "PatientBirthDate", "PatientSex"):
        forms = [form_in(key, text, owner) for _, text, owner in pairs]
        if not pairs or None in forms or len(set(forms)) > 1 or len({text for _, text, _ in pairs}) < 2:
            continue
        rows = [(Token("key", text, key, forms[0] or ""),) for _, text, _ in pairs]
        made = layout(rows, [owner.identity for _, _, owner in pairs])
        exports = tuple(at for at, _, _ in pairs)
        rule = Rule(f"(?P<{key}>.+)", made, exports, len({owner.identity for _, _, owner in pairs}))
        return Channel(channel_name(file, place), [rule])
    return None


def form_in(key: str, text: str, owner: Person) -> str | None:
    """How a text spells what is known of a person (a date's format, else nothing); None where it says something else."""
    known = owner.keys.get(key, "")
    if not known:
        return None
    if key == "PatientSex":
        return "" if text.upper() == known.upper() else None
    if key == "PatientName":
        parts = [part for part in plain(known).split("=")[0].split("^") if part.strip()][:2]
        return "" if len(parts) == 2 and full_name(*parts).fullmatch(plain(text)) else None
    try:
        day = date.fromisoformat(known)
    except ValueError:
        return None
    return next((form for form in FORMS if day.strftime(form) == text), None)


# ---------------------------------------------------------------------- what it shows, and when


def pictured(file: str, columns: Mapping[str, Column], elsewhere: frozenset[str]) -> list[Channel]:
    """The eye and the time, each from one place, where nothing else says them."""
    found: dict[str, Channel] = {}
    for place in sorted(columns, key=lambda place: (TAKEN.search(place) is None, place)):
        column = columns[place]
        if BORN.search(place) or sum(text is not None for text in column) < 2:
            continue
        channel = learn_channel(channel_name(file, place), column, [()] * len(column))
        for rule in channel.rules[:1]:
            said = rule.layout.keys & set(WORTH)
            key = "ImageLaterality" if "ImageLaterality" in said else next((k for k in TIMES if k in said), None)
            if key is not None and not said & elsewhere and whole(rule, column):
                found.setdefault(key, Channel(channel.name, [rule]))
    if TIMES[0] in found:
        found.pop(TIMES[1], None)  # the moment says the day
    return list(found.values())


def whole(rule: Rule, column: Column) -> bool:
    """Whether a rule reads every text of a place."""
    return len(rule.exports) == sum(text is not None for text in column)


# ---------------------------------------------------------------------- as text


def invented_text(file: str, values: Mapping[str, str]) -> str:
    """A companion file with values at its places, and nothing else."""
    import json

    form = form_of(file)
    if form == "xpath":
        return "<x>" + "".join(element(place, value) for place, value in values.items()) + "</x>"
    if form == "json":
        return json.dumps(nested(values), ensure_ascii=False)
    if form == "csv":
        return ",".join(values) + "\n" + ",".join(f'"{value}"' for value in values.values()) + "\n"
    sections: Counter[str] = Counter(place.rpartition("/")[0] for place in values)
    lines = []
    for section in sorted(sections):
        lines += [f"[{section}]"] if section else []
        lines += [f"{p.rpartition('/')[2]}={v}" for p, v in values.items() if p.rpartition("/")[0] == section]
    return "\n".join(lines) + "\n"


def element(place: str, value: str) -> str:
    """The elements of an XPath such as //Patient/ID or //Image/@eye."""
    from xml.sax.saxutils import escape, quoteattr

    steps = [step for step in place.split("/") if step]
    inner = escape(value)
    if steps[-1].startswith("@"):
        inner = f"<{steps[-2]} {steps[-1][1:]}={quoteattr(value)}/>"
        steps = steps[:-2]
    for step in reversed(steps):
        inner = f"<{step}>{inner}</{step}>"
    return inner


def nested(values: Mapping[str, str]) -> object:
    """A tree with values at dotted names; a number is a place in a list."""
    if set(values) == {""}:
        return values[""]
    below: dict[str, dict[str, str]] = {}
    for place, value in values.items():
        step, _, rest = place.partition(".")
        below.setdefault(step, {})[rest] = value
    if all(step.isdigit() for step in below):
        return [nested(one) for _, one in sorted(below.items(), key=lambda pair: int(pair[0]))]
    return {step: nested(one) for step, one in below.items()}
