"""What to do in the usual cases: large, without a signal, and whom to call."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, StringProperty

from mobile.screens.screen import PhoneScreen
from mobile.theme import theme
from mobile.widgets import load_kv
from mobile.widgets.kit import TapCard
from shared_schemas.locale import text

CASES = {
    "no_signal": "sync",
    "phone_full": "image",
    "wrong_name": "pen",
    "returned": "returned",
    "conflict": "split",
    "held": "pause",
    "forgot_pin": "lock",
    "phone_lost": "warning",
    "refuses": "person",
    "moved": "house",
}
"""Each with its icon; its title and steps stand in shared_schemas/locale/help.toml."""


class HelpCard(TapCard):
    """A case; touched, it says what to do."""

    icon = StringProperty("info")
    title = StringProperty("")
    words = StringProperty("")
    is_open = BooleanProperty(False)


class HelpScreen(PhoneScreen):
    """The ten usual cases."""

    office_phone = StringProperty("")

    def enter(self, case: str = "", **_: Any) -> None:
        """Show the cases; `case` is open at once."""
        self.office_phone = self.phone.store.office_phone() or ""
        cards = self.ids.cards
        cards.clear_widgets()
        for name, icon in CASES.items():
            card = HelpCard(
                icon=icon,
                title=text(f"help.{name}.title", theme.lang),
                words=text(f"help.{name}.steps", theme.lang),
                is_open=name == case,
            )
            card.bind(on_release=self.show)
            cards.add_widget(card)
        self.ids.page.scroll_y = 1

    def show(self, card: HelpCard) -> None:
        """Open a case, or close it again; the others close."""
        for other in self.ids.cards.children:
            other.is_open = other is card and not card.is_open
        if card.is_open:
            # Once the others have closed: what opened below the edge comes into sight.
            Clock.schedule_once(lambda _: self.ids.page.scroll_to(card, animate=False), 0.05)


load_kv(__file__)
