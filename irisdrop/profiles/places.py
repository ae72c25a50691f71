"""YAML in which every value remembers its line and column, and every scalar stays the text that was written.

Nothing is resolved: `000815` stays "000815" and `no` stays "no" until a setting's type asks for a number or a
yes. Duplicate keys, anchors, merge keys and tags are refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from irisdrop.vocabulary.faults import Fault, FaultyFile, Foreseen

LARGEST: Final = 64 * 1024  # bytes, read in a third of a second; the longest real profile has some 3,000
MOST: Final = 100  # faults; whoever mends those checks again
DEEPEST: Final = 12  # levels; the language needs 6

Location = tuple[str | int, ...]
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value or its key begins, counted from 1; `style` is the YAML quote, empty for plain text."""

    line: int
    column: int
    text: str
    style: str = ""


@dataclass(slots=True)
class Document:
    """One file as it was written, and the faults found in it so far."""

    path: str
    text: str
    tree: Any = None
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)  # keys that rules, faulty ones too, were meant to read
    _lines: list[str] | None = None
    _shown: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the text in hex."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def lines(self) -> list[str]:
        """The lines as YAML counts them."""
        if self._lines is None:
            self._lines = re.split("\r\n|[\n\r\u0085\u2028\u2029]", self.text)
        return self._lines

    def line(self, number: int) -> str:
        """One line for a fault, without any secret that stands in it."""
        known = (number, len(self.secrets))
        if known not in self._shown:
            line = self.lines[number - 1] if 0 < number <= len(self.lines) else ""
            for secret in self.secrets:
                line = line.replace(secret, "*" * len(secret))
            self._shown[known] = masked(line)
        return self._shown[known]

    def fault(self, code: str, place: Place, message: str, expected: str = "", suggestion: str = "") -> None:
        """Note a fault at a place; the file is read on, so that all faults are told at once."""
        shown = place.text.splitlines()[0] if place.text else ""
        if shown and shown in self.secrets:
            shown = "*" * len(shown)
        fault = Fault(
            code, self.path, place.line, place.column, message, shown, self.line(place.line), expected, suggestion
        )
        if fault not in self.faults:
            self.faults.append(fault)
        if len(self.faults) >= MOST:
            self.raise_faults()

    def at(self, location: Iterable[str | int], *, key: bool = False) -> Place:
        """The place of a value (or of its key); of what it stands in, where it is not there itself."""
        wanted = tuple(location)
        if key and wanted in self.keys:
            return self.keys[wanted]
        while wanted not in self.values and wanted:
            wanted = wanted[:-1]
        return self.values.get(wanted, Place(1, 1, ""))

    def within(self, location: Iterable[str | int], begin: int, text: str) -> Place:
        """The place of a part of a value that begins at `begin`; of the whole where quoting hides where that is."""
        place = self.at(location)
        written = self.lines[place.line - 1][place.column - 1 :] if place.line <= len(self.lines) else ""
        if place.style == "'":
            begin += 1 + place.text[:begin].count("'")
        elif place.style:
            return place
        if written[begin : begin + len(text)] != text:
            return place
        return Place(place.line, place.column + begin, text)

    def section(self, line: int) -> str:
        """The setting of the top level that a line belongs to; empty for none."""
        begun = [(place.line, str(where[0])) for where, place in self.keys.items() if len(where) == 1]
        return max((one for one in begun if one[0] <= line), default=(0, ""))[1]

    def raise_faults(self) -> None:
        """Raise FaultyFile with everything that is wrong, in the order of the file."""
        if self.faults:
            raise FaultyFile(tuple(sorted(self.faults, key=lambda fault: (fault.line, fault.column))))


# What stands before a secret, and the secret itself.
SECRETS_IN_TEXT: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(\b(?:sig|AccountKey|SharedAccessKey|SharedAccessSignature)=)([^&;,\s}'\"]+)",
        r"(://)([^/\s@:]*:[^/\s@]+)(?=@)",
        r"((?:token|passwo?r?d|secret|sas|_?key|connection_?string|credential)['\"]?\s*:\s*)(?![\s{])([^,}]+)",
    )
)


def masked(line: str) -> str:
    """A line without what looks like a secret; as long as before, so that a caret still points."""
    for pattern in SECRETS_IN_TEXT:
        line = pattern.sub(lambda found: found[1] + "*" * len(found[2]), line)
    return line


def read_text(path: Path) -> str:
    """The text of a file; raises Foreseen where it can't be read, FaultyFile where it is no UTF-8 text."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Foreseen("NO_SUCH_FILE", f"{path} does not exist", "check the path.") from None
    except OSError as error:
        raise Foreseen(
            "FILE_UNREADABLE", f"{path} can't be read: {error.strerror}", "check what the account may read."
        ) from None
    return decoded(content, str(path))


def decoded(content: bytes, path: str) -> str:
    """UTF-8, with or without a byte order mark; raises FaultyFile for anything else."""
    if len(content) > LARGEST:
        raise FaultyFile((Fault("TOO_LARGE", path, 1, 1, f"the file is larger than {LARGEST // 1024} KiB"),))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FaultyFile((Fault("NOT_UTF8", path, 1, 1, "the file is UTF-16", expected=SAVE_AS),))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        shown = content.splitlines()[line - 1].decode("latin-1")
        raise FaultyFile(
            (Fault("NOT_UTF8", path, line, column, "a character is not UTF-8", "?", masked(shown), SAVE_AS),)
        ) from None


SAVE_AS: Final = "a file saved as UTF-8 (in Notepad: Save as, Encoding: UTF-8)"


def document(text: str, path: str) -> Document:
    """The YAML mapping in `text` with all its places; raises FaultyFile where it can't be read as YAML."""
    from irisdrop.profiles.syntax import compose

    found = Document(path, text)
    if len(text) > LARGEST:
        found.fault("TOO_LARGE", Place(1, 1, ""), f"the file is larger than {LARGEST // 1024} KiB")
        found.raise_faults()
    compose(found)
    return found


def scalars(tree: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text in a tree with its location."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from scalars(value, (*location, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from scalars(value, (*location, index))
    elif isinstance(tree, str):
        yield location, tree
