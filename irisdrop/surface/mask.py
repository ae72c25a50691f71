"""Values shown by their shape, so that a screen or a ticket holds nobody's number."""

from __future__ import annotations


def masked(text: str) -> str:
    """Letters become A, digits 9; what else there is stays: `AB-00815` is `AA-99999`."""
    return "".join("9" if char.isdigit() else "A" if char.isalpha() else char for char in text)
