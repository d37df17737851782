"""Takes a picture of every phone screen: `python -m tests.screens.take_pictures [FOLDER]`.

The phone is seeded with invented households; everything is reached by touch.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.screens.driver import Driver, Window
from tests.screens.flows import (
    FAMILY,
    add_person,
    answer_household,
    begin_person,
    open_village,
    see_to,
    start_household,
)
from tests.screens.kit_sheet import kit_sheet
from tests.screens.seed import TODAY, index_somebody, seed
from tests.screens.test_layout import walk

FOLDER = Path("docs/pictures/phone")
WALKS = (("day", 1.0), ("day", 2.0), ("sun", 1.0), ("dark", 1.0))
"""Looks and sizes of the letters in which every screen is pictured, on one sheet each."""
SMALL, ACROSS = (240, 520), 8


def main(argv: list[str]) -> int:
    """Write the pictures into the folder of `argv`, docs/pictures/phone without one."""
    folder = Path(argv[0]) if argv else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as phones:
        _enrolment(Path(phones) / "new", folder)
        seed(Path(phones) / "seeded")
        index_somebody(Path(phones) / "seeded", "522399199303121129", "边饶镇")
        _day(Path(phones) / "seeded", folder)
        for look, scale in WALKS:
            seed(Path(phones) / f"{look}{scale}")
            _walk(Path(phones) / f"{look}{scale}", folder, look, scale)
    return 0


def _walk(phone: Path, folder: Path, look: str, scale: float) -> None:
    """Put every screen in one look on one sheet, and the pieces that they are made of on another."""
    os.environ["XDG_DATA_HOME"] = str(phone.parent / "home")  # the PC's keystore
    settings = {"is_plain": False, "look": look, "font_scale": scale}
    driver = Driver(phone, today=TODAY, settings=settings)
    driver.start()
    name = f"{look}-{scale * 100:.0f}"
    small: list[Image.Image] = []
    for _ in walk(driver):
        driver.settle()
        with Image.open(driver.shot(phone / "now.png")) as shot:
            small.append(shot.convert("RGB").resize(SMALL))
    rows = -(-len(small) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * (SMALL[0] + 12), rows * (SMALL[1] + 12)), "#808080")
    for at, picture in enumerate(small):
        down, across = divmod(at, ACROSS)
        sheet.paste(picture, (across * (SMALL[0] + 12) + 6, down * (SMALL[1] + 12) + 6))
    sheet.quantize(128).save(folder / f"all-{name}.png", optimize=True)
    _kit(driver, folder / f"kit-{name}.png")
    driver.stop()


def _kit(driver: Driver, path: Path) -> None:
    """Put all pieces of the kit side by side, as many windows of them as there are."""
    sheet = kit_sheet()
    driver.app.manager.clear_widgets()
    Window.add_widget(sheet)
    driver.settle(0.3)
    page = sheet.children[0]
    count = -(-page.children[0].height // page.height)
    whole = Image.new("RGB", (int(count * (Window.width + 12)), Window.height), "#808080")
    for at in range(int(count)):
        page.scroll_y = 1 - at / (count - 1)
        driver.settle()
        with Image.open(driver.shot(path)) as shot:
            whole.paste(shot, (at * (Window.width + 12), 0))
    whole.quantize(128).save(path, optimize=True)
    Window.remove_widget(sheet)


def _enrolment(phone: Path, folder: Path) -> None:
    driver = Driver(phone, today=TODAY)
    driver.start()
    driver.settle()
    driver.shot(folder / "01-enrol.png")
    driver.tap(driver.find(kind="Typed"))
    driver.type("chushan:wrong")
    driver.tap_text("登记")
    driver.shot(folder / "02-enrol-error.png")
    driver.stop()


def _day(phone: Path, folder: Path) -> None:
    driver = Driver(phone, today=TODAY)
    driver.start()

    def shot(name: str) -> None:
        driver.settle(0.3)
        driver.shot(folder / f"{name}.png")
        print(folder / f"{name}.png", flush=True)

    _today(driver, shot)
    driver.tap_text("各村名单")
    shot("03-villages")
    open_village(driver, "大湾村")
    shot("04-households")
    driver.tap(driver.find(kind="HouseholdRow"))
    shot("05-visit-from-the-roster")
    driver.tap_text("这家能享受什么")
    shot("32-benefits")
    driver.back()
    driver.tap_text("看看还差什么")
    shot("06-problems")
    driver.back()
    driver.back()
    driver.back()
    driver.back()
    _returned(driver, shot)
    _new_household(driver, shot)
    _sync_and_settings(driver, shot)
    driver.stop()


def _today(driver: Driver, shot) -> None:
    shot("29-today")
    driver.tap_text("找人:姓名、拼音、号码尾数")
    driver.until(lambda: driver.find(kind="Typed").focus)
    driver.type("zhang")
    driver.until(lambda: driver.sees("拼音 zhang"))
    shot("30-search")
    driver.back()
    driver.tap_icon("帮助")
    driver.tap_text("村民不同意")
    shot("31-help")
    driver.back()


def _returned(driver: Driver, shot) -> None:
    driver.tap(driver.find(kind="WaitingCard", where=lambda card: card.icon == "returned"))
    shot("07-returned-visit")
    driver.tap_text("去改退回的地方")
    shot("08-returned-field")
    driver.tap(driver.find(kind="PickField", within=driver.question("phone")))
    shot("09-phone-keys")
    driver.tap_text("完成")
    driver.back()
    driver.back()


def _new_household(driver: Driver, shot) -> None:
    open_village(driver, "大湾村")
    start_household(driver)
    driver.tap_text("下一步")
    driver.tap_text("下一步")
    shot("10-question-missing")
    driver.tap_text("上一步")
    answer_household(driver)
    begin_person(driver)
    driver.type("522399199303121128")
    shot("11-id-keys-slip")
    driver.tap_icon("清空")
    driver.type("522399199303121129")
    driver.close_keys()
    shot("28-registered-elsewhere")
    driver.fill("name", "韦秀兰")
    shot("12-identity")
    driver.go_on()
    driver.tap_text("上一步")  # who she is in the household was passed over as likely
    driver.tap(driver.find(kind="PickField", within=driver.question("relation")))
    shot("13-relation")
    driver._choose_in_sheet("户主")
    see_to(driver, "lives_here", "是")
    driver.tap(driver.find(kind="PickField", within=driver.question("hukou_village")))
    shot("14-places")
    driver.back()
    driver.go_on()
    shot("18-consent")
    driver.choose("given", "同意")
    driver.choose("method", "签字照片")
    driver.go_on()
    for name, label in (
        ("ethnic", "布依族"), ("education", "初中"), ("marital", "已婚"),
    ):  # fmt: skip
        see_to(driver, name, label)
    shot("15-background")
    see_to(driver, "speaks_mandarin", "会")
    driver.go_on()
    driver.choose("health", "健康")
    driver.go_on()
    driver.tap_text("加一项技能")
    driver._choose_in_sheet("缝纫")
    driver.tap_text("初级", exact=False)
    shot("16-skills")
    driver.tap(driver.find("发证日期"))
    driver.type("20250601")
    shot("17-day-keys")
    driver.close_keys()
    driver.choose("work_form", "未就业")
    driver.go_on()
    driver.choose("given", "不同意")
    driver.go_on()
    driver.tap_text("上一步")
    driver._reveal(driver.question("given"))
    shot("19-consent-refused")
    driver.tap_text("下一步")
    driver.choose("wants_job", "想外出")
    driver.go_on()
    driver.tap_text("上一步")
    shot("20-wish")
    driver.back()
    shot("21-visit-new")
    add_person(driver, FAMILY[2])
    shot("33-look")
    driver.back()
    driver.back()
    driver.back()
    driver.back()


def _without_internet(driver: Driver, shot) -> None:
    from mobile.device import desktop
    from tests.screens.test_handover_screen import captured

    desktop.share = lambda *_: True  # no file manager on this picture
    captured(driver.app.store, 8)
    driver.tap_text("写成交接文件")
    driver.until(lambda: driver.sees("写好了"))
    driver._reveal(driver.find("读入文件或回执"))
    shot("27-handover-written")
    driver.tap_text("亮码给对方拍")
    driver.until(lambda: driver.screen == "codes")
    shot("34-handover-codes")
    driver.back()


def _sync_and_settings(driver: Driver, shot) -> None:
    driver.today = dt.date.today().isoformat()  # noqa: DTZ011 - of this machine: its clock is right
    driver.tap_text("同步")
    driver.until(lambda: not driver.app.manager.current_screen.is_running, timeout=90)
    shot("22-sync-no-signal")
    _without_internet(driver, shot)
    driver.back()
    driver.tap_icon("设置")
    shot("23-settings")
    driver.tap_text("150 %")
    shot("24-settings-large")
    driver.tap_text("100 %")
    driver.tap_text("夜里")
    driver.back()
    shot("25-today-dark")
    driver.tap_icon("设置")
    driver.tap_text("平常")
    driver.tap_text("English")
    driver.back()
    shot("26-today-english")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
