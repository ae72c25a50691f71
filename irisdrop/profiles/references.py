"""Secrets in a configuration: each is a reference, and what stands in clear is kept out of every fault's text."""

from __future__ import annotations

from typing import Any, Final

from irisdrop.profiles.places import Document, Location, scalars
from irisdrop.profiles.secret import IN_CLEAR, NAMES, PLACES, secret_of
from irisdrop.profiles.validation import near_word

REFERENCE: Final = "a reference: {env: NAME}, {file: PATH} or {keyring: SERVICE/NAME}"


def check_secrets(found: Document) -> None:
    """No secret in clear anywhere; what one was is kept out of every fault's text."""
    clear = [
        (where, text)
        for where, text in scalars(found.tree)
        if IN_CLEAR.search(text) or any(NAMES.fullmatch(str(step)) for step in where[-1:])
    ]
    found.secrets.extend(text for _, text in clear)
    for where, _ in clear:
        found.fault("SECRET_IN_CLEAR", found.at(where), f"`{where[-1]}` holds a secret in clear", REFERENCE)
    check_references(found, found.tree, ())


def check_references(found: Document, tree: Any, location: Location) -> None:
    """Every mapping that stands for a secret is a reference."""
    if isinstance(tree, list):
        for index, value in enumerate(tree):
            check_references(found, value, (*location, index))
    if not isinstance(tree, dict):
        return
    for name, value in tree.items():
        if NAMES.fullmatch(name) and isinstance(value, dict | list):
            if secret_of(value) is None:
                kinds = list(value) if isinstance(value, dict) else []
                near = near_word(str(kinds[0]), list(PLACES)) if len(kinds) == 1 else ""
                found.fault(
                    "WRONG_VALUE",
                    found.at((*location, name)),
                    "this is no reference to a secret",
                    REFERENCE,
                    near and f"{{{near}: …}}",
                )
        else:
            check_references(found, value, (*location, name))
