"""A DICOM file with its order's attributes, the original values kept (PS3.3 C.12.1, Original Attributes Sequence).

Runs as a child process, because a file from outside is parsed whole: `python -m irisdrop.platforms.coercion`, one JSON
object in (`file`, `out`, `keys`, `eye`, `at`, `system`), one out (`changed`, or `fault`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from irisdrop.platforms.dicom_object import Unfit, checked_keys
from irisdrop.vocabulary.deliveries import Parcel
from irisdrop.vocabulary.reasons import Code

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SECONDS: Final = 120.0
MEMORY: Final = 4 << 30
SET: Final = (
    *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "AdmissionID"),
)


def coerce(parcel: Parcel, out: Path) -> None:
    """Write the coerced copy of a DICOM file. Raises Unfit where that can't be done."""
    keys = checked_keys(parcel)
    at = parcel.decided or parcel.taken
    request = {
        "file": parcel.file,
        "out": str(out),
        "keys": {key: keys[key] for key in SET if key in dict(parcel.keys)},
        "study": dict(parcel.keys).get("StudyInstanceUID"),
        "eye": parcel.eye,
        "at": None if at is None else at.strftime("%Y%m%d%H%M%S") + "+0000",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "irisdrop.platforms.coercion"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    except subprocess.TimeoutExpired:
        raise Unfit(Code.UNREADABLE, "the DICOM file hangs its parser") from None
    try:
        answer: Any = json.loads(done.stdout)
    except ValueError:
        raise Unfit(Code.UNREADABLE, "the DICOM file kills its parser") from None
    if "fault" in answer:
        raise Unfit(Code.UNREADABLE, f"the DICOM file can't be written with its order ({answer['fault']})")


def main() -> None:
    """One request from standard input."""
    _limit_memory()
    request = json.loads(sys.stdin.buffer.read())
    try:
        answer: dict[str, Any] = {"changed": rewrite(**request)}
    except Exception as error:  # noqa: BLE001 - whatever pydicom raises on a file from outside is told as its fault
        answer = {"fault": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


def rewrite(file: str, out: str, keys: Mapping[str, str], study: str | None, eye: str, at: str | None) -> list[str]:
    """Write `out`; returns the keywords whose value differed."""
    from pydicom import config, dcmread
    from pydicom.filewriter import dcmwrite

    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
    with Path(file).open("rb") as source:
        source.seek(128)
        bare = source.read(4) != b"DICM"
    data = dcmread(file, force=bare)
    wanted = {key: value.replace("-", "") if key == "PatientBirthDate" else value for key, value in keys.items()}
    if eye in ("R", "L", "B"):
        wanted["ImageLaterality"] = eye
    if study and not data.get("StudyInstanceUID"):
        wanted["StudyInstanceUID"] = study
    changed = {key: value for key, value in wanted.items() if str(data.get(key, "") or "") != value}
    if changed:
        _apply(data, changed, at)
    if bare:
        _describe(data)
    dcmwrite(out, data, enforce_file_format=True)
    return sorted(changed)


def _apply(data: Dataset, changed: Mapping[str, str], at: str | None) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    data.decode()
    before = Dataset()
    for key in changed:
        if key in data:
            before[key] = deepcopy(data[key])  # else the new value would reach it too
        else:
            setattr(before, key, "")
    item = Dataset()
    item.ModifiedAttributesSequence = Sequence([before])
    item.SourceOfPreviousValues = ""
    item.AttributeModificationDateTime = at or datetime.now().astimezone().strftime("%Y%m%d%H%M%S%z")
    item.ModifyingSystem = "irisdrop"
    item.ReasonForTheAttributeModification = "COERCE"
    data.OriginalAttributesSequence = Sequence([*data.get("OriginalAttributesSequence", []), item])
    for key, value in changed.items():
        setattr(data, key, value)
    if not all(value.isascii() for value in changed.values()):
        data.SpecificCharacterSet = "ISO_IR 192"


def _describe(data: Dataset) -> None:
    """A file without preamble is implicit or explicit little endian, as pydicom found it."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta = getattr(data, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, _ = data.original_encoding
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    data.file_meta = meta


def _limit_memory() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main()
