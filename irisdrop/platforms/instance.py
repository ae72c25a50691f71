"""The DICOM instance that leaves for an image: the file as it is, coerced to its order, or made from a JPEG."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final

from irisdrop.platforms.coercion import coerce
from irisdrop.platforms.dicom_object import Unfit, checked_keys, wrapped
from irisdrop.platforms.workbench import Workbench
from irisdrop.vocabulary.deliveries import Parcel
from irisdrop.vocabulary.reasons import Code

# What must agree with the order in a file that goes as it is.
NAMING: Final = ("PatientID", "AccessionNumber")
DESCRIBING: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", *NAMING)


class Rotten(Exception):
    """The spooled bytes are gone, or no longer have their digest."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file, ready to leave. `sent` is the SHA-256 of its bytes in hex."""

    file: Path
    size: int
    sent: str
    sop_class: str
    uid: str
    study: str
    series: str
    syntax: str


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes instances on a workbench. `coerce` writes the order's attributes into DICOM files."""

    bench: Workbench
    zone: tzinfo
    coerce: bool = False
    burned_in: bool = True

    @contextmanager
    def instance(self, parcel: Parcel) -> Iterator[Instance]:
        """The instance of an image, while it is sent. Raises Unfit, Rotten, OSError."""
        head = checked(parcel)
        with self.bench.copy() as copy:
            if head.startswith(b"\xff\xd8\xff"):
                yield self._made(parcel, copy)
            elif is_dicom(head):
                yield self._dicom(parcel, copy, bare=head[128:132] != b"DICM")
            else:
                raise Unfit(Code.REJECTED_BY_PLATFORM, "only JPEG and DICOM files can go to a DICOM platform")

    def _made(self, parcel: Parcel, copy: Path) -> Instance:
        raw, made = wrapped(parcel, Path(parcel.file).read_bytes(), self.zone, burned_in=self.burned_in)
        copy.write_bytes(raw)
        return Instance(
            copy,
            len(raw),
            hashlib.sha256(raw).hexdigest(),
            *(str(made.SOPClassUID), str(made.SOPInstanceUID), str(made.StudyInstanceUID)),
            *(str(made.SeriesInstanceUID), str(made.file_meta.TransferSyntaxUID)),
        )

    def _dicom(self, parcel: Parcel, copy: Path, *, bare: bool) -> Instance:
        if self.coerce or bare:
            coerce(parcel, copy)
            with copy.open("rb") as file:
                sent = hashlib.file_digest(file, "sha256").hexdigest()
            return _described(copy, sent, parcel)
        return _described(Path(parcel.file), parcel.digest, parcel)


def checked(parcel: Parcel) -> bytes:
    """The first bytes of the spool file, after all of it has been hashed. Raises Rotten, OSError."""
    try:
        with Path(parcel.file).open("rb") as file:
            if os.fstat(file.fileno()).st_size != parcel.size:
                raise Rotten
            head = file.read(132)
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != parcel.digest:
                raise Rotten
    except FileNotFoundError:
        raise Rotten from None
    return head


def is_dicom(head: bytes) -> bool:
    """Whether 132 bytes begin a DICOM file; one without preamble begins with group 0002 or 0008, little endian."""
    if head[128:132] == b"DICM":
        return True
    known = head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00"
    return known and (head[4:6].isalpha() or head[6:8] == b"\0\0")


def _described(file: Path, sent: str, parcel: Parcel) -> Instance:
    """What a DICOM file says about itself. Raises Unfit where it lacks a UID or names another patient or order."""
    found, syntax = _head(file)
    keys = checked_keys(parcel)
    missing = [key for key in DESCRIBING if not found.get(key) and key not in NAMING]
    if missing:
        raise Unfit(Code.UNREADABLE, f"the DICOM file has no {missing[0]}")
    for key in NAMING:
        ours = keys.get(key)
        if ours and found.get(key, "") != ours:
            # It would be filed by what it says itself, whatever it was matched with.
            raise Unfit(
                Code.REJECTED_BY_PLATFORM,
                f"the DICOM file does not carry its order's {key}; `coerce: true` would write it",
            )
    sop_class, uid, study, series = (found[key] for key in DESCRIBING[:4])
    return Instance(file, file.stat().st_size, sent, sop_class, uid, study, series, syntax)


def _head(file: Path) -> tuple[dict[str, str], str]:
    from pydicom import dcmread

    try:
        data: Any = dcmread(file, stop_before_pixels=True, specific_tags=list(DESCRIBING))
        found = {key: str(data.get(key, "") or "") for key in DESCRIBING}
        return found, str(data.file_meta.TransferSyntaxUID)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever pydicom raises on a file from outside is told as its fault
        raise Unfit(Code.UNREADABLE, f"the DICOM file can't be read ({type(error).__name__})") from None
