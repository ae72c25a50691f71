"""The rules of `read`: each source, its places and its patterns, checked before any image meets them."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final, Literal

from irisdrop.profiles import quantities
from irisdrop.profiles.elements import check_dicom, check_exif
from irisdrop.profiles.patterns import LONGEST, MOST, Pattern, Unusable, compiled, groups
from irisdrop.profiles.places import Document, Location, Place
from irisdrop.profiles.profile import DicomRule, ExifRule, FilenameRule, FolderRule, Rule, SidecarRule
from irisdrop.profiles.written import near_key
from irisdrop.vocabulary.keys import KEYS

Format = Literal["xml", "json", "csv", "ini"]

KINDS: Final = ("filename", "folder", "exif", "dicom", "sidecar")
FORMATS: Final[dict[str, Format]] = {"xpath": "xml", "json": "json", "csv": "csv", "ini": "ini"}


def rules_of(found: Document, written: list[Any]) -> tuple[Rule, ...]:
    """The rules that can be used; faults of the others are noted."""
    rules: list[Rule] = []
    for index, one in enumerate(written):
        if not isinstance(one, dict):
            continue
        kinds = [kind for kind in one if kind in KINDS]
        found_here = [rule_of(found, ("read", index, kind), kind, one[kind]) for kind in kinds]
        if len(kinds) == 1:
            rules.extend(rule for rule in found_here if rule is not None)
        elif len(one) == len(kinds):  # none, or several
            place = found.at(("read", index, *kinds[-1:]), key=True)
            found.fault("WRONG_SHAPE", place, "a rule has one source", f"one of {', '.join(KINDS)}; a `- ` for each")
    check_count(found, rules)
    return tuple(rules)


def check_count(found: Document, rules: list[Rule]) -> None:
    """Not more patterns than can be tried on any file in less than a second."""
    count = sum(1 if isinstance(rule, FilenameRule | FolderRule) else patterns_in(rule) for rule in rules)
    if count > MOST:
        place = found.at(("read",), key=True)
        found.fault("PATTERN", place, f"there are {count} patterns in this profile", f"at most {MOST}")


def patterns_in(rule: ExifRule | DicomRule | SidecarRule) -> int:
    """How many places of a rule have a pattern in place of a key."""
    places = rule.places if isinstance(rule, SidecarRule) else rule.tags
    return sum(isinstance(target, Pattern) for target in places.values())


def rule_of(found: Document, location: Location, kind: str, written: Any) -> Rule | None:
    """One rule; None where it can't be used."""
    line = found.at(location, key=True).line
    if kind in ("filename", "folder"):
        pattern = pattern_of(found, location, written) if isinstance(written, str) else None
        if pattern is None:
            return None
        return FilenameRule(pattern, line) if kind == "filename" else FolderRule(pattern, line)
    if not isinstance(written, dict):
        return None
    if kind == "sidecar":
        return sidecar_of(found, location, written, line)
    check = check_exif if kind == "exif" else check_dicom
    for name in written:
        check(found, found.at((*location, name), key=True), name)
    places = places_of(found, location, written)
    return ExifRule(places, line) if kind == "exif" else DicomRule(places, line)


def places_of(found: Document, location: Location, written: dict[str, Any]) -> MappingProxyType[str, str | Pattern]:
    """Place → key or pattern, of what can be used."""
    if not written:
        found.fault("WRONG_SHAPE", found.at(location), "nothing is read here", "`place: key`")
    targets: dict[str, str | Pattern] = {}
    for name, text in written.items():
        target = target_of(found, (*location, name), text) if isinstance(text, str) else None
        if target is not None:
            targets[name] = target
    return MappingProxyType(targets)


def target_of(found: Document, location: Location, text: str) -> str | Pattern | None:
    """A key as it stands, or a pattern for the whole value."""
    if text in KEYS:
        found.claimed.add(text)
        return text
    if re.fullmatch(r"[A-Za-z_ ]*", text):
        place = found.at(location)
        found.claimed.add(near_key(text))
        found.fault(
            "UNKNOWN_KEY",
            place,
            f"`{text}` is no key",
            "a key, or a pattern with one: '(?P<PatientID>.+)'",
            near_key(text),
        )
        return None
    return pattern_of(found, location, text)


def pattern_of(found: Document, location: Location, source: str) -> Pattern | None:
    """A pattern that RE2 runs and whose groups are keys; None, and faults noted, for any other."""
    before = len(found.faults)
    if source.endswith(("'", '"')) and not found.at(location).style:
        place = found.within(location, len(source) - 1, source[-1])
        found.fault(
            "PATTERN", place, "a quote is closed here that was not opened", "the whole pattern in 'single quotes'"
        )
        return None
    found.claimed.update(near_key(group.name) or group.name for group in groups(source) if group.name)
    if len(source) > LONGEST:
        found.fault("PATTERN", found.at(location), f"the pattern is longer than {LONGEST} characters", "a shorter one")
        return None
    try:
        compiled(source)
    except Unusable as error:
        at = source.find(error.part) if error.part != source else 0
        found.fault("PATTERN", found.within(location, max(0, at), error.part), error.message, error.expected)
        return None
    keys = check_groups(found, location, source)
    if not keys and len(found.faults) == before:
        found.fault(
            "PATTERN", found.at(location), "the pattern reads nothing", "a group such as (?P<PatientID>…) in it"
        )
    return Pattern(source, keys) if len(found.faults) == before else None


def check_groups(found: Document, location: Location, source: str) -> tuple[str, ...]:
    """The keys of a pattern; a group without a key, or a key twice, is a fault."""
    keys: list[str] = []
    for group in groups(source):
        if group.name is None:
            place = found.within(location, group.begin, "(")
            found.fault(
                "PATTERN", place, "a group without a name", "(?:…) to group only, (?P<PatientID>…) to read a key"
            )
        elif group.name not in KEYS:
            place = found.within(location, group.name_begin, group.name)
            found.fault(
                "UNKNOWN_KEY",
                place,
                f"`{group.name}` is no key",
                "a DICOM keyword such as PatientID",
                near_key(group.name),
            )
        elif group.name in keys:
            place = found.within(location, group.name_begin, group.name)
            found.fault(
                "PATTERN", place, f"`{group.name}` is in this pattern twice", "a second rule for the other form"
            )
        else:
            keys.append(group.name)
    return tuple(keys)


def sidecar_of(found: Document, location: Location, written: dict[str, Any], line: int) -> SidecarRule | None:
    """A sidecar with exactly one format."""
    from irisdrop.profiles.language import check_companion

    formats = [name for name in FORMATS if isinstance(written.get(name), dict)]
    if len(formats) != 1:
        place = found.at((*location, *formats[-1:]), key=True)
        found.fault("WRONG_SHAPE", place, "a sidecar has one format", f"one of {', '.join(FORMATS)}")
        for name in formats:
            places_of(found, (*location, name), written[name])
        return None
    if isinstance(written.get("file"), str):
        check_companion(found, (*location, "file"), written["file"])
    name = formats[0]
    places = places_of(found, (*location, name), written[name])
    if name == "xpath":
        for path in written[name]:
            check_xpath(found, found.at((*location, name, path), key=True), path)
    encoding = check_encoding(found, (*location, "encoding"), written.get("encoding"))
    wait = quantities.seconds(str(written.get("wait", "30s")))
    return SidecarRule(
        str(written.get("file")),
        FORMATS[name],
        places,
        30.0 if wait is None else wait,
        encoding,
        line,
    )


def check_xpath(found: Document, place: Place, path: str) -> None:
    """The part of XPath that the XML reader knows."""
    from xml.etree.ElementTree import Element

    element, _, attribute = path.rpartition("/@")
    try:
        Element("x").findall("." + (element if attribute and element else path) if path.startswith("/") else path)
    except (SyntaxError, KeyError, TypeError):  # what ElementPath raises for a path that breaks off
        found.fault("WRONG_VALUE", place, "this path can't be followed", "for example //Patient/ID or //Image/@id")


def check_encoding(found: Document, location: Location, name: Any) -> str | None:
    """An encoding that Python knows."""
    import codecs

    if not isinstance(name, str):
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        found.fault("WRONG_VALUE", found.at(location), f"`{name}` is no encoding", "utf-8, utf-16, cp1252, cp932, …")
        return None
