"""Whom the worklist knows: of a file that is named, or of the configured one as it is known here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.surface.opened import records
from irisdrop.vocabulary.faults import Foreseen

if TYPE_CHECKING:
    from irisdrop.vocabulary.orders import WorklistEntry

CONFIGURED: Final = "-"  # what `--worklist` means without a file
MOST: Final = 100_000


def entries_of(config_path: Path | None, worklist: str | None) -> list[WorklistEntry]:
    """The open orders of a worklist file, or of the configured worklist; none where none was asked for."""
    if worklist is None:
        return []
    if worklist == CONFIGURED:
        with records(config_path) as opened:
            return opened.orders.open_entries(MOST)
    from irisdrop.platforms import WorklistUnavailable
    from irisdrop.platforms.worklist_file import FileWorklist
    from irisdrop.profiles.zone import MachineZone

    path = Path(worklist)
    if not path.is_file():
        raise Foreseen("NO_SUCH_FILE", f"There is no worklist file {path}.", "check the path.")
    try:
        return list(FileWorklist(path, MachineZone()).changes(None).entries)
    except WorklistUnavailable as unavailable:
        raise Foreseen(
            "WORKLIST", f"{unavailable}.", "a CSV with IRIS's headings, or a JSON list of entries."
        ) from None
