"""Who a quarantined image may belong to: near misses, ranked with why, for a person. The agent never uses them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from irisdrop.matching.contradictions import eye
from irisdrop.matching.names import names_agree
from irisdrop.vocabulary.decisions import Capture
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.names import folded
from irisdrop.vocabulary.orders import Standing, WorklistEntry

NUMBERS = ("PatientID", "AccessionNumber", "StudyInstanceUID")
LOOKALIKES = str.maketrans({"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "|": "1", "S": "5", "B": "8", "Z": "2"})


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One order that it may be, and why, in words without values; `weight` only orders suggestions of one image."""

    entry: WorklistEntry
    why: tuple[str, ...]
    weight: float


Evidence = tuple[float, str]


def suggestions(
    readings: Sequence[Reading],
    taken: Capture | None,
    entries: Iterable[WorklistEntry],
    most: int = 5,
    *,
    name: str = "",
    renumbered: Collection[str] = (),
) -> list[Suggestion]:
    """The orders that an image may belong to, the likeliest first; none without evidence of identity.

    `name` is the export's own, in which a number may stand that the profile's patterns could not read; `renumbered` are
    the ids of entries whose patient had the image's number before a merge.
    """
    found = []
    distinct = {(reading.key, reading.value): reading for reading in readings}.values()  # said twice counts once
    for entry in entries:
        if entry.standing in (Standing.CANCELLED, Standing.REPLACED):
            continue
        identity = [evidence for reading in distinct for evidence in _identity(reading, entry)]
        identity += _in_name(readings, name, entry)
        if entry.id in renumbered:
            identity.append((75.0, "PatientID is what its patient had before it was changed"))
        if sum(weight for weight, _ in identity) <= 0:
            continue
        evidence = identity + _circumstances(readings, taken, entry)
        words = tuple(dict.fromkeys(word for _, word in sorted(evidence, key=lambda one: -abs(one[0]))))
        found.append(Suggestion(entry, words, sum(weight for weight, _ in evidence)))
    return sorted(found, key=lambda one: (-one.weight, one.entry.id))[:most]


def likeness(one: str, other: str) -> Evidence | None:
    """How two numbers that should be equal may have come to differ; None where they have nothing in common."""
    if one == other:
        return 100.0, "is the same"
    left, right = one.upper(), other.upper()
    if _bare(left) and _bare(left) == _bare(right):
        return 70.0, "is the same without zeros in front, blanks and punctuation"
    if _bare(left.translate(LOOKALIKES)) == _bare(right.translate(LOOKALIKES)):
        return 65.0, "is the same but for letters that look like digits"
    if _transposed(left, right):
        return 55.0, "has two neighbours swapped"
    short, long = sorted((_bare(left), _bare(right)), key=len)
    if len(short) > 3 and short in long:
        return 45.0, "is a part of the other"
    if len(left) > 3 and _one_edit(left, right):
        return 40.0, "differs in one character"
    return None


def _identity(reading: Reading, entry: WorklistEntry) -> list[Evidence]:
    wanted = entry.keys.get(reading.key)
    if not wanted:
        return []
    if reading.key in NUMBERS:
        near = likeness(reading.value, wanted)
        return [] if near is None else [(near[0], f"{reading.key} {near[1]}")]
    if reading.key == "PatientName":
        return _name(reading.value, wanted)
    if reading.key == "PatientBirthDate":
        return _birth_date(reading.value, wanted)
    if reading.key == "PatientSex" and reading.value != wanted:
        return [(-10.0, "PatientSex differs")]
    return []


def _in_name(readings: Sequence[Reading], name: str, entry: WorklistEntry) -> list[Evidence]:
    """A number of the order that stands in the export's name, set off, though no reading has such a key."""
    read = {reading.key for reading in readings}
    return [
        (80.0, f"{key} stands in the file's name")
        for key in ("PatientID", "AccessionNumber")
        if key not in read and len(entry.keys.get(key, "")) > 3 and _stands_in(entry.keys[key], name)
    ]


def _stands_in(number: str, name: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(number)}(?![^\W_])", name, re.IGNORECASE) is not None


def _name(one: str, other: str) -> list[Evidence]:
    if names_agree(one, other):
        return [(50.0, "PatientName agrees")]
    left, right = folded(one).split(), folded(other).split()
    shared = len(set(left) & set(right))
    near = sum(1 for word in set(left) - set(right) if any(_one_edit(word, w) or _transposed(word, w) for w in right))
    if shared and near:
        return [(30.0, "PatientName is spelled nearly so")]
    return [(12.0, "a part of PatientName agrees")] if shared else [(-60.0, "PatientName differs")]


def _birth_date(one: str, other: str) -> list[Evidence]:
    if one == other:
        return [(50.0, "PatientBirthDate is the same")]
    if one[:4] == other[:4] and one[5:7] == other[8:10] and one[8:10] == other[5:7]:
        return [(30.0, "PatientBirthDate has day and month swapped")]
    if _one_edit(one, other) or _transposed(one, other):
        return [(25.0, "PatientBirthDate differs in one digit")]
    return [(-30.0, "PatientBirthDate differs")]


def _circumstances(readings: Sequence[Reading], taken: Capture | None, entry: WorklistEntry) -> list[Evidence]:
    found: list[Evidence] = []
    if entry.standing is Standing.COMPLETED:
        found.append((-3.0, "the order is completed"))  # less than two hours' difference: a late image is likelier
    if entry.single_eye is not None and eye(readings) not in (entry.single_eye, "U"):
        found.append((-30.0, "the order is for the other eye only"))
    if taken is not None and entry.start is not None:
        away = max((entry.start - taken.end).total_seconds(), (taken.begin - entry.start).total_seconds(), 0.0)
        weight = 25.0 - 50.0 * min(away / 86400, 1.0) - 10.0 * min(max(away / 86400 - 1.0, 0.0), 10.0)
        when = "before" if entry.start <= taken.begin else "after"
        told = f"{away / 3600:.1f} hours" if away >= 5400 else f"{away / 60:.0f} minutes"
        found.append((weight, f"due {told} {when} the image was taken"))
    return found


def _bare(number: str) -> str:
    return "".join(char for char in number if char.isalnum()).lstrip("0")


def _transposed(one: str, other: str) -> bool:
    if len(one) != len(other):
        return False
    at = [index for index in range(len(one)) if one[index] != other[index]]
    return len(at) == 2 and at[1] == at[0] + 1 and one[at[0]] == other[at[1]] and one[at[1]] == other[at[0]]


def _one_edit(one: str, other: str) -> bool:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
