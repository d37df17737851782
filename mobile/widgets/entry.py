"""Typing: a text field with its clear button, safe with Chinese keyboards.

On Android a Chinese keyboard types its pinyin into the field and takes it back with backspaces, so
nothing here filters, shortens or rewrites text while it is being typed. And backspace does not
reach text that was there before the field was touched, so every field has its ✕.
"""

from __future__ import annotations

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.textinput import TextInput

from mobile.widgets import kit, load_kv  # noqa: F401 - the kit's rules stand in the kv

SAVED_AFTER_S = 0.4
"""Typed text is handed on this long after the last key, so that a dead battery costs no sentence."""


class Typed(TextInput):
    """Kivy's input with a keyboard that knows Chinese."""


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

    def __init__(self, **kwargs: object) -> None:
        self._handed = ""
        self._pause = Clock.create_trigger(lambda _: self.flush(), SAVED_AFTER_S)
        super().__init__(**kwargs)
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

    def clear(self) -> None:
        """Empty the field."""
        self.ids.text_input.text = ""
        self.flush()


load_kv(__file__)
