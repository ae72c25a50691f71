"""From SETTLED on, the bytes are ours: one file per digest, and beside it a note of where it came from."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from irisdrop.record.budget import Budget
from irisdrop.record.hashed import Hashed
from irisdrop.record.system import give_memory_back, private, sync_folder
from irisdrop.record.text import moment, packed, stamp, unpacked
from irisdrop.vocabulary.marks import mark

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of a digest came from: camera, absolute path, path below the folder, arrival."""

    camera: str
    path: str
    name: str
    arrived: datetime
    live: bool


class Incoming(Hashed):
    """A copy that is being made: hashed in the pass that writes it, durable only by `Spool.keep`."""

    def sync(self) -> None:
        """Flush the bytes to the disk and close."""
        mark("spool.fsync.before")
        super().sync()
        mark("spool.fsync.after")


class Spool:
    """The folder that holds every image until it has been delivered, and `keep` longer."""

    def __init__(self, folder: Path, limit: int | None = None, reserve: int | None = 0) -> None:
        self.folder = folder
        self.budget = Budget(folder, limit, reserve)
        # Who else knows where the bytes of a digest came from: the journal, where the agent says so.
        self.elsewhere: Callable[[str], list[Origin]] = lambda _: []
        # Who reads what lies in an archive, by the path that it has in the journal: arrival, where the agent says so.
        self.member: Callable[[str], Iterator[bytes]] = lambda _: iter(())
        # Where else the source of a digest may lie by now, as written by `after: move`: the journal, where the agent says so.
        self.moved: Callable[[str], list[tuple[Origin, str]]] = lambda _: []
        self._incoming = folder / "incoming"
        self._beginning, self._numbers = f"{secrets.token_hex(8)}-", itertools.count()
        # Several threads take files: two exports of the same bytes must not lose each other's origin.
        self._guards = [threading.Lock() for _ in range(16)]
        self._furnish()

    def _furnish(self) -> None:
        """Make every folder that is not there, and count what lies in them."""
        for part in (self.folder, self._incoming, *(self.folder / f"{number:02x}" for number in range(256))):
            part.mkdir(parents=True, exist_ok=True)
        private(self.folder)
        sync_folder(self.folder)
        self.budget.used = sum(path.stat().st_size for path in self._files())

    def tidy(self) -> None:
        """Remove copies that a crash left unfinished; their sources are still unsettled and are read again.

        For the one agent alone, before it begins: a command must not touch a copy that the agent is making.
        """
        for left in self._incoming.iterdir():
            left.unlink()

    @property
    def used(self) -> int:
        """Bytes that the spooled images take."""
        return self.budget.used

    def room(self, size: int) -> bool:
        """Whether an image of `size` bytes may come in."""
        return self.budget.short(size) == 0

    def promise(self, size: int) -> AbstractContextManager[bool]:
        """Hold `size` bytes of the budget while a copy is made; False where they are not to be had."""
        return self.budget.promise(size)

    def receive(self) -> Incoming:
        """Begin a copy; a spool that somebody removed meanwhile is made anew."""
        try:
            return Incoming(self._incoming / self._unused())
        except FileNotFoundError:
            self._furnish()
            return Incoming(self._incoming / self._unused())

    def keep(self, copy: Incoming, origin: Origin) -> str:
        """Make a finished copy durable under its digest, its note first; returns the digest.

        After a power cut at any line either the source is still unsettled, or bytes and note are both whole.
        """
        copy.sync()
        digest = copy.digest
        target = self.file(digest)
        with self._guard(digest):
            try:
                self._note(digest, origin)
            except FileNotFoundError:
                self._furnish()
                self._note(digest, origin)
            mark("spool.rename.before")
            known = target.exists()
            copy.path.replace(target)
            mark("spool.rename.after")
            sync_folder(target.parent)
            mark("spool.folder.after")
        if not known:
            self.budget.count(copy.size)
        return digest

    def file(self, digest: str) -> Path:
        """Where the bytes of a digest lie, or would."""
        return self.folder / digest[:2] / digest

    def holds(self, digest: str) -> bool:
        """Whether the bytes of a digest are here."""
        return self.file(digest).is_file()

    def sound(self, digest: str) -> bool:
        """Whether the bytes here still have their digest."""
        try:
            with self.file(digest).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError:
            return False

    def unload(self, digest: str) -> None:
        """Give back the memory in which the system keeps the bytes of a digest; they stay on the disk.

        Once the platform has an image nobody reads it here for days, and what would go instead of it is the camera's.
        """
        with contextlib.suppress(OSError):
            give_memory_back(self.file(digest))

    def mend(self, digest: str) -> bool:
        """Put damaged bytes right from where they came from; False where no source has that digest any more.

        OSError where our own disk does not take them: that says nothing about the source.
        """
        came = self.origins(digest) or self.elsewhere(digest)
        for origin, path in [*((origin, origin.path) for origin in came), *self.moved(digest)]:
            copy = self.receive()
            try:
                for block in _blocks(Path(path)) if os.path.lexists(path) else self.member(path):
                    copy.write(block)
                if copy.digest == digest:
                    self.keep(copy, origin)
                    return True
            finally:
                copy.abandon()
        return False

    def companion(self, digest: str, path: str, name: str) -> Path:
        """Where a companion file of the export at `path` lies, or would; two exports of the same bytes have their own."""
        export = hashlib.sha256(packed(path)).hexdigest()[:16]
        which = hashlib.sha256(packed(name.casefold())).hexdigest()[:16]
        return self.folder / digest[:2] / f"{digest}.{export}.{which}"

    def keep_companion(self, digest: str, path: str, name: str, content: bytes) -> None:
        """Make a companion file durable beside the bytes of its image, in place of an earlier one."""
        copy = self.receive()
        try:
            copy.write(content)
            copy.sync()
            target = self.companion(digest, path, name)
            copy.path.replace(target)
        except BaseException:
            copy.abandon()
            raise
        sync_folder(target.parent)

    def origins(self, digest: str) -> list[Origin]:
        """Where the bytes of a digest came from: one export as a rule, more where a camera wrote them twice."""
        try:
            text = self._note_file(digest).read_text("ascii")
            return [_origin(item) for item in json.loads(text)["exports"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            # It lost a bit; the next export of these bytes writes it anew, and a start must not fail of it.
            log.error("the note of %.8s in the spool is damaged", digest)
            return []

    def digests(self) -> Iterator[str]:
        """Every digest that the spool holds with its note."""
        for path in self._files():
            if self._note_file(path.name).exists():
                yield path.name

    def drop(self, digest: str) -> None:
        """Remove the bytes of a digest, then its note."""
        target = self.file(digest)
        with self._guard(digest):
            try:
                size = target.stat().st_size
                mark("drop.before")
                target.unlink()
                mark("drop.half")
            except FileNotFoundError:
                size = 0
            self._note_file(digest).unlink(missing_ok=True)
            for beside in target.parent.iterdir():  # a glob would compile a pattern for each digest
                if beside.name.startswith(f"{digest}."):
                    beside.unlink(missing_ok=True)
        self.budget.count(-size)

    def _unused(self) -> str:
        """A name that no file has: no other process has this beginning, no other thread this number."""
        return f"{self._beginning}{next(self._numbers):x}"

    def _guard(self, digest: str) -> threading.Lock:
        return self._guards[int(digest[0], 16)]

    def _files(self) -> Iterator[Path]:
        for number in range(256):
            with os.scandir(self.folder / f"{number:02x}") as found:
                for item in found:
                    if len(item.name) == 64:
                        yield Path(item.path)

    def _note_file(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.json"

    def _note(self, digest: str, origin: Origin) -> None:
        exports = self.origins(digest)
        if any(known.camera == origin.camera and known.path == origin.path for known in exports):
            return
        target = self._note_file(digest)
        text = json.dumps({"digest": digest, "exports": [_plain(item) for item in [*exports, origin]]})
        draft = Hashed(target.with_name(f"{digest}.{self._unused()}"))
        try:
            draft.write(text.encode("ascii"))
            mark("note.fsync.before")
            draft.sync()
            mark("note.fsync.after")
            mark("note.rename.before")
            draft.path.replace(target)
        except BaseException:
            draft.abandon()
            raise
        mark("note.rename.after")
        # The folder is flushed with the rename of the bytes that follows: a note without bytes is nothing.


def _blocks(source: Path) -> Iterator[bytes]:
    """The bytes of a source as far as they can be read."""
    try:
        with source.open("rb") as file:
            while block := file.read(1 << 20):
                yield block
    except OSError as error:
        log.info("a source can't be read: %s", type(error).__name__)


def _plain(origin: Origin) -> dict[str, object]:
    return {
        "camera": origin.camera,
        "path": packed(origin.path).hex(),
        "name": origin.name,
        "arrived": stamp(origin.arrived),
        "live": origin.live,
    }


def _origin(item: dict[str, object]) -> Origin:
    return Origin(
        str(item["camera"]),
        unpacked(bytes.fromhex(str(item["path"]))),
        str(item["name"]),
        moment(str(item["arrived"])),
        bool(item["live"]),
    )
