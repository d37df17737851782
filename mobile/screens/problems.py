"""What stands between a visit and its submit: errors lead to their field, warnings ask for a reason."""

from __future__ import annotations

from typing import Any

from kivy.properties import (
    BooleanProperty,
    ListProperty,
    NumericProperty,
    ObjectProperty,
    StringProperty,
)

from mobile.screens.screen import PhoneScreen
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.choice import Choice
from mobile.widgets.kit import Card, Sheet, TapCard, Toast
from shared_schemas.rules import Hit, Level

COMMON_REASONS = ("reason_checked", "reason_paper", "reason_said", "reason_county")


class ErrorCard(TapCard):
    """An error: whose, what, and the way to its field."""

    whose = StringProperty("")
    words = StringProperty("")


class WarningCard(Card):
    """A warning, and the reason why it is right all the same."""

    whose = StringProperty("")
    words = StringProperty("")
    reason = StringProperty("")
    on_look = ObjectProperty(None, allownone=True)
    on_explain = ObjectProperty(None, allownone=True)

    def look(self) -> None:
        """Go to the field."""
        self.on_look()

    def explain(self) -> None:
        """Give a reason."""
        self.on_explain()


class ProblemsScreen(PhoneScreen):
    """The hits of the rules on the visit at hand."""

    errors = NumericProperty(0)
    unexplained = NumericProperty(0)
    is_clear = BooleanProperty(False)

    def enter(self, **_: Any) -> None:
        """Ask the rules again."""
        visit = self.phone.visit
        hits = [hit for hit in visit.problems() if hit.level is not Level.REVIEW]
        self.errors = sum(hit.level is Level.ERROR for hit in hits)
        self.unexplained = sum(hit.level is Level.WARNING and not hit.reason for hit in hits)
        self.is_clear = not self.errors and not self.unexplained
        errors, warnings = self.ids.errors, self.ids.warnings
        errors.clear_widgets()
        warnings.clear_widgets()
        for hit in hits:
            if hit.level is Level.ERROR:
                card = ErrorCard(whose=self._whose(hit), words=hit.message(theme.lang))
                card.bind(on_release=lambda _, hit=hit: self.phone.jump(hit))
                errors.add_widget(card)
            else:
                warnings.add_widget(self._warning(hit))

    def _warning(self, hit: Hit) -> WarningCard:
        card = WarningCard(
            whose=self._whose(hit), words=hit.message(theme.lang), reason=hit.reason or ""
        )
        card.on_look = lambda: self.phone.jump(hit)
        card.on_explain = lambda: self.phone.explain(hit, self.enter)
        return card

    def _whose(self, hit: Hit) -> str:
        step = self.phone.step_of(hit)
        return f"{step.record_title}·{step.title}" if step else ""

    def submit(self) -> None:
        """Hand the visit in; what still stands in the way stays on this screen."""
        if self.phone.visit.submit().submitted:
            Toast.say(ui("submitted"))
            self.phone.end_visit()
        else:
            self.enter()


class ReasonSheet(Sheet):
    """Why a warning is right all the same: a common reason, or own words."""

    words = StringProperty("")
    chosen = ListProperty()

    def __init__(self, hit: Hit, on_reason: Any, **kwargs: Any) -> None:
        self.on_reason = on_reason
        super().__init__(title=ui("why_right"), words=hit.message(theme.lang), **kwargs)
        chips = self.ids.reasons
        chips.offer([Choice(ui(key), ui(key)) for key in COMMON_REASONS])
        chips.on_choose = self.take
        if hit.reason:
            self.ids.own.ids.text_input.text = hit.reason

    def take(self, reason: str) -> None:
        """Take a reason and close."""
        self.dismiss(animation=False)
        self.on_reason(reason)

    def take_own(self) -> None:
        """Take the typed reason."""
        reason = self.ids.own.text.strip()
        if not 1 <= len(reason) <= 80:
            Toast.say(ui("reason_length"))
            return
        self.take(reason)


load_kv(__file__)
