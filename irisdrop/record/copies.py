"""Which of our copies the platform has confirmed, so that they may go before `keep` is over where room is needed.

A deviation from "goes `keep` after …, never before", and why it is the safer reading: an image that waits in an export
folder may be deleted there by its camera, and nobody else has it; of a confirmed one the platform holds the bytes, by a
receipt that names their digest, order and eye. So confirmed copies never hold an arrival back. What only we may have
stays for `keep` all the same: bytes of an image that was discarded, which a person may take back, and bytes of which
any image is still on its way. A delivered image that is recalled after its copy went is read again from its source.
"""

from __future__ import annotations

from typing import Final

from irisdrop.record.database import Database
from irisdrop.record.queue import contradicted_of
from irisdrop.vocabulary.states import State

# Why an image is UNREADABLE whose bytes were whole when they were spooled: by this it is found again.
LOST: Final = "our copy can't be read back and the file is gone from its folder; put it there again, or mend the disk, and it goes on by itself"

_CONFIRMED: Final = (
    "SELECT max(changed) AS at FROM images i WHERE digest = ? "
    f"HAVING sum(state NOT IN (?, ?) OR {contradicted_of('i')}) = 0 AND sum(state = ? AND receipt IS NOT NULL) > 0"
)


class Copies:
    """What the journal knows of the copies in the spool."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def confirmed_at(self, digest: str) -> str | None:
        """Since when every image of a digest is DELIVERED with a receipt that the platform stands by, or a DUPLICATE of one
        that is; None where one of them is not, or there is none."""
        row = self._db.row(_CONFIRMED, (digest, State.DELIVERED, State.DUPLICATE, State.DELIVERED))
        return None if row is None else row["at"]
