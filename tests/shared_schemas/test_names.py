"""Names as they are compared: split, read aloud, misheard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from shared_schemas import names
from shared_schemas.names import dialect_folded, normal_name, split_name, syllables
from shared_schemas.tools import build_pinyin

CHARACTERS = sorted(build_pinyin.wanted_characters())
some_name = st.text(st.sampled_from([*CHARACTERS, "·", " ", "A"]), max_size=8)


def read(name: str) -> str:
    return " ".join(syllables(*split_name(name)))


@pytest.mark.parametrize(
    ("name", "surname", "given_name"),
    [
        ("韦秀兰", "韦", "秀兰"),
        ("王 芳", "王", "芳"),
        ("欧阳明月", "欧阳", "明月"),
        ("司徒健", "司徒", "健"),
        ("张李玉兰", "张李", "玉兰"),
        ("欧阳", "欧", "阳"),
        ("扎西", "", "扎西"),
        ("卓玛", "", "卓玛"),
        ("索南多吉", "", "索南多吉"),
        ("仁青才让", "", "仁青才让"),
        ("买买提·吐尔逊", "", "买买提吐尔逊"),
        ("", "", ""),
    ],
)
def test_a_surname_is_split_off_only_where_there_is_one(name, surname, given_name):
    assert split_name(name) == (surname, given_name)


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("单秀兰", "shan xiu lan"), ("仇明", "qiu ming"), ("曾单", "zeng dan"), ("解放", "xie fang"),
        ("盖云", "ge yun"), ("查良", "zha liang"), ("区小燕", "ou xiao yan"), ("翟平", "zhai ping"),
        ("朴顺姬", "piao shun ji"), ("缪兰", "miao lan"), ("覃凤", "qin feng"), ("谌龙", "chen long"),
        ("冼星", "xian xing"), ("尉迟恭", "yu chi gong"), ("吕绿", "lv lv"),
    ],
)  # fmt: skip
def test_surnames_have_their_own_reading(name, reading):
    assert read(name) == reading


def test_every_character_of_names_is_read_as_pypinyin_reads_it():
    usual, _ = names._table()
    wrong = {c: (usual.get(c), lazy_pinyin(c)[0]) for c in CHARACTERS
             if usual.get(c, c) != lazy_pinyin(c)[0]}  # fmt: skip
    assert len(CHARACTERS) >= 8105
    assert not wrong


@pytest.mark.parametrize(
    ("said", "heard"),
    [("刘", "牛"), ("张", "臧"), ("陈", "岑"), ("舒", "苏"), ("黄", "方"), ("胡", "符"), ("惠", "费"),
     ("英", "因"), ("兰", "然"), ("珍", "曾")],
)  # fmt: skip
def test_what_dialects_do_not_tell_apart_folds_to_one(said, heard):
    assert dialect_folded(read("王" + said).split()[1]) == dialect_folded(
        {"曾": "zeng"}.get(heard) or read("王" + heard).split()[1]
    )


@given(some_name)
def test_splitting_loses_nothing_and_width_changes_nothing(name):
    surname, given_name = split_name(name)
    assert surname + given_name == normal_name(name)
    assert normal_name(normal_name(name)) == normal_name(name)
    assert len(syllables(surname, given_name)) == len(normal_name(name))


@given(st.sampled_from(sorted(set(names._table()[0].values()))))
def test_folding_twice_is_folding_once(syllable):
    assert dialect_folded(dialect_folded(syllable)) == dialect_folded(syllable)
