"""The lock: choosing a PIN, wrong ones, idleness, the county's help; played by touch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import mobile.app
from mobile.storage import cipher
from mobile.storage.key import KeyFile
from shared_schemas import unlock
from tests.screens.driver import Driver, shows
from tests.screens.flows import open_village, start_household
from tests.screens.seed import TODAY, seed

pytestmark = pytest.mark.window

PIN, OTHER = "274916", "839105"
DEVICE, TOKEN = "9dev1ce000000", "not-a-token"  # as the seed has them


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))  # the PC's keystore
    seed(tmp_path / "phone", 6)
    return tmp_path / "phone"


@pytest.fixture
def driver(folder: Path) -> Iterator[Driver]:
    driver = locked_phone(folder)
    yield driver
    driver.stop()


def locked_phone(folder: Path, **settings: object) -> Driver:
    """Open the app as cadres have it, with its lock."""
    driver = Driver(folder, today=TODAY, settings={"is_plain": False, **settings})
    driver.start()
    return driver


def press(driver: Driver, digits: str) -> None:
    """Type on the lock's keys, and wait until what was typed has been judged."""
    keys = {w.words: w for w in driver.widgets() if type(w).__name__ == "Key"}
    for digit in digits:
        driver._press(keys[digit])
        driver.pump(1)
    driver.settle()
    driver.until(lambda: not getattr(driver.app.manager.current_screen, "is_working", False))


def shown_dots(driver: Driver) -> list[bool]:
    """Return for each dot that stands on the screen whether it is filled."""
    return [w.is_full for w in driver.widgets() if type(w).__name__ == "Dot" and shows(w)]


def county_says(driver: Driver) -> str:
    """Return what the county reads out to the challenge on the screen."""
    serial = unlock.serial_of(driver.app.manager.current_screen.challenge, DEVICE)
    assert serial is not None
    return unlock.answer(hashlib.sha256(TOKEN.encode()).hexdigest(), DEVICE, serial)


def test_phone_of_an_older_app_is_encrypted_and_wants_a_pin(folder: Path, driver: Driver) -> None:
    assert not cipher.is_plain(folder / "chushan.db")
    assert driver.sees("设一个6位密码")
    press(driver, "123456")
    assert driver.sees("太好猜")
    press(driver, PIN)
    assert driver.sees("再输一遍")
    press(driver, OTHER)
    assert driver.sees("两遍不一样")
    press(driver, PIN)
    press(driver, PIN)
    driver.until(lambda: driver.screen == "today")
    open_village(driver, "大湾村")
    driver.stop()
    driver.start()
    assert driver.screen == "lock"
    assert driver.app.store is None
    press(driver, OTHER)
    assert driver.sees("密码不对")
    press(driver, PIN)
    driver.until(lambda: driver.screen == "today")


def test_what_a_visit_needs_is_made_behind_the_lock_and_knows_nobody(driver: Driver) -> None:
    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    open_village(driver, "大湾村")
    start_household(driver)
    driver.fill("group_no", "三组")
    driver.back()
    driver.tap_text("加一位家庭成员")
    number = "522399198503121129"
    driver.fill("id_no", number)
    keys = driver.app.manager.current_screen.keypad("resident_id")
    assert (keys.typed, keys.shown, keys.message) == ("", "", "")
    assert driver.app.visit.members[0].values["id_no"] == number
    driver.app.lock()
    driver.app.touched_at_s = 0
    driver.app.make_ready()
    driver.until(lambda: all(map(driver.app.manager.has_screen, mobile.app.SOON)))
    assert driver.screen == "lock"
    assert driver.app.store is None
    press(driver, PIN)
    driver.until(lambda: driver.screen == "questions")


def test_idle_phone_locks_keeps_what_was_typed_and_opens_at_the_same_question(
    driver: Driver,
) -> None:
    from tests.screens.flows import start_household

    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    open_village(driver, "大湾村")
    start_household(driver)
    assert driver.screen == "questions"
    driver.fill("address", "老街12号")
    standing = driver.app.manager.current_screen.step.group
    now_s = driver.app.since_boot_s()
    driver.app.since_boot_s = lambda: now_s + 4 * 60
    driver.app.lock_if_idle()
    assert driver.screen == "questions"
    driver.app.since_boot_s = lambda: now_s + 6 * 60
    driver.app.on_resume()
    assert driver.screen == "lock"
    driver.settle()
    assert [screen.name for screen in driver.app.manager.screens] == ["lock"]
    assert driver.app.store is None
    assert driver.app.key is None
    driver.app.go("today")  # what comes back from a thread finds the door shut
    driver.app.show_again()
    assert driver.screen == "lock"
    press(driver, PIN[:2])
    assert shown_dots(driver) == [True, True, False, False, False, False]
    press(driver, PIN[2:])
    driver.until(lambda: driver.screen == "questions")
    assert driver.app.manager.current_screen.step.group == standing
    assert driver.app.visit.household.values["address"] == "老街12号"


@pytest.mark.slow
def test_ten_wrong_pins_leave_the_way_to_the_county_alone(folder: Path, driver: Driver) -> None:
    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    household_id = driver.app.store.connection.execute("SELECT id FROM household").fetchone()[0]
    from mobile.forms.visit import Visit

    visit = Visit.open(driver.app.store, household_id, "", today=TODAY, cadre="石大山")
    visit.household.answer("address", "没送的地址")
    visit.leave()
    driver.app.lock()
    driver.settle()
    press(driver, OTHER)
    assert driver.sees("密码不对")
    # Seven more, as tests/mobile/test_lock.py plays them one by one.
    key_file = driver.app.key_file
    key_file._keep(replace(key_file.state, failed=8))
    driver.stop()  # ending the app wins nothing: the wait begins anew
    driver.start()
    assert driver.sees("请等14分")
    press(driver, PIN)  # not even the right one
    assert driver.screen == "lock"
    clock = [driver.app.since_boot_s() + 10_000]
    driver.app.key_file._clock_s = lambda: clock[0]
    driver.until(lambda: not driver.app.manager.current_screen.is_waiting, timeout=5)
    press(driver, OTHER)
    assert driver.sees("再错1次")
    clock[0] += 10_000
    driver.until(lambda: not driver.app.manager.current_screen.is_waiting, timeout=5)
    press(driver, OTHER)
    assert driver.sees("手机已封上")
    state = json.loads((folder / "key.json").read_text())
    assert state["pin"] is None
    assert state["bare"] is None
    assert list((folder.parent / "home" / "chushan" / "keystore").iterdir()) == []
    digits = county_says(driver)
    press(driver, "1" * 5)
    assert driver.sees("第1组录错了")
    for _ in range(5):
        driver.tap(driver.find(kind="Key", where=lambda w: w.icon == "backspace"))
    press(driver, digits)
    driver.until(lambda: driver.sees("设一个6位密码"))
    press(driver, OTHER + OTHER)
    driver.until(lambda: driver.screen in ("today", "visit"))
    connection = driver.app.store.connection
    left = connection.execute("SELECT id FROM household").fetchall()
    assert [row[0] for row in left] == [household_id]  # the settled ones are gone
    drafts = dict(tuple(row) for row in connection.execute("SELECT field, value FROM draft"))
    assert drafts["address"] == '"没送的地址"'
    assert KeyFile(folder / "key.json").challenge() != unlock.challenge(DEVICE, 0)


def test_forgotten_pin_is_recovered_and_nothing_is_wiped(driver: Driver) -> None:
    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    before = driver.app.store.connection.execute("SELECT count(*) FROM member").fetchone()[0]
    driver.app.lock()
    driver.settle()
    driver.tap_text("忘了密码")
    assert driver.sees("请县里帮忙打开")
    digits = county_says(driver)
    driver.tap_text("想起密码了")
    driver.tap_text("忘了密码")
    press(driver, digits)
    driver.until(lambda: driver.sees("设一个6位密码"))
    press(driver, OTHER + OTHER)
    driver.until(lambda: driver.screen == "today")
    after = driver.app.store.connection.execute("SELECT count(*) FROM member").fetchone()[0]
    assert after == before
    driver.app.lock()
    driver.settle()
    driver.tap_text("忘了密码")
    press(driver, digits)  # opened once, and no more
    driver.until(lambda: driver.sees("不是给这台手机的数字"))


def test_pin_is_changed_in_the_settings(driver: Driver) -> None:
    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    driver.tap_icon("设置")
    driver.tap_text("换密码")
    press(driver, OTHER)
    assert driver.sees("密码不对")
    press(driver, PIN)
    driver.until(lambda: driver.sees("设一个6位密码"))
    press(driver, OTHER + OTHER)
    driver.until(lambda: driver.screen == "settings")
    driver.tap_text("现在锁上")
    driver.until(lambda: driver.screen == "lock")
    press(driver, PIN)
    assert driver.sees("密码不对")
    press(driver, OTHER)
    driver.until(lambda: driver.screen == "today")


def test_revoked_phone_locks_at_once_and_says_what_to_do(folder: Path, driver: Driver) -> None:
    from mobile.sync.attempt import SyncResult
    from mobile.sync.client import Refused

    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    assert not driver.app.heed(SyncResult())
    assert driver.app.heed(SyncResult(error=Refused("device_revoked")))
    driver.settle()
    assert driver.screen == "lock"
    assert driver.sees("县里已停用这台手机")
    assert KeyFile(folder / "key.json").state.sealed == "revoked"
    driver.stop()
    driver.start()
    assert driver.sees("县里已停用这台手机")


@pytest.mark.slow
def test_a_day_leaves_nothing_personal_in_logs_file_names_or_files(
    folder: Path,
    driver: Driver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.screens.flows import answer_household, begin_person, start_household

    caplog.set_level("DEBUG")
    monkeypatch.setattr("mobile.sync.attempt.LONGEST_PAUSE_S", 0.1)
    name, id_no = "韦秀兰", "522399199303121129"
    press(driver, PIN + PIN)
    driver.until(lambda: driver.screen == "today")
    known = driver.app.store.connection.execute("SELECT name, id_no FROM member").fetchall()
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver, "13912345678")
    begin_person(driver)
    driver.fill("id_no", id_no)
    driver.fill("name", name)
    assert driver.app.visit.members[0].values["name"] == name
    driver.app.go("sync", start=True)  # no signal
    driver.until(lambda: not driver.app.manager.current_screen.is_running, timeout=60)
    driver.app.lock()
    driver.settle()
    press(driver, OTHER)
    press(driver, PIN)
    driver.until(lambda: driver.screen != "lock")
    secrets = [name, id_no, "13912345678", "石大山", TOKEN, PIN, OTHER]
    secrets += [value for row in known for value in row if value]
    said = caplog.text + "".join(capfd.readouterr())
    assert [word for word in secrets if word in said] == []
    files = [file for file in folder.parent.rglob("*") if file.is_file()]
    named = " ".join(str(file.relative_to(folder.parent)) for file in files)
    held = b"".join(file.read_bytes() for file in files)
    assert [w for w in secrets if w in named or w.encode() in held] == []


def test_new_phone_is_enrolled_gets_its_pin_and_then_its_villages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgraded_sqlite: Path
) -> None:
    from tests.mobile.phones import County

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    (tmp_path / "county").mkdir()
    county = County(tmp_path / "county", upgraded_sqlite)
    driver = locked_phone(tmp_path / "new")
    try:
        assert driver.screen == "enrol"
        assert not cipher.is_plain(tmp_path / "new" / "chushan.db")
        driver.app.lock()  # nothing to lock with yet
        assert driver.screen == "enrol"
        driver.find(kind="Typed").text = county.enrolment()
        driver.tap_text("登记")
        driver.until(lambda: driver.sees("设一个6位密码"), timeout=20)
        driver.settle()
        press(driver, PIN + PIN)
        driver.until(lambda: driver.screen == "sync")
        driver.until(lambda: driver.sees("同步完成"), timeout=30)
        assert driver.app.key_file.challenge()
    finally:
        driver.stop()
        county.stop()


def test_an_answer_that_a_sync_keeps_out_is_stored_before_the_lock_shuts(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mobile.app, "LAST_WAIT_S", 0.1)
    for _ in range(2):
        press(driver, PIN)
    driver.until(lambda: driver.screen == "today")
    open_village(driver, "大湾村")
    start_household(driver)
    app = driver.app
    sync = cipher.connect_encrypted(app.store.path, app.key, timeout_s=0)
    sync.execute("BEGIN IMMEDIATE")
    driver.choose("relocated", "是")
    app.lock()
    assert not app.is_locked
    sync.execute("ROLLBACK")
    app.lock()
    assert app.is_locked
    stored = sync.execute("SELECT value FROM draft WHERE field = 'relocated'").fetchone()
    sync.close()
    assert stored[0] == "true"
