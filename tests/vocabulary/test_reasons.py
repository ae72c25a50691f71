"""Every reason has its words."""

from __future__ import annotations

import pytest

from irisdrop.vocabulary.reasons import REASONS, Code

CODES = [
    "UNREADABLE",
    "TOO_LARGE",
    "NOT_AN_IMAGE",
    "NOT_A_PLAIN_FILE",
    "NO_KEYS",
    "CONFLICTING_KEYS",
    "NO_WORKLIST_ENTRY",
    "AMBIGUOUS",
    "PATIENT_MISMATCH",
    "EYE_UNKNOWN",
    "CLOCK_IMPLAUSIBLE",
    "PROFILE_FAULT",
    "PROFILE_UNVERIFIED",
    "ASSIGNED_ELSEWHERE",
    "REJECTED_BY_PLATFORM",
    "RECEIPT_MISMATCH",
    "ORDER_WITHDRAWN",
]


def test_the_codes_are_those_of_the_design() -> None:
    assert [str(code) for code in Code] == CODES


@pytest.mark.parametrize("code", Code)
def test_every_code_has_one_sentence_and_what_to_do(code: Code) -> None:
    reason = REASONS[code]
    assert reason.code is code
    assert reason.sentence.endswith(".") and reason.sentence[0].isupper()
    assert reason.remedy.endswith(".") and reason.remedy[0].isupper()


def test_no_two_reasons_say_the_same() -> None:
    assert len({reason.sentence for reason in REASONS.values()}) == len(Code)
