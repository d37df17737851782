"""What this family could get: read at the door, with the papers to bring. The county decides."""

from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, StringProperty

from mobile.forms.benefits import Line, shares
from mobile.screens.screen import PhoneScreen
from mobile.theme import theme
from mobile.widgets import load_kv
from mobile.widgets.kit import Banner, Card
from mobile.widgets.words import Words
from shared_schemas.locale import text


class BenefitCard(Card):
    """One rule that speaks for somebody."""

    title = StringProperty("")
    sum_ = StringProperty("")
    papers = StringProperty("")
    open_ = StringProperty("")
    source = StringProperty("")


class BenefitsScreen(PhoneScreen):
    """What could be had by the household of the visit at hand."""

    subtitle = StringProperty("")
    call = StringProperty("")
    has_any = BooleanProperty(True)

    def enter(self, **_: Any) -> None:
        """Match the rules anew: an answer may have changed since."""
        self.subtitle = self.phone.visit_title()
        phone = self.phone.store.office_phone()
        self.call = text("benefit.ask", theme.lang, phone=phone) if phone else ""
        found = shares(self.phone.visit, theme.lang)
        self.has_any = bool(found)
        place = self.ids.shares
        place.clear_widgets()
        for share in found:
            place.add_widget(Words(words=share.who, bold=True, font_size=theme.large))
            for said in share.sums:
                place.add_widget(Banner(tone="green", icon="check", words=said))
            for line in share.lines:
                place.add_widget(self._card(line))
        self.ids.page.scroll_y = 1

    def _card(self, line: Line) -> BenefitCard:
        return BenefitCard(
            title=line.title,
            sum_=line.sum,
            papers=line.papers,
            open_=line.open,
            source=line.source,
        )


load_kv(__file__)
