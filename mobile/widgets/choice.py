"""Choosing: chips for a few codes, a sheet with search for many, steps for places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kivy.clock import Clock
from kivy.core.text import DEFAULT_FONT
from kivy.core.window import Window
from kivy.factory import Factory
from kivy.metrics import dp
from kivy.properties import (
    BooleanProperty,
    ListProperty,
    NumericProperty,
    ObjectProperty,
    StringProperty,
)
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview import RecycleView
from kivy.uix.recycleview.views import RecycleDataViewBehavior

from mobile.theme import theme, ui
from mobile.widgets import entry, load_kv  # noqa: F401 - the entry's rules stand in the kv
from mobile.widgets.kit import Flow, Pressable, Sheet, Toast
from mobile.widgets.words import ruler, wrap

CHIPS_AT_MOST = 8
"""Up to this many choices are shown at once; more go into a sheet with a search."""

LINE = 1.68
"""Height of a line of words by their letter size, as `Words` draws it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose. `note` stands small below it, `group` heads it, `search` finds it."""

    value: str
    label: str
    note: str = ""
    group: str = ""
    search: str = ""


class Chip(Pressable, BoxLayout):
    """One answer. A chosen one has a tick and a filled ground: colour never alone."""

    corner = 12
    words = StringProperty("")
    chosen = BooleanProperty(False)
    value = ObjectProperty(None, allownone=True)

    def on_chosen(self, _: object, chosen: bool) -> None:
        """Put the tick before the words, or take it away: most chips never have one."""
        if chosen:
            self.add_widget(Factory.ChipTick(), index=1)
        else:
            self.remove_widget(self.children[1])


class Chips(Flow):
    """Answers side by side. `on_choose(value)` gets the touched value."""

    chosen = ListProperty()
    on_choose = ObjectProperty(None, allownone=True)

    def offer(self, choices: Sequence[Choice]) -> None:
        """Show the choices; the ones that were there stay the same widgets."""
        if [(c.value, c.words) for c in reversed(self.children)] != [
            (choice.value, choice.label) for choice in choices
        ]:
            self.clear_widgets()
            for choice in choices:
                chip = Chip(value=choice.value, words=choice.label)
                chip.bind(on_release=self._touched)
                self.add_widget(chip)
        self.on_chosen(self, self.chosen)

    def on_chosen(self, _: object, chosen: Sequence[object]) -> None:
        """Tick what is chosen."""
        for chip in self.children:
            chip.chosen = chip.value in chosen

    def _touched(self, chip: Chip) -> None:
        if self.on_choose and not self.disabled:
            self.on_choose(chip.value)


class PickField(Pressable, BoxLayout):
    """A closed picker: what is chosen, or an invitation to choose."""

    corner = 12
    words = StringProperty("")
    hint = StringProperty("")
    wrong = BooleanProperty(False)
    shown = BooleanProperty(True)
    icon = StringProperty("down")


class ChoiceRow(RecycleDataViewBehavior, Pressable, BoxLayout):
    """One line of a picker."""

    value = StringProperty("")
    label = StringProperty("")
    note = StringProperty("")
    chosen = BooleanProperty(False)
    leads_on = BooleanProperty(False)
    sheet = ObjectProperty(None, allownone=True)

    def on_release(self) -> None:
        """Tell the sheet."""
        self.sheet.touched(self.value)


class ChoiceLines(RecycleView):
    """The lines of a picker, all as tall as the longest of them needs."""

    line_height = NumericProperty(0)

    def offer(
        self, choices: Iterable[tuple[Choice, bool]], sheet: Sheet, *, chosen: Sequence[str] = ()
    ) -> None:
        """Show choices, each with whether it leads on."""
        room = Window.width - dp(80)
        data, labels, notes = [], 1, 0
        for choice, leads_on in choices:
            labels = max(labels, _lines(choice.label, theme.body, room))
            notes = max(notes, _lines(choice.note, theme.small, room)) if choice.note else notes
            data.append({
                "value": choice.value, "label": choice.label, "note": choice.note, "sheet": sheet,
                "chosen": choice.value in chosen, "leads_on": leads_on,
            })  # fmt: skip
        self.line_height = (labels * theme.body + notes * theme.small) * LINE + dp(14)
        self.data = data


def _lines(words: str, size: float, room: float) -> int:
    if len(words) * size < room:  # no letter is wider than it is high: nothing to measure
        return 1
    return wrap(words, room, ruler(DEFAULT_FONT, size, False)).count("\n") + 1


class PickSheet(Sheet):
    """A list to choose from, with a search by words or pinyin initials.

    With `most` above 1 several may be chosen and "完成" closes. `on_done` gets the chosen values.
    """

    hint = StringProperty("")
    has_search = BooleanProperty(True)
    is_multiple = BooleanProperty(False)

    def __init__(
        self,
        choices: Sequence[Choice],
        chosen: Sequence[str],
        on_done: Callable[[list[str]], None],
        *,
        most: int = 1,
        matches: Callable[[Choice, str], bool] | None = None,
        **kwargs: object,
    ) -> None:
        self.choices = list(choices)
        self.chosen = list(chosen)
        self.on_done = on_done
        self.most = most
        self.matches = matches or (lambda choice, typed: typed in choice.label)
        self._found = Clock.create_trigger(lambda _: self._fill(), 0.15)
        super().__init__(
            has_search=len(self.choices) > 12,
            is_multiple=most > 1,
            **kwargs,
        )
        self._fill()

    def searching(self) -> None:
        """Look again soon; the text itself is left alone."""
        self._found()

    def touched(self, value: str) -> None:
        """Choose a line, or take it back where several may be chosen."""
        if not self.is_multiple:
            self.dismiss(animation=False)
            self.on_done([value])
            return
        if value in self.chosen:
            self.chosen.remove(value)
        elif len(self.chosen) < self.most:
            self.chosen.append(value)
        else:
            Toast.say(ui("at_most", most=self.most))
        self.on_done(list(self.chosen))
        self._fill()

    def _fill(self) -> None:
        typed = self.ids.search.text.strip()
        found = [(c, False) for c in self.choices if not typed or self.matches(c, typed)]
        self.ids.lines.offer(found, self, chosen=self.chosen)
        self.ids.nothing.opacity = 0 if self.ids.lines.data else 1


@dataclass(frozen=True, slots=True)
class Place:
    """A division as the picker shows it."""

    code: str
    name: str
    has_inner: bool


class PlaceSheet(Sheet):
    """Places from large to small: province, prefecture, county, and on where there is more.

    `inner(code)` gives the places within one, or the first page for None. Any place above the
    deepest level may be taken by "就选这里" unless `deepest_only`.
    """

    here = StringProperty("")
    can_take = BooleanProperty(False)
    can_go_up = BooleanProperty(False)

    def __init__(
        self,
        inner: Callable[[str | None], Sequence[Place]],
        on_done: Callable[[str], None],
        *,
        deepest_only: bool = False,
        **kwargs: object,
    ) -> None:
        self.inner = inner
        self.on_done = on_done
        self.deepest_only = deepest_only
        self.way: list[Place] = []
        self.places: list[Place] = []
        super().__init__(**kwargs)
        self._turn()

    def touched(self, code: str) -> None:
        """Step into a place, or take it where nothing lies within."""
        place = next(p for p in self.places if p.code == code)
        if place.has_inner:
            self.way.append(place)
            self._turn()
        else:
            self._finish(code)

    def up(self) -> None:
        """Step out again."""
        self.way.pop()
        self._turn()

    def take(self) -> None:
        """Take the place that we are in."""
        self._finish(self.way[-1].code)

    def searching(self) -> None:
        """Show the places whose names hold the typed words."""
        self._fill()

    def _finish(self, code: str) -> None:
        self.dismiss(animation=False)
        self.on_done(code)

    def _turn(self) -> None:
        self.places = list(self.inner(self.way[-1].code if self.way else None))
        self.here = " › ".join(place.name for place in self.way)
        self.can_go_up = bool(self.way)
        self.can_take = bool(self.way) and not self.deepest_only
        self.ids.search.ids.text_input.text = ""
        self._fill()
        self.ids.lines.scroll_y = 1

    def _fill(self) -> None:
        typed = self.ids.search.text.strip()
        found = [
            (Choice(place.code, place.name), place.has_inner)
            for place in self.places
            if typed in place.name
        ]
        self.ids.lines.offer(found, self)


load_kv(__file__)
