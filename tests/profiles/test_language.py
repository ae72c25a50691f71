"""Faults of meaning: each at its line and column, in its words, all at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from spoilt import Faults, Spoilt, each

Replaced = Callable[[str, str], str]

PATTERN = "(?P<PatientID>.+)_(?P<ImageLaterality>[RL])\\.jpg"

# (what is replaced, by what, code, line, column, message, did you mean)
SPOILT: list[tuple[str, str, str, int, int, str, str]] = [
    ("irisdrop: 1", "irisdrop: 2", "WRONG_VALUE", 1, 11, "`2` is not possible here", ""),
    ("title: Camera of room 2\n", "", "MISSING", 1, 1, "`title` is missing here", ""),
    ("title: Camera of room 2", "title:", "MISSING_VALUE", 2, 1, "`title` has no value", ""),
    ("title: Camera of room 2", "title: ' '", "MISSING_VALUE", 2, 8, "the text is empty", ""),
    ("title: Camera of room 2", "title: [x]", "WRONG_SHAPE", 2, 8, "a list can't stand here", ""),
    ("status: sampled", "status: sample", "WRONG_VALUE", 3, 9, "`sample` is not possible here", "sampled"),
    ("status: sampled", "status: documented", "NO_SOURCE", 3, 9, "`documented` needs a `source`", ""),
    ("status: sampled", "status: documented\nsource: a book", "NO_SOURCE", 4, 9, "a source can be looked up", ""),
    ("modality: OP", "modality: fundus", "WRONG_VALUE", 4, 11, "`fundus` is not possible here", ""),
    ("modality: OP", "modality: OP\nsetle: 2s", "UNKNOWN_SETTING", 5, 1, "`setle` is no setting here", "settle"),
    ("modality: OP", "modality: OP\nsettle: 2", "WRONG_VALUE", 5, 9, "this is no duration", ""),
    ("modality: OP", "modality: OP\nwithin: always", "WRONG_VALUE", 5, 9, "this is no duration", ""),
    (
        "modality: OP",
        "modality: OP\nsettle: 2m",
        "WRONG_VALUE",
        5,
        9,
        "`give_up` is shorter than `settle`: no image could ever be complete",
        "",
    ),
    ("modality: OP", "modality: OP\neye: left", "WRONG_VALUE", 5, 6, "`left` is not possible here", ""),
    ("modality: OP", "modality: OP\ndone: x.done", "WRONG_VALUE", 5, 7, "it is the same file for every image", ""),
    (
        "modality: OP",
        "modality: OP\ndone: '{file}.done'",
        "WRONG_VALUE",
        5,
        7,
        "there are only the two placeholders {name} and {stem}",
        "",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: primary",
        "WRONG_VALUE",
        5,
        10,
        "`primary` is not possible here",
        "Primary",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {PatientID: Primary}",
        "WRONG_SHAPE",
        5,
        22,
        "`PatientID` is a key: its values stand below it",
        "",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {PatientId: {a*: Primary}}",
        "UNKNOWN_KEY",
        5,
        11,
        "`PatientId` is no key",
        "PatientID",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {ImageType: {a: Primary}}",
        "UNREAD_KEY",
        5,
        11,
        "no rule reads `ImageType`",
        "",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {PatientID: {a*: primary}}",
        "WRONG_VALUE",
        5,
        27,
        "`primary` is not possible here",
        "Primary",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {'*': Primary, 'a*': Component}",
        "UNREACHABLE",
        5,
        25,
        "the `*` of line 5 fits before this",
        "",
    ),
    (
        "modality: OP",
        "modality: OP\ncontext: {'" + "*a" * 200 + "': Primary}",
        "WRONG_VALUE",
        5,
        11,
        "the glob is longer than 255 characters",
        "",
    ),
    (
        "modality: OP",
        "modality: OP\ndeliver: {PatientID: {" + ", ".join(f"a{n}: no" for n in range(40)) + "}, "
        "ImageLaterality: {" + ", ".join(f"a{n}: no" for n in range(11)) + "}}",
        "WRONG_VALUE",
        5,
        1,
        "there are 51 globs here",
        "",
    ),
    ('files: {take: ["*.jpg"]}', "files: {take: ['[z-a]*']}", "WRONG_VALUE", 5, 16, "a character class is wrong", ""),
    ("modality: OP", "modality: OP\ncontext: {'[a': Primary}", "WRONG_VALUE", 5, 11, "a `[` is never closed", ""),
    ("modality: OP", "modality: OP\ndeliver: never", "WRONG_VALUE", 5, 10, "`never` is not possible here", ""),
    ("modality: OP", "modality: OP\ndeliver: {'a*': maybe}", "WRONG_VALUE", 5, 17, "`maybe` is not possible here", ""),
    ("modality: OP", "modality: OP\ndeliver: [no]", "WRONG_VALUE", 5, 10, "this is not possible here", ""),
    (
        "modality: OP",
        "modality: OP\ndeliver: {'x/a*': no}",
        "WRONG_VALUE",
        5,
        11,
        "a glob is for base names, without a folder",
        "",
    ),
    ("modality: OP", "modality: OP\nexam: {by: [AdmissionID]}", "UNREAD_KEY", 5, 13, "no rule reads `AdmissionID`", ""),
    ("modality: OP", "modality: OP\nexam: {paus: 1h}", "UNKNOWN_SETTING", 5, 8, "`paus` is no setting here", "pause"),
    ("modality: OP", "modality: OP\nexam: {pause: 60}", "WRONG_VALUE", 5, 15, "this is no duration", ""),
    ("modality: OP", "modality: OP\nagree: [PatientSex]", "UNREAD_KEY", 5, 9, "no rule reads `PatientSex`", ""),
    ("modality: OP", "modality: OP\nagree: [Sex]", "UNKNOWN_KEY", 5, 9, "`Sex` is no key", "PatientSex"),
    ("modality: OP", "modality: OP\nagree: PatientID", "WRONG_SHAPE", 5, 8, "a text can't stand here", "[PatientID]"),
    ('{take: ["*.jpg"]}', "{take: []}", "WRONG_SHAPE", 5, 15, "a list can't stand here", ""),
    (
        '{take: ["*.jpg"]}',
        '{take: ["x/*.jpg"]}',
        "WRONG_VALUE",
        5,
        16,
        "a glob is for base names, without a folder",
        "",
    ),
    ('{take: ["*.jpg"]}', '{take: ["*.jpg"], skip: ["[a"]}', "WRONG_VALUE", 5, 33, "a `[` is never closed", ""),
    ('{take: ["*.jpg"]}', '{takes: ["*.jpg"]}', "UNKNOWN_SETTING", 5, 9, "`takes` is no setting here", "take"),
    ("<PatientID>", "<pid>", "UNKNOWN_KEY", 7, 20, "`pid` is no key", "PatientID"),
    ("<ImageLaterality>", "<Imagelaterality>", "UNKNOWN_KEY", 7, 38, "`Imagelaterality` is no key", "ImageLaterality"),
    ("<ImageLaterality>", "<PatientID>", "PATTERN", 7, 38, "`PatientID` is in this pattern twice", ""),
    (
        "[RL])\\.jpg'",
        "[RL])(?=\\.jpg)'",
        "PATTERN",
        7,
        59,
        "RE2 has no lookahead: it guarantees that no name can make a pattern run for ever",
        "",
    ),
    ("[RL])\\.jpg'", "[RL])(\\.jpg)'", "PATTERN", 7, 59, "a group without a name", ""),
    ("filename:", "filenam:", "UNKNOWN_SETTING", 7, 5, "`filenam` is no setting here", "filename"),
    ("  - filename:", "  - folder: x\n    filename:", "WRONG_SHAPE", 8, 5, "a rule has one source", ""),
    ("  - filename:", "  - folder: x\n  - filename:", "PATTERN", 7, 13, "the pattern reads nothing", ""),
    (
        "  - filename:",
        "  - exif: {ImageDescripton: AccessionNumber}\n  - filename:",
        "WRONG_VALUE",
        7,
        12,
        "`ImageDescripton` is no Exif tag",
        "ImageDescription",
    ),
    (
        "  - filename:",
        "  - exif: {Image.Make: StationName}\n  - filename:",
        "WRONG_VALUE",
        7,
        12,
        "`Image` is no group of Exif tags",
        "0th.Make",
    ),
    (
        "  - filename:",
        "  - dicom: {PatinetID: PatientID}\n  - filename:",
        "WRONG_VALUE",
        7,
        13,
        "`PatinetID` is no DICOM keyword",
        "PatientID",
    ),
    (
        "  - filename:",
        "  - dicom: {'0020,0062': ImageLaterality}\n  - filename:",
        "WRONG_VALUE",
        7,
        13,
        "`0020,0062` is no DICOM element",
        '"(0020,0062)"',
    ),
    (
        "  - filename:",
        "  - dicom: {AccessionNumber: Accession}\n  - filename:",
        "UNKNOWN_KEY",
        7,
        30,
        "`Accession` is no key",
        "AccessionNumber",
    ),
    (
        "  - filename:",
        "  - sidecar: {file: '{stem}.xml', xpath: {//a: StationName}, json: {a: Modality}}\n  - filename:",
        "WRONG_SHAPE",
        7,
        62,
        "a sidecar has one format",
        "",
    ),
    (
        "  - filename:",
        "  - sidecar: {file: '{stem}.xml', xpath: {'//a[': StationName}}\n  - filename:",
        "WRONG_VALUE",
        7,
        43,
        "this path can't be followed",
        "",
    ),
    (
        "  - filename:",
        "  - sidecar: {file: '{stem}.txt', ini: {a/b: StationName}, encoding: cp125}\n  - filename:",
        "WRONG_VALUE",
        7,
        70,
        "`cp125` is no encoding",
        "",
    ),
    ("match: [PatientID]", "match: []", "MISSING", 8, 1, "no key set decides", ""),
    ("match: [PatientID]", "match: [StudyInstanceUID?]", "UNREAD_KEY", 8, 9, "no rule reads `StudyInstanceUID`", ""),
    ("match: [PatientID]", "match: [MRN]", "UNKNOWN_KEY", 8, 9, "`MRN` is no key", "PatientID"),
    (
        "match: [PatientID]",
        "match: [PatientID + ]",
        "WRONG_VALUE",
        8,
        9,
        "a key is missing beside `+`",
        "",
    ),
    (
        "match: [PatientID]",
        "match: [ImageLaterality]",
        "WRONG_VALUE",
        8,
        9,
        "nothing in this key set says whose the image is",
        "",
    ),
    (
        "match: [PatientID]",
        "match: [PatientID, PatientID + ImageLaterality]",
        "UNREACHABLE",
        8,
        20,
        "`PatientID` above always decides before `PatientID + ImageLaterality`",
        "",
    ),
    ("match:", "clean: {PatientID: trims}\nmatch:", "WRONG_VALUE", 8, 20, "`trims` is not possible here", "trim"),
    ("match:", "clean: {PatientID: [{pads: 6}]}\nmatch:", "UNKNOWN_SETTING", 8, 22, "`pads` is no setting here", "pad"),
    ("match:", "clean: {PatientID: [{pad: six}]}\nmatch:", "WRONG_VALUE", 8, 27, "`six` is not possible here", ""),
    (
        "match:",
        "clean: {PatientID: {pad: 6}}\nmatch:",
        "WRONG_SHAPE",
        8,
        21,
        "is `pad` a step or a token?",
        "[{pad: …}]",
    ),
    ("match:", "clean: {PatientSex: trim}\nmatch:", "UNREAD_KEY", 8, 9, "no rule reads `PatientSex`", ""),
    ("match:", "clean: {ImageLaterality: {x: right}}\nmatch:", "WRONG_VALUE", 8, 30, "`right` is no eye", "R"),
    (
        "match:",
        "clean: {PatientID: {a: x, A: y}}\nmatch:",
        "DUPLICATE_KEY",
        8,
        27,
        "`A` is here twice: case does not count",
        "",
    ),
    (
        "match:",
        "clean: {PatientID: [{date: '%Y'}]}\nmatch:",
        "WRONG_VALUE",
        8,
        22,
        "`PatientID` is no date or time",
        "",
    ),
    ("match:", "clean: {PatientID: [utc]}\nmatch:", "WRONG_VALUE", 8, 20, "only a time of day can be UTC", ""),
    ("gives: {PatientID: 000815}", "gives: {}", "NO_EXAMPLE", 10, 5, "the example proves nothing", ""),
    ("refuses: NO_KEYS", "refuses: NO_KEY", "WRONG_VALUE", 11, 35, "`NO_KEY` is not possible here", "NO_KEYS"),
    (
        "refuses: NO_KEYS",
        "refuses: AMBIGUOUS",
        "WRONG_VALUE",
        11,
        35,
        "an example alone can't end in AMBIGUOUS",
        "",
    ),
    ("gives: {PatientID: 000815}", "gives: {PatientSex: M}", "UNREAD_KEY", 10, 34, "no rule reads `PatientSex`", ""),
    (
        "gives: {PatientID: 000815}",
        "gives: {ImageLaterality: OD}",
        "WRONG_VALUE",
        10,
        51,
        "`OD` is not how ImageLaterality is written",
        "R",
    ),
    ("000815_R.jpg", "000815_R.png", "WRONG_EXAMPLE", 10, 12, "`files: take` does not take this file", ""),
    ("000815_R.jpg", "x\\000815_R.jpg", "WRONG_VALUE", 10, 12, "an example is a path below the watched folder", ""),
    ("  - {file: 000815_X.jpg, refuses: NO_KEYS}\n", "", "NO_EXAMPLE", 9, 1, "no example is refused", ""),
]


@each(SPOILT)
def test_a_fault_has_its_place_and_its_words(good: str, faults: Faults, one: Spoilt) -> None:
    found = faults(one.within(good))
    assert one.told(found), found


def test_the_good_profile_has_no_fault(good: str, faults: Faults) -> None:
    assert faults(good) == ()


def test_one_fault_does_not_bring_others_that_only_follow_from_it(spoilt: Replaced, faults: Faults) -> None:
    for old, new, *_ in SPOILT:
        if new and "read" not in new and old != "filename:":
            assert len(faults(spoilt(old, new))) <= 2, new


DATES: list[tuple[str, str]] = [
    ("%d-%m-%y", "a year of two digits is a guess"),
    ("YYYY-MM-DD", "a format is spelled with %"),
    ("%Y-%m", "the format does not give a whole date"),
    ("%Y-%m-%d", "the format does not give an hour"),
    ("%Y-%m-%d %I", "`%I` needs `%p`: which half of the day?"),
    ("%Y-%m-%d %H %p", "`%p` does nothing beside `%H`"),
    ("%Y-%m-%d %H %Q", "`%Q` is not known here"),
]


@pytest.mark.parametrize(("form", "message"), DATES)
def test_a_date_format_that_can_not_give_a_date_is_refused(
    spoilt: Replaced, faults: Faults, form: str, message: str
) -> None:
    text = spoilt("(?P<ImageLaterality>[RL])", "(?P<AcquisitionDateTime>.+)").replace(
        "match:", f"clean: {{AcquisitionDateTime: [{{date: '{form}'}}]}}\nmatch:"
    )
    assert message in [one.message for one in faults(text)]


def test_a_foreign_date_format_is_spelled_for_the_reader(spoilt: Replaced, faults: Faults) -> None:
    text = spoilt("(?P<ImageLaterality>[RL])", "(?P<AcquisitionDate>.+)").replace(
        "match:", "clean: {AcquisitionDate: [{date: DD.MM.YYYY}]}\nmatch:"
    )
    assert faults(text)[0].suggestion == "%d.%m.%Y"


def test_all_faults_are_told_at_once_and_in_order(faults: Faults) -> None:
    text = """\
irisdrop: 1
status: documented
modality: op
files: {take: ["*.jpg"]}
settle: 2
read:
  - filename: '(?P<mrn>.+)_(?P<Laterality>[RL])(?!x)\\.jpg'
  - exif: {UserComent: AccessionNumber}
match: [PatientID, StudyInstanceUID]
agree: [PatientNam]
examples:
  - {file: a.png, gives: {PatientID: 1}}
"""
    found = faults(text)
    assert [(one.line, one.code) for one in found] == [
        (1, "MISSING"),
        (2, "NO_SOURCE"),
        (3, "WRONG_VALUE"),
        (5, "WRONG_VALUE"),
        (7, "PATTERN"),
        (8, "WRONG_VALUE"),
        (9, "UNREAD_KEY"),
        (10, "UNKNOWN_KEY"),
        (11, "NO_EXAMPLE"),
        (12, "WRONG_EXAMPLE"),
    ]


def test_a_fault_reads_like_this(spoilt: Replaced, faults: Faults) -> None:
    """The wording that a person sees, as a whole."""
    assert str(faults(spoilt("<PatientID>", "<pid>"))[0]) == (
        "camera.yaml:7:20: `pid` is no key [UNKNOWN_KEY]\n"
        "      - filename: '(?P<pid>.+)_(?P<ImageLaterality>[RL])\\.jpg'\n"
        "                       ^^^\n"
        "  expected: a DICOM keyword such as PatientID\n"
        "  did you mean: PatientID"
    )


def test_an_unverified_skeleton_may_read_nothing(faults: Faults) -> None:
    assert (
        faults(
            "irisdrop: 1\ntitle: Nexy\nstatus: unverified\nmodality: OP\nfiles: {take: ['*.jpg']}\nread: []\nmatch: []\n"
            "examples: [{file: a.jpg, refuses: PROFILE_UNVERIFIED}]\n"
        )
        == ()
    )


def test_no_other_profile_may(faults: Faults, good: str) -> None:
    begin = good[: good.index("read:")]
    text = begin + "read: []\nmatch: []\nexamples: [{file: a.jpg, refuses: NO_KEYS}]\n"
    assert {one.code for one in faults(text)} == {"NO_RULES", "MISSING", "NO_EXAMPLE"}
