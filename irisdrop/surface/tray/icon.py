"""The icon's pictures: each state has a shape of its own, so that no colour need be told from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from irisdrop.surface.tray.look import Face

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

SIDE: Final = 64
LARGER: Final = 4  # drawn larger and shrunk, so that edges are smooth
COLOURS: Final[dict[Face, str]] = {
    "well": "#1f9d63",
    "working": "#2f7fd6",
    "person": "#e09a1a",
    "broken": "#d0342c",
    "down": "#7b8794",
}
TILE: Final = "#22262b"
MOST: Final = 99


def picture(face: Face, count: int = 0) -> Image.Image:
    """One state: a tick, an arrow, how many exams wait, a cross, or a ring that is empty."""
    from PIL import Image, ImageDraw

    side = SIDE * LARGER
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    box = (8, 8, side - 8, side - 8)
    if face == "down":
        pen.ellipse(box, outline=COLOURS[face], width=36)
    elif face == "broken":
        pen.rounded_rectangle(box, 40, fill=COLOURS[face])
    elif face == "person":
        pen.polygon([(side // 2, 0), (side, side // 2), (side // 2, side), (0, side // 2)], fill=COLOURS[face])
    else:
        pen.ellipse(box, fill=COLOURS[face])
    _mark(pen, face, count, side)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def on_tile(icon: Image.Image) -> Image.Image:
    """The icon on a dark tile: X11's tray knows no half transparent edges and shows noise in their place."""
    from PIL import Image

    tile = Image.new("RGBA", icon.size, TILE)
    tile.alpha_composite(icon)
    return tile.convert("RGB")


def _mark(pen: ImageDraw.ImageDraw, face: Face, count: int, side: int) -> None:
    if face == "well":
        pen.line([(70, 132), (112, 176), (188, 88)], fill="white", width=28, joint="curve")
    elif face == "working":
        pen.line([(128, 190), (128, 76)], fill="white", width=28)
        pen.line([(78, 122), (128, 70), (178, 122)], fill="white", width=28, joint="curve")
    elif face == "broken":
        pen.line([(80, 80), (176, 176)], fill="white", width=30)
        pen.line([(176, 80), (80, 176)], fill="white", width=30)
    elif face == "person":
        from PIL import ImageFont

        text = str(count) if 0 < count <= MOST else f"{MOST}+" if count else "!"
        font = ImageFont.load_default(150 if len(text) == 1 else 120 if len(text) == 2 else 84)
        pen.text(
            (side / 2, side / 2), text, font=font, fill="#1a1300", anchor="mm", stroke_width=5, stroke_fill="#1a1300"
        )
