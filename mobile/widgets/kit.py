"""Buttons, cards, badges, banners, bars: the small pieces that every screen is made of."""

from __future__ import annotations

from kivy.animation import Animation
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics import Color, RoundedRectangle
from kivy.metrics import dp
from kivy.properties import (
    BooleanProperty,
    ColorProperty,
    NumericProperty,
    OptionProperty,
    StringProperty,
    VariableListProperty,
)
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.layout import Layout
from kivy.uix.modalview import ModalView
from kivy.uix.scrollview import ScrollView
from kivy.uix.stacklayout import StackLayout
from kivy.uix.widget import Widget

from mobile.theme import theme
from mobile.widgets import icon, load_kv, words

__all__ = ["icon", "words"]


OUT_OF_SIGHT = (-100_000, -100_000)


class Pressable(ButtonBehavior, Widget):
    """Anything that is touched: it darkens under the finger and is never smaller than 48 dp."""

    corner = 0
    """Radius of its corners in dp."""

    def on_state(self, _: Widget, state: str) -> None:
        """Show at once that the touch was felt."""
        self.canvas.after.remove_group("pressed")
        if state == "down":
            with self.canvas.after:
                Color(*theme.ink[:3], 0.12, group="pressed")
                RoundedRectangle(
                    pos=self.pos, size=self.size, radius=[dp(self.corner)], group="pressed"
                )


class BigButton(Pressable, AnchorLayout):
    """A button with words. `look` "main" is the one that leads on, 12 mm tall."""

    corner = 14
    words = StringProperty("")
    icon = StringProperty("")
    look = OptionProperty("main", options=["main", "plain", "quiet", "warm"])
    ground = ColorProperty()
    ink = ColorProperty()
    rim = ColorProperty()
    is_tall = BooleanProperty(False)
    least_height = NumericProperty(0)
    shown = BooleanProperty(True)


class IconButton(Pressable, AnchorLayout):
    """A button with an icon only, for back, clear and the like. `says` names it for the reader."""

    corner = 26
    icon = StringProperty("")
    says = StringProperty("")
    color = ColorProperty()


class Stack(Layout):
    """Things one below the other; the height follows. What is not `shown` takes no room.

    (A kv rule cannot say "no height" over the rule of the class: both stay bound.)
    """

    shown = BooleanProperty(True)
    padding = VariableListProperty([0, 0, 0, 0])
    spacing = NumericProperty(0)
    minimum_height = NumericProperty(0)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for name in ("children", "pos", "size", "padding", "spacing"):
            self.fbind(name, self._trigger_layout)

    def add_widget(self, widget: Widget, *args: object, **kwargs: object) -> None:
        """Add a child, and lay out again whenever it is shown or hidden."""
        super().add_widget(widget, *args, **kwargs)
        widget.fbind("size", self._trigger_layout)
        if widget.property("shown", quiet=True):
            widget.fbind("shown", self._trigger_layout)

    def remove_widget(self, widget: Widget, *args: object, **kwargs: object) -> None:
        """Take a child out."""
        super().remove_widget(widget, *args, **kwargs)
        widget.funbind("size", self._trigger_layout)
        if widget.property("shown", quiet=True):
            widget.funbind("shown", self._trigger_layout)

    def do_layout(self, *_: object) -> None:
        """Place the children from the top; what is not shown lies where no finger reaches."""
        left, top, right, bottom = self.padding
        present = [child for child in reversed(self.children) if getattr(child, "shown", True)]
        gaps = self.spacing * max(0, sum(child.height > 0 for child in present) - 1)
        self.minimum_height = sum(child.height for child in present) + gaps + top + bottom
        y = self.top - top
        inner = self.width - left - right
        for child in reversed(self.children):
            if child.size_hint_x is not None:
                child.width = inner * child.size_hint_x
            if child not in present:
                child.pos = OUT_OF_SIGHT
                continue
            child.pos = (self.x + left, y - child.height)
            y -= child.height + (self.spacing if child.height > 0 else 0)


class Card(Stack):
    """A white box with round corners; its height follows its content."""

    ground = ColorProperty()
    rim = ColorProperty()
    rim_width = NumericProperty(1)


class TapCard(Pressable, Card):
    """A card that is a button."""

    corner = 16


class Row(BoxLayout):
    """Things side by side; the height follows the tallest."""

    shown = BooleanProperty(True)


class Flow(StackLayout):
    """Chips side by side, as many lines as they need."""

    shown = BooleanProperty(True)


class Page(ScrollView):
    """What scrolls between the bar above and the buttons below."""

    def on_scroll_y(self, _: Widget, value: float) -> None:
        """Stay on the page: Kivy overshoots when the content shrinks under a moving finger."""
        if not 0 <= value <= 1:
            self.scroll_y = min(1.0, max(0.0, value))


class Badge(BoxLayout):
    """A state: icon, words and colour, because colour alone says nothing in the sun."""

    words = StringProperty("")
    icon = StringProperty("")
    tone = OptionProperty("soft", options=["soft", "green", "warm", "red", "amber", "slate"])
    ground = ColorProperty()
    ink = ColorProperty()


class Banner(BoxLayout):
    """A message that stays: what happened and what to do now."""

    shown = BooleanProperty(True)

    words = StringProperty("")
    title = StringProperty("")
    icon = StringProperty("info")
    tone = OptionProperty("soft", options=["soft", "green", "warm", "red", "amber", "slate"])
    ground = ColorProperty()
    ink = ColorProperty()


class Bar(Widget):
    """How much is done, from 0 to 1."""

    value = NumericProperty(0.0)
    color = ColorProperty()
    shown = BooleanProperty(True)


class AppBar(BoxLayout):
    """The bar above: back, where we are, and what else can be done here."""

    title = StringProperty("")
    subtitle = StringProperty("")
    has_back = BooleanProperty(True)
    __events__ = ("on_back",)

    def on_back(self) -> None:
        """The screen says what going back means."""


class EmptyState(Stack):
    """What stands where nothing is yet: a picture, what it means, what to do. Large words need the picture's place."""

    is_tight = BooleanProperty(False)

    words = StringProperty("")
    title = StringProperty("")
    icon = StringProperty("mountain")


class Sheet(ModalView):
    """A panel from below. It closes by its ✕, by a touch beside it and by the back key."""

    title = StringProperty("")

    def open(self, *args: object, **kwargs: object) -> None:
        """Rise from below."""
        super().open(*args, animation=False, **kwargs)


SECONDS_A_LETTER = {"zh": 0.15, "en": 0.06}
"""For a slow reader."""


class Toast(FloatLayout):
    """Words that need no answer; they stay as long as it takes to read them."""

    words = StringProperty("")

    @classmethod
    def say(cls, words: str) -> None:
        """Show the words above everything else, then let them fade."""
        toast = cls(words=words)
        Window.add_widget(toast)

        def fade(_: float) -> None:
            animation = Animation(opacity=0, duration=0.3)
            animation.bind(on_complete=lambda *_: Window.remove_widget(toast))
            animation.start(toast)

        Clock.schedule_once(fade, max(2.0, len(words) * SECONDS_A_LETTER[theme.lang]))

    def on_touch_down(self, touch: object) -> bool:
        """Let every touch through to what is below."""
        return False


load_kv(__file__)
