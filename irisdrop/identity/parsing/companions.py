"""Sidecars: places in XML, JSON, CSV and INI files, as text.

Numbers stay as they were written, so that a leading zero is part of the number in JSON too.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from irisdrop.identity.parsing.content import Damaged, Misasked

LARGEST: Final = 16 << 20
MOST: Final = 500  # places that are listed for a person
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
STEP: Final = re.compile(r"(?:[\w.-]+:)?([^\W\d][\w.-]*)")


class Value(NamedTuple):
    """What stands at one place of a sidecar."""

    place: str
    values: list[str]


def read_places(content: bytes, form: str, places: Iterable[str], encoding: str | None) -> list[Value]:
    """The texts at `places` of a file in `form` (xml, json, csv, ini); absent and empty ones are left out.

    `encoding` wins over what the file says; else a byte order mark, XML's declaration, UTF-8. Raises Damaged where the
    file can't be read, Misasked where a place can't be followed.
    """
    text = decoded(content, form, encoding)
    look_up = FORMS[form](text)
    found = ((place, [text.strip() for text in look_up(place)]) for place in places)
    return [Value(place, kept) for place, texts in found if (kept := [text for text in texts if text])]


def read_all(content: bytes, form: str) -> list[Value]:
    """Every place of a file that has a text, as a rule would name it; raises Damaged where the file can't be read."""
    text = decoded(content, form, None)
    places = dict.fromkeys(PLACES[form](text))
    look_up = FORMS[form](text)
    found = ((place, [one.strip() for one in look_up(place) if one.strip()]) for place in list(places)[:MOST])
    return [Value(place, texts) for place, texts in found if texts]


def decoded(content: bytes, form: str, encoding: str | None) -> str:
    """The text of a file; raises Damaged where it is not in its encoding."""
    declared = DECLARED.match(content) if form == "xml" else None
    marked = next((name for mark, name in MARKS if content.startswith(mark)), None)
    name = encoding or marked or (declared[1].decode() if declared else "utf-8")
    try:
        text = content.decode(name).removeprefix("\ufeff")
    except (UnicodeError, LookupError):
        raise Damaged(f"the sidecar is not in its encoding ({name})") from None
    text = text.rstrip("\0")  # of a file that was made in its final size first
    if "\0" in text:
        raise Damaged(f"the sidecar is not in its encoding ({name})")
    return text


LookUp = Callable[[str], list[str]]


def in_xml(text: str) -> LookUp:
    """Elements and attributes by XPath, whatever their namespaces."""
    from xml.etree import ElementTree

    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise Damaged("the sidecar defines entities, and those are not followed")
    try:
        root = ElementTree.fromstring(
            DECLARATION.sub("", text, count=1).encode(), ElementTree.XMLParser(encoding="utf-8")
        )
    except ElementTree.ParseError:
        raise Damaged("the sidecar is no whole XML") from None
    above = ElementTree.Element("above")
    above.append(root)

    def look_up(place: str) -> list[str]:
        path, _, attribute = place.partition("/@")
        path = path.removesuffix("/text()")
        relative = "." + path if path.startswith("/") else "./" + path
        try:
            elements = above.findall(in_any_namespace(relative))
        except (SyntaxError, KeyError):
            raise Misasked("not a path to an element") from None
        if attribute:
            return [element.attrib[attribute] for element in elements if attribute in element.attrib]
        return ["".join(element.itertext()) for element in elements]

    return look_up


def in_any_namespace(path: str) -> str:
    """Each step of a path without its prefix and for every namespace; conditions in brackets stay."""
    outside = re.split(r"(\[[^\]]*\])", path)
    return "".join(part if part.startswith("[") else STEP.sub(r"{*}\1", part) for part in outside)


def in_json(text: str) -> LookUp:
    """Values by dotted names; a list without a number means each of its items."""
    tree = tree_of(text)

    def look_up(place: str) -> list[str]:
        here: list[Any] = [tree]
        for step in place.replace("[", ".").replace("]", "").split("."):
            here = [child for one in here for child in _children(one, step)]
        flat = [leaf for one in here for leaf in (one if isinstance(one, list) else [one])]
        return [str(leaf).lower() if isinstance(leaf, bool) else leaf for leaf in flat if isinstance(leaf, str | bool)]

    return look_up


class Several(list[Any]):
    """The values of a name that stands more than once in one object."""


def tree_of(text: str) -> Any:
    """JSON with its numbers as they were written: 0815 is none in JSON, but 8.10 is not 8.1."""
    import json

    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise Damaged("the sidecar is no whole JSON") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that says all that was written: of two values of one name none is the right one."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            before = found[name]
            found[name] = Several([*before, value]) if isinstance(before, Several) else Several([before, value])
        else:
            found[name] = value
    return found


def _children(node: Any, step: str) -> list[Any]:
    if isinstance(node, dict):
        child = node.get(step, Several())
        return list(child) if isinstance(child, Several) else [child]
    if isinstance(node, list):
        if step.isdigit():
            return node[int(step) : int(step) + 1]
        return [child for one in node for child in _children(one, step)]
    return []


def in_csv(text: str) -> LookUp:
    """Columns by their heading in the first row, whatever its case; each row below is one value."""
    import csv

    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        raise Damaged("the sidecar is no whole CSV") from None
    headings = [heading.strip().casefold() for heading in (rows[0] if rows else [])]

    def look_up(place: str) -> list[str]:
        columns = [at for at, heading in enumerate(headings) if heading == place.strip().casefold()]
        return [row[at] for row in rows[1:] for at in columns if at < len(row)]

    return look_up


def in_ini(text: str) -> LookUp:
    """Options by `section/option`, or by `option` alone in a file without sections, whatever their case."""
    values: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip().casefold()
        elif line and line[0] not in ";#" and "=" in line:
            name, _, value = line.partition("=")
            values.setdefault((section, name.strip().casefold()), []).append(value.strip().strip('"'))

    def look_up(place: str) -> list[str]:
        name, slash, option = place.partition("/")
        wanted = (name, option) if slash else ("", name)
        return values.get((wanted[0].strip().casefold(), wanted[1].strip().casefold()), [])

    return look_up


FORMS: Final[dict[str, Callable[[str], LookUp]]] = {"xml": in_xml, "json": in_json, "csv": in_csv, "ini": in_ini}


def places_in_xml(text: str) -> Iterable[str]:
    """The leaves and attributes of a document."""
    from xml.etree import ElementTree

    in_xml(text)  # refuses what is not followed
    root = ElementTree.fromstring(DECLARATION.sub("", text, count=1).encode(), ElementTree.XMLParser(encoding="utf-8"))
    above = {child: parent for parent in root.iter() for child in parent}
    parents: dict[str, set[str]] = {}
    for element, parent in above.items():
        parents.setdefault(_name(element.tag), set()).add(_name(parent.tag))
    for element in root.iter():
        name = _name(element.tag)
        # A name that stands below several others is told with the one above it: Patient/ID is not Device/ID.
        path = (
            f"//{_name(above[element].tag)}/{name}"
            if len(parents.get(name, ())) > 1 and element in above
            else f"//{name}"
        )
        if len(element) == 0:
            yield path
        for attribute in element.attrib:
            yield f"{path}/@{attribute}"


def _name(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def places_in_json(text: str) -> Iterable[str]:
    """The dotted names of a document."""
    pending = [("", tree_of(text))]
    while pending:
        place, node = pending.pop()
        children = node.items() if isinstance(node, dict) else enumerate(node[:MOST]) if isinstance(node, list) else ()
        pending += [(f"{place}.{name}" if place else str(name), child) for name, child in children]
        if not isinstance(node, dict | list):
            yield place


def places_in_csv(text: str) -> Iterable[str]:
    """The headings of a table."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    return (heading.strip().strip('"') for heading in first.split(delimiter))


def places_in_ini(text: str) -> Iterable[str]:
    """Sections with their options."""
    section = ""
    for line in text.splitlines():
        if line.strip().startswith("["):
            section = line.strip().strip("[]") + "/"
        elif "=" in line:
            yield section + line.partition("=")[0].strip()


PLACES: Final[dict[str, Callable[[str], Iterable[str]]]] = {
    "xml": places_in_xml,
    "json": places_in_json,
    "csv": places_in_csv,
    "ini": places_in_ini,
}
