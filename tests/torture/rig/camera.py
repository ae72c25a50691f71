"""A writer that behaves as cameras do, and remembers what it wrote: what was complete, for how long, and whose it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rig.clinic import PATIENTS, ZONE
from rig.pictures import picture

Steps = Iterator[float]  # seconds until the next step


@dataclass
class Writing:
    """One image that was complete at a path. `ended` is when it was removed or written over; `reasons` are those for
    which it may be in quarantine, empty where it must be delivered."""

    path: Path
    digest: str
    patient: str
    eye: str
    begun: float
    reasons: frozenset[str] = frozenset()
    may_be_delivered: bool = True
    ended: float | None = None
    acknowledged: bool = False
    old: bool = False  # its mtime is from long before the first start


@dataclass
class Camera:
    """Writes into one folder. `complete` holds digests of all bytes that ever lay still as a whole picture."""

    folder: Path
    rng: random.Random
    settle: float
    writings: list[Writing] = field(default_factory=list)
    never: set[str] = field(default_factory=set)  # digests of what must not be taken
    partial: list[Writing] = field(default_factory=list)
    mixed: set[str] = field(default_factory=set)  # bytes that lay still between two steps of an overwriting
    counter: int = 0
    busy: set[Path] = field(default_factory=set)
    old_ones: bool = False  # whether files may claim to be from 2012

    # ------------------------------------------------------------------ what a camera may do

    def anything(self) -> Steps:
        """One act of the camera, drawn."""
        acts: list[tuple[Callable[[], Steps], int]] = [
            (self.whole, 6),
            (self.slow, 3),
            (self.paused, 1),
            (self.renamed, 3),
            (self.again_in_place, 3),
            (self.same_bytes, 2),
            (self.same_bytes_of_another, 1),
            (self.nested, 2),
            (self.beside, 2),
            (self.stranger, 1),
            (self.nameless, 1),
            (self.touched, 2),
            (self.short_lived, 1),
            (self.back_again, 1),
        ]
        act = self.rng.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
        return act()

    def whole(self) -> Steps:
        """Written in one go."""
        path, content = self._name(), self._picture()
        path.write_bytes(content)
        self._old(path)
        self._complete(path, content)
        yield 0.0

    def slow(self) -> Steps:
        """Written in pieces, as by a slow share."""
        path, content = self._name(), self._picture()
        self.busy.add(path)
        yield from self._pieces(path, content, lambda: self.rng.uniform(0.005, 0.06))
        self.busy.discard(path)

    def paused(self) -> Steps:
        """Written half, then nothing for longer than `give_up`, then the rest."""
        path, content = self._name(), self._picture()
        self.busy.add(path)
        half = len(content) // 2
        with path.open("wb") as file:
            file.write(content[:half])
            file.flush()
            self.mixed.add(_digest(content[:half]))
            yield self.rng.uniform(0.3, 2.5)
            file.write(content[half:])
        self._complete(path, content)
        self.busy.discard(path)

    def renamed(self) -> Steps:
        """Written beside, then renamed."""
        path, content = self._name(), self._picture()
        draft = path.with_suffix(self.rng.choice((".tmp", ".jpg.part")))
        with draft.open("wb") as file:
            for begin in range(0, len(content), 16384):
                file.write(content[begin : begin + 16384])
                file.flush()
                yield self.rng.uniform(0, 0.01)
        draft.rename(path)
        self._complete(path, content)

    def again_in_place(self) -> Steps:
        """The counter wrapped: other bytes at an old name, the eye and patient of which are the same."""
        before = self._pick(lambda writing: writing.acknowledged)
        if before is None:
            return
        content = self._picture()
        self.busy.add(before.path)
        self._end(before)
        if self.rng.random() < 0.5:
            times = before.path.stat()
            before.path.write_bytes(content)
            if self.rng.random() < 0.5:  # by a program that copies times too, or on a clock of two seconds
                os.utime(before.path, ns=(times.st_atime_ns, times.st_mtime_ns))
            self._complete(before.path, content)
        else:
            yield from self._pieces(before.path, content, lambda: 0.0, "r+b")
        self.busy.discard(before.path)

    def same_bytes(self) -> Steps:
        """Exported twice."""
        before = self._pick(lambda writing: not writing.reasons)
        if before is not None:
            path = self._name(before.patient, before.eye)
            content = before.path.read_bytes()
            path.write_bytes(content)
            self._complete(path, content)
        yield 0.0

    def same_bytes_of_another(self) -> Steps:
        """The same bytes under another patient: one of the two is wrong, and only a person can tell which."""
        before = self._pick(lambda writing: not writing.reasons)
        if before is not None:
            patient = self.rng.choice([one for one in PATIENTS if one != before.patient])
            path, content = self._name(patient), before.path.read_bytes()
            reasons = frozenset({"CONFLICTING_KEYS", "ASSIGNED_ELSEWHERE"})
            for writing in self.writings:
                if writing.digest == before.digest:
                    writing.reasons |= reasons
            path.write_bytes(content)
            self._complete(path, content, reasons)
        yield 0.0

    def nested(self) -> Steps:
        """In folders of its own, made just before."""
        folder = self.folder / f"exam-{self.rng.randrange(4)}" / f"{self.rng.randrange(3)}"
        folder.mkdir(parents=True, exist_ok=True)
        path, content = self._name(folder=folder), self._picture()
        self.busy.add(path)
        yield from self._pieces(path, content, lambda: self.rng.uniform(0, 0.02))
        self.busy.discard(path)

    def beside(self) -> Steps:
        """A thumbnail and a Mac's shadow lie beside."""
        path, content = self._name(), self._picture()
        path.write_bytes(content)
        self._complete(path, content)
        for other in (path.with_name(f"{path.stem}_thumb.jpg"), path.with_name(f"._{path.name}")):
            bytes_beside = self._picture()
            self.never.add(_digest(bytes_beside))
            other.write_bytes(bytes_beside)
        yield 0.0

    def stranger(self) -> Steps:
        """Of a patient who is on no worklist."""
        path, content = self._name("999999"), self._picture()
        path.write_bytes(content)
        self._complete(path, content, frozenset({"NO_WORKLIST_ENTRY"}), delivered=False)
        yield 0.0

    def nameless(self) -> Steps:
        """With a name that says nothing."""
        path, content = self.folder / f"IMG_{self._count()}.jpg", self._picture()
        path.write_bytes(content)
        self._complete(path, content, frozenset({"NO_KEYS"}), delivered=False)
        yield 0.0

    def touched(self) -> Steps:
        """Other times, the same bytes."""
        before = self._pick(bool)
        if before is not None:
            times = [time.time() + 86400 * 400, time.time() - 5.0]
            if self.old_ones and before.acknowledged:
                times.append(1.33e9)
            moment = self.rng.choice(times)
            os.utime(before.path, (moment, moment))
        yield 0.0

    def short_lived(self) -> Steps:
        """There for a moment: it may be taken or not, but never in part."""
        path, content = self._name(), self._picture()
        path.write_bytes(content)
        writing = self._complete(path, content)
        yield self.rng.uniform(0.02, 0.4)
        if writing.ended is None and path not in self.busy:
            path.unlink()
            self._end(writing)

    def back_again(self) -> Steps:
        """Removed after it was taken, and there again a little later: a share that was not mounted."""
        before = self._pick(lambda writing: writing.acknowledged)
        if before is None:
            return
        self.busy.add(before.path)
        content = before.path.read_bytes()
        before.path.unlink()
        yield self.rng.uniform(0.01, 0.2)
        before.path.write_bytes(content)
        self.busy.discard(before.path)

    # ------------------------------------------------------------------ between two lives of the agent

    def clear_away(self) -> None:
        """Delete one image that the agent has acknowledged, as cameras do that keep little."""
        before = self._pick(lambda writing: writing.acknowledged)
        if before is not None:
            before.path.unlink()
            self._end(before)

    def cut_short(self) -> None:
        """A file that stopped in the middle and stays so."""
        path, content = self._name(), self._picture()
        content = content[: self.rng.randrange(1, len(content) - 700)]
        path.write_bytes(content)
        self.never.add(_digest(content))
        self.partial.append(Writing(path, _digest(content), "", "", time.monotonic(), frozenset({"UNREADABLE"}), False))

    # ------------------------------------------------------------------ within

    def _pieces(self, path: Path, content: bytes, pause: Callable[[], float], mode: str = "wb") -> Steps:
        step = max(len(content) // self.rng.randrange(2, 8), 1)
        with path.open(mode, buffering=0) as file:
            last = time.monotonic()
            for begin in range(0, len(content), step):
                # Bytes that lay still for the quiet time are complete by every sign that there is.
                if mode == "r+b" and begin and time.monotonic() - last > self.settle / 3:
                    self.mixed.add(_digest(path.read_bytes()))
                file.write(content[begin : begin + step])
                last = time.monotonic()
                yield pause()
            if mode == "r+b" and time.monotonic() - last > self.settle / 3:
                self.mixed.add(_digest(path.read_bytes()))
            file.truncate(len(content))
        self._complete(path, content)

    def _complete(
        self, path: Path, content: bytes, reasons: frozenset[str] = frozenset(), *, delivered: bool = True
    ) -> Writing:
        parts = path.stem.split("_")
        patient, eye = (parts[1], parts[2]) if len(parts) == 4 else ("", "")
        digest = _digest(content)
        for other in self.writings:
            if other.digest == digest and other.may_be_delivered and delivered:
                reasons |= other.reasons
        writing = Writing(path, digest, patient, eye, time.monotonic(), reasons, delivered)
        self.writings.append(writing)
        return writing

    def _end(self, writing: Writing) -> None:
        writing.ended = time.monotonic()

    def _pick(self, wanted: Callable[[Writing], bool]) -> Writing | None:
        found = [
            one
            for one in self.writings
            if one.ended is None and one.path not in self.busy and one.may_be_delivered and wanted(one)
        ]
        return self.rng.choice(found) if found else None

    def _name(self, patient: str | None = None, eye: str | None = None, folder: Path | None = None) -> Path:
        today = datetime.now(ZONE).strftime("%Y%m%d")
        patient = patient or self.rng.choice(PATIENTS)
        eye = eye or self.rng.choice("RL")
        return (folder or self.folder) / f"{today}_{patient}_{eye}_{self._count():05}.jpg"

    def _count(self) -> int:
        self.counter += 1
        return self.counter

    def _picture(self) -> bytes:
        size = self.rng.choice((900, 4000, 30_000, 120_000, 700_000) if self.rng.random() < 0.5 else (3000, 20_000))
        return picture(self.rng, size)

    def _old(self, path: Path) -> None:
        if self.old_ones and self.rng.random() < 0.2:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (1.33e9, 1.33e9))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
