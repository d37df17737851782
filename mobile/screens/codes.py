"""A hand-over file as QR codes, one after the other, for the camera of a phone beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.core.window import Window
from kivy.graphics.texture import Texture
from kivy.properties import NumericProperty, ObjectProperty, StringProperty
from kivy.uix.widget import Widget

from mobile.screens.screen import PhoneScreen
from mobile.theme import ui
from mobile.widgets import load_kv

QUIET_ZONE = 4
"""Modules of white around a code (ISO/IEC 18004, 6.3.8)."""


class QrCode(Widget):
    """A code as large as it fits, each module a whole number of points wide."""

    text = StringProperty("")
    texture = ObjectProperty(None, allownone=True)

    def on_text(self, _: object, text: str) -> None:
        """Draw the code of a text."""
        import segno  # late: only who shows codes needs it

        code = segno.make_qr(text, error="l")
        rows = [list(row) for row in code.matrix_iter(border=QUIET_ZONE)]
        points = bytes(0 if dark else 255 for row in reversed(rows) for dark in row)
        texture = Texture.create(size=(len(rows), len(rows)), colorfmt="luminance")
        texture.mag_filter = texture.min_filter = "nearest"
        texture.blit_buffer(points, colorfmt="luminance", bufferfmt="ubyte")
        self.texture = texture

    def side(self, width: float, height: float) -> float:
        """Return the side of the drawn code."""
        if self.texture is None:
            return 0.0
        modules = self.texture.width
        return float(max(1, min(width, height) // modules) * modules)


class CodesScreen(PhoneScreen):
    """One code at a time, on white in any look."""

    title = StringProperty("")
    at = NumericProperty(0)
    of = NumericProperty(1)
    way_on = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        self.texts: Sequence[str] = ()
        super().__init__(**kwargs)

    def enter(self, texts: Sequence[str] | None = None, title: str = "", **_: Any) -> None:
        """Show the first code."""
        if texts is not None and texts is not self.texts:
            self.texts, self.title = texts, title
            self._show(0)

    def on_pre_enter(self) -> None:
        """The screen must not go dark while somebody points a camera at it."""
        Window.allow_screensaver = False

    def on_pre_leave(self) -> None:
        """It may again."""
        Window.allow_screensaver = True

    def _show(self, at: int) -> None:
        self.at, self.of = at, len(self.texts)
        self.ids.code.text = self.texts[at]
        self.way_on = ui("codes_next" if at + 1 < self.of else "codes_done")

    def next(self) -> None:
        """Show the next one; after the last, go back."""
        if self.at + 1 < self.of:
            self._show(self.at + 1)
        else:
            self.phone.go_back()

    def previous(self) -> None:
        """Show the one before."""
        self._show(max(0, self.at - 1))


load_kv(__file__)
