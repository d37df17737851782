"""Icons, drawn as lines on a grid of 24 by 24 so that they are sharp at every size."""

from __future__ import annotations

from math import cos, pi, sin

from kivy.clock import Clock
from kivy.graphics import Color, Line
from kivy.metrics import dp
from kivy.properties import ColorProperty, NumericProperty, StringProperty
from kivy.uix.widget import Widget

from mobile.widgets import load_kv

Stroke = list[float]
"""x, y, x, y … from the upper left, as designers count."""


def circle(x: float, y: float, r: float, start: float = 0, end: float = 360) -> Stroke:
    """Return an arc as points: 0 is upwards, clockwise."""

    steps = max(8, int(abs(end - start) / 12))
    points: Stroke = []
    for i in range(steps + 1):
        angle = (start + (end - start) * i / steps) * pi / 180
        points += [x + r * sin(angle), y - r * cos(angle)]
    return points


STROKES: dict[str, list[Stroke]] = {
    "back": [[15, 5, 8, 12, 15, 19]],
    "next": [[9, 5, 16, 12, 9, 19]],
    "down": [[5, 9, 12, 16, 19, 9]],
    "close": [[6, 6, 18, 18], [18, 6, 6, 18]],
    "check": [[4.5, 12.5, 10, 18, 19.5, 7]],
    "plus": [[12, 5, 12, 19], [5, 12, 19, 12]],
    "minus": [[5, 12, 19, 12]],
    "search": [circle(10.5, 10.5, 6), [15, 15, 20, 20]],
    "house": [[3.5, 11.5, 12, 4, 20.5, 11.5], [6, 10, 6, 20, 18, 20, 18, 10], [10, 20, 10, 14.5, 14, 14.5, 14, 20]],
    "person": [circle(12, 8, 4), circle(12, 21, 7.5, -85, 85)],
    "people": [circle(9, 8.5, 3.5), circle(9, 20, 6.5, -85, 85), circle(16.5, 9, 3, -30, 170), circle(16.5, 20, 5.5, 15, 85)],
    "sync": [circle(12, 12, 7.5, -60, 90), circle(12, 12, 7.5, 120, 270), [16, 10, 19.5, 12.8, 22.4, 9.4], [8, 14, 4.5, 11.2, 1.6, 14.6]],
    "settings": [circle(12, 12, 3), *[
        [12 + 5.6 * x, 12 + 5.6 * y, 12 + 8.6 * x, 12 + 8.6 * y]
        for x, y in ((0, -1), (0.707, -0.707), (1, 0), (0.707, 0.707), (0, 1), (-0.707, 0.707), (-1, 0), (-0.707, -0.707))
    ], circle(12, 12, 6)],
    "warning": [[12, 4, 21.5, 20, 2.5, 20, 12, 4], [12, 10, 12, 14.5], [12, 17, 12, 17.2]],
    "error": [circle(12, 12, 9), [12, 7, 12, 13], [12, 16.3, 12, 16.5]],
    "info": [circle(12, 12, 9), [12, 11, 12, 17], [12, 7.5, 12, 7.7]],
    "returned": [[9, 5, 4, 10, 9, 15], [4, 10, 15, 10], circle(15, 14.5, 4.5, 0, 180), [15, 19, 10, 19]],
    "pen": [[4, 20, 5, 15, 16, 4, 20, 8, 9, 19, 4, 20], [13.5, 6.5, 17.5, 10.5]],
    "clock": [circle(12, 12, 8.5), [12, 7, 12, 12, 15.5, 14]],
    "up": [[12, 19, 12, 5], [6, 11, 12, 5, 18, 11]],
    "lock": [[6, 11, 18, 11, 18, 20, 6, 20, 6, 11], [8.5, 11, 8.5, 7.5, *circle(12, 7.5, 3.5, -90, 90), 15.5, 11]],
    "backspace": [[2.5, 12, 8, 5.5, 21.5, 5.5, 21.5, 18.5, 8, 18.5, 2.5, 12], [11.5, 9, 17.5, 15], [17.5, 9, 11.5, 15]],
    "qr": [[4, 4, 10, 4, 10, 10, 4, 10, 4, 4], [14, 4, 20, 4, 20, 10, 14, 10, 14, 4], [4, 14, 10, 14, 10, 20, 4, 20, 4, 14], [14, 14, 16, 14], [14, 20, 14, 17], [18, 20, 20, 20, 20, 17], [20, 14, 20, 14.4]],
    "mountain": [[2, 19, 9, 6.5, 13, 13, 15.5, 9.5, 22, 19, 2, 19], [6.6, 11, 9, 13, 11, 10.2]],
    "dot": [circle(12, 12, 3), circle(12, 12, 1)],
    "circle": [circle(12, 12, 8.5)],
    "paste": [[8, 5, 5, 5, 5, 21, 19, 21, 19, 5, 16, 5], [8, 3.5, 16, 3.5, 16, 7, 8, 7, 8, 3.5], [9, 12, 15, 12], [9, 16, 15, 16]],
    "keyboard": [[2.5, 6, 21.5, 6, 21.5, 18, 2.5, 18, 2.5, 6], [6, 10, 6.4, 10], [10, 10, 10.4, 10], [14, 10, 14.4, 10], [18, 10, 18.2, 10], [8, 14.4, 16, 14.4]],
    "image": [[3.5, 5, 20.5, 5, 20.5, 19, 3.5, 19, 3.5, 5], [3.5, 17, 9, 11, 13, 15.5, 16, 12.5, 20.5, 17], circle(15.5, 9, 1.3)],
    "split": [[12, 20, 12, 13, 5, 6], [12, 13, 19, 6], [5, 10.5, 5, 6, 9.5, 6], [14.5, 6, 19, 6, 19, 10.5]],
    "speak": [[3.5, 9.5, 7.5, 9.5, 12, 5, 12, 19, 7.5, 14.5, 3.5, 14.5, 3.5, 9.5], circle(12, 12, 4, 40, 140), circle(12, 12, 8.3, 40, 140)],
    "pause": [[9, 6, 9, 18], [15, 6, 15, 18]],
    "call": [[5, 4, 9, 4, 10.5, 9, 8, 10.5, *circle(18, 6.5, 10.7, 247, 203), 15, 13.5, 20, 15, 20, 19, 18.5, 20.5, *circle(18.5, 5.5, 15, 180, 275), 5, 4]],
}  # fmt: skip


class Icon(Widget):
    """One icon of STROKES. It says nothing by itself: words always stand beside it."""

    icon = StringProperty("")
    color = ColorProperty()
    weight = NumericProperty(2)

    def __init__(self, **kwargs: object) -> None:
        self._trigger_draw = Clock.create_trigger(self._draw, -1)
        super().__init__(**kwargs)
        for name in ("icon", "color", "pos", "size", "weight"):
            self.fbind(name, self._trigger_draw)
        self._trigger_draw()

    def _draw(self, *_: object) -> None:
        """Draw the strokes: once a frame, however much has changed."""
        self.canvas.clear()
        side = min(self.width, self.height)
        left, top = self.center_x - side / 2, self.center_y + side / 2
        unit = side / 24
        weight = max(dp(1), dp(self.weight) * side / dp(24))
        with self.canvas:
            Color(*self.color)
            for stroke in STROKES.get(self.icon, []):
                points = [
                    left + v * unit if i % 2 == 0 else top - v * unit for i, v in enumerate(stroke)
                ]
                Line(points=points, width=weight / 2, cap="round", joint="round")


load_kv(__file__)
