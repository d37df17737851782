"""Keyboards as they reach the app on real devices, the broken ones included.

Each types `pinyin` and commits `words`, by the events that SDL makes of it: see docs/design/phone.md, 2.
"""

from __future__ import annotations

from kivy.core.window import Window

from tests.screens.driver import Driver


class Keyboard:
    """Commits finished words only, as handwriting, speech and many Chinese keyboards do."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def write(self, pinyin: str, words: str) -> None:
        """Type words."""
        self._commit(words)

    def delete(self, times: int) -> None:
        """Press backspace."""
        self.driver.backspace(times)

    def _commit(self, words: str) -> None:
        Window.dispatch("on_textinput", words)
        self.driver.pump(1)


class AndroidComposing(Keyboard):
    """Android: the pinyin is typed into the field and taken back by backspaces; there is no composition."""

    def write(self, pinyin: str, words: str) -> None:
        for letter in pinyin:
            self._commit(letter)
        self.driver.backspace(len(pinyin))
        self._commit(words)


class AndroidChangingMind(AndroidComposing):
    """The same, rewriting all that it composed at every letter, with its marks between syllables."""

    def write(self, pinyin: str, words: str) -> None:
        composed = ""
        for end in range(1, len(pinyin) + 1):
            self.driver.backspace(len(composed))
            composed = "'".join(pinyin[at : at + 2] for at in range(0, end, 2))
            self._commit(composed)
        self.driver.backspace(len(composed))
        self._commit(words)


class DeadBackspace(AndroidComposing):
    """Android 11 and later with SDL before 2.32: backspace reaches only what this keyboard typed itself."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.typed = 0

    def _commit(self, words: str) -> None:
        super()._commit(words)
        self.typed += len(words)

    def write(self, pinyin: str, words: str) -> None:
        super().write(pinyin, words)
        self.typed -= len(pinyin)

    def delete(self, times: int) -> None:
        reached = min(times, self.typed)
        super().delete(reached)
        self.typed -= reached


class DesktopComposition(Keyboard):
    """A PC: the composition is shown in the field by events of its own, then committed."""

    def write(self, pinyin: str, words: str) -> None:
        for end in range(1, len(pinyin) + 1):
            Window.dispatch("on_textedit", pinyin[:end])
            self.driver.pump(1)
        Window.dispatch("on_textedit", "")
        self._commit(words)


KEYBOARDS = (Keyboard, AndroidComposing, AndroidChangingMind, DeadBackspace, DesktopComposition)
