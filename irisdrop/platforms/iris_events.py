"""The organization's queue `events`: one reader for all, which loses nothing that is for somebody else.

The readers of a queue compete. So one agent of an organization owns it; an event is taken off only when it is kept: in
our journal where it is about an image, and as a file in a folder for the others where it is not about one of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from irisdrop.platforms import ConfirmationsUnavailable
from irisdrop.platforms.service_bus import BusUnavailable
from irisdrop.vocabulary.deliveries import Said

if TYPE_CHECKING:
    from irisdrop.platforms.service_bus import Bus, Listening, Message

ENDINGS: Final = (".jpg", ".jpeg", ".dcm", ".png", ".bmp", ".tif", ".tiff")


class IrisEvents:
    """`folder` is where events of the others are kept; `within` is after how many seconds a receipt is overdue."""

    def __init__(self, bus: Bus, queue: str, folder: Path, within: float) -> None:
        self.within = within
        self._bus = bus
        self._queue = queue
        self._folder = folder
        self._listening: Listening | None = None

    def open(self) -> None:
        """Begin to listen. Raises ConfirmationsUnavailable."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._listening = self._bus.listen(self._queue)
        except BusUnavailable as error:
            raise ConfirmationsUnavailable(error.detail) from None
        except OSError as error:
            raise ConfirmationsUnavailable(f"the folder for events can't be used ({type(error).__name__})") from None

    def receive(self, keep: Callable[[Said], bool], wait: float) -> int:
        """Keep each event, then take it off. Raises ConfirmationsUnavailable; what was not kept comes again."""
        if self._listening is None:
            raise ConfirmationsUnavailable("nobody listens to the queue of events")

        def each(message: Message) -> None:
            said = receipt_of(message.text)
            if said is None or not keep(said):
                self._store(message.text)

        try:
            return self._listening.receive(each, wait)
        except BusUnavailable as error:
            raise ConfirmationsUnavailable(error.detail) from None
        except OSError as error:
            raise ConfirmationsUnavailable(f"an event can't be kept ({type(error).__name__})") from None

    def close(self) -> None:
        """Close the connection."""
        listening, self._listening = self._listening, None
        if listening is not None:
            try:
                listening.close()
            except BusUnavailable:
                return  # it is gone already

    def _store(self, text: str) -> None:
        """Onto the disk before it goes from the queue; the same event again is the same file."""
        raw = text.encode("utf-8", "surrogatepass")
        target = self._folder / f"{hashlib.sha256(raw).hexdigest()[:32]}.json"
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)


def receipt_of(text: str) -> Said | None:
    """An ImageReceipt as what the platform said; None for every other event, and for what is none."""
    from pydantic import ValidationError

    from irisdrop.platforms.messages import ImageReceipt

    try:
        receipt = ImageReceipt.model_validate(json.loads(text))
    except (ValueError, RecursionError, ValidationError):
        return None
    reference = reference_of(receipt.image_local_id)
    return Said(
        id=f"{receipt.transaction_id}/{reference}",
        reference=reference,
        succeeded=receipt.success,
        order=receipt.order_local_id,
        patient=receipt.patient_local_id,
        receipt=None if receipt.iris_image_id is None else str(receipt.iris_image_id),
        at=receipt.timestamp,
        text=text,
    )


def reference_of(text: str) -> str:
    """Our name of the image, whether the platform gives it as an id or as the blob's path (it does not say which)."""
    name = text.strip().rpartition("/")[2].lower()
    ending = next((one for one in ENDINGS if name.endswith(one)), "")
    return name.removesuffix(ending)
