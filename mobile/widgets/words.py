"""Text on the screen: a label that breaks Chinese lines properly and shows what its font lacks.

Kivy breaks lines at spaces only and would start a line with a full stop; and it has no second
font to fall back on, so a character that the font lacks would be an empty box.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from kivy.core.text import DEFAULT_FONT
from kivy.core.text import Label as CoreLabel
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.label import Label
from kivy.utils import escape_markup

from mobile.theme import TIBETAN
from mobile.widgets import load_kv

COVERAGE = Path(__file__).parent.parent / "assets" / "coverage.bin"

_NEVER_FIRST = set(
    ",.;:!?)]%/\uff0c\u3002\u3001\uff1b\uff1a\uff01\uff1f\uff09\u300b\u300d\u300f\u201d\u2019\u00b7\u2026\u2014\u3015"
)
_NEVER_LAST = set("([\u3014\uff08\u300a\u300c\u300e\u201c\u2018")
_PIECE = re.compile(
    # A syllable of Tibetan with the mark that ends it: its signs stand above and below one another.
    "[\u0f00-\u0f0a\u0f15-\u0fff]+[\u0f0b-\u0f14]*"
    r"|[A-Za-z0-9À-ɏ.,:%/&'@#_+=-]+|\s|.",
    re.DOTALL,
)
_TIBETAN = re.compile("[\u0f00-\u0fff]+")
TIBETAN_SIZE = 0.85
"""Of the Chinese letters beside them, so that the lines keep their distance."""


@cache
def _coverage() -> bytes:
    packed = COVERAGE.read_bytes()
    return zlib.decompress(packed[4:])


def is_drawable(character: str) -> bool:
    """Tell whether the shipped fonts can draw a character."""
    code = ord(character)
    if code < 0x20 or 0x0F00 <= code <= 0x0FFF:
        return True
    bitmap = _coverage()
    return code >> 3 < len(bitmap) and bool(bitmap[code >> 3] >> (code & 7) & 1)


def drawable(words: str) -> str:
    """Return the words with each character that the font lacks named by its code: 〔U+2B741〕."""
    return "".join(c if is_drawable(c) else f"〔U+{ord(c):X}〕" for c in words)


def lacking(words: str) -> list[str]:
    """Return the codes of the characters that the font lacks, each once: ["U+2B741"]."""
    return [f"U+{ord(c):X}" for c in dict.fromkeys(words) if not is_drawable(c)]


def has_tibetan(words: str) -> bool:
    """Tell whether words need the Tibetan font."""
    return bool(_TIBETAN.search(words))


_HALF_WIDTH = ",;:!?)"
_FULL_WIDTH = dict(zip(_HALF_WIDTH, "\uff0c\uff1b\uff1a\uff01\uff1f\uff09", strict=True))
_AFTER_HAN = re.compile(r"(?<=[\u3400-\u9fff\u201d\u300b\u300d])[,;:!?)](?! )")
_AROUND_HAN = re.compile(r"\((?=[^()]*[\u3400-\u9fff])([^()]*)\)")


_HAN = re.compile("[\u3400-\u9fff]")
_NARROW = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")


def typeset(words: str) -> str:
    """Return words with the marks of print; what is stored is not touched.

    Chinese has full-width marks. The font's quotation marks are as wide: among English they leave holes.
    """
    if not _HAN.search(words):
        return words.translate(_NARROW)
    words = _AROUND_HAN.sub("\uff08\\1\uff09", words)
    return _AFTER_HAN.sub(lambda found: _FULL_WIDTH[found[0]], words)


def unbreakable(words: str) -> list[str]:
    """Split into pieces between which a line may break."""
    pieces: list[str] = []
    for piece in _PIECE.findall(words):
        closes = bool(pieces) and piece[0] in _NEVER_FIRST and not pieces[-1].isspace()
        opened = bool(pieces) and pieces[-1][-1] in _NEVER_LAST
        ends_line = piece == "\n" or (bool(pieces) and pieces[-1] == "\n")
        if (closes or opened) and not ends_line:
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def wrap(words: str, width: float, measure: Callable[[str], float]) -> str:
    """Return the words with line breaks so that no line is wider than `width`.

    No line starts with a closing mark or ends with an opening one, unless a single piece is wider
    than the line.
    """
    lines, line, used = [], "", 0.0
    for piece in unbreakable(words):
        if piece == "\n":
            lines.append(line)
            line, used = "", 0.0
            continue
        for part in _fitting(piece, width, measure):
            size = measure(part)
            if line and used + size > width:
                lines.append(line.rstrip())
                line, used = "", 0.0
                if part.isspace():
                    continue
            line, used = line + part, used + size
    return "\n".join([*lines, line])


def balanced(words: str, width: float, measure: Callable[[str], float]) -> str:
    """Return the words in as few lines as `wrap` needs, all about as long: none is left with one letter."""
    lines = wrap(words, width, measure)
    count, wide = lines.count("\n"), width
    if not count:
        return lines
    narrow = max(
        min(measure(piece), width) for piece in unbreakable(words)
    )  # no word is broken for it
    for _ in range(6):
        middle = (narrow + wide) / 2
        tried = wrap(words, middle, measure)
        if tried.count("\n") > count:
            narrow = middle
        else:
            lines, wide = tried, middle
    return lines


def _fitting(piece: str, width: float, measure: Callable[[str], float]) -> list[str]:
    if len(piece) == 1 or measure(piece) <= width or has_tibetan(piece):
        return [piece]
    return list(piece)


@lru_cache(maxsize=64)
def ruler(font: str, size: float, bold: bool) -> Callable[[str], float]:
    """Return how wide words are in a font, in pixels."""
    label = CoreLabel(
        font_name=font, font_size=size, bold=bold, font_script_name=_script(font == TIBETAN)
    )

    @lru_cache(maxsize=4096)
    def measure(piece: str) -> float:
        return float(label.get_extents(piece)[0])

    return measure


def mixed_ruler(font: str, size: float, bold: bool) -> Callable[[str], float]:
    """Return how wide pieces are of which some are Tibetan, as `marked` draws them."""
    main, tibetan = ruler(font, size, bold), ruler(TIBETAN, int(size * TIBETAN_SIZE), False)
    return lambda piece: (tibetan if has_tibetan(piece) else main)(piece)


def _script(is_tibetan: bool) -> str:
    return "Tibt" if is_tibetan else "Latn"


def fitting(words: str, size: float, room: float) -> float:
    """Return the letter size, up to `size`, at which words fit into one line of `room`.

    In proportion, measured at `size` alone: each size that is tried opens the whole font once more.
    """
    wide = ruler(DEFAULT_FONT, size, False)(words) if words else 0
    if not wide > room > 0:
        return size
    # A square letter is as wide as its size; the widths of the others are rounded to whole pixels.
    rounded = sum(not ("\u2e80" <= c <= "\u9fff" or c >= "\uff00") for c in words) / 2
    return max(1.0, float(int(size * (room - rounded) / wide)))


class OneLine(Label):
    """One line of words in a list, cut at its end where it is too long. Give it `words`, not `text`."""

    words = StringProperty("")

    def on_words(self, _: object, words: str) -> None:
        """Draw what the main font can, and Tibetan in its own."""
        shown = typeset(drawable(words))
        self.markup = has_tibetan(shown)
        self.font_script_name = _script(self.markup)
        self.text = marked(shown, self.font_size) if self.markup else shown

    def on_font_size(self, *_: object) -> None:
        """Tibetan names its size in the text."""
        self.on_words(self, self.words)


class Words(Label):
    """A label whose height follows its words. Give it `words`, not `text`.

    `one_line` keeps to one line and is as wide as its words; `fit` is the widest that it may be.
    """

    words = StringProperty("")
    one_line = BooleanProperty(False)
    fit = NumericProperty(0)
    shown = BooleanProperty(True)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for name in ("words", "one_line", "fit"):
            self.fbind(name, self._trigger_texture)
        self.fbind("width", self._widened)

    def _widened(self, *_: object) -> None:
        if not self.one_line:
            self._trigger_texture()

    def texture_update(self, *largs: object) -> None:
        """Break the lines and draw them: once a frame, however much has changed."""
        self._break_lines()
        super().texture_update(*largs)
        self._trigger_texture.cancel()  # it was the breaking that asked to draw again
        if self.one_line:
            self.width = self.texture_size[0]

    def _break_lines(self) -> None:
        shown = typeset(drawable(self.words))
        is_tibetan = has_tibetan(shown)
        if not is_tibetan and self.markup:
            self.markup, self.font_script_name = False, "Latn"
        measure = (mixed_ruler if is_tibetan else ruler)(self.font_name, self.font_size, self.bold)
        if self.one_line and not 0 < self.fit < measure(shown):
            self.text_size = (None, None)
        else:
            widest = self.fit if self.one_line else self.width
            width = widest - self.padding[0] - self.padding[2]
            if width <= 1:
                return
            self.text_size = (widest, None)
            shown = (balanced if self.halign == "center" else wrap)(shown, width, measure)
        self.text = marked(shown, self.font_size) if is_tibetan else shown
        if is_tibetan:
            self.markup, self.font_script_name = True, "Tibt"


class RowName(Words):
    """The name in a row of a list. A long one is smaller, and in two lines, and never leaves `room`."""

    full_size = NumericProperty(20)
    room = NumericProperty(0)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for name in ("full_size", "room"):
            self.fbind(name, self._trigger_texture)

    def texture_update(self, *largs: object) -> None:
        """Take the size first, then break the lines."""
        share = self._share()
        self.font_size = self.full_size * share
        self.max_lines = max(1, int(self.room / (self.full_size * LINE * share)))
        super().texture_update(*largs)

    def _share(self) -> float:
        shown = drawable(self.words)
        measure = mixed_ruler(self.font_name, self.full_size, self.bold)
        line = self.full_size * LINE
        for share in ROW_SIZES:
            lines = wrap(shown, self.width / share, measure).count("\n") + 1
            if lines == 1 or lines * line * share <= self.room:
                return share
        return ROW_SIZES[-1]


LINE = 1.7
"""Height of a line of words, as a share of their size."""
ROW_SIZES = (1.0, 0.85, 0.7, 0.55, 0.45)
"""Sizes of a name in a row, as shares of the full one: each opens the font once more."""


def marked(words: str, size: float) -> str:
    """Return words as markup that draws Tibetan in its font, for letters of a size."""
    inner = f"[font={TIBETAN}][size={int(size * TIBETAN_SIZE)}]"
    return _TIBETAN.sub(lambda found: f"{inner}{found[0]}[/size][/font]", escape_markup(words))


load_kv(__file__)
