"""The child that draws: one JSON line in, one JSON line and the picture's bytes out. It may be killed at any time.

A request: `{"file", "side", "frame", "seconds"}`; the answer `{"why", "frames", "length"}` and `length` bytes of JPEG.
`why` is empty where there is a picture.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from irisdrop.identity.parsing import system

if TYPE_CHECKING:
    from PIL import Image
    from pydicom import Dataset

MOST_PIXELS: Final = 220_000_000  # of one frame; the largest fundus mosaics have 60 million
MOST_FRAMES: Final = 100_000
LONGEST_FRAME: Final = 160 << 20  # bytes of one frame, as they stand in the file
QUALITY: Final = 86


class NotShown(Exception):
    """There is no picture, and this is why."""


def main(memory: int) -> None:
    """Serve requests; `memory` is the most address space in bytes."""
    from irisdrop.surface.page.system import calm

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()  # libraries log what they read, and that may be a patient
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not speak in our place
    system.limit_memory(memory)
    calm()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        system.limit_time(request["seconds"])
        head, picture = _answer(request)
        answers.write(json.dumps(head | {"length": len(picture)}).encode() + b"\n" + picture)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        with open(request["file"], "rb") as file:  # noqa: PTH123 - a spool file, named by its digest
            frames, picture = draw(file, request["side"], request["frame"])
    except NotShown as reason:
        return {"why": str(reason), "frames": 0}, b""
    except MemoryError:
        return {"why": "large", "frames": 0}, b""
    except Exception:  # noqa: BLE001 - decoders raise anything; without a picture the words beside it remain
        return {"why": "damaged", "frames": 0}, b""
    return {"why": "", "frames": frames}, picture


def draw(file: BinaryIO, side: int, frame: int) -> tuple[int, bytes]:
    """How many frames a file has, and one of them as a JPEG of at most `side` pixels; raises NotShown and anything."""
    head = file.read(132)
    file.seek(0)
    frames, picture = _dicom(file, frame, side) if head[128:] == b"DICM" else _plain(file, frame, side)
    picture.thumbnail((side, side))
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return frames, out.getvalue()


def _opened(file: BinaryIO, side: int) -> Image.Image:
    """A picture whose size is sound, as small as its decoder can make it cheaply."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = True  # what there is helps to recognise it; the words say that it is damaged
    Image.MAX_IMAGE_PIXELS = None  # our own limit stands below, and is no mere warning
    picture = Image.open(file, formats=("JPEG", "PNG", "TIFF", "BMP", "JPEG2000", "WEBP", "MPO"))
    if picture.width * picture.height > MOST_PIXELS:
        raise NotShown("large")
    picture.draft("RGB", (side, side))
    return picture


def _plain(file: BinaryIO, frame: int, side: int) -> tuple[int, Image.Image]:
    from PIL import ImageOps

    picture = _opened(file, side)
    frames = min(int(getattr(picture, "n_frames", 1)), MOST_FRAMES)
    if frames > 1 and picture.format == "MPO":
        frames = 1  # what follows the picture in a JPEG is its own preview
    if 0 < frame < frames:
        picture.seek(frame)
        if picture.width * picture.height > MOST_PIXELS:
            raise NotShown("large")
    if picture.mode.startswith("I;16") or picture.mode == "I":
        picture = _stretched(picture)
    # Shrunk first: turning a large picture costs a second copy of it.
    picture.thumbnail((side, side))
    return frames, ImageOps.exif_transpose(picture)


def _dicom(file: BinaryIO, frame: int, side: int) -> tuple[int, Image.Image]:
    from pydicom import dcmread

    asked = [
        "Rows",
        "Columns",
        "NumberOfFrames",
        "SamplesPerPixel",
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
    ]
    asked += ["PhotometricInterpretation", "PlanarConfiguration"]
    header = dcmread(file, stop_before_pixels=True, specific_tags=asked)
    frames = max(1, min(int(header.get("NumberOfFrames") or 1), MOST_FRAMES))
    wanted = min(max(frame, 0), frames - 1)
    if int(header.Rows) * int(header.Columns) > MOST_PIXELS:
        raise NotShown("large")
    syntax = header.file_meta.TransferSyntaxUID
    length = _at_pixels(file, implicit=syntax.is_implicit_VR, little=syntax.is_little_endian)
    if syntax.is_deflated:
        raise NotShown("unknown")
    if syntax.is_encapsulated:
        return frames, _opened(io.BytesIO(_fragment(file, wanted, frames)), side)
    return frames, _native(file, header, wanted, length)


def _at_pixels(file: BinaryIO, *, implicit: bool, little: bool) -> int:
    """Step over the head of Pixel Data, where reading stopped; its length."""
    order: Any = "little" if little else "big"
    tag = file.read(4)
    if int.from_bytes(tag[:2], order) != 0x7FE0:
        raise NotShown("none")
    if not implicit:
        file.read(4)
    return int.from_bytes(file.read(4), order)


def _fragment(file: BinaryIO, frame: int, frames: int) -> bytes:
    """One frame of encapsulated pixel data: a walk from item to item that reads no other frame's bytes."""
    offsets = _item(file, file)
    begin = file.tell()
    if frames > 1 and len(offsets) >= 4 * (frame + 1):
        file.seek(begin + int.from_bytes(offsets[4 * frame : 4 * frame + 4], "little"))
        return _item(file, file)
    for _ in range(frame if frames > 1 else 0):
        head = file.read(8)
        if head[:4] != b"\xfe\xff\x00\xe0":
            raise NotShown("damaged")
        file.seek(int.from_bytes(head[4:], "little"), io.SEEK_CUR)
    if frames > 1:
        return _item(file, file)
    parts: list[bytes] = []  # a single frame may be cut into several items
    while sum(map(len, parts)) <= LONGEST_FRAME and (part := _item(file, file, last=True)):
        parts.append(part)
    return b"".join(parts)


def _item(file: BinaryIO, _: BinaryIO, *, last: bool = False) -> bytes:
    head = file.read(8)
    if last and head[:4] in (b"\xfe\xff\xdd\xe0", b""):
        return b""
    length = int.from_bytes(head[4:], "little")
    if head[:4] != b"\xfe\xff\x00\xe0" or length > LONGEST_FRAME:
        raise NotShown("damaged")
    return file.read(length)


def _native(file: BinaryIO, header: Dataset, frame: int, length: int) -> Image.Image:
    """One frame of plain pixel data: 8-bit grey or colour, or grey of up to 16 bits stretched to what is in it."""
    from PIL import Image

    samples, deep = int(header.get("SamplesPerPixel") or 1), int(header.BitsAllocated)
    size = (int(header.Columns), int(header.Rows))
    one = size[0] * size[1] * samples * (deep // 8)
    if deep not in (8, 16) or samples not in (1, 3) or (samples == 3 and deep != 8):
        raise NotShown("unknown")
    if one > LONGEST_FRAME or (length != 0xFFFFFFFF and one * (frame + 1) > length):
        raise NotShown("large" if one > LONGEST_FRAME else "damaged")
    file.seek(one * frame, io.SEEK_CUR)
    pixels = file.read(one)
    kind = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    if samples == 3:
        return _colour(pixels, size, planar=bool(header.get("PlanarConfiguration")), kind=kind)
    if deep == 8:
        picture = Image.frombytes("L", size, pixels)
    else:
        little = header.file_meta.TransferSyntaxUID.is_little_endian
        picture = _stretched(Image.frombytes("I;16" if little else "I;16B", size, pixels))
    return picture.point(lambda value: 255 - value) if kind == "MONOCHROME1" else picture


def _colour(pixels: bytes, size: tuple[int, int], *, planar: bool, kind: str) -> Image.Image:
    from PIL import Image

    mode = "YCbCr" if kind == "YBR_FULL" else "RGB"
    if kind not in ("RGB", "YBR_FULL"):
        raise NotShown("unknown")
    if not planar:
        return Image.frombytes(mode, size, pixels)
    plane = size[0] * size[1]
    bands = [Image.frombytes("L", size, pixels[at * plane : (at + 1) * plane]) for at in range(3)]
    return Image.merge(mode, bands)


def _stretched(picture: Image.Image) -> Image.Image:
    """Grey of more than eight bits, from the darkest to the brightest that is in it."""
    wide = picture.convert("I")
    low, high = wide.getextrema()
    darkest, brightest = int(low), int(high)  # type: ignore[arg-type]
    scale = 255.0 / max(brightest - darkest, 1)
    return wide.point(lambda value: value * scale - darkest * scale).convert("L")
