"""Compares what the camera wrote with what journal and platform have, byte by byte.

Conservation: whatever was complete and stayed, or was acknowledged (its settling is committed), is delivered once with
its bytes on its order and eye, or is in quarantine for a reason that it has. Nothing is delivered that was never whole.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig.camera import Camera, Writing
from rig.clinic import Clinic, entry_of

SPOOLED = ("SETTLED", "IDENTIFIED", "MATCHED", "UPLOADED")
ENDS = ("DELIVERED", "DUPLICATE", "QUARANTINED", "VANISHED", "DISCARDED")
Row = dict[str, Any]


@dataclass
class Findings:
    """What is not as it must be, in words."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.duplicated or self.wrong)

    def add(self, other: Findings) -> None:
        """Take over what another look found."""
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.wrong += other.wrong

    def lines(self) -> Iterable[str]:
        """One line for each."""
        for kind in ("lost", "duplicated", "wrong"):
            yield from (f"{kind}: {line}" for line in getattr(self, kind))


def path_of(row: Row) -> str:
    """The absolute path of an image."""
    return bytes(row["path"]).decode("utf-8", "surrogatepass")


def acknowledge(camera: Camera, rows: list[Row]) -> None:
    """Mark what the journal has taken over: from now on its source may go."""
    taken = {(path_of(row), row["digest"]) for row in rows if row["digest"] and row["state"] != "VANISHED"}
    for writing in camera.writings:
        writing.acknowledged = writing.acknowledged or (str(writing.path), writing.digest) in taken


def between(clinic: Clinic, camera: Camera, rows: list[Row], *, damaged: bool) -> Findings:
    """What must hold whenever the agent is dead: no journal runs ahead of the spool or of the platform, and what it
    had it has; one that was `damaged` may still have to be rebuilt."""
    found = Findings()
    receipts = {row["digest"]: row for row in clinic.receipts() if not row["replaced"]}
    for row in rows:
        short = f"image {row['id']} {str(row['digest'])[:8]} {row['state']}"
        if row["state"] in SPOOLED and not sound(clinic, row["digest"]):
            found.lost.append(f"{short}: its bytes are not in the spool")
        if row["state"] == "DELIVERED" and row["digest"] not in receipts:
            found.lost.append(f"{short}: the platform does not have it")
    there = {(path_of(row), row["digest"]) for row in rows}
    for writing in camera.writings:
        if writing.acknowledged and not damaged and (str(writing.path), writing.digest) not in there:
            found.lost.append(f"{writing.path.name} {writing.digest[:8]}: the journal had it and has it no longer")
    return found


def sound(clinic: Clinic, digest: str) -> bool:
    """Whether the spool has these bytes, and they are these."""
    file = clinic.state / "spool" / digest[:2] / digest
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def quiet(camera: Camera, rows: list[Row]) -> bool:
    """Whether nothing is left to do: every image has come to an end, and what lies there is known."""
    if any(row["state"] not in ENDS for row in rows):
        return False
    there = {(path_of(row), row["digest"]) for row in rows}
    present = [one for one in (*camera.writings, *camera.partial) if one.ended is None]
    return all((str(one.path), one.digest) in there or one.old for one in present)


def judge(clinic: Clinic, camera: Camera, *, resent: bool = True, left_alone: frozenset[str] = frozenset()) -> Findings:
    """The verdict on a whole run, when all is quiet. `left_alone` are paths that a Condition speaks of."""
    found = Findings()
    rows, receipts = clinic.rows(), clinic.receipts()
    _platform(clinic, camera, receipts, found)
    _journal(camera, rows, found)
    by_path: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["state"] != "VANISHED":
            by_path.setdefault((path_of(row), row["digest"]), []).append(row)
    # A rebuilt journal may not know which of two conflicting images was delivered: the platform does.
    delivered = {row["digest"] for row in (*receipts, *rows) if row.get("state", "DELIVERED") == "DELIVERED"}
    for writing in camera.writings:
        if (writing.ended is None or writing.acknowledged) and str(writing.path) not in left_alone:
            _writing(writing, by_path.get((str(writing.path), writing.digest), []), delivered, found)
    for writing in camera.partial:
        states = [(row["state"], row["reason"]) for row in by_path.get((str(writing.path), writing.digest), [])]
        if states != [("QUARANTINED", "UNREADABLE")]:
            found.wrong.append(f"{writing.path.name}: it stopped in the middle, and is {states}")
    if resent:
        _resent(clinic.platform_log, found)
    return found


def _platform(clinic: Clinic, camera: Camera, receipts: list[Row], found: Findings) -> None:
    whose: dict[str, set[tuple[str, str]]] = {}
    for writing in camera.writings:
        if writing.may_be_delivered:
            whose.setdefault(writing.digest, set()).add((entry_of(writing.patient), writing.eye))
    counts = Counter(row["digest"] for row in receipts)
    for row in receipts:
        digest, place = row["digest"], (row["entry"], row["eye"])
        if counts[digest] > 1:
            found.duplicated.append(f"{digest[:8]}: {counts[digest]} receipts")
        if digest not in whose:
            if digest not in camera.mixed:
                found.wrong.append(f"{digest[:8]}: delivered, and never was a whole image")
        elif place not in whose[digest]:
            found.wrong.append(f"{digest[:8]}: delivered to {place}, and is {whose[digest]}")
        kept = clinic.data / "images" / digest
        if not kept.is_file() or hashlib.sha256(kept.read_bytes()).hexdigest() != digest:
            found.wrong.append(f"{digest[:8]}: acknowledged, and the bytes are others")


def _journal(camera: Camera, rows: list[Row], found: Findings) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    delivered: Counter[str] = Counter()
    for row in rows:
        if row["state"] not in ENDS:
            found.lost.append(f"image {row['id']} {str(row['digest'])[:8]} stays {row['state']}")
        if row["digest"] and row["state"] != "VANISHED":
            seen[(path_of(row), row["digest"])] += 1
        delivered[row["digest"]] += row["state"] == "DELIVERED"
        if Path(path_of(row)).name.startswith("._") or "_thumb" in Path(path_of(row)).name:
            found.wrong.append(f"image {row['id']}: was to be skipped")
        if row["digest"] in camera.never and row["state"] not in ("QUARANTINED", "DISCARDED", "DUPLICATE"):
            found.wrong.append(f"image {row['id']} {row['digest'][:8]}: never was whole, and is {row['state']}")
    found.duplicated += [
        f"{digest[:8]}: {n} images of one path and these bytes" for (_, digest), n in seen.items() if n > 1
    ]
    found.duplicated += [f"{digest[:8]}: {n} images delivered" for digest, n in delivered.items() if n > 1]


def _writing(writing: Writing, rows: list[Row], delivered: set[str], found: Findings) -> None:
    name = f"{writing.path.name} {writing.digest[:8]}"
    if not rows:
        found.lost.append(f"{name}: nobody knows of it")
        return
    row = rows[-1]
    if row["state"] == "DELIVERED":
        if (row["entry"], row["eye"]) != (entry_of(writing.patient), writing.eye):
            found.wrong.append(f"{name}: delivered to {row['entry']} {row['eye']}")
    elif row["state"] == "DUPLICATE":
        if writing.digest not in delivered and not writing.reasons:
            found.lost.append(f"{name}: a duplicate of nothing that was delivered")
    elif row["state"] != "QUARANTINED":
        if row["state"] in ENDS:
            found.lost.append(f"{name}: is {row['state']}")
    elif row["reason"] not in writing.reasons:
        found.lost.append(f"{name}: in quarantine for {row['reason']} ({row['detail']})")
    elif writing.may_be_delivered and writing.digest not in delivered:
        found.lost.append(f"{name}: in conflict with nothing that was delivered")


def _resent(log: Path, found: Findings) -> None:
    """Bytes that came again although the platform had answered for them: `200` to a PUT. One that crossed with the
    answer to a dead agent is none."""
    answered = Counter(re.findall(r"PUT /v1/images/([0-9a-f]{64}): 200", log.read_text(errors="replace")))
    found.duplicated += [f"{digest[:8]}: sent {n} times more than once" for digest, n in answered.items()]
