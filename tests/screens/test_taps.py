"""How many touches a visit costs: a family of four, and a family of which nothing has changed.

Touches of our own keys (an ID number's digits) and typed characters are counted apart. The seconds are those
of a hand (`HAND`), with the time that this program took itself added; reading the notices aloud comes on top.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from kivy.uix.widget import Widget

from mobile.storage.records import bundle, households
from tests.screens.driver import Driver
from tests.screens.flows import FAMILY, register_family
from tests.screens.seed import TODAY, seed

pytestmark = pytest.mark.window

HAND = {"touch": 1.1, "digit": 0.4, "character": 1.0}
"""Seconds: find and touch something, press a key of a keypad, type a character by pinyin."""

MOST_TOUCHES = 46
"""For a family of four; domain.md 5 wishes for about 40."""


class Counting(Driver):
    """Counts what the hand does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.done = {"touch": 0, "digit": 0, "character": 0}

    def tap(self, widget: Widget) -> None:
        """Touch, and count it."""
        self.done["touch"] += 1
        super().tap(widget)

    def type(self, text: str) -> None:
        """Type, and count it."""
        for character in text:
            self.done["digit" if character.isascii() else "character"] += 1
        super().type(text)

    def seconds(self, own_s: float) -> float:
        """Return what a hand takes for all that, and the program."""
        return sum(HAND[kind] * count for kind, count in self.done.items()) + own_s


def play(folder: Path, visit: Any, what: str) -> Counting:
    """Let a cadre make a visit; print what it cost."""
    seed(folder)
    driver = Counting(folder, today=TODAY)
    driver.start()
    try:
        begun = time.process_time()
        visit(driver)
        own_s = time.process_time() - begun
        print(
            f"{what}: {driver.done}, {driver.seconds(own_s):.0f} s by hand ({own_s:.1f} s CPU of ours)"
        )
    finally:
        driver.stop()
    return driver


@pytest.mark.slow
def test_a_family_of_four_costs_few_touches_and_waits_for_the_sync(tmp_path: Path):
    def visit(driver: Driver) -> None:
        register_family(driver, FAMILY)
        driver.tap_text("提交")
        driver.until(lambda: driver.screen == "today")
        assert driver.sees("1户等待同步")
        store = driver.app.store
        row = next(r for r in households(store) if r.head_name == FAMILY[0].name)
        assert (row.state, row.member_count) == ("waiting", 4)
        kept = bundle(store, row.id)
        assert [m["name"] for m in kept.members] == [person.name for person in FAMILY]
        assert [m["relation"] for m in kept.members] == ["02", "10", "30", "20"]
        assert kept.members[0]["birth_date"] == "1988-07-04"  # out of the ID number
        assert [i["wants_job"] for i in kept.intentions] == ["1", "4"]
        assert all(c["given"] for c in kept.consents)

    driver = play(tmp_path, visit, "family of four")
    assert driver.done["touch"] <= MOST_TOUCHES
    assert driver.seconds(0) < 240


def test_a_family_of_which_nothing_has_changed_takes_less_than_half_a_minute(tmp_path: Path):
    def visit(driver: Driver) -> None:
        driver.tap_text("找人:姓名、拼音、号码尾数")
        driver.until(lambda: driver.find(kind="Typed").focus)
        driver.type("yuanfei")
        driver.until(lambda: driver.sees("拼音 yuan fei"))
        driver.tap(driver.find(kind="PersonRow"))
        driver.tap_text("都没变,直接提交")
        driver.until(lambda: driver.screen == "search")

    driver = play(tmp_path, visit, "nothing changed")
    assert driver.done["touch"] <= 4
    assert driver.seconds(0) < 30
