"""The day's first screen: how far, what came back, who lives next door, what to finish, the way to sync."""

from __future__ import annotations

from functools import partial
from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from mobile.forms.today import SHOWN, today
from mobile.screens import handed_in  # noqa: F401 - its card stands in the kv
from mobile.screens.screen import PhoneScreen
from mobile.screens.states import STATE_LOOKS
from mobile.storage.records import HouseholdRow
from mobile.theme import theme, ui
from mobile.widgets import load_kv
from mobile.widgets.kit import BigButton, TapCard
from mobile.widgets.words import Words


class Ring(AnchorLayout):
    """How much is done, as a ring around the figure."""

    value = NumericProperty(0.0)
    figure = StringProperty("")
    below = StringProperty("")


class WaitingCard(TapCard):
    """A household that asks something: who, where, and why it stands here."""

    head = StringProperty("")
    title = StringProperty("")
    words = StringProperty("")
    icon = StringProperty("")
    ink = ListProperty([0, 0, 0, 1])


class TodayScreen(PhoneScreen):
    """The cadre's day."""

    greeting = StringProperty("")
    day = StringProperty("")
    share = NumericProperty(0.0)
    figure = StringProperty("")
    left = StringProperty("")
    clock_words = StringProperty("")
    sent = StringProperty("")
    """What waits to be sent, or that nothing does: of a phone that never synced neither is true."""
    sent_icon = StringProperty("check")
    with_county = StringProperty("")
    """How many households the county has something to settle of; empty when it has not."""
    last_sync = StringProperty("")
    has_households = BooleanProperty(True)
    village_code = StringProperty("")
    village_name = StringProperty("")
    """Where the cadre is: the village of the next house, or of the only village."""

    def enter(self, **_: Any) -> None:
        """Count anew: a visit or a sync may have ended since."""
        phone = self.phone
        day = today(phone.store, phone.today())
        self.greeting = phone.store.cadre()
        self.day = phone.day_in_words()
        self.clock_words = ui("clock_behind", day=self.day) if day.is_clock_behind else ""
        self.has_households = bool(day.total)
        self.share = day.done / day.total if day.total else 0
        self.figure = f"{day.done} / {day.total}"
        left = day.total - day.done
        self.left = ui("left_to_visit", count=left) if left else ui("all_visited")
        self._show_sent(day.waiting, phone.last_sync_in_words())
        self.village_code = day.village_code
        self.village_name = phone.village_name(day.village_code) if day.village_code else ""
        self.ids.handed_in.show()
        if self.ids.handed_in.is_there:
            self.ids.page.scroll_y = 1  # who has just been handed in is said at the top
        count = day.with_county
        self.with_county = ui("today_with_county", count=count) if count else ""
        self._show_returned(day.returned)
        self._show_rows("next_door", [day.next_door] if day.next_door else [])
        self._show_rows("drafts", day.drafts)

    def _show_sent(self, waiting: int, last_sync: str) -> None:
        if waiting:
            self.sent, self.sent_icon = ui("waiting", count=waiting), "up"
        elif last_sync:
            self.sent, self.sent_icon = ui("nothing_waits"), "check"
        else:
            self.sent, self.sent_icon = ui("sync_never_short"), "sync"
        self.last_sync = last_sync

    def _show_returned(self, returned: Any) -> None:
        rows = [(one.row, one.reason or ui("returned_see_fields")) for one in returned]
        self._fill("returned", rows, "returned", theme.warm)
        if len(rows) > SHOWN:
            more = BigButton(look="plain", words=ui("returned_all", count=len(rows)))
            more.bind(on_release=lambda _: self.phone.go("households", village_code=None))
            self.ids.returned.add_widget(more)

    def _show_rows(self, place: str, rows: Any) -> None:
        looks = {
            "next_door": ("house", theme.green),
            "drafts": (STATE_LOOKS["draft"][1], theme.slate),
        }
        where = [(row, self._where(row)) for row in rows]
        self._fill(place, where, *looks[place])

    def _fill(self, place: str, rows: list[tuple[HouseholdRow, str]], icon: str, ink: Any) -> None:
        stack = self.ids[place]
        stack.clear_widgets()
        if rows:
            head = ui(f"today_{place}", count=len(rows))
            stack.add_widget(Words(words=head, bold=True))
        for row, words in rows[:SHOWN]:
            card = WaitingCard(title=self._called(row), words=words, icon=icon, ink=ink)
            card.bind(on_release=partial(self._open, row))
            stack.add_widget(card)

    def _called(self, row: HouseholdRow) -> str:
        return row.head_name or ui("no_name_yet")

    def _where(self, row: HouseholdRow) -> str:
        people = ui("people_count", count=row.member_count)
        return "·".join(
            filter(None, (self.phone.village_name(row.village_code), row.address, people))
        )

    def _open(self, row: HouseholdRow, *_: Any) -> None:
        self.phone.open_visit(row.id, row.village_code)

    def add_household(self) -> None:
        """Start with a household that is not on the list, where the cadre is."""
        self.phone.open_visit(None, self.village_code)

    def search(self) -> None:
        """Find somebody."""
        self.phone.go("search")

    def show_with_county(self) -> None:
        """Show the households of which the county has something to settle."""
        self.phone.go("households", which="with_county")

    def villages(self) -> None:
        """Show the villages."""
        self.phone.go("villages")

    def help(self) -> None:
        """Show what to do in the usual cases."""
        self.phone.go("help")

    def settings(self) -> None:
        """Show the settings."""
        self.phone.go("settings")

    def sync(self) -> None:
        """Go and sync."""
        self.phone.go("sync", start=True)

    def back(self) -> bool:
        """The first screen: the app may be left."""
        return False


load_kv(__file__)
