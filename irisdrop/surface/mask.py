"""Values shown by their shape, so that a screen or a ticket holds nobody's number, and texts shown harmlessly."""

from __future__ import annotations

import unicodedata

# Bidirectional controls turn the order of what is read; joiners are part of many scripts and stay.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_SHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def masked(text: str) -> str:
    """Letters become A, digits 9; what else there is stays: `AB-00815` is `AA-99999`."""
    return "".join("9" if char.isdigit() else "A" if char.isalpha() else char for char in text)


def visible(text: str) -> str:
    """A text that others wrote, on one line and unable to steer the terminal: a line break is shown as `\\n`."""
    return "".join(_escaped(char) if _steers(char) else char for char in text)


def _steers(char: str) -> bool:
    return char in _TURNING or unicodedata.category(char) in _NOT_SHOWN


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
