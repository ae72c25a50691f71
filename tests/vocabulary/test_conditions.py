"""Every condition has its words, and depends on conditions that exist."""

from __future__ import annotations

import pytest

from irisdrop.vocabulary.conditions import KINDS, Kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_has_a_title_a_remedy_and_a_code_of_its_own(kind: Kind) -> None:
    assert KINDS[kind.code] is kind
    assert kind.code == kind.code.upper() and " " not in kind.code
    assert kind.title and not kind.title.endswith(".")
    assert kind.remedy.endswith(".")
    assert kind.after >= 0


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_cause_is_a_kind_too_and_never_its_own_symptom(kind: Kind) -> None:
    assert set(kind.depends_on) <= set(KINDS) - {kind.code}
