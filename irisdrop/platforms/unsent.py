"""What it means for an image that it could not be sent: a fault of its own, of this computer, or of the wire."""

from __future__ import annotations

from typing import Final

from irisdrop.platforms.dicom_object import Unfit
from irisdrop.platforms.http import no_answer
from irisdrop.platforms.instance import Rotten
from irisdrop.platforms.wire import NoToken, Unreachable
from irisdrop.vocabulary.deliveries import Answer, Damaged, Postponed, Refused
from irisdrop.vocabulary.faults import Foreseen

UNSENT: Final = (Unfit, Rotten, Unreachable, NoToken, Foreseen, OSError)


def unsent(error: Unfit | Rotten | Unreachable | NoToken | Foreseen | OSError) -> Answer:
    """The answer that stands for one of UNSENT; a Foreseen is about what the platform wants to know of us."""
    if isinstance(error, Unfit):
        return Refused(error.code, error.detail)
    if isinstance(error, Rotten):
        return Damaged("the spooled bytes no longer have their digest")
    if isinstance(error, (Unreachable, NoToken)):
        return no_answer(error)
    if isinstance(error, Foreseen):
        return Postponed(error.message, condition="PLATFORM_DENIED", halts=True)
    return Postponed(f"the image can't be read or prepared now ({type(error).__name__})")
