"""Take the pictures of every page: `python -m tests.browser.take_pictures [FOLDER]`.

They are of the demo's invented county, 1280 wide, in Chinese, and stand in docs/pictures/pages.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

import openpyxl
from PIL import Image
from playwright.sync_api import Page

from server.demo.people import invent_households
from server.demo.prepare import COUNTIES, Clock, DemoPhone
from server.demo.roster import write_roster
from server.services.other_counties import say
from server.storage import review_pages as queries
from server.storage.accounts import user_by_login
from server.storage.engine import reading, writing
from server.storage.other_counties import doubles
from shared_schemas.changes import Change
from shared_schemas.codes import divisions
from tests.browser.world import World, chromium, demo_world, overflow, sign_in
from tests.builders import a_bundle, a_family, a_phone

FOLDER = Path(__file__).parents[2] / "docs" / "pictures" / "pages"
COUNTY = COUNTIES[0].code
TOWNSHIP = COUNTIES[0].townships[0]


class Pictures:
    """Takes pictures into a folder and complains about pages that are too wide."""

    def __init__(self, page: Page, world: World, folder: Path) -> None:
        self.page = page
        self.world = world
        self.folder = folder

    def take(self, name: str, path: str | None = None) -> None:
        """Go to a page, if one is named, and take its picture from top to bottom."""
        if path is not None:
            self.page.goto(self.world.address + path)
        self.page.wait_for_load_state("networkidle")
        path_of = self.folder / f"{name}.png"
        self.page.screenshot(path=path_of, full_page=True)
        with Image.open(path_of) as picture:  # a flat page needs no more colours, and half the size
            picture.convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(
                path_of, optimize=True
            )
        wide = overflow(self.page)
        print(f"{name}.png" + (f"  {wide} px too wide" if wide > 0 else ""))


def take_all(folder: Path) -> None:
    """Take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        chromium() as browser,
        demo_world(Path(data)) as world,
    ):
        revised, returned = _come_back(world)
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, locale="zh-CN",
            timezone_id="Asia/Shanghai", accept_downloads=True,
        )  # fmt: skip
        pictures = Pictures(context.new_page(), world, folder)
        pictures.take("sign_in", "/sign-in")
        _firm(pictures)
        _county(pictures, revised, returned)
        _administrator(pictures)


def _agree_across(world: World) -> None:
    """Let the other county agree to every comparison that it is asked for."""
    other = COUNTIES[1]
    with writing(world.engine) as conn:
        found = user_by_login(conn, other.reviewer)
        assert found
        for row in doubles(conn, other.code, other.code, 10):
            say(conn, other.code, row.id, "agree", user=found[0], now_ms=1_795_168_800_000,
                new_id=world.app.extensions["chushan"].new_id)  # fmt: skip


def _firm(pictures: Pictures) -> None:
    page = pictures.page
    sign_in(page, pictures.world, "firm")
    page.get_by_label("用途(必填)").fill("余姚某电子厂招装配工 80 人")
    page.get_by_label("装配", exact=True).check()
    page.get_by_label("缝纫", exact=True).check()
    pictures.take("labour_ask")
    page.get_by_role("button", name="调取名单").click()
    for box in page.locator("input[name=list_no]").all()[:3]:
        box.check()
    page.get_by_role("button", name="预留 72 小时").click()
    pictures.take("labour_list")
    for box in page.locator("input[name=list_no]").all()[:3]:
        box.check()
    page.get_by_label("联系原因").fill("电话确认下周一能否上岗")
    page.get_by_role("button", name="查看电话").click()
    pictures.take("labour_reveal")
    pictures.take("labour_own_pulls", "/labour/own-pulls")
    page.get_by_role("button", name="退出").click()


def _county(pictures: Pictures, revised: str, returned: str) -> None:
    page, world = pictures.page, pictures.world
    sign_in(page, world, "wangmo")
    pictures.take("home", "/")
    pictures.take("review_list", "/review")
    with reading(world.engine) as conn:
        wanted = queries.Wanted(COUNTY, COUNTY, lane="yellow")
        doubtful = queries.households(conn, wanted, limit=1)[0].household_id
        wanted = queries.Wanted(COUNTY, COUNTY, lane="red")
        red = queries.households(conn, wanted, limit=1)[0].household_id
    pictures.take("review_household", f"/review/{doubtful}?state=in_review&lane=yellow")
    page.locator(".cs-comment summary").nth(2).click()
    page.locator(".cs-comment input").nth(2).fill("住址写到组和门牌")
    page.locator(".cs-comment summary").nth(6).click()
    page.locator(".cs-comment input").nth(6).fill("请对照身份证重新核对")
    pictures.take("review_comment")
    pictures.take("review_conflict", f"/review/{red}")
    pictures.take("review_revision", f"/review/{revised}")
    pictures.take("review_returned", "/review?state=returned")
    pictures.take("review_came_back", f"/review/{returned}")
    pictures.take("village", "/review-village")
    page.locator("table a").first.click()
    pictures.take("village_sample")
    pictures.take("conflicts", "/conflicts")
    pictures.take("held", "/held")
    pictures.take("duplicates", "/duplicates")
    page.locator("a[href*='/duplicates/']").first.click()
    pictures.take("duplicates_pair")
    page.get_by_role("link", name="下一对").click()
    left = page.url.split("/duplicates/")[1].split("/")[0]
    page.get_by_role("button", name="合并为一人").click()
    pictures.take("duplicates_person", f"/persons/{left}")
    pictures.take("duplicate_households", "/duplicate-households")
    page.locator("th a[href*='/duplicate-households/']").first.click()
    pictures.take("duplicate_households_pair")
    pictures.take("elsewhere", "/elsewhere")
    page.locator("th a[href*='/elsewhere/']").first.click()
    pictures.take("elsewhere_found")
    _agree_across(world)
    page.get_by_role("button", name="同意核对", exact=True).click()
    pictures.take("elsewhere_compare")
    pictures.take("pulls", "/pulls")
    _roster(pictures)
    _handover(pictures)
    page.goto(world.address + "/devices")
    page.get_by_text("改换范围").first.click()
    pictures.take("devices")
    page.get_by_label("给哪位干部").select_option(index=1)
    page.get_by_role("button", name="生成登记码").click()
    pictures.take("devices_code")
    page.goto(world.address + "/review?search=不存在的人")
    pictures.take("review_empty")
    pictures.take("error", "/review/0000000000000")
    pictures.take("home_english", "/?lang=en")
    page.goto(world.address + "/?lang=zh")
    page.get_by_role("button", name="退出").click()


def _roster(pictures: Pictures) -> None:
    page = pictures.page
    path = pictures.world.folder / "望谟县2026年动态名册(虚构).xlsx"
    flawed_roster(path)
    page.goto(pictures.world.address + "/roster")
    page.get_by_label("文件", exact=True).set_input_files(path)
    page.get_by_role("button", name="上传并核对列").click()
    pictures.take("roster_check")
    page.get_by_role("button", name="导入", exact=False).first.click()
    page.get_by_text("导入完成").wait_for()
    pictures.take("roster_result")
    pictures.take("roster", "/roster")


def _handover(pictures: Pictures) -> None:
    """Bring in two files of a phone without internet; of the second, households of elsewhere."""
    world, page = pictures.world, pictures.page
    phone = a_phone(world.app, world.engine, scope=f"{COUNTY}111")
    page.goto(world.address + "/handover")
    for village in ("522326111201", "522326112201"):
        path = world.folder / f"chushan-{village[-6:]}.hand"
        path.write_bytes(a_bundle(phone, a_family(village)))
        page.get_by_label("文件（可选多个）").set_input_files(path)
        page.get_by_role("button", name="收下", exact=True).click()
    pictures.take("handover")


def _administrator(pictures: Pictures) -> None:
    sign_in(pictures.page, pictures.world, "admin")
    pictures.take("users", "/users")


def flawed_roster(path: Path) -> None:
    """Write a roster of invented households in which some cells are wrong."""
    villages = [p.code12 for p in divisions.divisions_within(f"{COUNTY}110", divisions.VILLAGE)]
    households = [h for h in invent_households(77, 60, villages) if h.household.get("registry_no")]
    write_roster(path, households[:30], title="望谟县2026年动态名册(虚构)")
    book = openpyxl.load_workbook(path)
    sheet = book.active
    heading_row = next(
        row[0].row for row in sheet.iter_rows() if any(cell.value == "姓名" for cell in row)
    )
    columns = {cell.value: cell.column for cell in sheet[heading_row] if cell.value}
    number = next(columns[name] for name in columns if "证件" in name or "身份证" in name)
    for offset, (column, value) in enumerate(
        (
            (number, "52239919930312112"),
            (columns["姓名"], ""),
            (number, 522399199303121100),
            (columns.get("性别", 1), "不详"),
        ),
        start=3,
    ):
        sheet.cell(heading_row + offset, column).value = value
    extra = sheet.max_column + 1
    sheet.cell(heading_row, extra).value = "备注"
    book.save(path)


def _come_back(world: World) -> tuple[str, str]:
    """Let a cadre edit an approved household and a returned one; return their ids."""
    now_ms = world.app.extensions["chushan"].now_ms()
    today = world.app.extensions["chushan"].today()
    with reading(world.engine) as conn:
        approved = queries.households(
            conn, queries.Wanted(COUNTY, TOWNSHIP.code, state="approved"), limit=1
        )[0].household_id
        returned = queries.households(
            conn, queries.Wanted(COUNTY, TOWNSHIP.code, state="returned"), limit=1
        )[0]
        found = user_by_login(conn, f"cadre-{TOWNSHIP.code}")
    assert found is not None
    phone = DemoPhone.enrolled(world.engine, found[0], Clock(now_ms, _day(today)))
    known = phone.pull(world.engine)
    member = next(
        (key, seq) for (kind, key), (seq, values) in known.items()
        if kind == "member" and values.get("household_id") == approved and values.get("phone")
    )  # fmt: skip
    comment = returned.comments[0]
    values = {"phone": "15400000999", "address": "四组12号", "education": "60"}
    edits = [
        Change(0, "household", approved, known["household", approved][0], now_ms,
               {"survey_date": today, "address": "新村三组15号"}),
        Change(0, "member", member[0], member[1], now_ms,
               {"phone": "15400000888", "work_form": "7"}),
        Change(0, "household", returned.household_id,
               known["household", returned.household_id][0], now_ms, {"survey_date": today}),
        Change(0, comment["kind"], comment["record_id"],
               known[comment["kind"], comment["record_id"]][0], now_ms,
               {comment["field"]: values[comment["field"]]}),
    ]  # fmt: skip
    phone.push(world.engine, edits, now_ms + 1000)
    return approved, returned.household_id


def _day(today: str) -> dt.date:
    return dt.date.fromisoformat(today)


if __name__ == "__main__":
    take_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
