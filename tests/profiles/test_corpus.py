"""Two hundred broken profiles, as persons break them: each fault at its line, none a traceback, none taken silently."""

from __future__ import annotations

import re
import time

import pytest

from irisdrop.explain import prove
from irisdrop.profiles.profile import parse_profile, shelf
from irisdrop.vocabulary.faults import Fault, FaultyFile

GOOD = """\
irisdrop: 1
title: Camera of room 2
status: documented
source: https://camera.example/manual
modality: OP
files: {take: ["*.jpg", "*.jpeg"], skip: ["._*"], archives: ["*.zip"]}
settle: 2s
give_up: 60s
done: "{stem}.done"
read:
  - filename: '(?P<AcquisitionDate>\\d{8})_(?P<PatientID>.+)_(?P<ImageLaterality>[RL])\\.jpe?g'
  - folder: '(?P<StationName>[^/]*)'
  - exif: {DateTimeOriginal: AcquisitionDateTime, UserComment: 'MRN=(?P<AccessionNumber>\\d+)'}
  - dicom: {PatientName: PatientName, "(0010,0030)": PatientBirthDate}
clean:
  PatientID: [trim, {pad: 6}, {strip_prefix: MRN}]
  ImageLaterality: {re: R, li: L}
  AcquisitionDateTime: [{date: "%Y:%m:%d %H:%M:%S"}, utc]
match: [AccessionNumber?, PatientID + PatientBirthDate, PatientID]
within: 24h
agree: [PatientName]
eye: required
patience: 4h
oldest: 30d
context: {"*_mosaic*": Aggregate, "*": Primary}
examples:
  - file: 20250114_000815_R.jpg
    gives: {PatientID: "000815", ImageLaterality: R, AcquisitionDate: "2025-01-14"}
  - {file: 20250114_000815_X.jpg, refuses: NO_KEYS}
"""
LINES = GOOD.splitlines()


def line_of(text: str) -> int:
    """The one line in which a text stands, from 1."""
    found = [number for number, line in enumerate(LINES, 1) if text in line]
    assert len(found) == 1, text
    return found[0]


# (what stands there, what is written instead, the fault's code); the fault is at the line of the change.
BROKEN = (
    ("irisdrop: 1", "irisdrop: 2", "WRONG_VALUE"),
    ("irisdrop: 1", "irisdrop: 1.0", "WRONG_VALUE"),
    ("irisdrop: 1", "irisdrop: one", "WRONG_VALUE"),
    ("irisdrop: 1", "irisdrop:", "MISSING_VALUE"),
    ("irisdrop: 1", "irisdrop: [1]", "WRONG_VALUE"),
    ("title: Camera", "title:Camera", "YAML_SYNTAX"),
    ("title: Camera of room 2", "title:", "MISSING_VALUE"),
    ("title: Camera of room 2", "title: ''", "MISSING_VALUE"),
    ("title: Camera of room 2", "title: [a, b]", "WRONG_SHAPE"),
    ("title: Camera of room 2", "title: {a: b}", "WRONG_SHAPE"),
    ("title: Camera of room 2", "title: room: 2", "YAML_SYNTAX"),
    ("title: Camera of room 2", "title: 'room 2", "YAML_SYNTAX"),
    ("title: Camera of room 2", 'title: "room 2', "YAML_SYNTAX"),
    ("title: Camera of room 2", "title: *room", "YAML_FEATURE"),
    ("title: Camera of room 2", "title: &room Camera", "YAML_FEATURE"),
    ("title: Camera of room 2", "title: !!str Camera", "YAML_FEATURE"),
    ("title: Camera of room 2", "title: @room", "YAML_SYNTAX"),
    ("title: Camera of room 2", "title: %room", "YAML_SYNTAX"),
    ("title: Camera of room 2", "titel: Camera of room 2", "UNKNOWN_SETTING"),
    ("title: Camera of room 2", "Title: Camera of room 2", "UNKNOWN_SETTING"),
    ("title: Camera of room 2", "\ttitle: Camera of room 2", "YAML_SYNTAX"),
    ("title: Camera of room 2", " title: Camera of room 2", "YAML_SYNTAX"),
    ("title: Camera of room 2", "title: Camera\nstatus: sampled", "DUPLICATE_KEY"),
    ("status: documented", "status: Documented", "WRONG_VALUE"),
    ("status: documented", "status: documentd", "WRONG_VALUE"),
    ("status: documented", "status: yes", "WRONG_VALUE"),
    ("status: documented", "status: true", "WRONG_VALUE"),
    ("status: documented", "status: [documented]", "WRONG_VALUE"),
    ("status: documented", "stauts: documented", "UNKNOWN_SETTING"),
    ("source: https://camera.example/manual", "source: the manual", "NO_SOURCE"),
    ("source: https://camera.example/manual", "source: camera.example/manual", "NO_SOURCE"),
    ("source: https://camera.example/manual", "source: [https://camera.example]", "WRONG_SHAPE"),
    ("source: https://camera.example/manual", "sources: https://camera.example/manual", "UNKNOWN_SETTING"),
    ("modality: OP", "modality: op", "WRONG_VALUE"),
    ("modality: OP", "modality: Ophthalmic Photography", "WRONG_VALUE"),
    ("modality: OP", "modality: [OP, OPT]", "WRONG_SHAPE"),
    ("modality: OP", "modality:", "MISSING_VALUE"),
    ("modality: OP", "modalities: OP", "UNKNOWN_SETTING"),
    ('files: {take: ["*.jpg", "*.jpeg"]', "files: {take: []", "WRONG_SHAPE"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {take: "*.jpg"', "WRONG_SHAPE"),
    ('files: {take: ["*.jpg", "*.jpeg"]', "files: {take: [*.jpg]", "YAML_SYNTAX"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {take: ["*.jpg", "*.jpeg"', "YAML_SYNTAX"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {tkae: ["*.jpg", "*.jpeg"]', "UNKNOWN_SETTING"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {take: ["export/*.jpg"]', "WRONG_VALUE"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {take: ["*.jpg", ""]', "MISSING_VALUE"),
    ('files: {take: ["*.jpg", "*.jpeg"]', 'files: {take: [["*.jpg"]]', "WRONG_SHAPE"),
    ('skip: ["._*"]', 'skip: ["[._"]', "WRONG_VALUE"),
    ('skip: ["._*"]', 'skip: {"._*": yes}', "WRONG_SHAPE"),
    ('archives: ["*.zip"]', 'archives: ["a/*.zip"]', "WRONG_VALUE"),
    ('archives: ["*.zip"]', 'archives: ["*.rar"]', "WRONG_VALUE"),
    ('archives: ["*.zip"]', 'archive: ["*.zip"]', "UNKNOWN_SETTING"),
    ("settle: 2s", "settle: 2", "WRONG_VALUE"),
    ("settle: 2s", "settle: 2 seconds", "WRONG_VALUE"),
    ("settle: 2s", "settle: -2s", "WRONG_VALUE"),
    ("settle: 2s", "settle: 2,5s", "WRONG_VALUE"),
    ("settle: 2s", "settle: {seconds: 2}", "WRONG_VALUE"),
    ("settle: 2s", "settle:", "MISSING_VALUE"),
    ("give_up: 60s", "give_up: 1s", "WRONG_VALUE"),
    ("give_up: 60s", "giveup: 60s", "UNKNOWN_SETTING"),
    ("give_up: 60s", "give_up: never", "WRONG_VALUE"),
    ('done: "{stem}.done"', "done: ready.txt", "WRONG_VALUE"),
    ('done: "{stem}.done"', 'done: "{base}.done"', "WRONG_VALUE"),
    ('done: "{stem}.done"', 'done: "../{stem}.done"', "WRONG_VALUE"),
    ('done: "{stem}.done"', "done: {stem}.done", "YAML_SYNTAX"),
    ("read:", "reads:", "UNKNOWN_SETTING"),
    ("filename: '", "filname: '", "UNKNOWN_SETTING"),
    ("filename: '", "filename: ", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientId>.+)", "UNKNOWN_KEY"),
    ("(?P<PatientID>.+)", "(?P<pid>.+)", "UNKNOWN_KEY"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.+", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.+))", "PATTERN"),
    ("(?P<PatientID>.+)", "(.+)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>(?=.)+)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.++)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>[a-)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.+)(?P<PatientID>.)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>\\\\1)", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.{1,9999})", "PATTERN"),
    ("(?P<PatientID>.+)", "(?P<PatientID>.+)" + "x" * 1001, "PATTERN"),
    ("(?P<PatientID>.+)", "(?<PatientID>.+)(?<=x)", "PATTERN"),
    ("(?P<StationName>[^/]*)", "[^/]*", "PATTERN"),
    ("- folder: '(?P<StationName>[^/]*)'", "- folder: StationName", "PATTERN"),
    ("- folder: '(?P<StationName>[^/]*)'", "- folder:", "MISSING_VALUE"),
    ("- folder: '(?P<StationName>[^/]*)'", "- folders: '(?P<StationName>[^/]*)'", "UNKNOWN_SETTING"),
    ("- folder: '(?P<StationName>[^/]*)'", "- folder '(?P<StationName>[^/]*)'", "WRONG_SHAPE"),
    ("  - folder: '(?P<StationName>[^/]*)'", " - folder: '(?P<StationName>[^/]*)'", "YAML_SYNTAX"),
    ("  - folder: '(?P<StationName>[^/]*)'", "\t- folder: '(?P<StationName>[^/]*)'", "YAML_SYNTAX"),
    ("DateTimeOriginal: AcquisitionDateTime", "DateTimeOriginal: AcquisitionDatetime", "UNKNOWN_KEY"),
    ("DateTimeOriginal: AcquisitionDateTime", "DateTimeOriginal: date", "UNKNOWN_KEY"),
    ("DateTimeOriginal: AcquisitionDateTime", "DateTimeOriginl: AcquisitionDateTime", "WRONG_VALUE"),
    ("DateTimeOriginal: AcquisitionDateTime", "DateTimeOriginal: [AcquisitionDateTime]", "WRONG_SHAPE"),
    ("DateTimeOriginal: AcquisitionDateTime", "DateTimeOriginal:", "MISSING_VALUE"),
    ("UserComment: 'MRN=(?P<AccessionNumber>\\\\d+)'", "UserComment: 'MRN=(?P<Accession>\\\\d+)'", "UNKNOWN_KEY"),
    ("{PatientName: PatientName,", "{PatientsName: PatientName,", "WRONG_VALUE"),
    ('"(0010,0030)"', '"(0010,003)"', "WRONG_VALUE"),
    ('"(0010,0030)"', "(0010,0030)", "MISSING_VALUE"),
    ("PatientID: [trim,", "PatientID: [trimm,", "WRONG_VALUE"),
    ("PatientID: [trim,", "PatientID: [trim", "YAML_SYNTAX"),
    ("PatientID: [trim,", "PatientId: [trim,", "UNKNOWN_KEY"),
    ("PatientID: [trim,", "SOPInstanceUID: [trim,", "UNREAD_KEY"),
    ("{pad: 6}", "{pad: six}", "WRONG_VALUE"),
    ("{pad: 6}", "{pad: 0}", "WRONG_VALUE"),
    ("{pad: 6}", "{pad: 6, trim: yes}", "UNKNOWN_SETTING"),
    ("{pad: 6}", "{padd: 6}", "UNKNOWN_SETTING"),
    ("{strip_prefix: MRN}", "{strip_prefix: }", "MISSING_VALUE"),
    ("ImageLaterality: {re: R, li: L}", "ImageLaterality: {re: OD, li: L}", "WRONG_VALUE"),
    ("ImageLaterality: {re: R, li: L}", "ImageLaterality: {re: R, RE: L}", "DUPLICATE_KEY"),
    ("ImageLaterality: {re: R, li: L}", "ImageLaterality: {re: R, re: L}", "DUPLICATE_KEY"),
    ("ImageLaterality: {re: R, li: L}", "ImageLaterality: {map: R}", "WRONG_SHAPE"),
    ("ImageLaterality: {re: R, li: L}", "ImageLaterality: R", "WRONG_VALUE"),
    ('{date: "%Y:%m:%d %H:%M:%S"}', '{date: "YYYY:MM:DD"}', "WRONG_VALUE"),
    ('{date: "%Y:%m:%d %H:%M:%S"}', '{date: "%y:%m:%d %H:%M:%S"}', "WRONG_VALUE"),
    ('{date: "%Y:%m:%d %H:%M:%S"}', '{date: "%Y:%m:%d %I:%M:%S"}', "WRONG_VALUE"),
    ('{date: "%Y:%m:%d %H:%M:%S"}', '{date: "%Y:%m %H:%M"}', "WRONG_VALUE"),
    ('{date: "%Y:%m:%d %H:%M:%S"}', "{date: %Y:%m:%d}", "YAML_SYNTAX"),
    ("match: [AccessionNumber?, ", "match: [AccessionNumbr?, ", "UNKNOWN_KEY"),
    ("match: [AccessionNumber?, ", "match: [StudyInstanceUID?, ", "UNREAD_KEY"),
    ("match: [AccessionNumber?, ", "match: [ImageLaterality, ", "WRONG_VALUE"),
    ("match: [AccessionNumber?, ", "match: [PatientID, ", "UNREACHABLE"),
    ("PatientID + PatientBirthDate", "PatientID + ", "WRONG_VALUE"),
    ("PatientID + PatientBirthDate", "PatientID + PatientID", "DUPLICATE_KEY"),
    ("PatientID + PatientBirthDate", "PatientID and PatientBirthDate", "UNKNOWN_KEY"),
    ("match: [AccessionNumber?, PatientID + PatientBirthDate, PatientID]", "match: []", "MISSING"),
    ("match: [AccessionNumber?, PatientID + PatientBirthDate, PatientID]", "match: PatientID", "WRONG_SHAPE"),
    ("match: [AccessionNumber?, PatientID + PatientBirthDate, PatientID]", "matches: [PatientID]", "UNKNOWN_SETTING"),
    ("within: 24h", "within: 24", "WRONG_VALUE"),
    ("within: 24h", "within: a day", "WRONG_VALUE"),
    ("within: 24h", "within: 24 h ours", "WRONG_VALUE"),
    ("agree: [PatientName]", "agree: PatientName", "WRONG_SHAPE"),
    ("agree: [PatientName]", "agree: [PatientSex]", "UNREAD_KEY"),
    ("agree: [PatientName]", "agree: [name]", "UNKNOWN_KEY"),
    ("agree: [PatientName]", "agree: [PatientName, PatientName]", "DUPLICATE_KEY"),
    ("eye: required", "eye: optional", "WRONG_VALUE"),
    ("eye: required", "eye: no", "WRONG_VALUE"),
    ("eye: required", "eyes: required", "UNKNOWN_SETTING"),
    ("patience: 4h", "patience: four hours", "WRONG_VALUE"),
    ("patience: 4h", "patience: 4hh", "WRONG_VALUE"),
    ("oldest: 30d", "oldest: 30", "WRONG_VALUE"),
    ("oldest: 30d", "oldest: 1e9", "WRONG_VALUE"),
    ('"*": Primary', '"*": primary', "WRONG_VALUE"),
    ('"*": Primary', '"a/*": Primary', "WRONG_VALUE"),
    ('context: {"*_mosaic*": Aggregate, "*": Primary}', "context: Main", "WRONG_VALUE"),
    ('context: {"*_mosaic*": Aggregate, "*": Primary}', "context: [Primary]", "WRONG_VALUE"),
    ("examples:", "example:", "UNKNOWN_SETTING"),
    ("- file: 20250114_000815_R.jpg", "- file: 20250114_000815_R.png", "WRONG_EXAMPLE"),
    ("- file: 20250114_000815_R.jpg", "- file: ._20250114_000815_R.jpg", "WRONG_EXAMPLE"),
    ("- file: 20250114_000815_R.jpg", "- file: C:\\\\x\\\\20250114_000815_R.jpg", "WRONG_VALUE"),
    ("- file: 20250114_000815_R.jpg", "- file:", "MISSING_VALUE"),
    ("- file: 20250114_000815_R.jpg", "- name: 20250114_000815_R.jpg", "UNKNOWN_SETTING"),
    ('gives: {PatientID: "000815"', 'gives: {PatientId: "000815"', "UNKNOWN_KEY"),
    ('gives: {PatientID: "000815"', 'gives: {SOPInstanceUID: "1"', "UNREAD_KEY"),
    ("ImageLaterality: R, Acq", "ImageLaterality: OD, Acq", "WRONG_VALUE"),
    ("ImageLaterality: R, Acq", "ImageLaterality: right, Acq", "WRONG_VALUE"),
    ('AcquisitionDate: "2025-01-14"', 'AcquisitionDate: "20250114"', "WRONG_VALUE"),
    ('AcquisitionDate: "2025-01-14"', 'AcquisitionDate: "14.01.2025"', "WRONG_VALUE"),
    ("refuses: NO_KEYS", "refuses: NO_KEY", "WRONG_VALUE"),
    ("refuses: NO_KEYS", "refuses: no", "WRONG_VALUE"),
    ("refuses: NO_KEYS", "refuses: AMBIGUOUS", "WRONG_VALUE"),
    ("refuses: NO_KEYS", "refuse: NO_KEYS", "UNKNOWN_SETTING"),
    ("refuses: NO_KEYS}", "refuses: NO_KEYS", "YAML_SYNTAX"),
    # What only running the examples shows.
    ('gives: {PatientID: "000815"', 'gives: {PatientID: "815"', "EXAMPLE_FAILED"),
    ("ImageLaterality: R, Acq", "ImageLaterality: L, Acq", "EXAMPLE_FAILED"),
    ("20250114_000815_X.jpg", "20250114_000815_L.jpg", "EXAMPLE_FAILED"),
)


def faults(text: str) -> list[Fault]:
    """All faults of a profile, those of its examples too."""
    try:
        return prove(parse_profile(text, "camera.yaml"))
    except FaultyFile as faulty:
        return list(faulty.faults)


def test_the_profile_that_is_broken_is_sound() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "code"), BROKEN, ids=[f"{at:03}-{new[:30]}" for at, (_, new, _c) in enumerate(BROKEN)]
)
def test_a_broken_profile_is_told_at_its_line(old: str, new: str, code: str) -> None:
    old, new = old.replace("\\\\", "\\"), new.replace("\\\\", "\\")
    number = line_of(old)
    begin = time.thread_time()
    found = faults(GOOD.replace(old, new, 1))
    assert time.thread_time() - begin < 1
    told = [(fault.code, fault.line) for fault in found]
    # An example's fault stands at the example, which begins a line earlier; a value set down twice is told at the second.
    lines = {number, number - 1} if code == "EXAMPLE_FAILED" else {number, number + new.count("\n")}
    if code == "DUPLICATE_KEY" and "\n" in new:
        lines.add(number + 2)
    assert any(one == code and line in lines for one, line in told), told
    first = found[0]
    assert first.message and first.expected + first.suggestion + first.message


def without(name: str) -> str:
    """The good profile without one of its settings."""
    found = re.sub(rf"^{name}:.*\n(?:[ -].*\n)*", "", GOOD, flags=re.MULTILINE)
    assert found != GOOD
    return found


@pytest.mark.parametrize("name", ["irisdrop", "title", "status", "modality", "files", "read", "match", "examples"])
def test_a_setting_that_is_missing_is_told(name: str) -> None:
    assert any(fault.code == "MISSING" and f"`{name}`" in fault.message for fault in faults(without(name)))


@pytest.mark.parametrize("length", [1, 10, 50, 100, 200, 400, 800, 1000])
def test_a_file_that_was_cut_off_is_told(length: int) -> None:
    found = faults(GOOD[:length])
    assert found
    assert all(1 <= fault.line <= GOOD[:length].count("\n") + 2 for fault in found)


@pytest.mark.parametrize("name", sorted(shelf()))
@pytest.mark.parametrize("what", ["tab", "quote", "colon", "twice", "dedent"])
def test_a_shipped_profile_that_an_editor_spoilt_is_told(name: str, what: str) -> None:
    text = shelf()[name].read_bytes().decode()
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("title:"))
    spoilt = {
        "tab": [*lines[:at], "\t" + lines[at], *lines[at + 1 :]],
        "quote": [*lines[:at], lines[at].replace(": ", ": '", 1), *lines[at + 1 :]],
        "colon": [*lines[:at], lines[at].replace(": ", ": x: ", 1), *lines[at + 1 :]],
        "twice": [*lines[: at + 1], *lines[at:]],
        "dedent": [*lines[:at], "  " + lines[at], *lines[at + 1 :]],
    }[what]
    found = faults("\n".join(spoilt) + "\n")
    assert any(abs(fault.line - (at + 1)) <= 1 for fault in found), [str(fault) for fault in found]


def test_there_are_two_hundred_of_them() -> None:
    assert len(BROKEN) + 8 + 8 + 5 * len(shelf()) >= 200
