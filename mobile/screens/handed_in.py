"""A word on the household that was just handed in, on whatever list comes next: what it could get.

The cadre still stands at its door; a moment later he is at the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kivy.properties import BooleanProperty, ObjectProperty, StringProperty

from mobile.theme import ui
from mobile.widgets import load_kv
from mobile.widgets.kit import TapCard


@dataclass(frozen=True, slots=True)
class HandedIn:
    """The household that was handed in, until the cadre goes on."""

    household_id: str
    village_code: str
    called: str


class HandedInCard(TapCard):
    """Says that it is handed in, and leads to what this family could get."""

    phone: Any = ObjectProperty(None, allownone=True)
    title = StringProperty("")
    is_there = BooleanProperty(False)

    def show(self) -> None:
        """Show it where a household was just handed in."""
        last = self.phone.handed_in
        self.is_there = last is not None
        self.title = ui("handed_in", name=last.called) if last else ""

    def on_release(self) -> None:
        """Show what the family could get; back leads to its visit."""
        last = self.phone.handed_in
        self.phone.open_visit(last.household_id, last.village_code)
        self.phone.go("benefits")


load_kv(__file__)
