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
    """From the first question of a new household to the look at what is only likely of it."""
    driver.fill("group_no", "三组")
    see_to(driver, "relocated", "否")
    driver.go_on()
    driver.choose("category", "一般农户")
    driver.tap_text("这2项都选“否”")
    driver.go_on()
    driver.fill("phone", phone)
    driver.go_on()
    driver.go_on()  # income is asked but not needed
    look_over(driver, {"走访方式": ("survey_mode", "入户")})


def begin_person(driver: Driver) -> None:
    """From the overview or a look to the first question about somebody new."""
    for words in ("都对,登记家人", "都对,再加一位", "加一位家庭成员"):
        if driver.sees(words, exact=True):
            driver.tap_text(words)
            break
    driver.until(lambda: driver.screen == "questions" and at(driver) == "identity")


def add_person(driver: Driver, person: Person) -> None:
    """From the overview or a look, through the questions about a new member, to the look at him."""
    begin_person(driver)
    answer_who(driver, person)
    if not person.is_child:
        answer_consent(driver)
        answer_life(driver, person)
        answer_consent(driver)
        answer_wishes(driver, person)
    driver.until(lambda: at(driver) == "look")
    look_over(driver, likely_of(person))


def answer_who(driver: Driver, person: Person) -> None:
    """From a member's first question to the survey's consent, or to the look at a child."""
    if person.id_no:
        driver.fill("id_no", person.id_no)
    driver.fill("name", person.name)
    if not person.id_no:
        driver.choose("sex", person.sex)
        driver.fill("birth_date", person.birth)
    if person.phone:
        driver.fill("phone", person.phone)
    driver.go_on()
    if at(driver) == "family":
        for name, label in likely_of(person).values():
            see_to(driver, name, label)
        driver.go_on()


def answer_life(driver: Driver, person: Person) -> None:
    """From what is asked after the survey's consent to the consent for firms."""
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
    driver.choose("health", "健康")
    driver.go_on()
    driver.choose("work_form", person.work)  # no skills
    driver.go_on()


def likely_of(person: Person) -> dict[str, tuple[str, str]]:
    """Return what is to be seen to where it is only likely: by label, the field and the answer."""
    return {
        "与户主关系": ("relation", person.relation),
        "常住本户": ("lives_here", "是"),
        "在校状况": ("in_school", person.in_school),
        "劳动能力": ("labour_ability", "普通劳动力"),
        "民族": ("ethnic", "布依族"),
        "婚姻状况": ("marital", "已婚"),
    }


def at(driver: Driver) -> str:
    """Return the group that is on the screen."""
    screen = driver.app.manager.current_screen
    return str(screen.step.group) if driver.screen == "questions" else ""


def look_over(driver: Driver, wanted: dict[str, tuple[str, str]]) -> None:
    """Read the likely answers, and change those that are wrong; the look stays open."""
    rows = {row.label: row.answer for row in driver.widgets() if type(row).__name__ == "LikelyRow"}
    for label, shown in rows.items():
        name, answer = wanted.get(label, ("", shown))
        if plain(shown) != plain(answer):
            driver.tap_text(label)
            driver.choose(name, answer)
            driver.go_on()
            driver.until(lambda: at(driver) == "look")


def answer_consent(driver: Driver) -> None:
    """A consent is given in writing; the later ones are likely taken as the first was."""
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
    """From the day, through all that is asked, to the overview of a new household that is complete."""
    driver.tap_text("新登记一户", exact=False)
    driver.until(lambda: driver.screen == "questions")
    answer_household(driver)
    for person in people:
        add_person(driver, person)
    driver.tap_text("人齐了")
    driver.until(lambda: driver.screen == "visit")


def _choose_all(driver: Driver, answers: Iterable[tuple[str, str]]) -> None:
    for name, label in answers:
        see_to(driver, name, label)


def see_to(driver: Driver, name: str, label: str) -> None:
    """Let a question say this: it may be chosen already, as likely, or passed over until the look."""
    if name not in driver.app.manager.current_screen.cards:
        return
    if plain(driver.question(name).question.shown) != plain(label):
        driver.choose(name, label)
