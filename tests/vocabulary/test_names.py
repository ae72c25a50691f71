"""Names without what spelling habits add."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irisdrop.vocabulary.names import folded


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Müller^Anna", "muller anna"),
        ("MULLER  anna", "muller anna"),
        ("Meyer-Lüdenscheid^Jo", "meyer ludenscheid jo"),
        ("Łukasz", "lukasz"),
        ("Straße", "strasse"),
        ("Søren Ærø", "soren aero"),
        ("^^", ""),
        ("Nguyễn^Thị", "nguyen thi"),
        ("山田^太郎", "山田 太郎"),
    ],
)
def test_case_diacritics_and_marks_do_not_count(name: str, plain: str) -> None:
    assert folded(name) == plain


@given(st.text())
def test_a_composed_and_a_decomposed_name_fold_to_the_same(name: str) -> None:
    assert folded(unicodedata.normalize("NFC", name)) == folded(unicodedata.normalize("NFD", name))


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu", "Nd", "Zs", "Pd"])))
def test_folding_twice_changes_nothing(name: str) -> None:
    assert folded(folded(name)) == folded(name)
