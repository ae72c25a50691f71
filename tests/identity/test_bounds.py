"""No pattern and no file takes more than a second."""

from __future__ import annotations

import time

import pytest

from irisdrop.identity.contents import Contents, Tag
from irisdrop.identity.found import LONGEST
from irisdrop.identity.identify import Identified, Refusal, readings
from irisdrop.profiles.patterns import MOST
from irisdrop.profiles.profile import parse_profile
from irisdrop.vocabulary.faults import FaultyFile
from irisdrop.vocabulary.reasons import Code

HOSTILE = (
    "(?:.*a.*){20}(?P<PatientID>x)",
    "(?P<PatientID>(?:(?:a|b|ab)?){1000})c",
    ".*(?P<PatientID>[ab]{100}).*[ab]{100}.*[ab]{200}.*[ab]{300}.*",
    "(?:.*a.{0,1000}b.{0,900})(?P<PatientID>c)",
    "(?P<PatientID>(?:a?){1000}a{1000})",
    "(?P<PatientID>(?:a*)*)b",
)


def profile(rules: str) -> str:
    """A profile with rules of its own."""
    return (
        "irisdrop: 1\ntitle: x\nstatus: sampled\nmodality: OP\nfiles: {take: ['*']}\n"
        f"read:\n{rules}match: [PatientID]\nexamples:\n"
        "  - {file: a, gives: {PatientID: a}}\n  - {file: b, refuses: NO_KEYS}\n"
    )


@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_hostile_pattern_on_a_hostile_text_takes_less_than_a_second(pattern: str) -> None:
    text = profile(f"  - filename: '{pattern}'\n  - exif: {{UserComment: '{pattern}'}}\n")
    begin = time.thread_time()
    try:
        made = parse_profile(text, "x.yaml")
    except FaultyFile:
        return  # refused at once is as good
    for letters in ("a", "ab", "ü", "0"):
        tag = (letters * LONGEST)[:LONGEST]
        readings(made, tag[:255], Contents("jpeg", exif=(Tag("Exif", "UserComment", tag),)))
    assert time.thread_time() - begin < 1


def test_a_text_that_no_pattern_should_look_into_is_told_as_what_it_is() -> None:
    made = parse_profile(profile("  - exif: {UserComment: 'ID=(?P<PatientID>.*)'}\n"), "x.yaml")
    said = readings(made, "a", Contents("jpeg", exif=(Tag("Exif", "UserComment", "ID=" + "9" * LONGEST),)))
    assert said == Refusal(Code.UNREADABLE, f"a text of exif is longer than {LONGEST} characters")
    said = readings(made, "a", Contents("jpeg", exif=(Tag("Exif", "UserComment", "ID=9"),)))
    assert isinstance(said, Identified)


def test_more_patterns_than_can_be_tried_in_a_second_are_a_fault() -> None:
    rules = "".join(f"  - filename: '{at}_(?P<PatientID>.+)'\n" for at in range(MOST + 1))
    with pytest.raises(FaultyFile) as faulty:
        parse_profile(profile(rules), "x.yaml")
    assert [(fault.code, fault.line) for fault in faulty.value.faults] == [("PATTERN", 6)]
