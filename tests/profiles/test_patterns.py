"""Patterns and globs."""

from __future__ import annotations

import time

import pytest

from irisdrop.profiles.patterns import Pattern, Unusable, compiled, glob_fits, groups


def test_a_pattern_matches_the_whole_text_whatever_its_case() -> None:
    pattern = Pattern(r"(?P<PatientID>\d+)_r\.jpg")
    assert pattern.fullmatch("000815_R.JPG") == {"PatientID": "000815"}
    assert pattern.fullmatch("x000815_R.JPG") is None
    assert pattern.fullmatch("000815_R.JPG.tmp") is None


def test_case_counts_where_the_pattern_says_so() -> None:
    assert Pattern(r"(?-i)(?P<PatientID>[A-Z]+)").fullmatch("abc") is None


def test_a_group_that_took_no_part_is_no_reading() -> None:
    assert Pattern(r"(?P<PatientID>\d+)(?:_(?P<ImageLaterality>[RL]))?").fullmatch("7") == {"PatientID": "7"}


def test_a_decomposed_name_matches_a_composed_pattern() -> None:
    assert Pattern("(?P<PatientName>Müller)").fullmatch("Mu\u0308ller") == {"PatientName": "Müller"}


def test_bytes_that_are_no_text_neither_raise_nor_pass_for_an_id() -> None:
    assert Pattern("(?P<PatientID>.+)").fullmatch(b"08\xff15".decode("utf-8", "surrogateescape")) == {
        "PatientID": "08\ufffd15"
    }


def test_no_pattern_can_hang_the_agent() -> None:
    begin = time.thread_time()
    assert Pattern(r"(?P<PatientID>(?:\d+|[A-Z]+)+)").fullmatch("A1" * 100 + "!") is None
    assert glob_fits("*a" * 60 + "*b", "a" * 250) is False
    assert time.thread_time() - begin < 1


@pytest.mark.parametrize(
    ("source", "part", "words"),
    [
        ("(?P<PatientID>x)(?=y)", "(?=", "RE2 has no lookahead"),
        ("(?P<PatientID>x)(?!y)", "(?!", "RE2 has no negative lookahead"),
        ("(?<=y)(?P<PatientID>x)", "(?<=", "RE2 has no lookbehind"),
        ("(?<!y)(?P<PatientID>x)", "(?<!", "RE2 has no negative lookbehind"),
        (r"(?P<PatientID>x)\1", r"\1", "RE2 has no backreference"),
        ("(?P<PatientID>x)(?P=PatientID)", "(?P=", "RE2 has no backreference"),
        ("(?>x)", "(?>", "RE2 has no atomic group"),
        ("x++", "++", "RE2 has no possessive quantifier"),
        ("x**", "**", "a repetition of a repetition"),
        ("(x", "(x", "a bracket `(` is never closed"),
        ("x)", "x)", "a bracket `)` was never opened"),
        ("[x", "[x", "a `[` is never closed"),
        ("*.jpg", "*", "nothing stands before the repetition"),
        ("x{2000}", "{2000}", "the repetition is too large"),
        (r"\pL{1000}", r"\pL{1000}", "the pattern is too large for RE2"),
        (r"\Z", r"\Z", r"`\Z` is no escape that RE2 knows"),
        (r"[z-a]", "z-a", "a character class is wrong"),
        ("(?P<Patient ID>x)", "(?P<Patient ID>", "a group's name is wrong"),
    ],
)
def test_what_re2_lacks_is_told_in_words(source: str, part: str, words: str) -> None:
    with pytest.raises(Unusable) as caught:
        compiled(source)
    assert caught.value.message.startswith(words)
    assert caught.value.part == part
    assert caught.value.expected


def test_groups_are_found_where_they_capture() -> None:
    found = groups(r"(?:a)\((?P<PatientID>x)[(](y)(?i:z)\Q(\E(?<Modality>.)[]()](q)")
    assert [group.name for group in found] == ["PatientID", None, "Modality", None]


@pytest.mark.parametrize(
    ("glob", "name", "fits"),
    [
        ("*.jpg", "A.JPG", True),
        ("*.jpg", "a.jpg.tmp", False),
        ("._*", "._a.jpg", True),
        ("im?.dcm", "IM1.dcm", True),
        ("im[0-9].dcm", "im5.dcm", True),
        ("im[!0-9].dcm", "im5.dcm", False),
        ("a+(b).jpg", "a+(b).jpg", True),
        ("*.jpg", "line\nbreak.jpg", True),
        ("müller*", "MU\u0308LLER 1", True),
    ],
)
def test_a_glob_fits_whatever_the_case(glob: str, name: str, fits: bool) -> None:
    assert glob_fits(glob, name) is fits
