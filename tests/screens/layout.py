"""What may be wrong with how a screen is laid out, told from the widgets as they stand in the window."""

from __future__ import annotations

from collections.abc import Iterator

from kivy.core.window import Window
from kivy.metrics import dp
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget

from mobile.theme import MAIN_BUTTON, TOUCH
from mobile.widgets.kit import BigButton, Pressable, Toast
from mobile.widgets.words import is_drawable, ruler
from tests.screens.driver import Driver, ancestors, shows

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in the window."""


def layout_faults(driver: Driver) -> list[str]:
    """Return what is too small to touch, cut, overlapping, outside, or without a glyph on the front layer."""
    shown = [w for w in driver.widgets() if shows(w) and not _in_toast(w)]
    return [fault for widget in shown for fault in _faults_of(widget)] + _overlaps(shown)


def _faults_of(widget: Widget) -> Iterator[str]:
    name = _name(widget)
    if _is_touched(widget):
        if min(widget.width, widget.height) < dp(TOUCH) - 1:
            yield f"{name} is {widget.width:.0f} x {widget.height:.0f}"
        is_main = isinstance(widget, BigButton) and widget.look in ("main", "warm")
        if is_main and widget.height < dp(MAIN_BUTTON) - 1:
            yield f"{name} is a main button of {widget.height:.0f}"
    if isinstance(widget, TextInput) and widget.hint_text and not (widget.text or widget.multiline):
        room = widget.width - widget.padding[0] - widget.padding[2]
        if ruler(widget.font_name, widget.font_size, False)(widget.hint_text) > room + 1:
            yield f"{name} has no room for its hint: {widget.hint_text}"
    if isinstance(widget, Label) and widget.text:
        yield from _faults_of_label(widget, name)


def _faults_of_label(widget: Label, name: str) -> Iterator[str]:
    wide, high = widget.texture_size
    if wide > widget.width + 1 or high > widget.height + 1:
        yield f"{name} is cut: {wide} x {high} in {widget.width:.0f} x {widget.height:.0f}"
    box = _box(widget)
    if box[0] < -1 or box[2] > Window.width + 1:
        yield f"{name} runs off the side"
    for above in ancestors(widget):
        if isinstance(above, ScrollView):
            break
        outer = _box(above)
        if not _within(box, outer):
            yield f"{name} sticks out of its {type(above).__name__}: {_round(box)} in {_round(outer)}"
            break
    else:
        if box[1] < -1 or box[3] > Window.height + 1:
            yield f"{name} lies above or below the window"
    lacking = {c for c in widget.text if c != "\n" and not is_drawable(c)}
    if lacking:
        yield f"{name} lacks glyphs: {lacking}"


def _overlaps(shown: list[Widget]) -> list[str]:
    """Return the labels, and the things to touch, that lie over each other."""
    found = []
    for kind in (
        [w for w in shown if isinstance(w, Label | TextInput) and (w.text or w.disabled is False)],
        [w for w in shown if _is_touched(w)],
    ):
        boxes = [(w, box) for w in kind if (box := _visible(w))]
        for at, (one, here) in enumerate(boxes):
            for other, there in boxes[at + 1 :]:
                across = min(here[2], there[2]) - max(here[0], there[0])
                down = min(here[3], there[3]) - max(here[1], there[1])
                if across > 2 and down > 2 and not _related(one, other):
                    found.append(
                        f"{_name(one)} and {_name(other)} overlap by {across:.0f} x {down:.0f}"
                    )
    return found


def _is_touched(widget: Widget) -> bool:
    return isinstance(widget, Pressable) and not widget.disabled


def _in_toast(widget: Widget) -> bool:
    return any(isinstance(above, Toast) for above in (widget, *ancestors(widget)))


def _related(one: Widget, other: Widget) -> bool:
    return one in ancestors(other) or other in ancestors(one)


def _visible(widget: Widget) -> Box | None:
    """Return what of a widget is seen: what a scrolled page hides does not count."""
    box = _box(widget)
    for above in ancestors(widget):
        if isinstance(above, ScrollView):
            outer = _box(above)
            box = (max(box[0], outer[0]), max(box[1], outer[1]),
                   min(box[2], outer[2]), min(box[3], outer[3]))  # fmt: skip
    return box if box[0] < box[2] and box[1] < box[3] else None


def _within(inner: Box, outer: Box) -> bool:
    return (
        inner[0] >= outer[0] - 2
        and inner[1] >= outer[1] - 2
        and inner[2] <= outer[2] + 2
        and inner[3] <= outer[3] + 2
    )


def _box(widget: Widget) -> Box:
    left, bottom = widget.to_window(*widget.pos)
    return left, bottom, left + widget.width, bottom + widget.height


def _round(box: Box) -> tuple[int, ...]:
    return tuple(round(side) for side in box)


def _name(widget: Widget) -> str:
    said = (
        getattr(widget, "words", "") or getattr(widget, "says", "") or getattr(widget, "text", "")
    )
    return f"{type(widget).__name__} {said!r}"
