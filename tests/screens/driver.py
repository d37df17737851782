"""Drives the phone app as a hand does: it looks for words, touches, types and waits.

The app runs in this process in Kivy's own loop with real layout and real pixels, but nothing here
calls a method of a screen: what a finger cannot reach, the driver cannot do.

    driver = Driver(folder)
    driver.start()
    driver.tap_text("新登记一户")
    driver.type("522399199303121129")
    driver.stop()
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.screens import window  # isort: skip - first of all: it sets Kivy's environment

from kivy.base import EventLoop, runTouchApp
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.lang import Builder
from kivy.tests.common import UnitTestTouch
from kivy.uix.modalview import ModalView
from kivy.uix.scrollview import ScrollView
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget

from mobile.app import ChushanApp
from mobile.screens.questions import BEGINS_AFTER_S
from mobile.settings import Settings
from mobile.widgets.keypad import CLOSES_AFTER_S

__all__ = ["Driver", "window"]

BACK_KEY = 27
BACKSPACE = 8
SETTLES_AFTER_S = 0.12
"""Longer than Kivy's wait for a scroll (55 ms) and a button's least time (35 ms)."""


class NotThere(AssertionError):  # noqa: N818 - read as a sentence in a test's report
    """What was looked for is not on the screen."""


class Driver:
    """One run of the app. `start` again after `stop` to see what the app kept."""

    def __init__(
        self,
        folder: Path | str,
        *,
        today: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.today = today
        # Plain unless a test is about the lock: the seeds are, and nobody wants to type a PIN.
        # A sync by itself would come between the touches of a test that is about something else.
        self.settings = {"is_plain": True, "syncs_itself": False, **(settings or {})}
        self.app: Any = None
        self._step_touched: tuple[str, str] | None = None
        """The step on which the last touch was."""

    # Life

    def start(self) -> None:
        """Open the app and wait for its first screen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        more = {"today": lambda: self.today} if self.today else {}
        self.app = ChushanApp(Settings(str(self.folder), **self.settings), **more)
        self.app._run_prepare()
        runTouchApp(embedded=True)
        self.until(lambda: self.app.way, timeout=20)

    def stop(self) -> None:
        """Close the app in order."""
        self.app.stop()
        for child in list(Window.children):
            Window.remove_widget(child)
        Window.release_all_keyboards()
        EventLoop.quit = False
        EventLoop.status = "started"

    def pump(self, frames: int = 3) -> None:
        """Let that many frames pass: clock, input, layout, drawing."""
        for _ in range(frames):
            EventLoop.idle()

    def lay_out(self, frames: int = 4) -> None:
        """Let frames pass without drawing them: for looking at where things stand."""
        for _ in range(frames):
            Clock.tick()
            Builder.sync()
            Clock.tick_draw()
            Builder.sync()

    def settle(self, seconds: float = SETTLES_AFTER_S) -> None:
        """Let frames pass until touches have had their effect and the layout stands still."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            EventLoop.idle()
            time.sleep(0.004)
        self.pump(3)

    def until(self, predicate: Callable[[], Any], timeout: float = 10.0) -> Any:
        """Let frames pass until the predicate holds, and return what it gave."""
        end = time.monotonic() + timeout
        while True:
            found = predicate()
            if found:
                self.pump(2)
                return found
            if time.monotonic() > end:
                raise NotThere(f"not within {timeout} s; on the screen: {self.words()}")
            EventLoop.idle()
            time.sleep(0.004)

    # Looking

    @property
    def screen(self) -> str:
        """Name of the screen in front."""
        return str(self.app.manager.current)

    def layers(self) -> list[Widget]:
        """What may be touched: an open sheet, else the screen."""
        sheets = [child for child in Window.children if isinstance(child, ModalView)]
        return sheets[:1] or list(Window.children)

    def widgets(self, within: Widget | None = None) -> Iterator[Widget]:
        """Yield the widgets in reading order of the tree."""
        roots = [within] if within is not None else self.layers()
        for root in roots:
            yield from _walk(root)

    def words(self) -> list[str]:
        """Return all words that the front layer holds, the scrolled-out ones too."""
        return [said for widget in self.widgets() if (said := said_by(widget)) and shows(widget)]

    def find(
        self,
        text: str | None = None,
        *,
        kind: str | type | None = None,
        name: str | None = None,
        within: Widget | None = None,
        where: Callable[[Widget], bool] = lambda _: True,
        exact: bool = True,
    ) -> Widget:
        """Return the first widget that fits: by words, class, question name or predicate."""
        for widget in self.widgets(within):
            if (
                (text is None or _says(widget, text, exact=exact))
                and (kind is None or _is_kind(widget, kind))
                and (name is None or getattr(widget, "name", None) == name)
                and where(widget)
                and shows(widget)
            ):
                return widget
        wanted = text or name or kind or "that"
        raise NotThere(f"no {wanted!r} on {self.screen}; there is: {self.words()}")

    def sees(self, text: str, *, exact: bool = False) -> bool:
        """Tell whether words stand on the front layer."""
        try:
            self.find(text, exact=exact)
        except NotThere:
            return False
        return True

    def question(self, name: str) -> Widget:
        """Return the card of a question by its field's name; what stands behind “more” is asked for."""
        screen = self.app.manager.current_screen
        if self.screen == "questions" and name not in screen.cards and screen.more:
            self.tap(self.find(kind="MoreRow"))
        return self.find(kind="QuestionCard", name=name)

    # Touching

    def tap(self, widget: Widget) -> None:
        """Touch the middle of a widget, scrolled into sight first; fail where a finger would."""
        self._step_touched = self._step()
        self._reveal(widget)
        self._press(widget)
        self.settle()

    def _press(self, widget: Widget) -> None:
        x, y = widget.to_window(*widget.center)
        if not (0 <= x <= Window.width and 0 <= y <= Window.height):
            raise NotThere(f"{widget} lies outside the screen at {x:.0f}, {y:.0f}")
        touch = UnitTestTouch(x, y)
        touch.touch_down()
        self.pump(1)
        touch.touch_up()

    def tap_text(self, text: str, *, exact: bool = True, within: Widget | None = None) -> None:
        """Touch what carries these words."""
        self.tap(self.find(text, exact=exact, within=within))

    def tap_icon(self, says: str, within: Widget | None = None) -> None:
        """Touch a button that has an icon only, by what it says to a reader."""
        self.tap(
            self.find(
                kind="IconButton",
                within=within,
                where=lambda w: w.says == says and w.icon and not w.disabled,
            )
        )

    def back(self) -> None:
        """Press the back key."""
        Window.dispatch("on_keyboard", BACK_KEY, 41, None, [])
        self.settle()

    def type(self, text: str) -> None:
        """Type: on our own keys when they are open, else into the field that has the focus."""
        if any(_is_kind(w, "Keypad") for w in self.layers()):
            keys = {w.words: w for w in self.widgets() if _is_kind(w, "Key")}
            for character in text:
                self._press(keys[character])  # our keys act when they go down: no need to wait
                self.pump(1)
            self.settle()
            return
        for character in text:
            Window.dispatch("on_textinput", character)
            self.pump(1)
        self.settle(0.02)

    def backspace(self, times: int = 1) -> None:
        """Press backspace."""
        for _ in range(times):
            Window.dispatch("on_key_down", BACKSPACE, 42, None, [])
            Window.dispatch("on_key_up", BACKSPACE, 42)
            self.pump(1)

    def fill(self, name: str, text: str) -> None:
        """Answer a question by typing: touch its field, type, finish; what is open by itself costs no touch."""
        self._step_touched = self._step()
        pad = next((w for w in self.layers() if _is_kind(w, "Keypad")), None)
        if pad is not None:
            asked = self.app.manager.current_screen.cards[name].question
            if asked.widget != pad.kind:
                self.tap_icon("关闭" if self.app.settings.language == "zh" else "Close")
                self.settle()  # the next question takes the keyboard
                pad = None
        if pad is not None:
            self.type(text)
            self.close_keys()
            return
        card = self.question(name)
        entries = [w for w in _walk(card) if isinstance(w, TextInput)]
        if not (entries and entries[0].focus):
            self.tap(entries[0] if entries else self.find(kind="PickField", within=card))
        self.type(text)
        if entries:
            self.blur()
        else:
            self.close_keys()

    def close_keys(self) -> None:
        """Touch “完成”, where the keys do not close by themselves; wait for what opens after them."""
        self.settle(CLOSES_AFTER_S + BEGINS_AFTER_S + 0.1)
        if any(_is_kind(w, "Keypad") for w in self.layers()):
            self.tap_text("完成" if self.app.settings.language == "zh" else "Done")

    def go_on(self) -> None:
        """Touch “下一步”, where the app does not move on by itself."""
        screen = self.app.manager.current_screen
        if getattr(screen, "moves_on", False):
            self.until(lambda: not screen.moves_on)
            self.settle()
        elif self._step_touched in (None, self._step()):  # a slow machine may have moved on already
            here = self._step()
            self.tap_text(screen.way_on)
            self.until(lambda: self._step() != here or screen.may_skip)
        self._step_touched = None

    def _step(self) -> tuple[str, str] | None:
        screen = self.app.manager.current_screen
        step = screen.step if self.screen == "questions" else None
        return (step.record_id, step.group) if step else None

    def choose(self, name: str, *labels: str) -> None:
        """Answer a question by its choices: chips, or the sheet behind the field."""
        for label in labels:
            if not isinstance(self.layers()[0], ModalView):
                card = self.question(name)
                try:
                    self.tap(self.find(label, kind="Chip", within=card))
                    continue
                except NotThere:
                    self.tap(self.find(kind="PickField", within=card))
            self._choose_in_sheet(label)
        if any(_is_kind(w, "PickSheet") and w.is_multiple for w in self.layers()):
            self.tap_text("完成" if self.app.settings.language == "zh" else "Done")

    def _choose_in_sheet(self, label: str) -> None:
        def is_reachable(row: Widget) -> bool:
            lines = next(w for w in ancestors(row) if isinstance(w, ScrollView))
            return plain(row.label) == plain(label) and _covers(lines, row)

        try:
            row = self.find(kind="ChoiceRow", where=is_reachable)
        except NotThere:
            search = self.find(kind="Entry")
            self.tap(search.ids.text_input)
            search.ids.text_input.text = ""
            self.type(label)
            self.settle(0.35)
            row = self.find(kind="ChoiceRow", where=is_reachable)
        self.tap(row)

    def blur(self) -> None:
        """Close the keyboard, as its own key does."""
        for widget in self.widgets():
            if isinstance(widget, TextInput) and widget.focus:
                widget.focus = False
        self.settle()

    def shot(self, path: Path | str) -> Path:
        """Keep a picture of the window as PNG."""
        path = Path(path)
        self.pump(3)
        # The back buffer is stale after a flip: draw once more before it is read.
        Window.dispatch("on_draw")
        taken = Path(Window.screenshot(name=str(path.with_suffix("")) + ".png"))
        taken.replace(path)
        return path

    def _reveal(self, widget: Widget) -> None:
        for above in ancestors(widget):
            if _is_kind(above, "Page"):
                above.scroll_to(widget, padding=20, animate=False)
                self.pump(3)


def _walk(widget: Widget) -> Iterator[Widget]:
    yield widget
    for child in reversed(widget.children):
        yield from _walk(child)


def ancestors(widget: Widget) -> Iterator[Widget]:
    """Yield what a widget lies in, from the inside out."""
    above = widget.parent
    while above is not None and above is not above.parent:
        yield above
        above = above.parent


def _covers(frame: Widget, widget: Widget) -> bool:
    x, y = widget.to_window(*widget.center)
    left, bottom = frame.to_window(*frame.pos)
    margin = 12  # a finger scrolls before it touches the very edge
    return (
        left <= x <= left + frame.width and bottom + margin <= y <= bottom + frame.height - margin
    )


def _is_kind(widget: Widget, kind: str | type) -> bool:
    if isinstance(kind, str):
        return any(cls.__name__ == kind for cls in type(widget).__mro__)
    return isinstance(widget, kind)


def said_by(widget: Widget) -> str:
    """Return the words of a label or of a typed field, without the line breaks of the layout."""
    if isinstance(widget, TextInput):
        return str(widget.text)
    words = getattr(widget, "words", None) if _is_kind(widget, "Label") else None
    if words is None:
        words = getattr(widget, "text", "") if _is_kind(widget, "Label") else ""
    return str(words)


def _says(widget: Widget, text: str, *, exact: bool) -> bool:
    said = said_by(widget)
    if (not said and _is_kind(widget, "Key")) or _is_kind(widget, "Chip"):
        said = str(widget.words)
    said, text = plain(said), plain(text)
    return said == text if exact else text in said


_PRINTED = str.maketrans("\uff0c\uff1b\uff1a\uff01\uff1f\uff08\uff09", ",;:!?()")


def plain(words: str) -> str:
    """Return words with half-width marks: Chinese text has either, and a hand cannot tell."""
    return words.translate(_PRINTED)


def shows(widget: Widget) -> bool:
    """Tell whether a widget has a place in the layout (it may be scrolled out of sight)."""
    x, _ = widget.to_window(*widget.pos)
    return widget.width > 0 and widget.height > 0 and x > -10_000 and _is_opaque(widget)


def _is_opaque(widget: Widget) -> bool:
    while True:
        if getattr(widget, "opacity", 1) == 0:
            return False
        if widget.parent is None or widget.parent is widget:
            return True
        widget = widget.parent
