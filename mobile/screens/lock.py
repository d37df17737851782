"""The lock: the PIN, a new PIN, and the county's help where it is forgotten.

What is true stands in `mobile.storage.key`; here are its words, six dots and large keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.clock import Clock
from kivy.properties import (
    BooleanProperty,
    OptionProperty,
    StringProperty,
)
from kivy.uix.widget import Widget

from mobile.screens.screen import PhoneScreen
from mobile.theme import ui
from mobile.widgets import load_kv
from mobile.widgets.keypad import Key
from shared_schemas import unlock

PIN_DIGITS = 6


class Dot(Widget):
    """One digit of the PIN: filled when it was typed."""

    is_full = BooleanProperty(False)
    is_wrong = BooleanProperty(False)


class LockScreen(PhoneScreen):
    """Asks for digits: a PIN to open, a new PIN twice, or the county's answer."""

    step = OptionProperty("enter", options=["enter", "old", "choose", "repeat", "county", "no_way"])
    title = StringProperty("")
    words = StringProperty("")
    problem = StringProperty("")
    typed = StringProperty("")
    groups = StringProperty("")
    challenge = StringProperty("")
    way_out = StringProperty("")
    """What the button below the keys says; empty where there is none."""
    is_working = BooleanProperty(False)
    is_waiting = BooleanProperty(False)
    has_keys = BooleanProperty(True)
    has_dots = BooleanProperty(True)
    is_tight = BooleanProperty(False)
    """The letters are so large that everything else makes room for them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for key in (*"123456789", "", "0", "⌫"):
            drawn = {"icon": "backspace"} if key == "⌫" else {"words": key}
            made = Key(**drawn)
            made.bind(on_press=lambda _, key=key: self.press(key))
            self.ids.lock_keys.add_widget(made)
        self.dots = [Dot() for _ in range(PIN_DIGITS)]
        for dot in self.dots:
            self.ids.dots.add_widget(dot)
        self._tick = Clock.schedule_interval(lambda _: self._show_wait(), 1)
        self._tick.cancel()

    def enter(
        self,
        *,
        choose_then: Callable[[], None] | None = None,
        change: bool = False,
        without_key: bool = False,
        **_: Any,
    ) -> None:
        """Begin with the step that is due."""
        self.then = choose_then
        self.key: bytes | None = self.phone.key if choose_then else None
        self._first = ""
        state = self.phone.key_file.state if self.phone.key_file.exists() else None
        if without_key or state is None:
            self._ask("no_way")
        elif choose_then:
            self._ask("choose")
        elif change:
            self._ask("old")
        elif state.pin is None:
            self._ask("county")
        else:
            self._ask("enter")

    def _ask(self, step: str, problem: str = "") -> None:
        self.step, self.typed, self.problem = step, "", problem
        self.has_keys = step != "no_way"
        self.has_dots = self.has_keys and step != "county"
        self.title = ui(f"lock_{step}")
        why = self.phone.key_file.state.sealed if self.phone.key_file.exists() else ""
        if step == "county":
            digits = self.phone.key_file.challenge()
            if digits is None:
                self._ask("no_way")
                return
            self.challenge = unlock.in_groups(digits, 4)
            self.words = ui(f"lock_sealed_{why}" if why else "lock_forgotten")
        else:
            self.challenge = ""
            self.words = ui(f"lock_{step}_why")
        self.way_out = {
            "enter": ui("lock_forgot_button"),
            "old": ui("cancel"),
            "repeat": ui("lock_choose_again"),
            "county": "" if why else ui("lock_try_pin"),
        }.get(step, "")
        self._show_groups()
        if step in ("enter", "old"):
            self._tick()
            self._show_wait()
        else:
            self._tick.cancel()
            self.is_waiting = False

    def leave_step(self) -> None:
        """Take the way out that the step offers."""
        if self.is_working:
            return
        if self.step == "enter":
            self._ask("county")
        elif self.step == "county":
            self._ask("enter")
        elif self.step == "repeat":
            self._ask("choose")
        elif self.step == "old":
            self.phone.go_back()

    def back(self) -> bool:
        """Go back from changing the PIN and from the county's help; from the lock itself leave the app."""
        if self.way_out and self.step != "enter":
            self.leave_step()
            return True
        return False

    # Typing

    def on_typed(self, _: object, typed: str) -> None:
        """Fill a dot for each digit."""
        for number, dot in enumerate(self.dots):
            dot.is_full = number < len(typed)

    def on_problem(self, _: object, problem: str) -> None:
        """Show by colour and words that it was wrong."""
        for dot in self.dots:
            dot.is_wrong = bool(problem)

    def press(self, key: str) -> None:
        """Take a key."""
        most = unlock.ANSWER_DIGITS if self.step == "county" else PIN_DIGITS
        if self.is_working or self.is_waiting:
            return
        if key == "⌫":
            self.typed = self.typed[:-1]
        elif key and len(self.typed) < most:
            self.problem = ""
            self.typed += key
        self._show_groups()
        if len(self.typed) == most:
            self._full()

    def _show_groups(self) -> None:
        if self.step != "county":
            return
        shown = self.typed.ljust(unlock.ANSWER_DIGITS, "_")
        parts = unlock.in_groups(shown, unlock.GROUP).split()
        self.groups = "  ".join(parts[:3]) + "\n" + "  ".join(parts[3:])
        wrong = unlock.wrong_group(self.typed)
        self.problem = ui("lock_wrong_group", group=wrong) if wrong else self.problem

    def _full(self) -> None:
        typed = self.typed
        if self.step == "choose":
            from mobile.storage.key import is_trivial

            if is_trivial(typed):
                self._ask("choose", ui("lock_trivial"))
            else:
                self._first = typed
                self._ask("repeat")
        elif self.step == "repeat":
            if typed == self._first:
                self._work(lambda: self.phone.key_file.set_pin(self.key, typed), self._chosen)
            else:
                self._ask("choose", ui("lock_not_the_same"))
        elif self.step == "county":
            if unlock.wrong_group(typed) is None:
                self._work(lambda: self.phone.key_file.try_county(typed), self._opened_by_county)
        else:
            self._work(lambda: self.phone.key_file.try_pin(typed), self._opened)

    def _work(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """To stretch a PIN takes a second on a cheap phone: off the UI thread."""
        from mobile.storage.key import NotOpened

        def attempt() -> Any:
            try:
                return work()
            except NotOpened as refusal:
                return refusal

        def finished(result: Any) -> None:
            self.is_working = False
            (self._refused if isinstance(result, NotOpened) else done)(result)

        self.is_working = True
        self.phone.in_background(attempt, finished, self._failed)

    # What came of it

    def _opened(self, key: bytes) -> None:
        if self.step == "old":
            self.key = key
            self._ask("choose")
            return
        self._tick.cancel()
        self.typed = ""
        self.phone.open_with(key)

    def _opened_by_county(self, key: bytes) -> None:
        self.key = key
        self.then = lambda: self.phone.open_with(key, by_county=True)
        self._ask("choose")

    def _chosen(self, _: None) -> None:
        self.typed = self._first = ""
        self.key = None
        if self.then is None:
            self.phone.go_back()
        else:
            self.then()

    def _refused(self, refusal: Exception) -> None:
        from mobile.storage.key import DeviceForgot, Sealed, TooSoon, WrongPin

        if isinstance(refusal, WrongPin):
            left = refusal.left
            few = left is not None and left <= 5
            self._ask(self.step, ui("lock_wrong_left" if few else "lock_wrong", left=left))
        elif isinstance(refusal, TooSoon):
            self._ask(self.step)
        elif isinstance(refusal, DeviceForgot):
            self._ask("county", ui("lock_device_forgot"))
        elif isinstance(refusal, Sealed):
            self.phone.lock()  # where it was open: somebody tried to change the PIN
            if self.phone.manager.current_screen is self:
                self._ask("county")
        else:
            self._ask("county", ui("lock_wrong_answer"))

    def _failed(self, _: Exception) -> None:
        # The count of tries is written before each; on a full phone it cannot be.
        self.is_working = False
        self._ask(self.step, ui("lock_phone_full"))

    def _show_wait(self) -> None:
        left = self.phone.key_file.wait_s()
        self.is_waiting = left > 0
        if self.is_waiting:
            self.words = ui("lock_wait", minutes=int(left) // 60, seconds=f"{int(left) % 60:02d}")
        elif self.step in ("enter", "old"):
            self.words = ui(f"lock_{self.step}_why")


load_kv(__file__)
