"""When two spellings are one person's name: a stated, conservative rule.

Names agree where, without case, diacritics, hyphens, apostrophes and order, every word of the shorter one stands in
the longer one (a maiden or second name may be missing), or where both are the same letters in a row (`van der Berg`
and `Vanderberg`). Umlauts agree with both of their transliterations (`Müller`, `Muller`, `Mueller`). An initial
agrees with a word that begins with it as long as another word agrees whole. Nothing else agrees: no edit distance, no
nicknames, no phonetics.
"""

from __future__ import annotations

import unicodedata

from irisdrop.vocabulary.names import folded

_TRANSLITERATED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def names_agree(one: str, other: str) -> bool:
    """Whether two names can be one person's."""
    return any(
        _words_agree(left.split(), right.split())
        for left in _spellings(one)
        for right in _spellings(other)
        if left and right
    )


def _spellings(name: str) -> set[str]:
    # DICOM writes up to three groups of one name (alphabetic=ideographic=phonetic), PS3.5 6.2.1.
    groups = [group for group in unicodedata.normalize("NFC", name).split("=") if group.strip(" ^")]
    spelled = {folded(_apostrophes(group)) for group in groups}
    return spelled | {folded(_apostrophes(group).casefold().translate(_TRANSLITERATED)) for group in groups}


def _apostrophes(name: str) -> str:
    return name.replace("'", "").replace("\u2019", "")


def _words_agree(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other):
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 2:
        return False
    left, whole = list(long), 0
    initials = []
    for word in short:
        if word in left:
            left.remove(word)
            whole += 1
        else:
            initials.append(word)
    for word in initials:
        twin = next((w for w in left if (len(word) == 1 or len(w) == 1) and w[0] == word[0]), None)
        if twin is None:
            return False
        left.remove(twin)
    return whole >= 1
