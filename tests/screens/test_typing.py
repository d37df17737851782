"""Chinese keyboards in the app's own fields: what is typed is what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kivy.uix.modalview import ModalView
from kivy.uix.textinput import TextInput

from mobile.device import desktop
from mobile.widgets.entry import SAVED_AFTER_S
from tests.screens.driver import Driver
from tests.screens.flows import open_village, start_household
from tests.screens.keyboards import KEYBOARDS, AndroidComposing, DeadBackspace, Keyboard
from tests.screens.seed import TIBETAN_NAME

pytestmark = pytest.mark.window

PINYIN, WORDS = "huangtugou", "黄土沟"


@pytest.fixture
def driver(phone: Callable[..., Driver]) -> Driver:
    return phone()


def touch_field(driver: Driver, within: Any = None) -> TextInput:
    field = driver.find(kind="Typed", within=within)
    driver.tap(field)
    assert field.focus
    return field


def first_question(driver: Driver) -> TextInput:
    """Open a new household, and its first field."""
    open_village(driver, "大湾村")
    start_household(driver)
    return touch_field(driver, driver.question("group_no"))


@pytest.mark.parametrize("kind", KEYBOARDS, ids=lambda kind: kind.__name__)
def test_every_keyboard_writes_into_every_field(driver: Driver, kind: type[Keyboard]):
    def writes(field: TextInput) -> None:
        field.text = ""
        keyboard = kind(driver)
        keyboard.write("cun", "村")
        keyboard.write(PINYIN, WORDS)
        assert field.text == f"村{WORDS}"
        keyboard.delete(1)
        keyboard.write("gou", "沟")
        assert field.text == f"村{WORDS}"

    driver.tap_text("找人:姓名、拼音、号码尾数")
    driver.until(lambda: driver.find(kind="Typed").focus)
    writes(driver.find(kind="Typed"))
    driver.blur()
    driver.back()
    open_village(driver, "大湾村")
    writes(touch_field(driver))
    driver.find(kind="Entry").clear()
    driver.blur()
    start_household(driver)
    writes(touch_field(driver, driver.question("group_no")))
    driver.blur()
    assert driver.app.visit.household.values["group_no"] == f"村{WORDS}"
    places = driver.find(kind="QuestionCard", where=lambda card: card.question.widget == "division")
    driver.tap(driver.find(kind="PickField", within=places))
    assert isinstance(driver.layers()[0], ModalView)
    writes(touch_field(driver))


def test_a_pause_amid_a_composition_stores_and_changes_nothing(driver: Driver):
    field = first_question(driver)
    keyboard = AndroidComposing(driver)
    for letter in PINYIN:
        keyboard._commit(letter)
    driver.settle(SAVED_AFTER_S + 0.2)  # the letters go to the form meanwhile
    assert (field.text, field.focus) == (PINYIN, True)
    driver.backspace(len(PINYIN))
    keyboard._commit(WORDS)
    assert field.text == WORDS
    driver.blur()
    assert driver.app.visit.household.values["group_no"] == WORDS


def test_a_long_composition_takes_nothing_of_what_stands_before_it(driver: Driver):
    field = first_question(driver)
    AndroidComposing(driver).write("cunweihui", "村委会")
    AndroidComposing(driver).write(PINYIN * 2, WORDS)
    assert field.text == f"村委会{WORDS}"


def test_where_backspace_is_dead_the_cross_empties_the_field(driver: Driver):
    field = first_question(driver)
    driver.type("三组")
    driver.blur()
    driver.tap(field)
    keyboard = DeadBackspace(driver)
    keyboard.delete(2)
    assert field.text == "三组"
    driver.tap_icon("清空", within=driver.question("group_no"))
    assert "group_no" not in {k for k, v in driver.app.visit.household.values.items() if v}
    driver.tap(field)
    keyboard.write("sizu", "四组")
    driver.blur()
    assert driver.app.visit.household.values["group_no"] == "四组"


def test_on_a_phone_every_field_has_the_systems_dialog(
    phone: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[str, str]] = []

    def ask_text(title: str, text: str, take: Callable[[str], None]) -> None:
        asked.append((title, text))
        take("五组")

    monkeypatch.setattr(desktop, "HAS_TEXT_DIALOG", True)
    monkeypatch.setattr(desktop, "ask_text", ask_text)
    driver = phone()
    first_question(driver)
    driver.type("三组")
    driver.tap_icon("用手机自带的输入框", within=driver.question("group_no"))
    driver.settle()
    assert asked == [("点这里输入", "三组")]
    assert driver.app.visit.household.values["group_no"] == "五组"


def test_every_field_asks_for_a_keyboard_of_words(driver: Driver):
    first_question(driver)
    driver.back()
    for screen in ("enrol", "search"):
        driver.app.go(screen)
        driver.settle()
        fields = [w for w in driver.widgets() if isinstance(w, TextInput)]
        assert fields
        assert {field.input_type for field in fields} == {"text"}


def test_what_the_font_lacks_is_drawn_as_its_code_and_stored_as_it_is(driver: Driver):
    field = first_question(driver)
    plain = field._get_text_width("三组", 4, None)
    driver.type("三\ue000组")
    assert field.text == "三\ue000组"
    assert field.cursor_offset() > plain + field._get_text_width("U+E000", 4, None)
    assert driver.sees("字库缺字 U+E000")
    driver.backspace(2)
    driver.type("组")
    assert not driver.sees("字库缺字", exact=False)
    driver.type("\ue001")
    driver.blur()
    assert driver.app.visit.household.values["group_no"] == "三组\ue001"


def test_tibetan_is_drawn_with_its_own_font_while_it_is_typed(driver: Driver):
    field = first_question(driver)
    driver.type("བསྟན་")
    stacked = field.cursor_offset()
    apart = sum(field._get_text_width(letter, 4, None) for letter in "བསྟན་")
    assert field.text == "བསྟན་"
    assert 0 < stacked < apart  # ས, ྟ lie over each other


@pytest.mark.parametrize(
    "words", ["积石山保安族东乡族撒拉族自治县大河家镇康吊村委会", TIBETAN_NAME]
)
def test_who_does_not_type_reads_a_field_from_its_beginning(driver: Driver, words: str):
    field = first_question(driver)
    driver.type(words)
    driver.settle()
    assert field.cursor_pos[0] <= field.right
    driver.blur()
    driver.settle()
    assert (field.text, field.scroll_x) == (words, 0)
    driver.tap(field)
    driver.type("东")
    driver.settle()
    assert field.cursor_pos[0] <= field.right
