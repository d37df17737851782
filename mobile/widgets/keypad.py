"""Our own keys for numbers: big enough for a thumb, with the X of an ID number, and never in the
way of a Chinese keyboard. One sheet for ID numbers, phones, amounts and days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kivy.clock import Clock
from kivy.factory import Factory
from kivy.properties import StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from mobile.theme import theme
from mobile.widgets import entry, load_kv  # noqa: F401 - the entry's rules stand in the kv
from mobile.widgets.entry import SAVED_AFTER_S
from mobile.widgets.kit import Pressable, Sheet

CLOSES_AFTER_S = 0.3
"""A number that is complete and right stays before the eyes so long; then its keys close."""

MOBILE_DIGITS = 11


@dataclass(frozen=True, slots=True)
class Pad:
    """How one kind of number is typed: its extra key, its greatest length, its grouping."""

    extra: str
    most: int
    grouped: Callable[[str], str]


def _in_groups(*sizes: int) -> Callable[[str], str]:
    def grouped(typed: str) -> str:
        parts, rest = [], typed
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        return " ".join(part for part in (*parts, rest) if part)

    return grouped


def phone_grouped(typed: str) -> str:
    """Group a mobile number 3-4-4; a landline stays as it is typed."""
    return _in_groups(3, 4, 4)(typed) if typed.startswith("1") else typed


def day_grouped(typed: str) -> str:
    """Show eight digits as year, month and day, with places for what is still to come."""
    digits = typed.replace("-", "")[:8].ljust(8, "_")
    if theme.lang == "zh":
        return f"{digits[:4]} 年 {digits[4:6]} 月 {digits[6:]} 日"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


PADS = {
    "resident_id": Pad("X", 18, _in_groups(6, 8, 4)),
    "phone": Pad("-", 13, phone_grouped),
    "number": Pad("", 6, lambda typed: f"{int(typed):,}" if typed.isdecimal() else typed),
    "day": Pad("", 8, day_grouped),
}


class Key(Pressable, AnchorLayout):
    """One key."""

    corner = 12
    words = StringProperty("")
    icon = StringProperty("")

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if self.icon:  # one key of twelve
            self.add_widget(Factory.KeyIcon(icon=self.icon))


class Keypad(Sheet):
    """A number being typed. `on_typed` gets it within half a second, `on_done` when it is finished.

    Twelve keys take longer to make than all else that follows a touch: one is kept for each kind.
    `verdict(text)` gives the words for what is wrong with a finished number, or "". The number of
    an ID card is judged as soon as it is full, the others on "完成". A number to which the last key
    was pressed and in which nothing is wrong closes its keys; a landline or an amount has no last key.
    """

    typed = StringProperty("")
    shown = StringProperty("")
    message = StringProperty("")
    count = StringProperty("")
    kind = StringProperty("number")

    def __init__(self, kind: str) -> None:
        self.pad = PADS[kind]
        self._pause = Clock.create_trigger(lambda _: self.flush(), SAVED_AFTER_S)
        self._closing = Clock.create_trigger(lambda _: self.finish(), CLOSES_AFTER_S)
        self._forget()
        super().__init__(kind=kind)
        if kind != "day":
            self.ids.last_line.remove_widget(self.ids.today)
        for key in (*"123456789", self.pad.extra, "0", "⌫"):
            drawn = {"icon": "backspace"} if key == "⌫" else {"words": key}
            made = Key(**drawn)
            made.bind(on_press=lambda _, key=key: self.press(key))
            self.ids.key_grid.add_widget(made)

    def begin(
        self,
        typed: str,
        *,
        title: str,
        on_typed: Callable[[str], None],
        on_done: Callable[[str], None],
        verdict: Callable[[str], str] = lambda _: "",
        today: str = "",
    ) -> None:
        """Show the keys, with what is typed already."""
        self.on_typed_text, self.on_done, self.verdict = on_typed, on_done, verdict
        self.title, self.today, self._handed = title, today, typed
        self.typed = typed.replace("-", "") if self.kind == "day" else typed
        self.on_typed(self, self.typed)
        self.open()

    def _forget(self) -> None:
        """Keep nothing of whom the number belongs to."""
        self.on_typed_text: Callable[[str], None] = lambda _: None
        self.on_done: Callable[[str], None] = lambda _: None
        self.verdict: Callable[[str], str] = lambda _: ""
        self.today = self.typed = self._handed = ""

    def press(self, key: str) -> None:
        """Take a key."""
        self._closing.cancel()
        if key == "⌫":
            self.typed = self.typed[:-1]
        elif key and len(self.typed) < self.pad.most:
            self.typed += key
            self._close_if_complete()

    def take_today(self) -> None:
        """Fill in today's date."""
        self.typed = self.today.replace("-", "")
        self._close_if_complete()

    def clear(self) -> None:
        """Start again."""
        self._closing.cancel()
        self.typed = ""

    def on_typed(self, _: object, typed: str) -> None:
        """Show the number in groups, and at once what is wrong with a full one."""
        self.shown = self.pad.grouped(typed)
        is_full = self.kind in ("resident_id", "day") and len(typed) == self.pad.most
        self.message = self.verdict(self.value) if is_full else ""
        self.count = f"{len(typed)} / {self.pad.most}" if self.kind == "resident_id" else ""
        if self.value != self._handed:
            self._pause()

    def _close_if_complete(self) -> None:
        """Close soon, where no key is missing; what is wrong with the number keeps it open."""
        most = self.pad.most
        if self.kind == "phone":
            is_complete = self.typed.startswith("1") and len(self.typed) == MOBILE_DIGITS
        else:
            is_complete = self.kind in ("resident_id", "day") and len(self.typed) == most
        if is_complete and not self.verdict(self.value):
            self._closing()

    @property
    def value(self) -> str:
        """The number as it is stored: a full day has its dashes."""
        if self.kind == "day" and len(self.typed) == 8:
            return f"{self.typed[:4]}-{self.typed[4:6]}-{self.typed[6:]}"
        return self.typed

    def flush(self) -> None:
        """Hand on what was typed and not yet handed on."""
        self._pause.cancel()
        if self.value != self._handed:
            self._handed = self.value
            self.on_typed_text(self.value)

    def finish(self) -> None:
        """Close; what is wrong with the number then stands beside the field."""
        self.dismiss(animation=False)

    def on_dismiss(self) -> None:
        """Hand on the number however the sheet was closed."""
        self._closing.cancel()
        self._pause.cancel()
        value, done = self.value, self.on_done
        self._forget()
        done(value)


load_kv(__file__)
