"""Files and folders to measure with: generated, with no patient in them."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

PATIENTS = 200


def picture(padding: int) -> bytes:
    """A small JPEG with Exif, and so many bytes after its end: they are read, hashed and sent like any other."""
    import piexif
    from PIL import Image

    exif = piexif.dump({"0th": {piexif.ImageIFD.Make: "simulated"}})
    made = io.BytesIO()
    Image.new("RGB", (200, 200), (200, 80, 30)).save(made, "JPEG", exif=exif)
    return made.getvalue() + os.urandom(padding)


def export(folder: Path, count: int, size: int, first: int = 0) -> list[Path]:
    """So many exports of a Topcon NW400, each with bytes of its own."""
    body = picture(size)
    files = []
    for number in range(first, first + count):
        name = f"{datetime.now(UTC):%Y%m%d}_{number % PATIENTS:06}_{'RL'[number % 2]}_{number:05}.JPG"
        path = folder / name
        path.write_bytes(body + number.to_bytes(4, "big"))
        files.append(path)
    return files


def many_small(folder: Path, count: int, a_folder: int = 500) -> None:
    """So many tiny files in sub-folders, as years of exports lie there."""
    for number in range(count):
        below = folder / f"{number // a_folder:05}"
        if number % a_folder == 0:
            below.mkdir(parents=True)
        (below / f"20200101_{number:06}_R_{number:06}.JPG").write_bytes(b"x")
