"""The explanation of a pair names the very digit and character."""

from __future__ import annotations

import pytest

from server.linkage.levels import COMPARISONS, DIFFERENT
from server.web.pair_sentences import sentences
from shared_schemas.fields import Value
from shared_schemas.resident_id import check_character

GOOD = "522399198803051" + "23"
GOOD += check_character(GOOD)
NEAR = GOOD[:14] + str((int(GOOD[14]) + 1) % 10) + GOOD[15:]
SWAPPED = GOOD[:15] + GOOD[16] + GOOD[15] + GOOD[17]


def said(
    comparison: str, level: str, left: dict[str, Value], right: dict[str, Value], lang: str = "zh"
) -> str:
    line = {"comparison": comparison, "level": level, "weight": 1.0}
    [one] = sentences([line], left, right, lang=lang)
    return one.words


@pytest.mark.parametrize(
    ("comparison", "level", "field", "left", "right", "words"),
    [
        ("id_no", "one_digit", "id_no", GOOD, NEAR, "身份证号只差第 15 位，甲的校验位对、乙的错"),
        ("id_no", "one_digit", "id_no", NEAR, GOOD, "身份证号只差第 15 位，乙的校验位对、甲的错"),
        ("id_no", "two_digits", "id_no", GOOD, SWAPPED,
         "身份证号第 16、17 位前后颠倒，甲的校验位对、乙的错"),
        ("id_no", "one_digit", "id_no", GOOD, GOOD[:9] + GOOD[10:],
         "乙的身份证号漏了第 10 位，甲的校验位对、乙的错"),
        ("name", "same_sound", "name", "王丽", "王莉", "姓名读音相同，字不同（丽/莉）"),
        ("name", "dialect", "name", "岑兰", "岑南", "姓名用方言读起来相同（兰/南 lan/nan）"),
        ("name", "one_character", "name", "岑小山", "岑小娥", "姓相同，名只差一个字（山/娥）"),
        ("name", "dropped_or_swapped", "name", "岑小山", "岑山", "姓相同，乙的名少一个“小”字（岑小山/岑山）"),
        ("name", "dropped_or_swapped", "name", "岑小山", "岑山小", "姓相同，名前后颠倒（岑小山/岑山小）"),
        ("name", "given_name", "name", "岑小花", "黄小花", "姓不同，名读音相同（岑小花/黄小花）"),
        ("birth_date", "swapped", "birth_date", "1988-03-05", "1988-05-03",
         "出生的月和日颠倒（03-05/05-03）"),
        ("birth_date", "lunar", "birth_date", "1988-03-05", "1988-04-06",
         "出生日期相差 32 天，可能一边是农历（1988-03-05/1988-04-06）"),
        ("phone", "one_digit", "phone", "15400000017", "15400000018", "手机号只差第 11 位"),
        ("phone", "one_digit", "phone", "1542345678", "15412345678", "甲的手机号漏了第 4 位"),
        ("employer", "equal", "work_employer", "青溪制衣厂", "青溪制衣厂", "务工单位相同（青溪制衣厂）"),
        ("sex", "equal", "sex", "1", "1", "性别相同"),
    ],
)  # fmt: skip
def test_a_sentence_names_what_differs(
    comparison: str, level: str, field: str, left: str, right: str, words: str
) -> None:
    assert said(comparison, level, {field: left}, {field: right}) == words


def test_places_are_named_where_their_names_are_known() -> None:
    line = {"comparison": "place", "level": "county", "weight": -1.0}
    sides = [{"village_code": "522326111201"}, {"village_code": "522326112201"}]
    names = {"522326111000": "边饶镇", "522326112000": "麻山镇"}
    [one] = sentences([line], *sides, places=names)
    assert one.words == "同县不同乡镇（边饶镇/麻山镇）"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_level_is_said_whatever_is_known_of_the_two(lang: str) -> None:
    whole = {"id_no": GOOD, "name": "王丽", "birth_date": "1988-03-05", "phone": "15400000017"}
    for one in COMPARISONS:
        for level in [*(found.name for found in one.levels), DIFFERENT]:
            if (one.name, level) == ("employer", DIFFERENT):
                continue  # that two work elsewhere is not compared
            for sides in (({}, {}), (whole, {}), (whole, whole)):
                words = said(one.name, level, *sides, lang=lang)
                assert words
                assert ": " + level not in words
                assert "{" not in words


def test_what_speaks_for_one_person_comes_first_and_the_beginning_is_left_out() -> None:
    lines = [
        {"comparison": "prior", "level": "any_two", "weight": -16.0},
        {"comparison": "sex", "level": "different", "weight": -7.0},
        {"comparison": "phone", "level": "equal", "weight": 9.0},
        {"comparison": "household", "level": "different", "weight": -0.01},
    ]
    found = sentences(lines, {}, {})
    assert [one.weight for one in found] == [9.0, -7.0]
