"""Builds the fonts of the phone out of the Debian package fonts-noto-cjk.

Kivy draws a label with one font and has no fallback, so the one font must hold whatever a name may contain.

    apt install fonts-noto-cjk unicode-data
    npm pack @expo-google-fonts/noto-serif-tibetan@0.4.2, unpacked
    pip install fonttools
    python mobile/tools/build_fonts.py [--tibetan <unpacked package>]

ChushanSans-Regular.otf  every Han character of Noto Sans CJK SC, Hangul, Latin, punctuation, symbols
ChushanSans-Bold.otf     for headings: the 8105 characters of 通用规范汉字表, Hangul, Latin, punctuation, symbols
NotoSerifTibetan-Regular.ttf  for labels with font_script_name "Tibt"; unchanged but for its line height
OFL.txt                  the licence of all three; its Reserved Font Name is "Source", which no file here uses
coverage.bin             which characters ChushanSans-Regular can draw:
                         4 bytes b"COV1", then a zlib stream of a bitmap. Character c is covered when
                         bitmap[c >> 3] >> (c & 7) & 1 is 1; beyond the bitmap's end nothing is covered.

The source lacks four signs that the screens need (✕ ☰ ⋮ ⌫). They are drawn here, in the place of
glyphs that nobody needs (㍙ to ㍜, the hours of telegraph days).
"""

import argparse
import bz2
import re
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

NOTO = Path("/usr/share/fonts/opentype/noto")
UNIHAN = Path("/usr/share/unicode/Unihan_OtherMappings.txt.bz2")
FONTS = Path(__file__).resolve().parent.parent / "assets" / "fonts"
SIMPLIFIED_CHINESE = 2  # the place of "Noto Sans CJK SC" in the collection

HAN = [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)]
HANGUL = [(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3)]
SIGNS = [
    (0x0020, 0x024F),  # Latin, with the tones of pinyin
    (0x0370, 0x03FF),  # Greek
    (0x2000, 0x206F),  # punctuation
    (0x2070, 0x209F),  # raised and lowered digits
    (0x20A0, 0x20BF),  # currencies
    (0x2100, 0x214F),  # ℃ № ℡
    (0x2150, 0x218F),  # fractions, Roman numerals
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x2460, 0x24FF),  # ① ⑩
    (0x2500, 0x27BF),  # boxes, ●○▲△★☆ ✓
    (0x2E80, 0x2FDF),  # radicals
    (0x3000, 0x303F),  # 、。《》々〇
    (0x3100, 0x312F),  # bopomofo
    (0x31C0, 0x31EF),  # strokes
    (0x3200, 0x33FF),  # ㎡ ㎏
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),  # full-width forms
]

# Each sign as closed polygons on the font's 1000-unit square (baseline at 0, the square from -120 to 880).
Polygon = list[tuple[int, int]]


def bar(left: int, bottom: int, right: int, top: int) -> Polygon:
    return [(left, bottom), (left, top), (right, top), (right, bottom)]


CROSS: Polygon = [
    (500, 435), (776, 711), (831, 656), (555, 380), (831, 104), (776, 49),
    (500, 325), (224, 49), (169, 104), (445, 380), (169, 656), (224, 711),
]  # fmt: skip
SMALL_CROSS = [(round(x * 0.5 + 330), round(y * 0.5 + 190)) for x, y in CROSS]
DRAWN: dict[str, tuple[str, list[Polygon]]] = {
    "✕": ("㍙", [CROSS]),
    "☰": ("㍚", [bar(140, 600, 860, 670), bar(140, 345, 860, 415), bar(140, 90, 860, 160)]),
    "⋮": ("㍛", [bar(450, 620, 550, 720), bar(450, 330, 550, 430), bar(450, 40, 550, 140)]),
    "⌫": (
        "㍜",
        [
            [(60, 380), (300, 680), (940, 680), (940, 80), (300, 80)],
            [
                (150, 380),
                (335, 150),
                (870, 150),
                (870, 610),
                (335, 610),
            ],  # the other way round: a hole
            SMALL_CROSS,
        ],
    ),
}


def characters(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {code for first, last in ranges for code in range(first, last + 1)}


def standard_characters() -> set[int]:
    """Return the 8105 characters of 通用规范汉字表 (2013), Unihan's field kTGH."""
    lines = bz2.decompress(UNIHAN.read_bytes()).decode()
    return {int(code, 16) for code in re.findall(r"^U\+([0-9A-F]+)\tkTGH\t", lines, re.MULTILINE)}


def build(source: Path, wanted: set[int], target: Path) -> TTFont:
    options = subset.Options()
    options.layout_features = []
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    font = subset.load_font(str(source), _with_number(options))
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted | {ord(place) for place, _ in DRAWN.values()})
    subsetter.subset(font)
    for sign, (place, polygons) in DRAWN.items():
        draw(font, sign, place, polygons)
    font.save(target)
    return font


def _with_number(options: subset.Options) -> subset.Options:
    options.font_number = SIMPLIFIED_CHINESE
    return options


def draw(font: TTFont, sign: str, place: str, polygons: list[Polygon]) -> None:
    """Put a drawing in the place of a glyph, and reach it by the sign only."""
    glyph = font.getBestCmap()[ord(place)]
    top = font["CFF "].cff.topDictIndex[0]
    private = top.FDArray[top.FDSelect[font.getGlyphID(glyph)]].Private
    width = font["hmtx"][glyph][0]
    pen = T2CharStringPen(width - private.nominalWidthX, None)
    for polygon in polygons:
        pen.moveTo(polygon[0])
        for point in polygon[1:]:
            pen.lineTo(point)
        pen.closePath()
    top.CharStrings[glyph] = pen.getCharString(private, top.GlobalSubrs)
    font["hmtx"][glyph] = (width, min(x for polygon in polygons for x, _ in polygon))
    for table in font["cmap"].tables:
        if table.isUnicode() and table.cmap.pop(ord(place), None):
            table.cmap[ord(sign)] = glyph


def coverage(covered: set[int]) -> bytes:
    bitmap = bytearray((max(covered) >> 3) + 1)
    for code in covered:
        bitmap[code >> 3] |= 1 << (code & 7)
    return b"COV1" + zlib.compress(bytes(bitmap), 9)


TIBETAN_LINE = (1200, -760)
"""Ascent and descent for the stacks of names. The font's own, 1466 and -1349, are for sacred texts:
lines would be twice as high as those of Chinese."""


def with_lines_of(font: bytes, ascent: int, descent: int) -> bytes:
    """Return a font file with another line height; its check sums are made to fit."""
    data = bytearray(font)
    tables = {}
    for at in range(12, 12 + 16 * int.from_bytes(data[4:6], "big"), 16):
        tag, _, start, length = struct.unpack_from(">4sIII", data, at)
        tables[tag] = (at, start, length)
    for tag, offset in ((b"hhea", 4), (b"OS/2", 68)):
        struct.pack_into(">hhh", data, tables[tag][1] + offset, ascent, descent, 0)
    struct.pack_into(">HH", data, tables[b"OS/2"][1] + 74, ascent, -descent)
    whole = tables[b"head"][1] + 8
    struct.pack_into(">I", data, whole, 0)
    for at, start, length in tables.values():
        struct.pack_into(">I", data, at + 4, check_sum(data[start : start + length]))
    struct.pack_into(">I", data, whole, (0xB1B0AFBA - check_sum(data)) & 0xFFFFFFFF)
    return bytes(data)


def check_sum(data: bytes | bytearray) -> int:
    """Return the sum of the 32-bit words, as a font's tables want it."""
    padded = bytes(data) + bytes(-len(data) % 4)
    return sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tibetan", type=Path, help="the unpacked npm package")
    arguments = parser.parse_args()
    FONTS.mkdir(parents=True, exist_ok=True)
    regular = build(
        NOTO / "NotoSansCJK-Regular.ttc",
        characters(HAN + HANGUL + SIGNS),
        FONTS / "ChushanSans-Regular.otf",
    )
    build(
        NOTO / "NotoSansCJK-Bold.ttc",
        characters(HANGUL + SIGNS) | standard_characters(),
        FONTS / "ChushanSans-Bold.otf",
    )
    (FONTS.parent / "coverage.bin").write_bytes(coverage(set(regular.getBestCmap())))
    if arguments.tibetan:
        font = (arguments.tibetan / "400Regular" / "NotoSerifTibetan_400Regular.ttf").read_bytes()
        (FONTS / "NotoSerifTibetan-Regular.ttf").write_bytes(with_lines_of(font, *TIBETAN_LINE))
        licence = (arguments.tibetan / "LICENSE_FONT").read_text(encoding="utf-8")
        (FONTS / "OFL.txt").write_text(
            "ChushanSans-Regular.otf and ChushanSans-Bold.otf are subsets of Noto Sans CJK SC:\n"
            "Copyright 2014-2021 Adobe (http://www.adobe.com/), with Reserved Font Name 'Source'.\n\n"
            "NotoSerifTibetan-Regular.ttf:\n" + licence,
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
