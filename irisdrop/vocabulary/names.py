"""Names of persons, folded so that spelling habits don't count."""

from __future__ import annotations

import unicodedata

# Letters that carry no combining mark and so survive decomposition.
_SINGLE = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def folded(name: str) -> str:
    """A name without case, diacritics, hyphens, order marks and blanks: `Müller^Anna` gives `muller anna`."""
    # Twice: compatibility letters (full width, mathematical) have a case only when they are decomposed.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold().translate(_SINGLE)).casefold()
    letters = "".join(" " if not char.isalnum() else char for char in plain if not unicodedata.combining(char))
    return " ".join(letters.split())
