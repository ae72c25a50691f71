"""A camera's profile, frozen: what to take, how to read it, what must agree with the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from irisdrop.profiles.choices import Choice, chosen
from irisdrop.profiles.patterns import Pattern, glob_fits
from irisdrop.vocabulary.images import Reading
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Status = Literal["documented", "sampled", "unverified"]
Kind = Literal["filename", "folder", "exif", "dicom", "sidecar"]

StepArgument = str | int | Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Files:
    """Globs for the base name, whatever the case; `skip` wins. `archives` are ZIP files whose members are exports."""

    take: tuple[str, ...]
    skip: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilenameRule:
    """A pattern for the base name with its extension."""

    pattern: Pattern
    line: int = 0
    kind: Literal["filename"] = "filename"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that this rule can read."""
        return self.pattern.keys


@dataclass(frozen=True, slots=True)
class FolderRule:
    """A pattern for the path below the watched folder without the base name, `/` on every system."""

    pattern: Pattern
    line: int = 0
    kind: Literal["folder"] = "folder"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that this rule can read."""
        return self.pattern.keys


@dataclass(frozen=True, slots=True)
class ExifRule:
    """Exif tag (`ImageDescription`, `0th.ImageDescription`) → key, or a pattern for the tag's whole value."""

    tags: Mapping[str, str | Pattern]
    line: int = 0
    kind: Literal["exif"] = "exif"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that this rule can read."""
        return keys_of(self.tags)


@dataclass(frozen=True, slots=True)
class DicomRule:
    """DICOM element → key, or a pattern for its whole value.

    An element is a keyword, `(gggg,eeee)`, a private `(gggg,xxee,CREATOR)`, or a path into sequences such as
    `RequestAttributesSequence[0].ScheduledProcedureStepID`.
    """

    tags: Mapping[str, str | Pattern]
    line: int = 0
    kind: Literal["dicom"] = "dicom"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that this rule can read."""
        return keys_of(self.tags)


@dataclass(frozen=True, slots=True)
class SidecarRule:
    """A companion file and where in it the keys stand; `wait` is in seconds.

    `file` is a name beside the image with `{name}` and `{stem}`. The places are XPath for xml, dotted names for json,
    column headings for csv, `section/option` for ini. `encoding` None means: by byte order mark, else UTF-8.
    """

    file: str
    format: Literal["xml", "json", "csv", "ini"]
    places: Mapping[str, str | Pattern]
    wait: float = 30.0
    encoding: str | None = None
    line: int = 0
    kind: Literal["sidecar"] = "sidecar"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that this rule can read."""
        return keys_of(self.places)


Rule = FilenameRule | FolderRule | ExifRule | DicomRule | SidecarRule


def keys_of(places: Mapping[str, str | Pattern]) -> tuple[str, ...]:
    """The keys that a mapping of places can read, each once."""
    found: dict[str, None] = {}
    for target in places.values():
        found.update(dict.fromkeys(target.keys if isinstance(target, Pattern) else (target,)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `clean`.

    | kind | argument |
    |---|---|
    | trim, upper, lower, digits, utc | None |
    | strip_prefix, strip_suffix | the text; case-insensitive |
    | pad | how many characters, filled with zeros from the left |
    | map | {token in lower case: value}; a value that is not in it stays |
    | replace | {text: text}, in the order written |
    | date | the format of the raw text, as strptime spells it; `%I` may be 0 |
    """

    kind: str
    argument: StepArgument = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys that decide together; one in `optional` whose value no entry carries is passed over."""

    keys: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " + ".join(key + ("?" if key in self.optional else "") for key in self.keys)


@dataclass(frozen=True, slots=True)
class Example:
    """One export and what the profile must make of it; `exif`, `dicom` and `sidecar` stand for its content."""

    file: str
    gives: Mapping[str, str]
    refuses: Code | None
    line: int
    column: int
    exif: Mapping[str, str]
    dicom: Mapping[str, str]
    sidecar: str | None = None


@dataclass(frozen=True, slots=True)
class ExamRule:
    """Which pictures of one camera are one exam: those that say the same about whose they are, and the same of `by`, with
    no longer pause (seconds) between two of them. It is over so many seconds after its last."""

    by: tuple[str, ...] = ()
    pause: float = 1800.0
    over: float = 600.0


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One camera's profile. Times are in seconds; `digest` is the SHA-256 of `text` in hex."""

    name: str
    path: str
    text: str = field(repr=False)
    digest: str
    title: str
    status: Status
    source: str | None
    modality: str
    files: Files
    settle: float
    give_up: float
    done: str | None
    read: tuple[Rule, ...]
    clean: Mapping[str, tuple[Step, ...]]
    match: tuple[KeySet, ...]
    within: float | None
    agree: tuple[str, ...]
    eye: Literal["required", "platform"]
    patience: float
    oldest: float
    expect: int | None
    exam: ExamRule
    context: tuple[Choice[str], ...]
    deliver: tuple[Choice[bool], ...]
    examples: tuple[Example, ...]

    def takes(self, base_name: str) -> bool:
        """Whether a file of this name is an export of the camera or an archive of some, whatever its letters' case."""
        return self.takes_image(base_name) or self.unpacks(base_name)

    def takes_image(self, base_name: str) -> bool:
        """Whether a file of this name, in a folder or an archive, is an export of the camera."""
        return self._fits(self.files.take, base_name)

    def unpacks(self, base_name: str) -> bool:
        """Whether a file of this name is an archive whose members are exports."""
        return self._fits(self.files.archives, base_name)

    def _fits(self, globs: tuple[str, ...], base_name: str) -> bool:
        if any(glob_fits(glob, base_name) for glob in self.files.skip):
            return False
        return any(glob_fits(glob, base_name) for glob in globs)

    def context_of(self, base_name: str, readings: Iterable[Reading] = ()) -> str:
        """What the picture is for the reader (`Primary`, `Enhancement`, …): the first line that fits decides."""
        choice = chosen(self.context, base_name, readings)
        return "Unknown" if choice is None else choice.value

    def held_back(self, base_name: str | None, readings: Iterable[Reading]) -> Choice[bool] | None:
        """The line of `deliver` by which the picture is for a person; None where it may be delivered.

        Where the name is not known (None), a line that may hold it back by its name does.
        """
        choice = chosen(self.deliver, base_name, readings)
        if base_name is None and choice is None:
            choice = next((one for one in self.deliver if one.key is None and not one.value), None)
        return choice if choice is not None and not choice.value else None

    def done_name(self, base_name: str) -> str | None:
        """The name of the companion file that says that `base_name` is complete; None where none is used."""
        return companion(self.done, base_name) if self.done else None

    def companions_of(self, base_name: str) -> tuple[str, ...]:
        """The names of the companion files that say more about an image."""
        return tuple(companion(rule.file, base_name) for rule in self.read if rule.kind == "sidecar")

    @property
    def sidecar_wait(self) -> float:
        """How long an image waits for its companion files, in seconds."""
        return max((rule.wait for rule in self.read if rule.kind == "sidecar"), default=0.0)

    @property
    def keys(self) -> frozenset[str]:
        """Every key that any rule can read."""
        return frozenset(key for rule in self.read for key in rule.keys)


def companion(template: str, base_name: str) -> str:
    """The file that belongs to `base_name`: `{name}` is the whole name, `{stem}` the name without its extension."""
    stem = base_name.rpartition(".")[0] or base_name
    return template.replace("{name}", base_name).replace("{stem}", stem)


SUFFIXES: Final = (".yaml", ".yml")


def parse_profile(text: str, path: str) -> DeviceProfile:
    """The profile in `text`; raises FaultyFile with all its faults."""
    from irisdrop.profiles.language import profile_of
    from irisdrop.profiles.places import document

    return profile_of(document(text, path))


def load_profile(source: Path | Traversable | str, *, base: Path | None = None) -> DeviceProfile:
    """The profile of a name from the shelf or of a path.

    `base` is the folder that relative paths start from (default: the current one). Raises FaultyFile with all
    faults, Foreseen where there is no such profile.
    """
    from irisdrop.profiles.places import decoded, read_text

    if isinstance(source, Path):
        return parse_profile(read_text(source), str(source))
    found = find_profile(source, base) if isinstance(source, str) else source
    if isinstance(found, Path):
        return parse_profile(read_text(found), str(found))
    return parse_profile(decoded(found.read_bytes(), str(found)), str(found))


def find_profile(name_or_path: str, base: Path | None = None) -> Path | Traversable:
    """The file of a profile; raises Foreseen that lists every place that was searched."""
    from irisdrop.profiles.shelf import find

    return find(name_or_path, base)


def shelf() -> dict[str, Traversable]:
    """The shipped profiles by name."""
    from irisdrop.profiles.shelf import shelf as shipped

    return shipped()
