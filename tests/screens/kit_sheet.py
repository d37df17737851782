"""All pieces of the kit on one sheet, for the pictures: each look, and the largest letters."""

from __future__ import annotations

from kivy.core.window import Window
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from mobile.screens import screen  # noqa: F401 - the page's and the lower bar's rules
from mobile.screens.states import STATE_LOOKS
from mobile.theme import theme, ui
from mobile.widgets.choice import Chips, Choice, PickField
from mobile.widgets.entry import Entry
from mobile.widgets.kit import (
    AppBar,
    Badge,
    Banner,
    Bar,
    BigButton,
    Card,
    EmptyState,
    Flow,
    Page,
    Stack,
)
from mobile.widgets.words import OneLine, Words
from shared_schemas.locale import text


def kit_sheet() -> Widget:
    """Return the sheet, as wide as the window and as tall as it needs."""
    pieces = Stack(padding=dp(16), spacing=dp(12))
    for piece in _pieces():
        pieces.add_widget(piece)
    sheet = BoxLayout(orientation="vertical", size=Window.size)
    sheet.add_widget(AppBar(title="AppBar 大湾村", subtitle="已走访 73 / 112 户"))
    page = Page()
    page.add_widget(pieces)
    sheet.add_widget(page)
    return sheet


def _pieces() -> list[Widget]:
    badges = Flow()
    for state, (tone, icon) in STATE_LOOKS.items():
        badges.add_widget(Badge(tone=tone, icon=icon, words=text(f"visit.state.{state}")))
    badges.add_widget(Badge(tone="amber", words=ui("glyph_missing", code="U+20BB7")))
    chips = Chips(chosen=["1"])
    chips.offer([Choice("1", "想外出"), Choice("2", "想在本地"), Choice("3", "不想")])
    card = Card()
    card.add_widget(Words(words="Card 韦大山", font_size=theme.large))
    card.add_widget(Words(words="Words བསྟན་འཛིན་", color=theme.soft))
    card.add_widget(Words(words="김철수 · 𠮷 · \ue000", color=theme.soft))
    card.add_widget(
        OneLine(words="OneLine 三组 12 号,韦大山、罗秀英、韦小花、韦小宝等六人", color=theme.soft)
    )
    wrong = Entry(text="13912", wrong=True)
    return [
        Banner(
            tone="warm",
            icon="returned",
            title="Banner 县里退回1户",
            words="电话打不通,请问清楚新号码",
        ),
        Banner(tone="red", icon="split", words="冲突:两台手机填得不一样,由县里定"),
        Bar(value=0.65),
        badges,
        card,
        chips,
        PickField(words="", hint="PickField 请选择"),
        Entry(hint="Entry 点这里输入"),
        wrong,
        BigButton(words="BigButton 下一步", icon="check"),
        BigButton(look="plain", words="plain", icon="search"),
        EmptyState(title="EmptyState 还没有", words=ui("no_rows")),
    ]
