"""Typing: a text field with its clear button, safe with Chinese keyboards.

On Android a Chinese keyboard types its pinyin into the field and takes it back with backspaces, so
nothing here filters, shortens or rewrites text while it is being typed. And backspace does not
reach text that was there before the field was touched, so every field has its ✕, and on a phone a
way out: Android's own dialog, in which every keyboard works.

What is drawn may differ from what is typed: a character that the font lacks is drawn as its code,
and Tibetan in its own font. The text itself is never touched.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kivy.clock import Clock
from kivy.core.text.markup import MarkupLabel
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.textinput import TextInput

from mobile.device import device
from mobile.theme import ui
from mobile.widgets import kit, load_kv  # noqa: F401 - the kit's rules stand in the kv
from mobile.widgets.words import drawable, has_tibetan, marked

SAVED_AFTER_S = 0.4
"""Typed text is handed on this long after the last key, so that a dead battery costs no sentence."""


class Typed(TextInput):
    """Kivy's input with a keyboard that knows Chinese, and letters that the main font lacks.

    Kivy draws each line and measures the way to its caret by the first two methods that are replaced here.
    """

    def _update_graphics(self, *largs: Any) -> None:
        # Kivy shows the end of a long text, where its caret is, and of one that was measured before it
        # had its place an end that is not even long. Who does not type here wants to read it.
        if not self.focus and not self.multiline and self.scroll_x:
            self.scroll_x = 0
        super()._update_graphics(*largs)

    def on_focus(self, _: Any, is_focused: bool) -> None:
        """Show the caret's place, or the beginning."""
        if is_focused:
            self._adjust_viewport(*self.cursor)
        self._trigger_update_graphics()

    def _create_line_label(self, text: str, hint: bool = False) -> Any:
        if hint or not _is_drawn_apart(text):
            return super()._create_line_label(text, hint=hint)
        return _drawn_apart(text, self.font_name, self.font_size)

    def _get_text_width(self, text: str, tab_width: int, label: Any) -> float:
        if not _is_drawn_apart(text):
            return float(super()._get_text_width(text, tab_width, label))
        return float(_drawn_apart(text, self.font_name, self.font_size).size[0])


def _is_drawn_apart(text: str) -> bool:
    return has_tibetan(text) or drawable(text) != text


@lru_cache(maxsize=64)
def _drawn_apart(text: str, font: str, size: float) -> Any:
    label = MarkupLabel(
        text=marked(drawable(text.replace("\n", "")), size),
        font_name=font,
        font_size=size,
        font_script_name="Tibt" if has_tibetan(text) else "Latn",
        anchor_x="left",
        anchor_y="top",
    )
    label.refresh()
    return label.texture


class Entry(BoxLayout):
    """A line of text. `on_typed(text)` is called when a pause, a blur or `flush` ends the typing."""

    text = StringProperty("")
    hint = StringProperty("")
    focus = BooleanProperty(False)
    wrong = BooleanProperty(False)
    shown = BooleanProperty(True)
    multiline = BooleanProperty(False)
    input_type = StringProperty("text")
    on_typed = ObjectProperty(None, allownone=True)
    on_left = ObjectProperty(None, allownone=True)
    has_dialog = BooleanProperty(False)

    def __init__(self, **kwargs: object) -> None:
        self._handed = ""
        self._pause = Clock.create_trigger(lambda _: self.flush(), SAVED_AFTER_S)
        super().__init__(has_dialog=device().HAS_TEXT_DIALOG, **kwargs)
        self._handed = self.text

    def show(self, text: str) -> None:
        """Show a stored value; never while the cadre is typing here."""
        if not self.focus and not self._pause.is_triggered:
            self._handed = text
            self.text = text

    def typing(self, text: str) -> None:
        """Take note of a key."""
        self.text = text
        if text != self._handed:
            self._pause()

    def focused(self, is_focused: bool) -> None:
        """Hand the text on when the field is left."""
        self.focus = is_focused
        if not is_focused:
            self.flush()
            if self.on_left:
                self.on_left()

    def flush(self) -> None:
        """Hand on what was typed and not yet handed on."""
        self._pause.cancel()
        if self.text != self._handed:
            self._handed = self.text
            if self.on_typed:
                self.on_typed(self.text)

    def leave(self) -> None:
        """Let the keyboard go, and forget what an "undo" would bring back: the next text is another's."""
        self.ids.text_input.focus = False
        self.ids.text_input.reset_undo()

    def clear(self) -> None:
        """Empty the field."""
        self.take("")

    def take(self, text: str) -> None:
        """Put a whole text into the field."""
        self.ids.text_input.text = text
        self.flush()

    def ask(self) -> None:
        """Let the text be typed in the system's own dialog."""

        def on_our_thread(text: str) -> None:
            Clock.schedule_once(lambda _: self.take(text), 0)

        device().ask_text(self.hint or ui("type_here"), self.text, on_our_thread)


load_kv(__file__)
