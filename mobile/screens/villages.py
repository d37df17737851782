"""The villages with what is done, what came back, and what waits."""

from __future__ import annotations

from kivy.properties import BooleanProperty, NumericProperty, StringProperty

from mobile.screens.screen import PhoneScreen
from mobile.theme import ui
from mobile.widgets import load_kv
from mobile.widgets.kit import Badge, TapCard


class VillageCard(TapCard):
    """A village: its name, how far it is, what waits in it."""

    code = StringProperty("")
    name_ = StringProperty("")
    progress = StringProperty("")
    share = NumericProperty(0.0)
    returned = NumericProperty(0)
    to_confirm = NumericProperty(0)
    drafts = NumericProperty(0)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for count, key, tone, icon in (
            (self.returned, "badge_returned", "warm", "returned"),
            (self.to_confirm, "badge_to_visit", "amber", "person"),
            (self.drafts, "badge_drafts", "slate", "pen"),
        ):
            if count:
                self.ids.badges.add_widget(Badge(tone=tone, icon=icon, words=ui(key, count=count)))


class VillagesScreen(PhoneScreen):
    """Villages in the cadre's scope."""

    returned = NumericProperty(0)
    has_villages = BooleanProperty(True)

    def enter(self, **_: object) -> None:
        """Count anew: a visit may have ended since."""
        from mobile.storage.records import villages

        rows = villages(self.phone.store)
        self.returned = sum(row.returned for row in rows)
        self.has_villages = bool(rows)
        cards = self.ids.cards
        cards.clear_widgets()
        # Villages where something waits stand first; the others keep the order of their codes.
        for row in sorted(rows, key=lambda row: (not row.returned, not row.total)):
            card = VillageCard(
                code=row.code,
                name_=row.name,
                progress=ui("progress", done=row.done, total=row.total)
                if row.total
                else ui("no_households"),
                share=row.done / row.total if row.total else 0,
                returned=row.returned,
                to_confirm=row.to_confirm,
                drafts=row.drafts,
            )
            card.bind(on_release=lambda card: self.open_village(card.code))
            cards.add_widget(card)

    def open_village(self, code: str) -> None:
        """Show the households of a village."""
        self.phone.go("households", village_code=code)

    def open_returned(self) -> None:
        """Show what came back, of all villages."""
        self.phone.go("households", village_code=None)


load_kv(__file__)
