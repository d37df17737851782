"""The main job, from a county's spreadsheet to a firm's list: one real phone window, one real server
process, one real browser, and nothing in between that a person could not do himself."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import requests
import xlsxwriter
from playwright.sync_api import Browser, Page

from shared_schemas.codes import divisions
from shared_schemas.records import record_kind
from tests.screens.driver import Driver
from tests.screens.flows import open_village

pytestmark = [pytest.mark.browser, pytest.mark.window, pytest.mark.slow]

COUNTY, FIRM = "522326", "甬江测试人力资源公司"
PASSWORD = "only for this test"
TOWNSHIP = next(p for p in divisions.demo_divisions() if p.code12 == "522326111000")
VILLAGE = next(p for p in divisions.demo_divisions() if p.parent == TOWNSHIP.code12)
MAN, WOMAN, CHILD = "岑大山", "韦小梅", "岑小山"
MAN_ID, WOMAN_ID = "510899198807041156", "522399199303121129"
REGISTER_NO = "522326111999"
WRONG_PHONE, RIGHT_PHONE = "15400000001", "15400000002"
COMMENT = "电话打不通,请重问本人号码"

PEOPLE = [
    [MAN, "男", MAN_ID, "户主", "布依族", "初中", "健康", "普通劳动力"],
    [WOMAN, "女", WOMAN_ID, "配偶", "苗族", "小学", "健康", "普通劳动力"],
]
HEADINGS = ["乡镇", "行政村", "户编号", "户类型", "户电话", "姓名", "性别", "证件号码", "与户主关系",
            "民族", "文化程度", "健康状况", "劳动技能"]  # fmt: skip

ANSWERS = {
    "relocated": False, "dibao": False, "tekun": False, "survey_mode": "1",
    "lives_here": True, "in_school": "0", "marital": "20", "speaks_mandarin": "1",
    "work_form": "7", "wants_job": "1", "reach": "4", "together_with": "0", "occupations": ["01"],
    "wage_floor": 4500, "training_wish": False, "startup_wish": False, "public_post_wish": False,
    "workshop_wish": False, "given": True, "method": "1", "available_from": "today",
}  # fmt: skip
"""What the family says when it is asked; who they are stands in the roster already."""


@dataclass
class Office:
    """A county's server, run from its command line."""

    address: str
    environment: dict[str, str]

    def chushan(self, *words: str, typed: str = "") -> str:
        """Run a command of the server and return what it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("chushan")), *words],
            env=self.environment, input=typed, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def an_office(folder: Path) -> Iterator[Office]:
    """Set up a county with its villages, people and a firm, as its administrator would, and serve."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    office = Office(
        address,
        os.environ
        | {
            "CHUSHAN_DATABASE_URL": f"sqlite:///{folder}/county.db",
            "CHUSHAN_DATA_DIR": str(folder),
            "CHUSHAN_PUBLIC_URL": address,
        },
    )
    places = folder / "villages.csv"
    lines = [f"{p.code12},{p.name}" for p in divisions.demo_divisions() if p.code12[:6] == COUNTY]
    places.write_text("\n".join(["code,name", *lines]), encoding="utf-8")
    office.chushan("divisions", "import", str(places))
    add = ["--password-stdin"]
    office.chushan("user", "add", "wangmo", "--name", "县审核员", "--role", "county",
                   "--scope", COUNTY, *add, typed=PASSWORD)  # fmt: skip
    office.chushan("user", "add", "bianrao", "--name", "岑干部", "--role", "cadre",
                   "--scope", TOWNSHIP.code12)  # fmt: skip
    firm = office.chushan("firm", "add", FIRM, "--county", COUNTY, "--licence", "测试许可001")
    office.chushan("user", "add", "yongjiang", "--name", "招聘员", "--role", "hr_firm",
                   "--org", firm.split()[0], *add, typed=PASSWORD)  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        serving = subprocess.Popen(
            [str(Path(sys.executable).with_name("chushan")), "serve", "--port", str(port)],
            env=office.environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait_for(office.address)
            yield office
        finally:
            serving.terminate()
            serving.wait(30)


def _wait_for(address: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def write_register(path: Path) -> None:
    """Write the county's spreadsheet: a title, headings, the couple, and a row with a spoilt number."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    sheet.write_string(0, 0, "望谟县边饶镇名册(虚构)")
    sheet.write_row(1, 0, HEADINGS)
    place = [TOWNSHIP.name, VILLAGE.name]
    for i, person in enumerate(PEOPLE):
        row = [*place, REGISTER_NO, "一般农户", WRONG_PHONE, *person]
        for column, cell in enumerate(row):
            sheet.write_string(2 + i, column, cell)
    sheet.write_row(4, 0, [*place, "522326111998", "一般农户", "", "测试人", "男"])
    sheet.write_number(4, 7, 5.10899198807041e17)
    sheet.write_string(4, 8, "户主")
    book.close()


def sign_in(page: Page, office: Office, login: str) -> None:
    page.goto(f"{office.address}/sign-in")
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def import_register(page: Page, office: Office, path: Path) -> None:
    page.goto(f"{office.address}/roster")
    page.get_by_label("文件", exact=True).set_input_files(path)
    page.get_by_role("button", name="上传并核对列").click()
    page.get_by_role("button", name="导入").first.click()
    page.get_by_text("导入完成").wait_for()


def make_code(page: Page, office: Office) -> str:
    """Return the text of the enrolment that the county's page shows as a QR code."""
    page.goto(f"{office.address}/devices")
    page.get_by_label("给哪位干部").select_option(index=1)
    page.get_by_role("button", name="生成登记码").click()
    return page.get_by_text("chushan:enrol?").inner_text()


def enrol(phone: Driver, text: str) -> None:
    """Paste the text into the phone, touch 登记, and wait for the first sync."""
    phone.tap(phone.find(kind="TextInput"))
    phone.type(text)
    phone.blur()
    phone.tap_text("登记")
    phone.until(lambda: phone.screen == "sync", timeout=30)
    wait_for_sync(phone)


def wait_for_sync(phone: Driver) -> list[str]:
    """Wait until the sync is done and return the words of its result."""
    phone.until(lambda: phone.sees("同步完成") or phone.sees("没有同步完"), timeout=60)
    words = phone.words()
    assert "同步完成" in words, words
    return words


def sync(phone: Driver) -> list[str]:
    while phone.screen not in ("today", "sync"):
        phone.back()
    phone.tap_text("同步")
    return wait_for_sync(phone)


def open_the_family(phone: Driver) -> None:
    if phone.screen == "sync":
        phone.back()
    open_village(phone, VILLAGE.name)
    phone.tap_text(MAN)
    assert phone.screen == "visit"


def answer_everything(phone: Driver) -> None:
    """Answer each question that is asked and has no answer, group by group, to the last."""
    phone.tap_text("继续填写")
    for _ in range(60):
        if phone.screen != "questions":
            return
        while (question := _next_unanswered(phone)) is not None:
            _answer(phone, question)
            phone.settle(0.05)
        phone.go_on()
    raise AssertionError(f"no end of questions: {phone.words()}")


def _next_unanswered(phone: Driver) -> str | None:
    for widget in phone.widgets(phone.app.manager.current_screen):
        if type(widget).__name__ == "QuestionCard":
            unanswered = widget.question.value in (None, "", [])
            if unanswered and widget.name in ANSWERS:
                return widget.name
    return None


def _answer(phone: Driver, name: str) -> None:
    value = ANSWERS[name]
    kind = next(k for k in record_kind_order() if name in k.fields)
    declared = kind.fields[name]
    if value == "today":
        phone.fill(name, dt.date.today().strftime("%Y%m%d"))  # noqa: DTZ011 - the cadre's calendar
    elif isinstance(value, bool):
        phone.choose(name, "是" if value and name != "given" else _yes_or_no(phone, name, value))
    elif isinstance(value, int):
        phone.fill(name, str(value))
    elif isinstance(value, list):
        phone.choose(name, *declared.shown(value).split("、"))
    else:
        phone.choose(name, declared.shown(value))


def record_kind_order():
    return [record_kind(name) for name in ("household", "member", "intention", "consent")]


def _yes_or_no(phone: Driver, name: str, value: bool) -> str:
    wanted = ("同意", "是") if value else ("不同意", "否")
    chips = [w.words for w in phone.widgets(phone.question(name)) if type(w).__name__ == "Chip"]
    return next(chip for chip in chips if chip in wanted)


def test_from_a_countys_spreadsheet_to_a_firms_list(tmp_path: Path, browser: Browser) -> None:
    with an_office(tmp_path) as office:
        county = browser.new_context(locale="zh-CN", accept_downloads=True).new_page()
        register = tmp_path / "名册.xlsx"
        write_register(register)

        # The county imports its roster; the number that a spreadsheet spoilt is refused, not rounded.
        sign_in(county, office, "wangmo")
        import_register(county, office, register)
        with county.expect_download() as faults:
            county.get_by_role("link", name="下载问题表").click()
        faults.value.save_as(tmp_path / "faults.xlsx")
        rows = list(openpyxl.load_workbook(tmp_path / "faults.xlsx").active.values)
        assert any("证件号码" in [str(cell) for cell in row] for row in rows)

        # A cadre's phone: enrolled once, then everything without the county's help.
        phone = Driver(tmp_path / "phone")
        phone.start()
        try:
            enrol(phone, make_code(county, office))
            _visit_and_return(phone, county, office)
        except BaseException:
            phone.shot(tmp_path / "phone_failed.png")
            raise
        finally:
            phone.stop()

        _pull_the_list(browser.new_context(locale="zh-CN", accept_downloads=True).new_page(),
                       office, tmp_path)  # fmt: skip


def _visit_and_return(phone: Driver, county: Page, office: Office) -> None:
    open_the_family(phone)
    answer_everything(phone)
    phone.tap_text("提交")
    assert phone.screen == "households", phone.words()
    phone.back()
    said = sync(phone)
    assert "县里已收" in said

    # The county sees the bundle and returns it, with words on one field.
    county.goto(f"{office.address}/review?search={REGISTER_NO}")
    county.get_by_role("link", name=MAN).first.click()
    note = county.locator('[data-field$=".phone"] .cs-comment').first
    note.locator("summary").click()
    note.locator("input").fill(COMMENT)
    county.get_by_role("button", name="退回修改").click()

    # The phone gets it back on top, with those words beside that field; the cadre mends it.
    phone.back()
    said = sync(phone)
    assert "退回,要改" in said
    phone.back()
    open_the_family(phone)
    assert phone.sees("县里退回,请改好再提交")
    phone.tap_text("去改退回的地方")
    assert phone.screen == "questions"
    assert phone.sees(COMMENT)
    card = phone.question("phone")
    phone.tap(phone.find(kind="PickField", within=card))
    for _ in WRONG_PHONE:
        phone.tap(phone.find(kind="Key", where=lambda key: key.icon == "backspace"))
    phone.type(RIGHT_PHONE)
    phone.close_keys()
    phone.back()
    phone.tap_text("提交")
    phone.back()
    sync(phone)

    # The county looks at what changed and approves.
    county.goto(f"{office.address}/review?search={REGISTER_NO}")
    county.get_by_role("link", name=MAN).first.click()
    assert RIGHT_PHONE in county.content()
    county.get_by_role("button", name="通过").first.click()
    phone.back()
    sync(phone)
    phone.back()
    open_village(phone, VILLAGE.name)
    assert phone.sees("已通过")


def _pull_the_list(firm: Page, office: Office, folder: Path) -> None:
    sign_in(firm, office, "yongjiang")
    firm.goto(f"{office.address}/labour")
    firm.get_by_label("用途(必填)").fill("招缝纫工")
    firm.get_by_role("button", name="调取名单").click()
    listed = firm.locator("table").first.inner_text()
    assert "韦*" in listed
    assert "岑*" in listed
    with firm.expect_download() as export:
        firm.get_by_role("button", name="导出 Excel").click()
    export.value.save_as(folder / "list.xlsx")
    cells = {
        str(cell)
        for sheet in openpyxl.load_workbook(folder / "list.xlsx")
        for row in sheet.values
        for cell in row
        if cell is not None
    }
    assert "缝纫" in " ".join(cells)

    key = office.chushan("firm", "key", FIRM).strip()
    answer = requests.get(
        f"{office.address}/v1/labour",
        params={"purpose": "招缝纫工", "occupations": "01"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    for kept in (MAN_ID, WOMAN_ID, MAN, WOMAN, RIGHT_PHONE, REGISTER_NO):
        assert kept not in answer.text
        assert kept not in cells
        assert kept not in listed
    assert len(answer.json()["rows"]) == 2
    zone = ZoneInfo("Asia/Shanghai")
    assert dt.datetime.now(zone).date() >= dt.date.today()  # noqa: DTZ011 - confirmed no later than now
    server_log = (folder / "server.log").read_text()
    for kept in (MAN_ID, WOMAN_ID, MAN, WOMAN, RIGHT_PHONE):
        assert kept not in server_log
