"""What a cadre does on the phone, as touches: used by the tests and by the pictures.

Every function starts and ends on a screen that it names, and works through `Driver` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.screens.driver import Driver, plain


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person as he answers at the door."""

    id_no: str
    name: str
    relation: str
    is_child: bool = False
    birth: str = ""
    sex: str = ""
    wants: str = ""
    work: str = "未就业"
    phone: str = ""
    in_school: str = "非在校"
    more: dict[str, str] = field(default_factory=dict)


FAMILY = (
    Person("510899198807041156", "韦大山", "户主", wants="想外出", phone="13800138001"),
    Person("522399199303121129", "罗秀英", "配偶", wants="不想", work="务农(含养殖)"),
    Person("", "韦小花", "女", is_child=True, birth="20150602", sex="女", in_school="义务教育"),
    Person("", "韦小宝", "子", is_child=True, birth="20180915", sex="男", in_school="义务教育"),
)


def open_village(driver: Driver, name: str) -> None:
    """From the day, or the villages, to the list of one village."""
    if driver.screen == "today":
        driver.tap_text("各村名单")
    driver.tap_text(name)
    driver.until(lambda: driver.screen == "households")


def start_household(driver: Driver) -> None:
    """From the list to the first question of a new household."""
    driver.tap_text("新登记一户")
    driver.until(lambda: driver.screen == "questions")


def answer_household(driver: Driver, phone: str = "13912345678") -> None:
    """From the first question of a household to the overview."""
    driver.fill("group_no", "三组")
    see_to(driver, "relocated", "否")
    driver.go_on()
    driver.choose("category", "一般农户")
    driver.tap_text("这2项都选“否”")
    driver.go_on()
    driver.fill("phone", phone)
    driver.go_on()
    driver.go_on()  # income is asked but not needed
    see_to(driver, "survey_mode", "入户")
    driver.go_on()
    driver.until(lambda: driver.screen == "visit")


def add_person(driver: Driver, person: Person) -> None:
    """From the overview, through the questions about a new member, to the overview."""
    driver.tap_text("加一位家庭成员")
    answer_member(driver, person)
    if person.is_child:
        driver.until(lambda: driver.screen == "visit")
        return
    answer_consents(driver)
    answer_wishes(driver, person)
    driver.until(lambda: driver.screen == "visit")


def answer_member(driver: Driver, person: Person) -> None:
    """From a member's first question to what comes after him: consent, or the overview."""
    if person.id_no:
        driver.fill("id_no", person.id_no)
    driver.fill("name", person.name)
    if not person.id_no:
        driver.choose("sex", person.sex)
        driver.fill("birth_date", person.birth)
    driver.go_on()
    see_to(driver, "relation", person.relation)
    see_to(driver, "lives_here", "是")
    if person.phone:
        driver.fill("phone", person.phone)
    see_to(driver, "in_school", person.in_school)
    driver.go_on()
    if person.is_child:
        return
    _choose_all(
        driver,
        [
            ("ethnic", "布依族"),
            ("education", "初中"),
            ("marital", "已婚"),
            ("speaks_mandarin", "会"),
        ],
    )
    driver.go_on()
    _choose_all(driver, [("health", "健康"), ("labour_ability", "普通劳动力")])
    driver.go_on()
    driver.go_on()  # no skills
    driver.choose("work_form", person.work)
    driver.go_on()


def answer_consents(driver: Driver) -> None:
    """Both consents are given, in writing."""
    for _ in range(2):
        driver.choose("given", "同意")
        see_to(driver, "method", "签字照片")
        driver.go_on()


def answer_wishes(driver: Driver, person: Person) -> None:
    """From the wish to the end of the intention."""
    driver.choose("wants_job", person.wants)
    if person.wants == "不想":
        driver.choose("not_leaving_reason", "照顾孩子")
        driver.go_on()
    else:
        driver.go_on()
        _choose_all(driver, [("reach", "省外"), ("together_with", "否")])
        driver.go_on()
        driver.choose("occupations", "缝纫", "装配")
        driver.go_on()
        driver.fill("wage_floor", "4500")
        driver.go_on()
    driver.tap_text("这4项都选“否”")
    driver.go_on()


def register_family(driver: Driver, people: Iterable[Person] = FAMILY) -> None:
    """From the day to the overview of a new household that is complete."""
    driver.tap_text("新登记一户", exact=False)
    driver.until(lambda: driver.screen == "questions")
    answer_household(driver)
    for person in people:
        add_person(driver, person)


def _choose_all(driver: Driver, answers: Iterable[tuple[str, str]]) -> None:
    for name, label in answers:
        see_to(driver, name, label)


def see_to(driver: Driver, name: str, label: str) -> None:
    """Let a question say this: it may be chosen already, as likely."""
    if plain(driver.question(name).question.shown) != plain(label):
        driver.choose(name, label)
