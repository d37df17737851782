"""The pages in a real Chromium against the real server: what a reviewer and a firm do all day."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert, select

from server.demo.prepare import COUNTIES
from server.storage import persons
from server.storage import review_pages as queries
from server.storage.engine import reading, writing
from server.storage.tables import change
from tests.browser.take_pictures import flawed_roster
from tests.browser.world import World, overflow, press, sign_in

pytestmark = pytest.mark.browser

COUNTY = COUNTIES[0].code


def some_household(world: World, *, lane: str = "green", state: str = "in_review") -> str:
    """Return a household of a lane that waits."""
    with reading(world.engine) as conn:
        wanted = queries.Wanted(COUNTY, COUNTY, state=state, lane=lane)
        return queries.households(conn, wanted, limit=1)[0].household_id


def some_pair(world: World) -> str:
    """Return a pair that may be one person and speaks against a merge, as addresses have it."""
    with reading(world.engine) as conn:
        row = persons.pairs(conn, persons.Wanted(COUNTY, COUNTY), limit=1)[0]
    return f"{row.left_id}/{row.right_id}"


def state_of(world: World, household_id: str) -> str:
    """Return the state of a household as the pages name it."""
    with reading(world.engine) as conn:
        row = queries.review_row(conn, COUNTY, COUNTY, household_id)
    assert row is not None
    return str(row.shown)


def test_wrong_password_is_told_and_the_right_one_leads_on(page: Page, world: World) -> None:
    page.goto(f"{world.address}/review")
    assert "/sign-in" in page.url
    page.get_by_label("账号").fill("wangmo")
    page.get_by_label("密码").fill("not the password")
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("账号或密码不对")
    page.get_by_label("密码").fill("chushan-demo")
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("审核")
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()


def test_reviewer_moves_with_the_keyboard_and_approves_with_a(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/review?lane=green")
    press(page, "j")
    press(page, "j")
    press(page, "k")
    expect(page.locator("tr.is-current")).to_have_count(1)
    press(page, "Enter")
    page.wait_for_url("**/review/*")
    household = page.url.rpartition("/")[2].partition("?")[0]
    press(page, "a")
    expect(page.get_by_role("status")).to_contain_text("已通过")
    assert state_of(world, household) == "approved"


def test_reviewer_returns_with_a_comment_beside_a_field(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    household = some_household(world, lane="yellow")
    page.goto(f"{world.address}/review/{household}")
    page.get_by_role("button", name="退回修改").click()
    expect(page.get_by_role("alert")).to_contain_text("请至少在一个项目旁写明要改什么")
    press(page, "r")
    expect(page.locator(".cs-comment input:focus")).to_have_count(1)
    page.keyboard.type("请当面确认本人意愿")
    page.get_by_role("button", name="退回修改").click()
    expect(page.get_by_role("status")).to_contain_text("已退回")
    assert state_of(world, household) == "returned"
    page.goto(f"{world.address}/review/{household}")
    expect(page.locator(".cs-field--commented")).to_contain_text("请当面确认本人意愿")


def test_household_is_approved_without_javascript(browser: Browser, world: World) -> None:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    sign_in(page, world, "wangmo")
    page.get_by_role("link", name="审核", exact=False).first.click()
    page.locator("a.cs-lane--green").click()
    page.locator("tbody a").first.click()
    household = page.url.rpartition("/")[2].partition("?")[0]
    page.get_by_role("button", name="通过").click()
    expect(page.get_by_role("status")).to_contain_text("已通过")
    assert state_of(world, household) == "approved"
    context.close()


def test_household_that_changed_meanwhile_is_not_decided(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    household = some_household(world)
    page.goto(f"{world.address}/review/{household}")
    seq = page.locator("[name=bundle_seq]").first
    seq.evaluate(
        "(box) => { box.form.parentElement.querySelectorAll('[name=bundle_seq]').forEach((b) => { b.value = '1'; }); }"
    )
    page.locator("aside [name=bundle_seq]").first.evaluate("(box) => { box.value = '1'; }")
    page.get_by_role("button", name="通过").click()
    expect(page.locator("body")).to_contain_text("您打开之后这户又有变化")
    assert state_of(world, household) == "in_review"


def test_village_is_approved_after_its_sample(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/review-village")
    page.locator("tbody a").first.click()
    page.get_by_label("我已看过上面抽到的").check()
    page.get_by_role("button", name="通过这").click()
    expect(page.get_by_role("status")).to_contain_text("已通过")


def test_conflict_is_decided_for_one_value(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/conflicts")
    card = page.locator("section.cs-card").first
    value = card.locator(".cs-choice__value").nth(1).inner_text()
    card.get_by_role("button", name="裁定").click()
    expect(page.get_by_role("alert")).to_contain_text("请选一个值")
    card = page.locator("section.cs-card").first
    card.get_by_role("radio").nth(1).check()
    card.get_by_role("button", name="裁定").click()
    expect(page.get_by_role("status")).to_contain_text("已裁定")
    page.get_by_role("link", name="已裁定").click()
    expect(page.locator("section.cs-card").first).to_contain_text(f"定为 {value}")


def test_held_change_is_applied(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/held")
    expect(page.locator("section.cs-card")).to_contain_text("超出负责范围")
    page.get_by_role("button", name="采用", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("已采用")


def test_held_changes_of_one_phone_are_closed_together(page: Page, world: World) -> None:
    with writing(world.engine) as conn:
        of_phones = change.c.device_id.is_not(None)
        logged = conn.execute(select(change).where(of_phones)).mappings().first()
        assert logged
        held = {**logged, "outcome": "held", "reason": "device_revoked", "resolution": None}
        conn.execute(insert(change), [{**held, "n": 10_000 + i} for i in range(30)])
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/held")
    group = page.locator("details").filter(has_text="手机已停用 · 30 条")
    group.locator("summary").click()
    group.get_by_role("button", name="全部不采用（30 条）").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明不采用的原因")
    group.get_by_label("不采用的原因").fill("手机已丢失,内容不可信")
    group.get_by_role("button", name="全部不采用（30 条）").click()
    expect(page.get_by_role("status")).to_contain_text("已关闭 30 条")
    expect(page.locator("details").filter(has_text="手机已停用")).to_have_count(0)


def test_roster_goes_from_upload_to_the_sheet_of_faults(page: Page, world: World) -> None:
    path = world.folder / "名册.xlsx"
    flawed_roster(path)
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/roster")
    page.get_by_role("button", name="上传并核对列").click()
    expect(page.get_by_role("alert")).to_contain_text("请先选择文件")
    page.get_by_label("文件", exact=True).set_input_files(path)
    page.get_by_role("button", name="上传并核对列").click()
    expect(page.get_by_label("姓名", exact=True)).to_have_value("member.name")
    expect(page.locator(".cs-notice--warning")).to_contain_text("备注")
    page.get_by_label("姓名", exact=True).select_option("")
    page.get_by_role("button", name="按新的对应再看一次").click()
    expect(page.locator(".cs-notice--error").first).to_contain_text("姓名")
    page.get_by_label("姓名", exact=True).select_option("member.name")
    page.get_by_role("button", name="按新的对应再看一次").click()
    page.get_by_role("button", name="导入", exact=False).first.click()
    expect(page.get_by_text("导入完成")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="下载问题表").click()
    sheet = openpyxl.load_workbook(io.BytesIO(download.value.path().read_bytes())).active
    reasons = [row[3].value for row in sheet.iter_rows(min_row=2)]
    assert any("18位" in reason for reason in reasons)
    assert any("变成了数字" in reason for reason in reasons)
    assert not list((world.folder / "uploads").iterdir())


def test_firm_pulls_holds_reveals_and_exports_and_the_county_sees_it(
    page: Page, world: World
) -> None:
    sign_in(page, world, "firm")
    page.get_by_role("button", name="调取名单").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明名单的用途")
    page.get_by_label("用途").fill("宁波某制衣厂招缝纫工")
    page.get_by_role("button", name="调取名单").click()
    page.wait_for_url("**/labour/pulls/*")
    number = page.url.rpartition("/")[2]
    listed = page.locator("#rows").inner_text()
    assert "*" in listed
    page.get_by_role("button", name="查看电话").click()
    expect(page.get_by_role("alert")).to_contain_text("请先勾选人员")
    page.locator("input[name=list_no]").first.check()
    page.get_by_role("button", name="预留 72 小时").click()
    expect(page.get_by_role("status")).to_contain_text("已预留 1 人")
    page.locator("input[name=list_no]").first.check()
    page.get_by_label("联系原因").fill("电话确认上岗时间")
    page.get_by_role("button", name="查看电话").click()
    expect(page.locator("#told tbody tr")).to_have_count(1)
    cells = page.locator("#told tbody td").all_inner_texts()
    assert cells[1] not in listed
    assert cells[2].startswith("154")
    with page.expect_download() as download:
        page.get_by_role("button", name="导出 Excel").click()
    sheet = openpyxl.load_workbook(io.BytesIO(download.value.path().read_bytes())).active
    text = "\n".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row)
    assert "宁波某制衣厂招缝纫工" in text
    assert cells[2] not in text
    page.get_by_role("button", name="退出").click()
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/pulls")
    expect(page.locator("body")).to_contain_text(number)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window(browser: Browser, world: World, width: int) -> None:
    household, red = some_household(world), some_household(world, state="approved", lane="")
    pair = some_pair(world)
    paths = {
        "wangmo": ["/", "/review", f"/review/{household}", f"/review/{red}", "/review-village",
                   "/conflicts", "/conflicts?state=decided", "/held", "/roster", "/pulls",
                   "/duplicates", f"/duplicates/{pair}", f"/persons/{pair.split('/')[0]}",
                   "/devices"],
        "firm": ["/labour", "/labour/own-pulls"],
        "admin": ["/users", "/devices"],
    }  # fmt: skip
    wide = {}
    for login, wanted in paths.items():
        context = browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN")
        page = context.new_page()
        sign_in(page, world, login)
        for path in wanted:
            answer = page.goto(world.address + path)
            assert answer is not None
            assert answer.ok, path
            wide |= {path: overflow(page)} if overflow(page) > 0 else {}
        context.close()
    assert wide == {}


def test_tables_and_forms_have_names_for_readers_of_screens(page: Page, world: World) -> None:
    sign_in(page, world, "wangmo")
    for path in (
        "/",
        "/review",
        f"/review/{some_household(world)}",
        "/conflicts",
        "/roster",
        "/duplicates",
        f"/duplicates/{some_pair(world)}",
    ):
        page.goto(world.address + path)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
            .filter((box) => !box.labels?.length && !box.getAttribute('aria-label'))
            .map((box) => box.outerHTML)"""
        )
        assert unnamed == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_a_queue_of_pairs_is_played_by_keyboard(page: Page, world: World) -> None:
    """Merge, take back, tell apart, park with a note: the hands stay on the keys."""
    wanted = persons.Wanted(COUNTY, COUNTY, reason="name_and_birth")
    with reading(world.engine) as conn:
        first, second, third, *_ = persons.pairs(conn, wanted, limit=50)
        clash = next(
            row for row in persons.pairs(conn, wanted, limit=50)
            if any(line["level"] == "two_valid" for line in row.breakdown)
        )  # fmt: skip
    assert clash.left_id == first.left_id  # a number in which two slips pass the check

    def at(row: Any) -> str:
        return f"**/duplicates/{row.left_id}/{row.right_id}*"

    def count(state: str) -> int:
        with reading(world.engine) as conn:
            return persons.count_pairs(conn, persons.Wanted(COUNTY, COUNTY, state))

    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/duplicates")
    page.get_by_label("原因").select_option("name_and_birth")
    page.wait_for_url("**reason=name_and_birth**")
    press(page, "j")
    press(page, "Enter")
    page.wait_for_url(at(first))
    assert overflow(page) <= 0
    expect(page.get_by_text("证据的分量")).to_be_visible()

    merged = count("merged")
    press(page, "m")  # two valid numbers: not without a reason
    expect(page.get_by_text("请写明合并的理由").first).to_be_visible()
    press(page, "c")
    press(page, "r")
    page.keyboard.type("派出所证明是笔误")
    press(page, "Enter")  # decides nothing
    expect(page.get_by_text("请先选一个决定").first).to_be_visible()
    assert count("merged") == merged
    page.locator("#reason").focus()
    press(page, "Escape")
    press(page, "m")
    page.wait_for_url(at(second))
    expect(page.get_by_role("status")).to_contain_text("已合并为一人")
    assert count("merged") == merged + 1

    press(page, "z")  # back to the pair just now, and take it back
    page.wait_for_url(at(first))
    press(page, "z")
    expect(page.get_by_role("status")).to_contain_text("已撤回")
    assert count("merged") == merged

    press(page, "j")
    page.wait_for_url(at(second))
    press(page, "e")
    expect(page.locator("details.cs-pair__equal")).to_have_attribute("open", "")
    press(page, "n")
    page.wait_for_url(at(third))
    press(page, "r")
    page.keyboard.type("等村里电话")
    press(page, "Escape")
    press(page, "u")
    expect(page.get_by_role("status")).to_contain_text("拿不准")
    page.goto(f"{world.address}/duplicates?state=unsure")
    expect(page.get_by_text("等村里电话")).to_be_visible()


def test_a_pair_is_merged_without_javascript_and_taken_apart_on_the_persons_page(
    browser: Browser, world: World
) -> None:
    with reading(world.engine) as conn:
        row = next(r for r in persons.pairs(conn, persons.Wanted(COUNTY, COUNTY), limit=50)
                   if r.reasons == ["name", "phone"])  # fmt: skip
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/duplicates/{row.left_id}/{row.right_id}")
    page.get_by_role("button", name="合并为一人").click()
    expect(page.get_by_role("status")).to_contain_text("已合并为一人")
    page.goto(f"{world.address}/persons/{row.left_id}")
    page.get_by_role("button", name="撤销合并").click()
    expect(page.get_by_role("status")).to_contain_text("已撤销合并")
    context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_main_pages_stand_on_one_line_of_a_common_screen(
    page: Page, world: World, lang: str
) -> None:
    sign_in(page, world, "wangmo")
    page.goto(f"{world.address}/?lang={lang}")
    page.eval_on_selector_all(  # as in a county's busiest week
        ".cs-nav .cs-count", "counts => counts.forEach(count => { count.textContent = '1888' })"
    )
    tops = page.eval_on_selector_all(
        ".cs-nav li", "entries => entries.map(entry => entry.offsetTop)"
    )
    assert len(tops) >= 10
    assert len(set(tops)) == 1
