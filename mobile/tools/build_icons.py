"""Draws the app's icon and the picture of its start from the mountain of the design: `python -m mobile.tools.build_icons`.

Run it after changing the mountain or the colours; the pictures are committed, so that a build needs
neither Pillow nor a font.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "android"
FONT = ROOT / "assets" / "fonts" / "ChushanSans-Bold.otf"

GREEN, INK, SUN = "#123529", "#f4f1e6", "#e8a33d"
GRID = 24
"""The design's icons stand on a grid of 24; see mobile/widgets/icon.py."""
FAR = [(10.6, 19), (15.5, 9.5), (22, 19)]
NEAR = [(2, 19), (9, 6.5), (16.4, 19)]
SNOW = [(6.6, 11), (9, 6.5), (11.5, 11), (10.2, 12.4), (9, 11.2), (7.8, 12.4)]
SUN_AT, SUN_RADIUS = (17.2, 6), 2.1
FINER = 4
"""Drawn this much larger and made small: soft edges."""


def mountain(size: int, share: float, ground: str | None) -> Image.Image:
    """Return the mountain on a square; `share` is how much of the square it takes."""
    large = size * FINER
    picture = Image.new("RGBA", (large, large), ground or (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    unit = large * share / GRID
    margin = large * (1 - share) / 2

    def at(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(margin + x * unit, margin + (y - 0.7) * unit) for x, y in points]

    (x, y), radius = at([SUN_AT])[0], SUN_RADIUS * unit
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=SUN)
    draw.polygon(at(FAR), fill="#5f8f7a")
    draw.polygon(at(NEAR), fill="#2f6b53")
    draw.polygon(at(SNOW), fill=INK)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def start_picture() -> Image.Image:
    """Return what is seen while Python starts: the mountain and the name."""
    picture = Image.new("RGBA", (720, 720), GREEN)
    picture.alpha_composite(mountain(400, 1.0, None), (160, 90))
    draw = ImageDraw.Draw(picture)
    draw.text((360, 560), "出山", font=ImageFont.truetype(FONT, 120), fill=INK, anchor="mm")
    return picture


def main() -> None:
    """Write the pictures."""
    for name, picture in (
        ("icon.png", mountain(512, 0.86, GREEN)),
        # Android cuts an adaptive icon to a circle of two thirds: the mountain stays inside it.
        ("icon_front.png", mountain(432, 0.56, None)),
        ("icon_back.png", Image.new("RGBA", (432, 432), GREEN)),
        ("start.png", start_picture()),
    ):
        picture.save(FOLDER / name, optimize=True)
        print(FOLDER / name, picture.size)


if __name__ == "__main__":
    main()
