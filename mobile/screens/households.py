"""The households of a village: what came back first, then whom to visit, drafts, done.

Without a village: those that came back, or those of which the county has something to settle.
"""

from __future__ import annotations

from kivy.clock import Clock
from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview.views import RecycleDataViewBehavior

from mobile.screens import handed_in  # noqa: F401 - its card stands in the kv
from mobile.screens.screen import PhoneScreen
from mobile.screens.states import STATE_LOOKS
from mobile.storage.records import RETURNED, WITH_COUNTY
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.kit import Pressable
from shared_schemas.locale import text


class HouseholdRow(RecycleDataViewBehavior, Pressable, BoxLayout):
    """One household in the list."""

    household_id = StringProperty("")
    head_name = StringProperty("")
    below = StringProperty("")
    state_words = StringProperty("")
    tone = StringProperty("soft")
    is_tall = BooleanProperty(False)
    """Whether the letters are so large that the state stands below the name, not beside it."""
    icon = StringProperty("")
    screen = ObjectProperty(None, allownone=True)

    def on_release(self) -> None:
        """Open the household."""
        self.screen.open_household(self.household_id)


LISTS = {"returned": {RETURNED}, "with_county": WITH_COUNTY}
"""The states of the households in a list across the villages."""


class HouseholdsScreen(PhoneScreen):
    """Households of one village, or of all those that are in one of the states of `LISTS`."""

    village_code = ObjectProperty(None, allownone=True)
    which = StringProperty("returned")
    village_name = StringProperty("")
    summary = StringProperty("")
    count = NumericProperty(0)
    can_add = BooleanProperty(True)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._look_soon = Clock.create_trigger(lambda _: self.look(), 0.2)

    def enter(self, village_code: str | None = None, which: str = "returned", **_: object) -> None:
        """Show a village, or a list across the villages."""
        from mobile.storage.records import villages

        if village_code != self.village_code:
            self.ids.search.ids.text_input.text = ""
        self.village_code, self.which = village_code, which
        self.ids.handed_in.show()
        self.can_add = village_code is not None
        row = next(iter(villages(self.phone.store, village_code)), None) if village_code else None
        self.village_name = row.name if row else ui(f"{which}_title")
        self.summary = ui("progress", done=row.done, total=row.total) if row and row.total else ""
        self.look()

    def searching(self) -> None:
        """Look again soon."""
        self._look_soon()

    def look(self) -> None:
        """Fill the list."""
        from mobile.storage.records import households

        rows = households(self.phone.store, self.village_code, self.ids.search.text.strip())
        if self.village_code is None:
            rows = [row for row in rows if row.state in LISTS[self.which]]
        self.count = len(rows)
        self.ids.rows.data = [self._shown(row) for row in rows]

    def _shown(self, row: object) -> dict[str, object]:
        tone, icon = STATE_LOOKS[row.state]
        known = [row.address, ui("people_count", count=row.member_count)]
        return {
            "household_id": row.id,
            "head_name": row.head_name or ui("no_name_yet"),
            "below": "·".join(part for part in known if part),
            "state_words": text(f"visit.state.{row.state}", theme.lang),
            "tone": tone,
            "icon": icon,
            "screen": self,
        }

    def open_household(self, household_id: str) -> None:
        """Open a household."""
        self.phone.open_visit(household_id, self.village_code)

    def add_household(self) -> None:
        """Start with a household that is not in the list."""
        self.phone.open_visit(None, self.village_code)


load_kv(__file__)
