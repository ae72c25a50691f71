"""From text to a tree with places, and YAML's own complaints in words that a person can act on."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from irisdrop.profiles.places import DEEPEST, Document, Location, Place


class Reader(yaml.SafeLoader):
    """Composes nodes and nothing more; what we do not allow is noted, so that the rest is still read."""

    def __init__(self, found: Document) -> None:
        super().__init__(found.text)
        self.found = found
        self.depth = 0
        self.in_plain = False
        self.open_quote: Place | None = None

    def peek(self, index: int = 0) -> str:
        """The character ahead; a `?` inside a plain text is a letter like any other (YAML 1.2).

        PyYAML ends a plain text at `?` within brackets, so that `match: [StudyInstanceUID?]` would not be YAML.
        """
        char: str = super().peek(index)
        return "x" if char == "?" and self.in_plain else char

    def scan_plain(self) -> yaml.ScalarToken:
        """One plain text."""
        self.in_plain = True
        try:
            token: yaml.ScalarToken = super().scan_plain()
            return token
        finally:
            self.in_plain = False

    def scan_flow_scalar(self, style: str) -> yaml.ScalarToken:
        """One quoted text; the first that goes over its line is remembered: its quote was forgotten.

        YAML would read on to the next quote, and complain many lines below.
        """
        begin = self.get_mark()
        token: yaml.ScalarToken = super().scan_flow_scalar(style)
        if self.open_quote is None and token.end_mark.line != begin.line:
            self.open_quote = spot(self.found, begin.line + 1, begin.column + 1)
        return token

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """One node; an alias becomes an empty text and a fault."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1, "")
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            refuse(self.found, place, "*" + str(event.anchor), "an alias", "the value itself, written out")
            return ScalarNode("alias", "", event.start_mark, event.end_mark, style="'")  # type: ignore[arg-type]
        if event.anchor:
            refuse(self.found, place, "&" + event.anchor, "an anchor", "the value itself, where it is needed")
            event.anchor = None
        if event.tag and event.tag != "!":
            refuse(self.found, place, "!", "a tag", "the value itself, in quotes if it begins with `!`")
            event.tag = None
        self.depth += 1
        if self.depth > DEEPEST:
            self.found.fault("TOO_DEEP", place, "the file is nested too deeply", f"at most {DEEPEST} levels")
            self.found.raise_faults()
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def refuse(found: Document, place: Place, text: str, what: str, expected: str) -> None:
    """Note a feature of YAML that profiles do without."""
    at = Place(place.line, place.column, text)
    found.fault("YAML_FEATURE", at, f"{what} of YAML is not used here", expected)


def compose(found: Document) -> None:
    """Fill in the document's tree and places; raises FaultyFile where YAML can't be read at all."""
    node: Node | None = None
    reader: Reader | None = None
    try:
        reader = Reader(found)
        node = reader.get_single_node()
    except yaml.reader.ReaderError as error:
        unprintable(found, error)
    except yaml.MarkedYAMLError as error:
        if reader is None or reader.open_quote is None:
            complain(found, error)
    else:
        if node is None:
            found.fault("EMPTY_FILE", Place(1, 1, ""), "the file is empty", "`irisdrop: 1` and the settings below it")
    if reader is not None and reader.open_quote is not None:
        found.fault(
            "YAML_SYNTAX", reader.open_quote, "a quote is opened and not closed in its line", "the closing quote"
        )
        found.raise_faults()
    if node is not None:
        found.tree = plant(found, node, ())
        if not isinstance(node, MappingNode):
            found.fault("WRONG_SHAPE", found.at(()), "the file holds no settings", "lines of `name: value`")
    if not isinstance(found.tree, dict):
        found.raise_faults()


def plant(found: Document, node: Node, location: Location) -> Any:
    """A node as dict, list, text or None (nothing written), its place noted."""
    text = node.value if isinstance(node, ScalarNode) else ""
    style = (node.style or "") if isinstance(node, ScalarNode) else ""
    found.values[location] = Place(node.start_mark.line + 1, node.start_mark.column + 1, text, style)
    if isinstance(node, ScalarNode):
        half = next((char for char in text if "\ud800" <= char <= "\udfff"), None)
        if half is not None:
            # Written as an escape in double quotes; no file, page or journal could hold it.
            found.values[location] = Place(node.start_mark.line + 1, node.start_mark.column + 1, "", style)
            found.fault("YAML_SYNTAX", found.values[location], f"half a character (U+{ord(half):04X})", "its removal")
            return "\ufffd"
        return text if text or style else None
    if isinstance(node, SequenceNode):
        items = [plant(found, child, (*location, index)) for index, child in enumerate(node.value)]
        for index, item in enumerate(items):
            if item is None:
                found.fault("MISSING_VALUE", found.values[(*location, index)], "an item has no value", "a value")
        return items
    branch: dict[str, Any] = {}
    for key, value in node.value:
        plant_pair(found, branch, key, value, location)
    return branch


def plant_pair(found: Document, branch: dict[str, Any], key: Node, value: Node, location: Location) -> None:
    """One `name: value`; the first of two equal names counts, the second is a fault."""
    place = Place(key.start_mark.line + 1, key.start_mark.column + 1, str(key.value), "")
    if not isinstance(key, ScalarNode):
        at = Place(place.line, place.column, "{" if isinstance(key, MappingNode) else "[")
        found.fault("YAML_FEATURE", at, "a name must be a text", "`name: value`; a text that begins with { in quotes")
        return
    name = key.value
    if name == "<<" and not key.style:
        refuse(found, place, "<<", "a merge key", "the settings themselves, written out")
    elif name in branch:
        first = found.keys[(*location, name)]
        found.fault(
            "DUPLICATE_KEY",
            place,
            f"`{name}` is here a second time; the first is in line {first.line}",
            "each name once",
        )
    else:
        found.keys[(*location, name)] = place
        branch[name] = plant(found, value, (*location, name))
        if branch[name] is None:
            found.fault("MISSING_VALUE", place, f"`{name}` has no value", "a value, or the line's removal")


def unprintable(found: Document, error: yaml.reader.ReaderError) -> None:
    """A control character, which no editor shows."""
    before = found.text[: error.position]
    line = len(re.split("\r\n|[\n\r\u0085\u2028\u2029]", before))
    column = len(re.split("[\n\r\u0085\u2028\u2029]", before)[-1]) + 1
    code = ord(error.character) if isinstance(error.character, str) else int(error.character)
    found.fault("YAML_SYNTAX", Place(line, column, "?"), f"an invisible character (U+{code:04X})", "its removal")


QUOTES: Final = "the whole text in 'single quotes'"

# (a part of YAML's own message, ours, what is expected, whether the place is where the construct began)
COMPLAINTS: Final[tuple[tuple[str, str, str, bool], ...]] = (
    (r"found character '\t'", "a tab; YAML is indented with spaces", "spaces", False),
    ("found unknown escape character", 'a \\ inside "double quotes" begins an escape', QUOTES, False),
    ("expected escape sequence", 'a \\ inside "double quotes" begins an escape', QUOTES, False),
    ("found unexpected end of stream", "a quote is opened and never closed", "the closing quote", True),
    ("found unexpected document separator", "a quote is opened and never closed", "the closing quote", True),
    ("could not find expected ':'", "a name without its `:`", "`name: value`, or the text in quotes", True),
    ("expected ',' or ']'", "a list `[…]` is not closed, or a comma or quote is missing", "`]`, or quotes", True),
    ("expected ',' or '}'", "a `{…}` is not closed, or a comma or quote is missing", "`}`, or quotes", True),
    ("expected alphabetic or numeric character", "a text that begins with * or & needs quotes", QUOTES, True),
    ("expected <block end>, but found '-'", "the indentation does not fit a list", "each `-` below the first", False),
    (
        "expected <block end>",
        "the indentation does not fit, or quotes are missing",
        "the lines of one block exactly below one another",
        False,
    ),
    ("expected the node content", "a value can't begin like this", QUOTES, False),
    ("cannot start any token", "a value can't begin with this character", QUOTES, False),
    ("expected a single document", "a second document (`---`)", "one document in a file", False),
    (
        "sequence entries are not allowed here",
        "a list can't begin here",
        "the `-` on its own line, below its name",
        False,
    ),
    ("block sequence entries are not allowed", "a list can't begin here", "the `-` on its own line", False),
    ("expected a comment or a line break", "after `|` or `>` the line must end", "the text on the next line", False),
    ("expected chomping or indentation", "after `|` or `>` the line must end", "the text on the next line", False),
    ("undefined tag handle", "a text that begins with ! needs quotes", QUOTES, False),
    ("while scanning a tag", "a text that begins with ! needs quotes", QUOTES, False),
    ("directive", "a line can't begin with %", QUOTES, False),
)


def complain(found: Document, error: yaml.MarkedYAMLError) -> None:
    """YAML's complaint as a fault at the place that a person has to change."""
    problem = " ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "mapping values are not allowed here" in problem:
        return second_colon(found, line, column)
    message, expected = f"this can't be read as YAML: {error.problem}", ""
    for part, ours, wanted, at_begin in COMPLAINTS:
        if part in problem:
            message, expected = ours, wanted
            if at_begin and error.context_mark:
                line, column = error.context_mark.line + 1, error.context_mark.column + 1
            break
    if "unknown escape" in problem:
        column -= 1  # YAML points at the letter behind the backslash
    if "\t" in found.line(line)[: max(1, column)] and not found.line(line)[: column - 1].strip():
        message, expected = "a tab; YAML is indented with spaces", "spaces"
    return found.fault("YAML_SYNTAX", spot(found, line, column), message, expected)


def second_colon(found: Document, line: int, column: int) -> None:
    """A `: ` where none may be: inside a text without quotes, or because the line above is not what it seems."""
    before = found.line(line)[: column - 1]
    if re.search(r":\s", before):
        message, expected = "a colon and a space inside a text without quotes", QUOTES
    else:
        message, expected = (
            "the indentation does not fit the line above",
            "names of one block exactly below one another",
        )
        column = len(before) - len(before.lstrip()) + 1
    found.fault("YAML_SYNTAX", spot(found, line, column), message, expected)


def spot(found: Document, line: int, column: int) -> Place:
    """The word at a place, for the caret."""
    rest = found.line(line)[column - 1 :]
    word = re.match(r"\S+", rest)
    return Place(line, column, word[0] if word else rest[:1])
