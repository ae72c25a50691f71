"""What settled images say: read on a few threads, so that one that hangs its parser delays no other."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, Generic, TypeVar

from irisdrop.identity.identify import Export, Identified, Refusal, Sidecar, identify
from irisdrop.identity.sandbox import Parsers
from irisdrop.profiles.profile import DeviceProfile
from irisdrop.record.copies import LOST
from irisdrop.record.spool import Spool
from irisdrop.vocabulary.images import ImageFile, split_name
from irisdrop.vocabulary.reasons import Code

Said = TypeVar("Said")

THREADS: Final = 4  # a hanging file holds one for five seconds
AT_ONCE: Final = 64
TOGETHER: Final = 0.02  # seconds in which what is read is gathered for one commit


class Reader:
    """Reads one image from the spool."""

    def __init__(self, spool: Spool, parsers: Parsers) -> None:
        self._spool = spool
        self._parsers = parsers

    def said(self, image: ImageFile, profile: DeviceProfile) -> Identified | Refusal | None:
        """What an image says by a profile; None where its bytes were damaged and are mended: read it again."""
        assert image.digest is not None
        file = self._spool.file(image.digest)
        try:
            return identify(profile, Export(file, image.name, self._sidecars(image, profile)), self._parsers)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) and error.errno != errno.EIO:
                raise  # too many open files, no permission: no fault of the image's
            if self._spool.mend(image.digest):
                return None
            return Refusal(Code.UNREADABLE, LOST)

    def _sidecars(self, image: ImageFile, profile: DeviceProfile) -> tuple[Sidecar, ...]:
        """The companion files that were spooled with an image."""
        assert image.digest is not None
        names = profile.companions_of(split_name(image.name)[1])
        kept = ((self._spool.companion(image.digest, image.path, name), name) for name in names)
        return tuple(Sidecar(file, name) for file, name in kept if file.is_file())


class Readers(Generic[Said]):
    """Images that are being read; what was read is handed out once."""

    def __init__(self, read: Callable[[ImageFile], Said], on_read: Callable[[], None]) -> None:
        self._read = read
        self._on_read = on_read
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._running: dict[int, tuple[ImageFile, Future[Said]]] = {}
        self._closing = threading.Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    def room(self) -> int:
        """How many more images may be given now."""
        return 0 if self._closed else AT_ONCE - len(self._running)

    def give(self, images: Iterable[ImageFile]) -> None:
        """Begin to read those that are not being read already; none where it is closed."""
        for image in images:
            if image.id not in self._running:
                with self._closing:
                    if self._closed:
                        return
                    future = self._pool.submit(self._read, image)
                self._running[image.id] = (image, future)
                future.add_done_callback(lambda _: self._on_read())

    def done(self, seconds: float) -> list[tuple[ImageFile, Future[Said]]]:
        """What has been read, waiting for the first at most so long; oldest image first."""
        if not self._running:
            return []
        futures = [future for _, future in self._running.values()]
        if wait(futures, timeout=seconds, return_when=FIRST_COMPLETED).done:
            wait(futures, timeout=TOGETHER)
        finished = sorted(number for number, (_, future) in self._running.items() if future.done())
        read = [self._running.pop(number) for number in finished]
        return [(image, future) for image, future in read if not future.cancelled()]

    def close(self) -> None:
        """Begin nothing more; what is being read is not waited for."""
        with self._closing:
            self._closed = True
            self._pool.shutdown(wait=False, cancel_futures=True)
