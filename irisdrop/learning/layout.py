"""Names that are laid out alike, as one pattern: what stands in every one of them, and what each part means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from irisdrop.learning.tokens import Token
from irisdrop.vocabulary.keys import LATERALITY_TOKENS

# Words for an eye that the language does not know by itself.
EYES: Final = {"OG": "L", "0D": "R", "0S": "L", "BOTHEYES": "B", "RE": "R", "LE": "L", "RIGHTEYE": "R", "LEFTEYE": "L"}
Row = tuple[Token, ...]


@dataclass(slots=True)
class Layout:
    """One pattern for `rows`; `left` and `right` are how many pieces every row has in common at its two ends.

    `fields` says which piece (counted from 0; from the right below 0) is which key, `clean` how its text becomes the
    value, `sure` and `unsure` are sentences about it.
    """

    rows: list[Row]
    left: int
    right: int
    fields: dict[int, str] = field(default_factory=dict)
    clean: dict[str, object] = field(default_factory=dict)
    sure: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    @property
    def keys(self) -> frozenset[str]:
        """The keys that it reads."""
        return frozenset(self.fields.values())

    def column(self, index: int) -> list[str]:
        """The texts of one piece in all rows."""
        return [row[index].text for row in self.rows]

    def indices(self) -> list[int]:
        """Every piece that all rows have, from left to right."""
        return [*range(self.left), *range(-self.right, 0)]

    @property
    def wild(self) -> bool:
        """Whether something between the ends differs from row to row in more than its letters."""
        return any(len(row) != self.left + self.right for row in self.rows)


def layout(rows: Sequence[Row], persons: Sequence[object]) -> Layout:
    """What rows have in common; `persons` says whose each row is, None where that is not known."""
    looks = [[token.look for token in row] for row in rows]
    shortest = min(len(look) for look in looks)
    left = common(looks, shortest)
    right = common([look[::-1] for look in looks], shortest - left)
    found = Layout(list(rows), left, right)
    for index in found.indices():
        token = rows[0][index]
        if token.kind == "key" and token.key not in found.keys:
            found.fields[index] = token.key
            if token.form.startswith("%d"):
                found.clean[token.key] = [{"date": token.form}]
    find_eye(found, persons)
    find_time(found)
    find_counter(found, persons)
    return found


def common(looks: Sequence[Sequence[str]], most: int) -> int:
    """How many pieces all begin with."""
    for at in range(most):
        if any(look[at] != looks[0][at] for look in looks):
            return at
    return most


# ---------------------------------------------------------------------- the eye


def eye_of(text: str) -> str | None:
    """R, L, B or U of a word for an eye; None for any other word."""
    return LATERALITY_TOKENS.get(text.upper()) or EYES.get(text.upper())


def find_eye(found: Layout, persons: Sequence[object]) -> None:
    """The one column that has nothing but words for an eye, the right and the left one among them."""
    candidates = []
    for index in found.indices():
        if found.rows[0][index].kind != "word":
            continue
        eyes = [eye_of(text) for text in found.column(index)]
        if None not in eyes:
            candidates.append((index, eyes))
    varied = [(index, eyes) for index, eyes in candidates if {"R", "L"} <= set(eyes)]
    if not varied:
        if candidates:
            found.unsure.append("a part looks like an eye, but all exports show the same one: export both eyes")
        return
    index, eyes = varied[-1]
    if any(other != eyes for _, other in varied):
        found.unsure.append("two parts look like an eye and differ: neither is read")
        return
    found.fields[index] = "ImageLaterality"
    strange = {text: EYES[text.upper()] for text in sorted(set(found.column(index))) if text.upper() in EYES}
    if strange:
        found.clean["ImageLaterality"] = strange
    both = {p for p in persons if {"R", "L"} <= {e for e, q in zip(eyes, persons, strict=True) if q == p}}
    words = " and ".join(sorted(set(found.column(index))))
    (found.sure if both - {None} or None in persons else found.unsure).append(f"the eye is written as {words}")


# ---------------------------------------------------------------------- date and time


def find_time(found: Layout) -> None:
    """When the image was taken: the last stamp, else a date and perhaps the time after it."""
    for index in reversed(found.indices()):
        if index not in found.fields and found.rows[0][index].kind == "stamp":
            found.fields[index] = "AcquisitionDateTime"
            return
    for index in found.indices():
        if index not in found.fields and takes_date(found, index):
            find_clock(found, index)
            return


def takes_date(found: Layout, index: int) -> bool:
    """Whether a column is a date; then it is noted."""
    kind, texts = found.rows[0][index].kind, found.column(index)
    if kind == "ymd":
        found.fields[index] = "AcquisitionDate"
    elif kind == "dmy":
        order = day_first(texts)
        if order is None:
            found.unsure.append("a date with day and month in an order that these exports don't show: not read")
            return False
        mark = texts[0][2]
        found.fields[index] = "AcquisitionDate"
        found.clean["AcquisitionDate"] = [{"date": f"%d{mark}%m{mark}%Y" if order else f"%m{mark}%d{mark}%Y"}]
    elif kind == "digits" and all(len(text) == 14 and is_time(text, "%Y%m%d%H%M%S") for text in texts):
        found.fields[index] = "AcquisitionDateTime"
    elif kind == "digits" and all(is_time(text[:8], "%Y%m%d") for text in texts):
        found.fields[index] = "AcquisitionDate"
    else:
        return False
    if len(set(texts)) == 1:
        found.unsure.append("all exports bear the same date: one of another day would make sure that it is one")
    return True


def find_clock(found: Layout, day: int) -> None:
    """The time that follows a date with one mark between them."""
    indices = found.indices()
    place = indices.index(day)
    if found.fields[day] != "AcquisitionDate" or place + 2 >= len(indices):
        return
    mark, after = indices[place + 1], indices[place + 2]
    texts = found.column(after)
    if after in found.fields or found.rows[0][mark].kind != "mark" or after - day not in (2, 2 - len(indices)):
        return
    if found.rows[0][after].kind == "clock":
        found.fields[after] = "AcquisitionTime"
        found.clean["AcquisitionTime"] = [{"date": "%I.%M.%S.%f_%p"}]
    elif all(len(text) == 6 and is_time(text, "%H%M%S") for text in texts) and max(texts) >= "060000":
        found.fields[after] = "AcquisitionTime"


def day_first(texts: Sequence[str]) -> bool | None:
    """Whether dates begin with the day; None where nothing tells."""
    if any(int(text[3:5]) > 12 for text in texts):
        return False
    return True if any(int(text[:2]) > 12 for text in texts) else None


def is_time(text: str, form: str) -> bool:
    """Whether a text is a time of a camera's life."""
    try:
        found = datetime.strptime(text, form)  # noqa: DTZ007 - only whether it is one
    except ValueError:
        return False
    return "%Y" not in form or date(2000, 1, 1) <= found.date() <= date(2099, 12, 31)


def find_counter(found: Layout, persons: Sequence[object]) -> None:
    """The last number that differs among the images of every person."""
    for index in reversed(found.indices()):
        if index in found.fields or found.rows[0][index].kind != "digits":
            continue
        texts = found.column(index)
        seen: dict[object, list[str]] = {}
        for person, text in zip(persons, texts, strict=True):
            seen.setdefault(person, []).append(text)
        several = [numbers for numbers in seen.values() if len(numbers) > 1]
        if len(several) > 1 and all(len(set(numbers)) == len(numbers) for numbers in several) and len(texts[0]) < 7:
            found.fields[index] = "InstanceNumber"
            return


# ---------------------------------------------------------------------- the pattern


def pattern(found: Layout, *, folder: bool = False) -> str:
    """The layout in RE2's words. An identifier may hold the marks around it only where nothing else can be meant."""
    parts = [piece(found, index, folder) for index in range(found.left)]
    if found.wild:
        parts.append(between(found))
    parts += [piece(found, index, folder) for index in range(-found.right, 0)]
    return "".join(parts)


def piece(found: Layout, index: int, folder: bool) -> str:
    """One column."""
    texts, kind = found.column(index), found.rows[0][index].kind
    key = found.fields.get(index)
    if kind == "key":
        return group(key, identifier(found, index, folder))
    if kind == "mark":
        return re.escape(texts[0]) if texts[0] in ".+*?()[]{}|^$\\" else texts[0]
    if kind == "digits":
        return digits(texts, key)
    if kind == "word":
        return words(found, index, key)
    return group(
        key, re.sub("[0-9]+", lambda run: rf"\d{{{len(run[0])}}}" if kind != "clock" else r"\d+", safe(texts[0]))
    )


def safe(text: str) -> str:
    """A stamp's marks, and AM or PM, as a pattern."""
    return re.sub("[AP]M", "[AP]M", text.replace(".", r"\."))


def group(key: str | None, inner: str) -> str:
    """A pattern that reads a key, or only passes."""
    return f"(?P<{key}>{inner})" if key else inner


def identifier(found: Layout, index: int, folder: bool) -> str:
    """What a value that was found may look like: anything where both sides are fixed, else all but the mark beside it."""
    token = found.rows[0][index]
    if token.key == "PatientName":
        return full_name(found, index)
    if token.key == "PatientBirthDate":
        return re.sub("[0-9]+", lambda run: rf"\d{{{len(run[0])}}}", token.text.replace(".", r"\."))
    indices = found.indices()
    place = indices.index(index)
    free_left = (index < 0 and found.wild) or named(found, indices[:place])
    free_right = (index >= 0 and found.wild) or named(found, indices[place + 1 :])
    if not free_left and not free_right:
        return "[^/]+" if folder else ".+"
    beside = [indices[at] for at in (place - 1, place + 1) if 0 <= at < len(indices)]
    barred = {found.rows[0][at].text for at in beside if found.rows[0][at].kind == "mark"} | (
        {"/"} if folder else set()
    )
    if not barred:
        return r"\d+" if all(text.isdecimal() for text in found.column(index)) else r"[0-9A-Za-z]+"
    return "[^" + "".join("\\" + mark if mark in "]^-\\" else mark for mark in sorted(barred)) + "]+"


def full_name(found: Layout, index: int) -> str:
    """A name: no digits, and the mark that sets it off from the number as often as it was seen, so that a part of a
    number is not taken for a part of a name."""
    indices = found.indices()
    number = next((other for other, key in found.fields.items() if key == "PatientID"), None)
    if number is None:
        return "[^0-9/]+"
    step = 1 if indices.index(number) > indices.index(index) else -1
    beside = found.rows[0][indices[indices.index(index) + step]]
    if beside.kind != "mark" or beside.text == "/":
        return "[^0-9/]+"
    mark = "\\" + beside.text if beside.text in "]^-\\" else beside.text
    counts = [text.count(beside.text) for text in found.column(index)]
    most = "" if max(counts) == 0 else f"(?:{re.escape(beside.text)}[^0-9/{mark}]+){{{min(counts)},{max(counts)}}}"
    return f"[^0-9/{mark}]+{most}"


def named(found: Layout, indices: Sequence[int]) -> bool:
    """Whether a name is among these pieces: it may hold marks of its own."""
    return any(found.rows[0][index].key == "PatientName" for index in indices)


def digits(texts: Sequence[str], key: str | None) -> str:
    """A number: as long as all are, where its length means something."""
    lengths = {len(text) for text in texts}
    if key == "AcquisitionDate":
        return group(key, r"\d{8}") + ("" if lengths == {8} else r"\d*")
    if key in ("AcquisitionDateTime", "AcquisitionTime"):
        return group(key, rf"\d{{{max(lengths)}}}")
    padded = len(lengths) == 1 and lengths != {1} and any(text.startswith("0") for text in texts)
    return group(key, rf"\d{{{min(lengths)},}}" if padded else r"\d+")


def words(found: Layout, index: int, key: str | None) -> str:
    """A word: itself where it never changes, an eye by the words that were seen, else any."""
    texts = found.column(index)
    if key == "ImageLaterality":
        seen = sorted({text.upper() if len(text) < 3 else text for text in texts})
        return group(key, "[" + "".join(seen) + "]" if all(len(text) == 1 for text in seen) else "|".join(seen))
    if index == -1 and found.rows[0][-2:-1] and found.rows[0][-2].text == ".":
        return extension(texts)
    if len({text.casefold() for text in texts}) == 1:
        return texts[0]
    return r"\pL+" if all(text.isalpha() for text in texts) else r"[0-9\pL]+"


def extension(texts: Sequence[str]) -> str:
    """The extensions that were seen; jpg and jpeg are one."""
    seen = sorted({re.sub("^jpe?g$", "jpe?g", text.lower()) for text in texts})
    return seen[0] if len(seen) == 1 else "(?:" + "|".join(seen) + ")"


def between(found: Layout) -> str:
    """What is between the ends: perhaps nothing, and where it is something, what it begins with."""
    middles = [row[found.left : len(row) - found.right] for row in found.rows]
    there = [middle for middle in middles if middle]
    begin = there[0][0]
    same = begin.kind == "mark" and all(middle[0].look == begin.look for middle in there)
    rest = (re.escape(begin.text) if begin.text in ".+*?()[]{}|^$\\" else begin.text) + ".*" if same else ".*"
    return rest if len(there) == len(middles) or not same else f"(?:{rest})?"
