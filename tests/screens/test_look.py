"""Tokens and words: what must hold on every screen. Where things stand: test_layout.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mobile.settings import LOOKS as CHOSEN_LOOKS
from mobile.theme import CONTRAST, LOOKS, PAIRS, contrast, theme
from mobile.widgets.keypad import day_grouped
from mobile.widgets.words import balanced, drawable, is_drawable, typeset, unbreakable, wrap
from shared_schemas.locale import _catalogue, korean
from shared_schemas.records import record_kind
from tests.screens.driver import Driver

pytestmark = pytest.mark.window


def test_letters_stand_out_from_their_ground_in_every_look():
    weak = [
        (look, letters, ground)
        for look, colours in LOOKS.items()
        for letters, ground in PAIRS
        if contrast(colours[letters], colours[ground]) < CONTRAST[look]
    ]
    assert weak == []
    assert set(CHOSEN_LOOKS) == set(LOOKS)
    assert min(CONTRAST.values()) >= 4.5


def test_the_shipped_font_draws_all_of_our_own_words():
    words = "".join(text for entry in _catalogue().values() for text in entry.values())
    assert {c for c in words if c != "\n" and not is_drawable(c)} == set()


def test_a_character_that_the_font_lacks_is_named_by_its_code():
    assert drawable("韦\ue000兰") == "韦〔U+E000〕兰"
    assert unbreakable(drawable("韦\ue000兰")) == ["韦", "〔U+E000〕", "兰"]


def test_no_line_starts_with_a_closing_mark():
    broken = wrap("一二三四,五六七八。九十", 50, lambda piece: 10 * len(piece))
    assert [line[0] for line in broken.split("\n") if line[0] in ",。"] == []
    assert max(len(line) for line in broken.split("\n")) <= 5


def test_words_in_the_middle_have_lines_of_one_length():
    broken = balanced("都没变直接提交", 60, lambda piece: 10 * len(piece))
    assert broken == "都没变直\n接提交"
    assert balanced("registered poor", 100, lambda piece: 10 * len(piece)) == "registered\npoor"
    assert balanced("都没变", 60, lambda piece: 10 * len(piece)) == "都没变"


def test_a_syllable_of_tibetan_is_never_broken():
    assert unbreakable("བཀྲ་ཤིས་རྒྱ") == ["བཀྲ་", "ཤིས་", "རྒྱ"]
    assert wrap("བཀྲ་ཤིས་རྒྱ", 1, lambda piece: 10 * len(piece)) == "བཀྲ་\nཤིས་\nརྒྱ"


def test_marks_after_chinese_words_are_printed_full_width():
    assert typeset("先看,再填(选填)") == "先看\uff0c再填\uff08选填\uff09"
    assert typeset("a, b (c)") == "a, b (c)"
    assert typeset("For 秀兰, wxl") == "For 秀兰, wxl"
    assert typeset("点“同步”") == "点“同步”"
    assert typeset("touch “Sync”") == 'touch "Sync"'


def test_a_day_being_typed_is_written_as_the_reader_writes_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(theme, "lang", "zh")
    assert day_grouped("199303") == "1993 年 03 月 __ 日"
    monkeypatch.setattr(theme, "lang", "en")
    assert day_grouped("199303") == "1993-03-__"


def test_every_question_that_the_phone_asks_has_a_korean_title():
    for kind in ("household", "member", "consent", "intention"):
        fields = record_kind(kind).fields.items()
        asked = [name for name, declared in fields if declared.info.group]
        assert [name for name in asked if not korean(f"label.{name}")] == []


def test_korean_stands_on_the_main_buttons_and_chinese_where_it_has_no_words(
    phone: Callable[..., Driver],
):
    driver = phone(language="ko")
    driver.tap_text("各村名单")
    driver.tap_text("大湾村")
    driver.tap_text("새 세대 등록")
    assert driver.sees("다음", exact=True)
    assert driver.question("group_no").label == "촌민소조"
    assert driver.question("relocated").label == "이주호 여부"
    assert driver.sees("住在哪里")
    driver.back()
    driver.app.go("settings")
    driver.settle()
    driver.tap_text("English")
    assert driver.sees("Language")
