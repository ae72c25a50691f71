"""When two spellings are one person's name, by the stated rule and by nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irisdrop.matching.names import names_agree


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Muster^Anna", "MUSTER ANNA"),
        ("Muster^Anna", "Anna Muster"),
        ("Müller^Anna", "Muller^Anna"),
        ("Müller^Anna", "Mueller^Anna"),
        ("Sørensen^Åse", "Soerensen^Aase"),
        ("Meyer-Lüdenscheid^Jo", "Meyer Ludenscheid^Jo"),
        ("Meier-Muster^Anna", "Muster^Anna"),
        ("Muster^Anna^Maria", "Muster^Anna"),
        ("van der Berg^Jan", "Vanderberg^Jan"),
        ("O'Neill^Sean", "ONeill^Sean"),
        ("O\u2019Neill^Sean", "O'Neill^Sean"),
        ("Muster^A", "Muster^Anna"),
        ("Straße^Jo", "Strasse^Jo"),
        ("Yamada^Tarou=山田^太郎", "山田^太郎"),
        ("Muster", "Muster"),
    ],
)
def test_a_habit_of_spelling_is_no_other_person(one: str, other: str) -> None:
    assert names_agree(one, other)
    assert names_agree(other, one)
    assert names_agree(unicodedata.normalize("NFD", one), unicodedata.normalize("NFC", other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Muster^Anna", "Muster^Anne"),
        ("Muster^Anna", "Master^Anna"),
        ("Muster^Anna", "Muster^Hanna"),
        ("Muster^Anna", "Muster"),
        ("Muster^Anna", "Anna"),
        ("Muster^Bob", "Muster^Robert"),
        ("Muster^Anna", "Muster^B"),
        ("M^A", "Muster^Anna"),
        ("Meier^Jo", "Mayer^Jo"),
        ("Muster^Anna", ""),
        ("", ""),
        ("^^", "^^"),
    ],
)
def test_what_may_be_another_person_is_another_person(one: str, other: str) -> None:
    assert not names_agree(one, other)
    assert not names_agree(other, one)


@given(st.text(max_size=30), st.text(max_size=30))
def test_it_does_not_matter_which_side_says_which(one: str, other: str) -> None:
    assert names_agree(one, other) == names_agree(other, one)


@given(
    st.lists(
        st.sampled_from(["Anna", "Anne", "Berta", "Muster", "Master", "Müller", "Mueller", "M", "A"]),
        min_size=1,
        max_size=4,
    )
)
def test_the_order_of_words_does_not_count(words: list[str]) -> None:
    assert names_agree(" ".join(words), " ".join(reversed(words)))
