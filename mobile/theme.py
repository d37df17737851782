"""Colours, letter sizes and the language of the screens: the one place that a design token stands.

Three looks. "day" is the default, with the greens, the paper and the warm accent of the county's pages.
"sun" is for a hillside at noon: black on white, hard edges, no tints that glare swallows. "dark" is for evenings.
Every pair of PAIRS has a contrast of at least CONTRAST of its look; a test measures it.
kv files bind to `theme.ink` and the like, so a change of look, size or language shows at once.
"""

from __future__ import annotations

from pathlib import Path

from kivy.core.text import DEFAULT_FONT, LabelBase
from kivy.event import EventDispatcher
from kivy.metrics import dp
from kivy.properties import BooleanProperty, ColorProperty, NumericProperty, StringProperty

from shared_schemas.locale import korean, text

FONTS = Path(__file__).parent / "assets" / "fonts"
TIBETAN = "Tibetan"

LOOKS: dict[str, dict[str, str]] = {
    "day": {
        "bar": "#123529",
        "bar_ink": "#FFFFFF",
        "bar_soft": "#CFE0D6",
        "paper": "#F5F2EA",
        "card": "#FFFFFF",
        "ink": "#111A15",
        "soft": "#47534C",
        "line": "#DCD8CC",
        "edge": "#6C766F",
        "green": "#14614C",
        "green_ink": "#FFFFFF",
        "green_tint": "#E1EEE6",
        "green_deep": "#0F4636",
        "warm": "#A84A15",
        "warm_ink": "#FFFFFF",
        "warm_tint": "#FBEBDC",
        "warm_deep": "#7A3008",
        "red": "#B0131C",
        "red_ink": "#FFFFFF",
        "red_tint": "#FCE6E4",
        "amber": "#765000",
        "amber_tint": "#FFF1CC",
        "slate": "#33477A",
        "slate_tint": "#E6EBF6",
        "shade": "#00000080",
    },
    "sun": {
        "bar": "#000000",
        "bar_ink": "#FFFFFF",
        "bar_soft": "#FFFFFF",
        "paper": "#FFFFFF",
        "card": "#FFFFFF",
        "ink": "#000000",
        "soft": "#1F2A24",
        "line": "#6B756F",
        "edge": "#000000",
        "green": "#00452F",
        "green_ink": "#FFFFFF",
        "green_tint": "#D5F2E2",
        "green_deep": "#00301F",
        "warm": "#7A2800",
        "warm_ink": "#FFFFFF",
        "warm_tint": "#FFE3CC",
        "warm_deep": "#541B00",
        "red": "#8A0010",
        "red_ink": "#FFFFFF",
        "red_tint": "#FFE0DE",
        "amber": "#4D3300",
        "amber_tint": "#FFEDB3",
        "slate": "#13255C",
        "slate_tint": "#DCE6FF",
        "shade": "#000000B0",
    },
    "dark": {
        "bar": "#0A2119",
        "bar_ink": "#F4FAF6",
        "bar_soft": "#B5CCC0",
        "paper": "#0D1411",
        "card": "#18221D",
        "ink": "#F0F5F1",
        "soft": "#B6C4BC",
        "line": "#2F3D36",
        "edge": "#84968B",
        "green": "#74CFA4",
        "green_ink": "#05261A",
        "green_tint": "#173828",
        "green_deep": "#A4E6C6",
        "warm": "#F4A878",
        "warm_ink": "#351300",
        "warm_tint": "#3D2617",
        "warm_deep": "#FFCAA8",
        "red": "#FF9B95",
        "red_ink": "#3A0507",
        "red_tint": "#41191B",
        "amber": "#F3CB6B",
        "amber_tint": "#382C10",
        "slate": "#AFC2F2",
        "slate_tint": "#222C45",
        "shade": "#000000B0",
    },
}

PAIRS: tuple[tuple[str, str], ...] = (
    ("bar_ink", "bar"),
    ("bar_soft", "bar"),
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "green_tint"),
    ("soft", "paper"),
    ("soft", "card"),
    ("green", "paper"),
    ("green", "card"),
    ("green_ink", "green"),
    ("green_deep", "green_tint"),
    ("green_deep", "card"),
    ("warm", "card"),
    ("warm", "paper"),
    ("warm_ink", "warm"),
    ("warm_deep", "warm_tint"),
    ("red", "card"),
    ("red", "paper"),
    ("red", "red_tint"),
    ("red_ink", "red"),
    ("amber", "card"),
    ("amber", "amber_tint"),
    ("slate", "card"),
    ("slate", "slate_tint"),
    ("soft", "green_tint"),
    ("green", "green_tint"),
    ("card", "ink"),
)
"""(letters, ground) as they meet on the screens."""

CONTRAST = {"day": 4.5, "sun": 7.0, "dark": 4.5}
"""Least contrast of the letters by look: WCAG 2.2 AA, and AAA in the sun."""

TOUCH = 48
"""Least size of anything that is touched, in dp."""
MAIN_BUTTON = 76
"""Height of the main buttons in dp: 12 mm at 160 dp to the inch, for a thumb in a glove."""

SIZES = {"small": 14.5, "body": 17, "large": 20, "title": 23, "display": 30}
"""Letter sizes in dp at 100 %."""


class Theme(EventDispatcher):
    """The tokens as Kivy properties. There is one, `theme`."""

    bar = ColorProperty()
    bar_ink = ColorProperty()
    bar_soft = ColorProperty()
    paper = ColorProperty()
    card = ColorProperty()
    ink = ColorProperty()
    soft = ColorProperty()
    line = ColorProperty()
    edge = ColorProperty()
    green = ColorProperty()
    green_ink = ColorProperty()
    green_tint = ColorProperty()
    green_deep = ColorProperty()
    warm = ColorProperty()
    warm_ink = ColorProperty()
    warm_tint = ColorProperty()
    warm_deep = ColorProperty()
    red = ColorProperty()
    red_ink = ColorProperty()
    red_tint = ColorProperty()
    amber = ColorProperty()
    amber_tint = ColorProperty()
    slate = ColorProperty()
    slate_tint = ColorProperty()
    shade = ColorProperty()

    small = NumericProperty()
    body = NumericProperty()
    large = NumericProperty()
    title = NumericProperty()
    display = NumericProperty()

    touch = NumericProperty()
    main_button = NumericProperty()
    gap = NumericProperty()
    drawn = NumericProperty(1)
    """Pixels of a dp in an icon beside words: it grows with them, though not as fast."""

    look = StringProperty("day")
    scale = NumericProperty(1.0)
    lang = StringProperty("zh")
    has_korean = BooleanProperty(False)
    """Korean where there are words for it, Chinese elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.dress(self.look)
        self.resize(self.scale)

    def dress(self, look: str) -> None:
        """Take the colours of a look."""
        for name, colour in LOOKS[look].items():
            setattr(self, name, colour)
        self.look = look

    def resize(self, scale: float) -> None:
        """Take the letter sizes at a scale from 1.0 to 2.0."""
        self.scale = min(2.0, max(1.0, scale))
        for name, size in SIZES.items():
            setattr(self, name, round(dp(size) * self.scale))
        self.touch = dp(TOUCH)
        self.main_button = dp(MAIN_BUTTON)
        self.gap = dp(12)
        self.drawn = dp(1 + (self.scale - 1) * 0.6)


theme = Theme()


def ui(key: str, lang: str | None = None, **args: object) -> str:
    """Return the phone's own words; kv passes `theme.lang` so that the words follow the language."""
    said = korean(f"ui.{key}") if theme.has_korean else ""
    return said.format(**args) if said else text(f"ui.{key}", lang or theme.lang, **args)


def register_fonts() -> None:
    """Make the shipped fonts the fonts of every label: Kivy's own has no Chinese."""
    LabelBase.register(
        DEFAULT_FONT,
        str(FONTS / "ChushanSans-Regular.otf"),
        fn_bold=str(FONTS / "ChushanSans-Bold.otf"),
    )
    LabelBase.register(TIBETAN, str(FONTS / "NotoSerifTibetan-Regular.ttf"))


def luminance(colour: str) -> float:
    """Return the relative luminance of "#RRGGBB" (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
