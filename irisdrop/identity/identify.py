"""What an export says about itself: every reading with its source, or the reason why nothing can be said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.identity.clean import reading
from irisdrop.identity.contents import Contents, Wanted, WantedSidecar
from irisdrop.identity.extractors import EXTRACTORS
from irisdrop.identity.found import TooLong
from irisdrop.identity.sandbox import ParserFailed, Parsers
from irisdrop.profiles.profile import companion
from irisdrop.vocabulary.images import Reading, split_name
from irisdrop.vocabulary.keys import canonical
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from irisdrop.profiles.profile import DeviceProfile

IMAGES: Final = frozenset({"jpeg", "png", "tiff", "webp", "heif", "jxl", "jp2", "bmp", "gif", "dicom"})

FAILURES: Final = {
    "hung": "reading the file took too long",
    "crashed": "the file crashed the program that reads it",
    "memory": "reading the file took too much memory",
}

PARTS: Final = {"exif": "Exif block", "dicom": "DICOM header", "sidecars": "companion file"}


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A companion file: `file` holds its bytes, `name` is its base name as the camera wrote it."""

    file: Path
    name: str


@dataclass(frozen=True, slots=True)
class Export:
    """One export: `file` holds the bytes (spooled, or the original), `name` is the path below the camera's folder with
    `/` on every system, `sidecars` are the files that came with it."""

    file: Path
    name: str
    sidecars: tuple[Sidecar, ...] = ()


@dataclass(frozen=True, slots=True)
class Identified:
    """Every reading, in the order of the profile's rules; contradictions are for matching to find."""

    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be said: a stable code, and a sentence that holds nothing of the patient."""

    code: Code
    detail: str


def identify(profile: DeviceProfile, export: Export, parsers: Parsers) -> Identified | Refusal:
    """What `export` says about itself by the rules of `profile`.

    The same bytes and name give the same answer, always. Raises OSError where the file can't be opened or read, and
    ParserUnstartable or ParsersClosed where no parser could run: nothing is known about the image then.
    """
    sidecars = _sidecars(profile, export)
    if isinstance(sidecars, Refusal):
        return sidecars
    try:
        contents = parsers.read(export.file, replace(wanted(profile), sidecars=sidecars))
    except ParserFailed as failure:
        return Refusal(Code.UNREADABLE, FAILURES[failure.kind])
    return readings(profile, export.name, contents)


def _sidecars(profile: DeviceProfile, export: Export) -> tuple[WantedSidecar, ...] | Refusal:
    """The companion file of each rule that has one; whatever the case of its name."""
    given = {canonical(one.name).casefold(): one.file for one in export.sidecars}
    found: list[WantedSidecar] = []
    for rule in profile.read:
        if rule.kind == "sidecar":
            name = companion(rule.file, split_name(export.name)[1])
            file = given.get(canonical(name).casefold())
            if file is None:
                return Refusal(Code.UNREADABLE, "its companion file is missing")
            found.append(WantedSidecar(rule.file, file, rule.format, tuple(rule.places), rule.encoding))
    return tuple(found)


def wanted(profile: DeviceProfile) -> Wanted:
    """Everything that the profile's rules need from the image itself, for one visit."""
    asked = [EXTRACTORS[rule.kind].wants(rule) for rule in profile.read]
    return Wanted(
        exif=frozenset().union(*(one.exif for one in asked)),
        dicom=frozenset().union(*(one.dicom for one in asked)),
    )


def readings(profile: DeviceProfile, name: str, contents: Contents) -> Identified | Refusal:
    """What a name and the contents of a file say by the rules of `profile`; pure."""
    if refusal := _unusable(contents):
        return refusal
    found: list[Reading] = []
    for rule in profile.read:
        try:
            for one in EXTRACTORS[rule.kind].extract(rule, name, contents):
                if read := reading(one, profile.clean.get(one.key, ())):
                    found.append(read)
        except TooLong as long:
            return Refusal(Code.UNREADABLE, str(long))
        except Exception as error:  # noqa: BLE001 - told as what it is: a rule that fails has not said "no keys"
            return Refusal(
                Code.PROFILE_FAULT, f"the rule {rule.kind} of line {rule.line} failed ({type(error).__name__})"
            )
    return Identified(tuple(found))


def _unusable(contents: Contents) -> Refusal | None:
    if contents.flaw is not None:
        return Refusal(Code.UNREADABLE, contents.flaw)
    if contents.kind == "special":
        return Refusal(Code.NOT_A_PLAIN_FILE, "it is no plain file")
    if contents.kind not in IMAGES:
        return Refusal(Code.NOT_AN_IMAGE, f"its content is no image ({contents.kind})")
    for part, why in contents.failed.items():
        if part == "profile":
            return Refusal(Code.PROFILE_FAULT, why)
        return Refusal(Code.UNREADABLE, f"its {PARTS[part]} can't be read: {why}")
    return None
