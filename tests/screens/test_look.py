"""Tokens, words and layout: what must hold on every screen, whatever stands on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kivy.core.window import Window
from kivy.metrics import dp
from kivy.uix.label import Label

from mobile.settings import LOOKS as CHOSEN_LOOKS
from mobile.theme import CONTRAST, LOOKS, PAIRS, TOUCH, contrast
from mobile.widgets.words import drawable, is_drawable, typeset, wrap
from shared_schemas.locale import _catalogue
from tests.screens.driver import Driver, shows
from tests.screens.flows import open_village, start_household

pytestmark = pytest.mark.window


def test_letters_stand_out_from_their_ground_in_every_look():
    weak = [
        (look, letters, ground)
        for look, colours in LOOKS.items()
        for letters, ground in PAIRS
        if contrast(colours[letters], colours[ground]) < CONTRAST[look]
    ]
    assert weak == []
    assert set(CHOSEN_LOOKS) == set(LOOKS)
    assert min(CONTRAST.values()) >= 4.5


def test_the_shipped_font_draws_all_of_our_own_words():
    words = "".join(text for entry in _catalogue().values() for text in entry.values())
    assert {c for c in words if c != "\n" and not is_drawable(c)} == set()


def test_a_character_that_the_font_lacks_is_named_by_its_code():
    assert drawable("韦\ue000兰") == "韦〔U+E000〕兰"


def test_no_line_starts_with_a_closing_mark():
    broken = wrap("一二三四,五六七八。九十", 50, lambda piece: 10 * len(piece))
    assert [line[0] for line in broken.split("\n") if line[0] in ",。"] == []
    assert max(len(line) for line in broken.split("\n")) <= 5


def test_marks_after_chinese_words_are_printed_full_width():
    assert typeset("先看,再填(选填)") == "先看\uff0c再填\uff08选填\uff09"
    assert typeset("a, b (c)") == "a, b (c)"


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_every_screen_can_be_touched_and_read(phone: Callable[..., Driver], scale: float):
    driver = phone(font_scale=scale)
    faults: list[str] = []

    def look(place: str) -> None:
        driver.settle()
        faults.extend(f"{place}: {fault}" for fault in layout_faults(driver))

    look("today")
    driver.tap_text("各村名单")
    look("villages")
    driver.back()
    driver.tap_icon("设置")
    look("settings")
    driver.back()
    driver.tap_text("同步")
    driver.until(lambda: driver.sees("再同步") and not driver.sees("正在同步"), timeout=60)
    look("sync")
    driver.back()
    open_village(driver, "大湾村")
    look("households")
    driver.tap(driver.find(kind="HouseholdRow"))
    look("visit")
    driver.tap_text("看看还差什么")
    look("problems")
    driver.back()
    driver.back()
    start_household(driver)
    look("questions")
    driver.tap_text("下一步")
    look("questions with an error")
    assert faults == []


def layout_faults(driver: Driver) -> list[str]:
    """Return what is too small to touch, cut, or without a glyph on the front layer."""
    found = []
    for widget in driver.widgets():
        if not shows(widget):
            continue
        name = (
            f"{type(widget).__name__} {getattr(widget, 'words', '') or getattr(widget, 'says', '')}"
        )
        is_pressable = hasattr(widget, "pressed") and not widget.disabled
        if is_pressable and min(widget.width, widget.height) < dp(TOUCH) - 1:
            found.append(f"{name} is {widget.width:.0f} x {widget.height:.0f}")
        if isinstance(widget, Label) and widget.text:
            if (
                widget.texture_size[0] > widget.width + 1
                or widget.texture_size[1] > widget.height + 1
            ):
                found.append(f"{name} is cut: {widget.texture_size} in {widget.size}")
            left, _ = widget.to_window(*widget.pos)
            if left < -1 or left + widget.width > Window.width + 1:
                found.append(f"{name} runs off the side")
            lacking = {c for c in widget.text if c != "\n" and not is_drawable(c)}
            if lacking:
                found.append(f"{name} lacks glyphs: {lacking}")
    return found
