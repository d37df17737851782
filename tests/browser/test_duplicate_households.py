"""Two lists of one family, decided by keyboard in a real browser and taken back."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from server.storage import households_twice
from server.storage.engine import reading
from tests.browser.world import World, overflow, press, sign_in

COUNTY = "522326"


def test_a_family_on_two_lists_is_joined_by_keyboard_and_taken_apart(
    page: Page, world: World, browser: Browser
) -> None:
    with reading(world.engine) as conn:
        [first, *_] = households_twice.pairs(conn, COUNTY, COUNTY, "open", limit=1)
    address = f"/duplicate-households/{first.left_id}/{first.right_id}"
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/duplicate-households")
    assert overflow(page) <= 0
    press(page, "j")
    press(page, "Enter")
    page.wait_for_url(f"**{address}**")
    assert overflow(page) <= 0
    expect(page.get_by_text(f"{first.shared} 人两份上都有")).to_be_visible()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=hidden])')]
        .filter((box) => !box.labels?.length && !box.getAttribute('aria-label')).length"""
    )
    assert unnamed == 0
    press(page, "m")
    expect(page.get_by_role("status")).to_contain_text("已定为同一户")
    page.goto(world.address + address)
    expect(page.get_by_text("重复登记", exact=True)).to_be_visible()
    page.get_by_role("button", name="撤销，恢复成两户").click()
    expect(page.get_by_role("status")).to_contain_text("已撤销")
    narrow = browser.new_context(
        viewport={"width": 390, "height": 800}, java_script_enabled=False, locale="zh-CN"
    ).new_page()
    sign_in(narrow, world, "wangmo")
    narrow.goto(world.address + address)
    narrow.get_by_role("button", name="拿不准").click()
    expect(narrow.get_by_role("status")).to_contain_text("拿不准")
    narrow.context.close()
    page.goto(world.address + address)
    press(page, "n")
    expect(page.get_by_role("status")).to_contain_text("已判为两户")
