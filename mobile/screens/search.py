"""Finding somebody among all people of the phone: results while typing, and why each fits."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.properties import NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview.views import RecycleDataViewBehavior

from mobile.screens.screen import PhoneScreen
from mobile.theme import ui
from mobile.widgets import load_kv
from mobile.widgets.kit import Pressable

LOOKS_AFTER_S = 0.12
"""After the last key: a pinyin keyboard types several letters a second."""


class PersonRow(RecycleDataViewBehavior, Pressable, BoxLayout):
    """Somebody who fits."""

    household_id = StringProperty("")
    village_code = StringProperty("")
    name_ = StringProperty("")
    below = StringProperty("")
    why = StringProperty("")
    screen = ObjectProperty(None, allownone=True)

    def on_release(self) -> None:
        """Open his household."""
        self.screen.open_household(self.household_id, self.village_code)


class SearchScreen(PhoneScreen):
    """People by name, pinyin, or the end of a number."""

    count = NumericProperty(0)
    typed = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._look_soon = Clock.create_trigger(lambda _: self.look(), LOOKS_AFTER_S)

    def enter(self, **_: Any) -> None:
        """Look again: what was typed stays, so that the next of two namesakes is one touch away."""
        self.look()
        if not self.ids.search.text:
            Clock.schedule_once(lambda _: self._begin(), 0)

    def _begin(self) -> None:
        self.ids.search.ids.text_input.focus = True

    def searching(self) -> None:
        """Look soon."""
        self._look_soon()

    def look(self) -> None:
        """Fill the list."""
        from mobile.storage.search import find_people, plain_query

        self.typed = plain_query(self.ids.search.text)
        found = find_people(self.phone.store.connection, self.typed)
        self.count = len(found)
        self.ids.rows.data = [self._shown(one) for one in found]
        self.ids.rows.scroll_y = 1

    def _shown(self, one: Any) -> dict[str, Any]:
        head = ui("household_of", name=one.head_name) if one.head_name else ""
        return {
            "household_id": one.household_id,
            "village_code": one.village_code,
            "name_": one.name or ui("no_name_yet"),
            "below": "·".join(filter(None, (one.village, one.address, head))),
            "why": ui(f"why_{one.why}", said=one.said),
            "screen": self,
        }

    def open_household(self, household_id: str, village_code: str) -> None:
        """Open a household."""
        self.ids.search.ids.text_input.focus = False
        self.phone.open_visit(household_id, village_code)

    def back(self) -> bool:
        """Leave; the next search begins empty."""
        self.ids.search.ids.text_input.focus = False
        self.ids.search.ids.text_input.text = ""
        return super().back()


load_kv(__file__)
