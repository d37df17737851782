"""Visits by real touches: a family, skip logic, errors, what came back, a kill, a new field."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kivy.metrics import dp

from mobile.storage.records import bundle, households
from mobile.theme import MAIN_BUTTON
from mobile.widgets.keypad import CLOSES_AFTER_S
from shared_schemas import records
from shared_schemas.fields import Text
from tests.screens.driver import Driver
from tests.screens.flows import (
    FAMILY,
    add_person,
    answer_household,
    answer_life,
    answer_who,
    at,
    begin_person,
    open_village,
    start_household,
)
from tests.screens.seed import TODAY, seed

pytestmark = pytest.mark.window


def test_a_question_appears_with_the_answer_that_asks_for_it(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    assert not driver.sees("安置点")
    driver.choose("relocated", "是")
    assert driver.sees("安置点")
    driver.choose("relocated", "否")
    assert not driver.sees("安置点")


def test_what_is_wrong_stands_beside_its_field(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.tap_text("下一步")
    driver.tap_text("下一步")
    card = driver.question("category")
    assert "农户类别" in card.message
    assert driver.find(card.message, within=card)
    driver.back()
    driver.tap_text("加一位家庭成员")
    driver.fill("id_no", "522399199303121128")
    card = driver.question("id_no")
    assert driver.find("校验位不符", within=card, exact=False)
    driver.tap(driver.find(kind="PickField", within=card))
    driver.tap_icon("清空")
    driver.type("522399199303121129")
    driver.until(lambda: not driver.sees("完成", exact=True))  # a right number closes its keys
    assert driver.question("birth_date").question.value == "1993-03-12"
    assert not driver.question("id_no").message


def test_what_is_likely_is_chosen_and_stored_only_when_gone_on_with(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    card = driver.question("relocated")
    assert driver.find("先替您选的,请核对;不对就改", within=card)
    assert card.question.value is False  # as everywhere in this village
    household = driver.app.visit.household
    driver.back()
    assert household.drafts == {}
    driver.tap_text("继续填写")
    driver.tap_text("下一步")
    assert household.drafts["relocated"].value is False
    driver.tap_text("这2项都选“否”")
    assert [household.drafts[name].value for name in ("dibao", "tekun")] == [False, False]
    driver.tap_text("上一步")
    driver.choose("relocated", "是")
    assert household.drafts["relocated"].value is True


def test_a_right_number_closes_its_keys_and_the_name_is_typed_next(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.back()
    driver.tap_text("加一位家庭成员")
    assert driver.find(kind="Keypad")  # of somebody new, the number comes first
    driver.type("510899198807041157")
    driver.settle(CLOSES_AFTER_S + 0.2)
    assert driver.find("校验位不符", exact=False, within=driver.find(kind="Keypad"))
    driver.tap(driver.find(kind="Key", where=lambda key: key.icon == "backspace"))
    driver.type("6")
    driver.until(lambda: not driver.sees("完成", exact=True))
    name = driver.find(kind="Typed", within=driver.question("name"))
    driver.until(lambda: name.focus)
    driver.type("韦大山")
    driver.blur()
    member = driver.app.visit.members[0].values
    assert (member["name"], member["birth_date"]) == ("韦大山", "1988-07-04")


def test_the_last_answer_leads_on_and_an_answer_that_is_mended_does_not(
    phone: Callable[..., Driver],
):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver)
    begin_person(driver)
    answer_who(driver, FAMILY[0])
    screen = driver.app.manager.current_screen
    first = screen.step
    driver.choose("given", "同意")
    assert not screen.moves_on  # how he agreed is still open
    driver.choose("method", "签字照片")
    assert screen.moves_on
    assert driver.question("method").question.shown == "签字照片"  # seen before it moves
    driver.until(lambda: screen.step.record_id != first.record_id)
    answer_life(driver, FAMILY[0])
    driver.choose("given", "同意")
    assert driver.question("method").question.notice  # likely, as before: looked at in the end
    second = screen.form
    driver.until(lambda: screen.step.group == "wish")
    assert "method" not in second.drafts
    driver.tap_text("上一步")
    driver.choose("given", "不同意")  # an answer that is mended stays in sight
    assert not screen.moves_on
    assert screen.step.record_id == second.record_id


def test_what_was_passed_over_as_likely_is_looked_at_and_mended_in_the_look(
    phone: Callable[..., Driver],
):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver)
    driver.stop()
    driver.start()
    assert at(driver) == "look"  # where the app ended
    household = driver.app.visit.household
    assert "survey_mode" not in household.drafts
    driver.tap_text("走访方式")
    assert driver.question("survey_mode").question.shown == "入户"
    driver.tap_text("上一步")
    assert at(driver) == "look"
    driver.tap_text("都对,登记家人")
    assert household.drafts["survey_mode"].value == "1"
    driver.until(lambda: driver.find(kind="Keypad"))
    answer_who(driver, FAMILY[0])
    driver.app.visit.record_consent(driver.app.visit.members[0], "survey", False)
    driver.back()
    add_person(driver, FAMILY[2])
    child = driver.app.visit.members[-1]
    assert "in_school" not in child.drafts
    driver.tap_text("在校状况")
    driver.choose("in_school", "高中")
    assert not driver.app.manager.current_screen.moves_on
    driver.go_on()
    assert at(driver) == "look"
    assert not driver.sees("在校状况")  # it was answered, so it is no longer only likely
    driver.tap_text("人齐了")
    driver.until(lambda: driver.screen == "visit")
    assert child.drafts["in_school"].value == "2"
    assert child.drafts["relation"].value == "30"
    assert child.drafts["lives_here"].value is True


def test_all_right_is_said_only_to_what_was_seen(phone: Callable[..., Driver]):
    driver = phone(font_scale=2.0)
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver)
    begin_person(driver)
    driver.fill("name", "韦小花")
    driver.choose("sex", "女")
    driver.fill("birth_date", "19930602")
    driver.app.visit.household.answer("address", "12号")
    member = driver.app.visit.members[0]
    screen = driver.app.manager.current_screen
    look = next(
        s for s in driver.app.visit.steps() if (s.about, s.group) == (member.record_id, "look")
    )
    screen.enter(look)
    driver.settle()
    assert len(screen.ids.likely.children) >= 3
    for _ in range(len(screen.ids.likely.children)):
        if screen.way_on != "往下看":
            break
        assert "relation" not in member.drafts
        driver.tap_text("往下看")
    driver.tap_text(screen.way_on)
    assert member.drafts["relation"].value == "02"


def test_the_button_that_leads_on_is_always_at_the_same_place(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    button = driver.find(kind="BigButton", where=lambda w: w.words == "下一步")
    place = (*button.to_window(*button.pos), *button.size)
    assert button.height >= dp(MAIN_BUTTON)
    driver.choose("relocated", "否")
    driver.tap_text("下一步")
    button = driver.find(kind="BigButton", where=lambda w: w.words == "下一步")
    assert (*button.to_window(*button.pos), *button.size) == place


def test_what_came_back_is_mended_where_the_reviewer_spoke(phone: Callable[..., Driver]):
    driver = phone()
    driver.tap(driver.find(kind="WaitingCard", where=lambda card: card.icon == "returned"))
    household_id = driver.app.visit.household_id
    assert driver.sees("身份证照片请重核")
    driver.tap_text("去改退回的地方")
    card = driver.question("phone")
    assert driver.find("电话打不通,请问清楚新号码", within=card)
    driver.tap(driver.find(kind="PickField", within=card))
    driver.tap_icon("清空")
    driver.type("13900139000")
    driver.close_keys()
    driver.back()
    driver.tap_text("提交")
    driver.until(lambda: driver.screen == "today")
    store = driver.app.store
    assert bundle(store, household_id).members[0]["phone"] == "13900139000"
    assert next(r for r in households(store) if r.id == household_id).state == "waiting"


def test_a_field_declared_today_is_asked_today(phone: Callable[..., Driver], monkeypatch):
    kind = records.record_kind("household")

    class Longer(kind.schema):
        dialect = Text("方言", "Dialect", max_length=20, group="place")

    monkeypatch.setitem(records._KINDS, "household", dataclasses.replace(kind, schema=Longer))
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.fill("dialect", "布依话")
    assert driver.app.visit.household.values["dialect"] == "布依话"


KILLED = """
import sys, time
from tests.screens.driver import Driver
from tests.screens.flows import open_village, start_household
driver = Driver(sys.argv[1], today=sys.argv[2])
driver.start()
open_village(driver, "大湾村")
start_household(driver)
driver.choose("relocated", "否")
driver.tap_text("下一步")
entry = driver.find(kind="Typed", within=driver.question("registry_no"))
driver.tap(entry)
driver.type("5223260001")
driver.settle(0.6)
print("typed", flush=True)
time.sleep(60)
"""


def test_a_killed_app_reopens_at_the_same_question_with_what_was_typed(tmp_path: Path):
    seed(tmp_path)
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), TODAY],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "typed"
        process.send_signal(signal.SIGKILL)

    driver = Driver(tmp_path, today=TODAY)
    driver.start()
    try:
        assert driver.screen == "questions"
        assert driver.question("registry_no").question.value == "5223260001"
        assert driver.sees("户籍与帮扶类别")
        driver.back()
        driver.back()
        assert driver.screen == "households"
    finally:
        driver.stop()


def test_nothing_changed_is_offered_only_where_nothing_is_missing(phone: Callable[..., Driver]):
    driver = phone()
    rows = {row.state: row for row in households(driver.app.store)}
    driver.app.open_visit(rows["to_visit"].id, None)  # the register has not all that is asked
    driver.settle()
    assert not driver.sees("都没变,直接提交")
    driver.back()
    whole = next(r for r in households(driver.app.store) if r.head_name == "袁飞")
    driver.app.open_visit(whole.id, None)
    driver.settle()
    card = driver.find(kind="RecordCard", where=lambda card: card.can_renew)
    driver.tap_text("这个人没变", within=card)
    assert driver.sees("已问过,没变")
    assert not driver.sees("都没变,直接提交")


def test_a_household_without_people_asks_for_them(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver)
    begin_person(driver)
    driver.back()
    driver.back()
    driver.until(lambda: driver.screen == "visit")
    assert driver.sees("还没有登记家人")
    assert not driver.sees("可以提交")
    driver.tap_text("看看还差什么")
    driver.tap_text("这户还没有登记家人", exact=False)
    driver.until(lambda: driver.screen == "visit")
    driver.tap_text("加一位家庭成员")
    assert at(driver) == "identity"


def test_a_household_without_a_head_leads_to_who_is_who(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    answer_household(driver)
    begin_person(driver)
    driver.fill("id_no", FAMILY[1].id_no)
    driver.fill("name", FAMILY[1].name)
    driver.back()
    driver.tap_text("看看还差什么")
    driver.tap_text("每户应有且只有一位户主", exact=False)
    driver.until(lambda: driver.screen == "questions")
    assert driver.question("relation")


def test_what_neighbours_said_is_touched_instead_of_typed(phone: Callable[..., Driver]):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    card = driver.question("group_no")
    said = card.question.often[0]
    driver.tap_text(said, within=card)
    assert driver.app.visit.household.values["group_no"] == said
    assert driver.find(kind="Typed", within=card).text == said
    assert not card.control.said_here.shown
    driver.tap(driver.find(kind="Typed", within=card))
    driver.tap_icon("清空", within=card)
    assert driver.find(said, kind="Chip", within=card)


def test_what_few_can_answer_stands_behind_more_and_leads_nowhere_by_itself(
    phone: Callable[..., Driver],
):
    driver = phone()
    open_village(driver, "大湾村")
    start_household(driver)
    driver.tap_text("下一步")
    driver.tap_text("下一步")
    screen = driver.app.manager.current_screen
    assert "registry_no" not in screen.cards
    assert driver.sees("户编号", exact=False)  # it is named, so that nobody looks for it in vain
    driver.tap(driver.find(kind="MoreRow"))
    assert "registry_no" in screen.cards
    driver.choose("category", "一般农户")
    driver.tap_text("这2项都选“否”")
    assert screen.moves_on is False  # he asked for more: he says himself when he is done
    assert screen.step.group == "register"
    driver.fill("registry_no", "0812")
    driver.tap_text("下一步")
    driver.tap_icon("关闭")  # the keys of the phone number, which comes next
    driver.tap_text("上一步")
    assert driver.question("registry_no").question.value == "0812"
    assert "户编号" not in screen.more
