"""From a profile as written to the frozen DeviceProfile: what the settings mean together, checked."""

from __future__ import annotations

from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from irisdrop.profiles.choosing import choices_of
from irisdrop.profiles.cleaning import steps_of
from irisdrop.profiles.matching_keys import agree_of, match_of
from irisdrop.profiles.patterns import Unusable, usable_glob
from irisdrop.profiles.places import Document, Location
from irisdrop.profiles.profile import DeviceProfile, Example, ExamRule, Files, Rule
from irisdrop.profiles.proof import examples_of
from irisdrop.profiles.sources import rules_of
from irisdrop.profiles.validation import understood
from irisdrop.profiles.written import WrittenExam, WrittenProfile

# What stands in for a section that is missing or faulty, so that the other sections are still checked.
STAND_INS: Final[dict[str, Any]] = {
    "irisdrop": "1",
    "title": "-",
    "status": "sampled",
    "modality": "OP",
    "files": {"take": ["*"]},
    "read": [],
    "match": [],
    "examples": [],
}


def profile_of(found: Document) -> DeviceProfile:
    """The profile in a document; raises FaultyFile with everything that is wrong with it."""
    read = found.tree.get("read")
    return understood(found, WrittenProfile, lambda written: checked(found, written, read), STAND_INS, {})


def checked(found: Document, written: WrittenProfile, read: Any) -> DeviceProfile:
    """Everything that settings mean together; faults are noted in the document."""
    profile = assembled(found, written, rules_of(found, read if isinstance(read, list) else []))
    check_files(found, written)
    check_source(found, written)
    return profile


def assembled(found: Document, written: WrittenProfile, rules: tuple[Rule, ...]) -> DeviceProfile:
    """All parts together; faults are noted in the document."""
    readable = frozenset(key for rule in rules for key in rule.keys) | found.claimed
    skeleton = written.status == "unverified" and not written.read
    if not written.read and not skeleton:
        found.fault(
            "NO_RULES", found.at(("read",), key=True), "no rule reads anything", "`- filename: '…'` below `read`"
        )
    return DeviceProfile(
        name=PurePath(found.path.replace("\\", "/")).stem,
        path=found.path,
        text=found.text,
        digest=found.digest,
        title=written.title,
        status=written.status,
        source=written.source,
        modality=written.modality,
        files=files_of(written),
        settle=written.settle,
        give_up=written.give_up,
        done=written.done,
        read=rules,
        clean=MappingProxyType(steps_of(found, readable)),
        match=match_of(found, written.match, readable, skeleton=skeleton),
        within=None if written.within < 0 else written.within,
        agree=agree_of(found, written.agree, readable),
        eye=written.eye,
        patience=written.patience,
        oldest=written.oldest,
        expect=written.expect,
        exam=exam_of(found, written.exam, readable),
        context=choices_of(found, "context", written.context, readable),
        deliver=choices_of(found, "deliver", written.deliver, readable),
        examples=proven(found, written, readable, skeleton),
    )


def files_of(written: WrittenProfile) -> Files:
    """The globs, frozen."""
    return Files(tuple(written.files.take), tuple(written.files.skip), tuple(written.files.archives))


def proven(found: Document, written: WrittenProfile, readable: frozenset[str], skeleton: bool) -> tuple[Example, ...]:
    """The examples, each of a file that the profile takes."""
    return examples_of(found, written.examples, readable, files_of(written), skeleton=skeleton)


def exam_of(found: Document, written: WrittenExam, readable: frozenset[str]) -> ExamRule:
    """The grouping, by keys that some rule reads."""
    for index, key in enumerate(written.by):
        if key not in readable:
            place = found.at(("exam", "by", index))
            found.fault("UNREAD_KEY", place, f"no rule reads `{key}`", "a key that a rule of `read` has")
    return ExamRule(tuple(written.by), written.pause, written.over)


def check_files(found: Document, written: WrittenProfile) -> None:
    """Globs that can be used, companions that name the image, times that leave room."""
    for name, globs in (
        ("take", written.files.take),
        ("skip", written.files.skip),
        ("archives", written.files.archives),
    ):
        for index, glob in enumerate(globs):
            check_take(found, ("files", name, index), glob)
            if name == "archives" and not glob.lower().endswith(".zip"):
                place = found.at(("files", name, index))
                found.fault(
                    "WRONG_VALUE", place, "an archive is a ZIP file, whose name ends in .zip", "for example `*.zip`"
                )
    if written.done is not None:
        check_companion(found, ("done",), written.done)
    if written.give_up < written.settle:
        place = found.at(("give_up",) if "give_up" in found.tree else ("settle",))
        found.fault("WRONG_VALUE", place, "`give_up` is shorter than `settle`: no image could ever be complete", "more")


def check_take(found: Document, location: Location, glob: str) -> None:
    """A glob is for base names."""
    place = found.at(location)
    if "/" in glob or "\\" in glob:
        found.fault("WRONG_VALUE", place, "a glob is for base names, without a folder", "for example `*.jpg`")
        return
    try:
        usable_glob(glob)
    except Unusable as error:
        found.fault("WRONG_VALUE", place, error.message, error.expected)


def check_companion(found: Document, location: Location, name: str) -> None:
    """A companion file lies beside the image and carries its name."""
    place = found.at(location)
    rest = name.replace("{name}", "").replace("{stem}", "")
    if "{" in rest or "}" in rest:
        found.fault("WRONG_VALUE", place, "there are only the two placeholders {name} and {stem}", "`{stem}.xml`")
    elif rest == name:
        found.fault("WRONG_VALUE", place, "it is the same file for every image", "{name} or {stem} in it: `{stem}.xml`")
    elif "/" in rest or "\\" in rest or ".." in rest:
        found.fault("WRONG_VALUE", place, "the companion lies beside its image", "a name without a folder")


def check_source(found: Document, written: WrittenProfile) -> None:
    """`documented` is a promise that somebody can look it up."""
    if written.status != "documented":
        return
    if written.source is None:
        place = found.at(("status",))
        found.fault("NO_SOURCE", place, "`documented` needs a `source`", "`source: https://…`, or `status: sampled`")
    elif not written.source.startswith(("https://", "http://")):
        found.fault("NO_SOURCE", found.at(("source",)), "a source can be looked up", "a URL: https://…")
