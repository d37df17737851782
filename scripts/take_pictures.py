"""Takes every picture of docs/pictures anew and composes the one that the READMEs show.

The pages' are taken in Chromium (`tests.browser.take_pictures`), the phone's in the app's own
window (`tests.screens.take_pictures`). `python -m scripts.take_pictures overview` only composes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
TAKERS = ("tests.browser.take_pictures", "tests.screens.take_pictures")

PHONES = ("phone/04-households.png", "phone/08-returned-field.png")
PAGES = ("pages/review_household.png", "pages/labour_list.png")
WIDTH, HEIGHT, MARGIN = 1800, 1000, 40
BACKGROUND = (236, 240, 233)


def main(names: list[str]) -> None:
    """Take and compose."""
    if names != ["overview"]:
        for taker in TAKERS:
            subprocess.run([sys.executable, "-m", taker], check=True)
    compose(PICTURES / "overview.png")


def compose(path: Path) -> None:
    """Put two phone screens and two pages on one picture."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    phone_height = HEIGHT - 2 * MARGIN
    left = MARGIN
    for name in PHONES:
        with Image.open(PICTURES / name) as picture:
            width = round(picture.width * phone_height / picture.height)
            phone = _smaller(picture, width, phone_height)
            _place(sheet, phone, left, MARGIN)
        left += width + MARGIN
    page_width = WIDTH - left - MARGIN
    page_height = (HEIGHT - 3 * MARGIN) // 2
    for i, name in enumerate(PAGES):
        with Image.open(PICTURES / name) as picture:
            # The upper part of a long page, as a person sees it first.
            cut = picture.crop(
                (0, 0, picture.width, round(picture.width * page_height / page_width))
            )
            page = _smaller(cut, page_width, page_height)
        _place(sheet, page, left, MARGIN + i * (page_height + MARGIN))
    sheet.save(path, optimize=True)


def _smaller(picture: Image.Image, width: int, height: int) -> Image.Image:
    # A picture with a palette would be resized without mixing its colours.
    return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _place(sheet: Image.Image, picture: Image.Image, left: int, top: int) -> None:
    shadow = Image.new("L", sheet.size, 0)
    box = (left, top + 6, left + picture.width, top + picture.height + 6)
    ImageDraw.Draw(shadow).rectangle(box, fill=90)
    sheet.paste((60, 70, 60), mask=shadow.filter(ImageFilter.GaussianBlur(10)))
    sheet.paste(picture, (left, top))


if __name__ == "__main__":
    main(sys.argv[1:])
