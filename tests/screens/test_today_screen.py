"""The day, finding somebody and help in the real window: one touch into each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mobile.app import SOON
from tests.screens.driver import Driver
from tests.screens.flows import open_village, start_household
from tests.screens.layout import layout_faults

pytestmark = pytest.mark.window


def test_the_day_leads_with_one_touch_to_what_it_names(phone: Callable[..., Driver]):
    driver = phone()
    assert driver.screen == "today"
    assert driver.sees("12 / 18")
    assert driver.sees("还有6户")
    driver.tap_text("身份证照片请重核")
    assert driver.screen == "visit"
    assert driver.sees("去改退回的地方")
    driver.back()
    next_door = driver.find(kind="WaitingCard", where=lambda card: card.icon == "house")
    assert "大湾村" in next_door.words
    driver.tap(next_door)
    assert driver.sees(next_door.title)
    driver.tap_text("户情况")
    driver.choose("survey_mode", "入户")
    driver.back()
    driver.back()
    assert driver.screen == "today"
    draft = driver.find(kind="WaitingCard", where=lambda card: card.icon == "pen")
    assert draft.title == next_door.title
    driver.tap(draft)
    assert driver.screen == "visit"
    driver.back()
    driver.tap_text("各村名单")
    assert driver.screen == "villages"
    driver.back()
    driver.tap_icon("帮助")
    driver.tap_text("村民不同意")
    assert driver.sees("不要劝第三遍")
    driver.tap_text("手机丢了")
    assert driver.sees("停用这台手机")
    assert not driver.sees("不要劝第三遍")
    driver.back()
    assert driver.screen == "today"


def test_somebody_is_found_while_typing_and_his_household_opens(phone: Callable[..., Driver]):
    driver = phone()
    driver.tap_text("找人:姓名、拼音、号码尾数")
    driver.until(lambda: driver.find(kind="Typed").focus)
    driver.type("zfx")
    driver.until(lambda: driver.sees("张凤欣"))
    assert driver.sees("拼音 zhang feng xin")
    driver.tap(driver.find(kind="PersonRow"))
    assert driver.screen == "visit"
    assert driver.sees("张凤欣")
    driver.back()
    assert driver.screen == "search"
    assert driver.sees("张凤欣")
    driver.tap_icon("清空")
    driver.until(lambda: driver.sees("怎么找都行"))
    driver.tap(driver.find(kind="Typed"))
    driver.type("qqqq")
    driver.until(lambda: driver.sees("没有找到"))
    driver.back()
    assert driver.screen == "today"


def test_a_new_household_is_found_before_it_is_submitted(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.fill("group_no", "三组")
    driver.back()
    driver.tap_text("加一位家庭成员")
    driver.fill("name", "仇阿福")
    driver.back()
    driver.back()
    driver.back()
    driver.back()
    driver.tap_text("找人:姓名、拼音、号码尾数")
    driver.until(lambda: driver.find(kind="Typed").focus)
    driver.type("qiuafu")
    driver.until(lambda: driver.sees("仇阿福"))
    assert driver.sees("大湾村", exact=False)


@pytest.mark.parametrize(("scale", "language"), [(1.0, "en"), (2.0, "zh")])
def test_the_day_search_and_help_can_be_touched_and_read(
    phone: Callable[..., Driver], scale: float, language: str
):
    driver = phone(font_scale=scale, language=language)
    faults: list[str] = []
    for name, facts in (("today", {}), ("search", {}), ("help", {"case": "refuses"})):
        driver.app.go(name, **facts)
        driver.settle()
        faults += [f"{name}: {fault}" for fault in layout_faults(driver)]
    assert faults == []


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_what_a_family_could_get_is_one_touch_from_the_household(
    phone: Callable[..., Driver], scale: float
):
    driver = phone(font_scale=scale)
    driver.tap(driver.find(kind="WaitingCard", where=lambda card: card.icon == "house"))
    driver.tap_text("这家能享受什么")
    assert driver.screen == "benefits"
    assert driver.sees("由县里按文件决定")
    assert layout_faults(driver) == []
    driver.back()
    assert driver.screen == "visit"


def test_the_screens_of_a_visit_are_made_while_nobody_waits(phone: Callable[..., Driver]):
    driver = phone()
    driver.app.make_ready()
    driver.until(lambda: all(driver.app.manager.has_screen(name) for name in SOON))
    assert driver.screen == "today"
    driver.tap_text("各村名单")  # and they work as those do that were made when first visited
    driver.tap_text("大湾村")
    driver.until(lambda: driver.screen == "households")
