"""Pictures that look like a retina and show nobody's: drawn from a number, each with pixels of its own."""

from __future__ import annotations

import io
import math
import random
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

SIDE: Final = 960
VESSEL: Final = (104, 24, 16)


def draw(seed: int, eye: str, exif: bytes = b"") -> bytes:
    """A JPEG of some 200 to 500 kB. The optic disc lies right of the middle in a right eye, left in a left one."""
    from PIL import Image, ImageDraw

    chance = random.Random(seed)
    ground, mask, grain = _canvas()
    picture = ground.copy()
    pen = ImageDraw.Draw(picture)
    side = -1 if eye == "L" else 1
    disc = (SIDE // 2 + side * chance.randrange(190, 230), SIDE // 2 + chance.randrange(-25, 25))
    _spot(pen, (SIDE // 2 - side * 40, SIDE // 2 + 12), 74, (200, 100, 50), (122, 46, 22))
    _spot(pen, disc, chance.randrange(52, 64), (226, 150, 84), (250, 222, 160))
    for upward in (-1, 1):
        for toward in (-side, side):
            _vessel(pen, chance, disc, math.atan2(upward * chance.uniform(0.7, 1.3), toward * 0.6), 9.0)
    for _ in range(chance.randrange(0, 12)):
        place = (chance.randrange(SIDE), chance.randrange(SIDE))
        _spot(pen, place, chance.randrange(3, 9), (140, 40, 20), chance.choice(((236, 206, 120), (90, 16, 12))))
    left, top = chance.randrange(grain.width - SIDE), chance.randrange(grain.height - SIDE)
    picture = Image.blend(picture, grain.crop((left, top, left + SIDE, top + SIDE)), 0.09)
    picture.paste((0, 0, 0), mask=mask)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=chance.randrange(88, 96), **({"exif": exif} if exif else {}))
    return out.getvalue()


@cache
def _canvas() -> tuple[Image.Image, Image.Image, Image.Image]:
    """The ground, what lies outside of the round field, and the grain from which each picture takes its own part."""
    from PIL import Image, ImageDraw, ImageOps

    slope = Image.radial_gradient("L").resize((SIDE, SIDE))
    ground = ImageOps.colorize(slope, black=(222, 118, 60), mid=(176, 74, 34), white=(64, 16, 8))
    mask = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(mask).ellipse((20, 20, SIDE - 20, SIDE - 20), fill=0)
    room = SIDE + 400
    grain = Image.frombytes("L", (room, room), random.Random(SIDE).randbytes(room * room)).convert("RGB")
    return ground, mask, grain


def _spot(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], radius: int, rim: tuple[int, int, int], core: tuple[int, int, int]
) -> None:
    x, y = place
    for step in range(6):
        part = step / 5
        size = radius * (1 - 0.6 * part)
        colour = tuple(round(a + (b - a) * part) for a, b in zip(rim, core, strict=True))
        pen.ellipse((x - size, y - size * 1.08, x + size, y + size * 1.08), fill=colour)


def _vessel(
    pen: ImageDraw.ImageDraw, chance: random.Random, start: tuple[float, float], angle: float, width: float
) -> None:
    points, bend = [start], chance.uniform(-0.035, 0.035)
    while width > 1.2:
        x, y = points[-1]
        angle += bend + chance.uniform(-0.16, 0.16)
        points.append((x + 24 * math.cos(angle), y + 24 * math.sin(angle)))
        pen.line(points[-2:], fill=VESSEL, width=round(width))
        width *= 0.95
        if chance.random() < 0.16:
            _vessel(pen, chance, points[-1], angle + chance.choice((-0.6, 0.6)), width * 0.62)
