"""Field checks: one declaration, two speeds, the same verdicts; and the words for each slip."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_schemas import fields, records, resident_id
from shared_schemas.locale import _catalogue, text
from shared_schemas.records.member import WHO

WOMAN, MAN, LEAP, MINOR = (
    "522399199303121129",
    "510899198807041156",
    "622999198402291133",
    "52239920120601118X",
)

ANYTHING = st.one_of(
    st.text(max_size=25),
    st.integers(),
    st.booleans(),
    st.lists(st.text(max_size=4), max_size=4),
    st.sampled_from(["1", "01", "70", WOMAN, "13900000000", "2026-11-20", "522326111201", ["1"]]),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


@pytest.mark.parametrize("kind", [kind.name for kind in records.record_kinds()])
@given(data=st.data())
def test_the_push_path_and_marshmallow_give_the_same_verdict(kind, data):
    declared = records.record_kind(kind).fields
    name = data.draw(st.sampled_from(sorted(declared)))
    value = data.draw(ANYTHING)
    faults = records.faults(kind, {name: value})
    errors = records.record_kind(kind).schema().validate({name: value})
    assert bool(faults) == bool(errors)
    if faults:
        assert errors[name] == [faults[name].message()]


@given(value=ANYTHING)
def test_every_refusal_has_words_in_both_languages(value):
    for kind in records.record_kinds():
        for declared in kind.fields.values():
            fault = declared.verdict(value)
            if fault is not None:
                assert fault.message("zh")
                assert fault.message("en") != fault.message("zh")


def test_every_key_has_chinese_and_english_words_with_the_same_blanks():
    def blanks(words):
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    declared = {f"label.{name}" for kind in records.record_kinds() for name in kind.fields}
    for key, words in _catalogue().items():
        if key in declared:  # the words of a field stand with it, but for the Korean ones
            assert set(words) == {"ko"}, key
            continue
        assert words["zh"], key
        assert words["en"], key
        assert blanks(words["zh"]) == blanks(words["en"]), key


def test_the_invented_numbers_of_the_design_are_good_and_say_birth_and_sex():
    assert [resident_id.slip(n) for n in (WOMAN, MAN, LEAP, MINOR)] == [None] * 4
    assert resident_id.birth_date(WOMAN) == "1993-03-12"
    assert [resident_id.sex(n) for n in (WOMAN, MAN)] == ["2", "1"]
    assert resident_id.area(MINOR) == "522399"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("522399930312112", "fifteen"),
        (WOMAN[:-1], "length"),
        (MINOR[:-1] + "x", "lower_x"),
        ("5223991993031211A9", "characters"),
        (WOMAN[:-1] + "8", "checksum"),
        ("522399199313121129", "birth"),
        (WOMAN[:15] + WOMAN[16] + WOMAN[15] + WOMAN[17], "transposed"),
    ],
)
def test_the_kind_of_slip_in_an_id_number_is_named(value, kind):
    assert resident_id.slip(value) == kind
    assert text(f"rules.V01.{kind}")


@given(st.from_regex(r"^522399(19[5-9][0-9]|200[0-9])(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}\Z", fullmatch=True),
       st.integers(0, 17), st.integers(1, 9))  # fmt: skip
def test_one_wrong_digit_is_always_noticed(first17, place, step):
    good = first17 + resident_id.check_character(first17)
    assert resident_id.slip(good) is None
    digit = "0123456789X".index(good[place])
    wrong = "0123456789"[(digit + step) % 10]
    if wrong != good[place]:
        assert resident_id.slip(good[:place] + wrong + good[place + 1 :]) is not None


@pytest.mark.parametrize("name", ["韦小梅", "欧阳·买买提", "དཔལ་ལྡན", "김영희", "Ana Lee", "𠮷野"])
def test_names_of_every_script_are_taken(name):
    assert fields.PersonName("姓名", "Name").verdict(name) is None


@pytest.mark.parametrize("name", ["韦", "韦小梅1", "韦\n梅", "<b>韦</b>", "韦" * 51])
def test_what_is_no_name_is_refused(name):
    assert fields.PersonName("姓名", "Name").verdict(name) is not None


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        ("sex", "女", "2"),
        ("education", "初中", "70"),
        ("birth_date", "1993年3月12日", "1993-03-12"),
        ("birth_date", "19930312", "1993-03-12"),
        ("phone", "139 0000 0000", "13900000000"),
        ("id_no", "52239920120601118x", MINOR),
        ("lives_here", "是", True),
        ("work_months", " 8 ", 8),
        ("work_months", "八", "八"),
        ("name", "  ", None),
    ],
)
def test_what_a_person_types_becomes_the_value_that_he_means(field, typed, value):
    assert records.record_kind("member").fields[field].parsed(typed) == value


def test_every_declared_field_has_labels_and_only_named_audiences():
    for kind in records.record_kinds():
        for name, declared in kind.fields.items():
            assert declared.info.zh, name
            assert declared.info.en, name
            if declared.info.group:
                assert declared.info.group in kind.groups, name


def test_nothing_that_identifies_or_shames_is_declared_for_a_firms_list():
    listed = {
        (kind.name, name)
        for kind in records.record_kinds()
        for name in kind.seen_by(fields.Audience.FIRM_LIST)
    }
    forbidden = {"id_no", "name", "phone", "address", "health", "category", "registry_no", "dibao",
                 "political", "disability_level", "ethnic", "birth_date", "household_id"}  # fmt: skip
    assert not {name for _, name in listed} & forbidden
    sensitive = {
        name
        for kind, name in listed
        if records.record_kind(kind).fields[name].info.sensitivity is fields.Sensitivity.SENSITIVE
    }
    assert not sensitive


def test_children_are_asked_for_little():
    child = {"birth_date": "2015-01-01", "relation": "20"}
    facts = fields.Facts(child, child, {"survey_date": "2026-11-20"})
    asked = set(records.asked_fields("member", facts))
    assert {"name", "birth_date", "sex", "relation"} <= asked
    assert not asked & {"phone", "ethnic", "health", "labour_ability", "work_form", "skills"}


def test_of_who_refused_the_survey_only_who_he_is_is_asked():
    adult = {"birth_date": "1990-01-01", "work_form": "1", "education": "90", "health": ["4"]}
    kind = records.record_kind("member")
    home = {"survey_date": "2026-11-20"}
    asked = records.asked_fields("member", fields.Facts(adult, adult, home))
    refused = records.asked_fields("member", fields.Facts(adult, adult, home, refused=True))
    assert refused == [name for name in asked if kind.fields[name].info.group in WHO]
    assert len(refused) < len(asked) / 2


def test_the_question_follows_the_answer():
    def asked(**values):
        return set(records.asked_fields("intention", fields.Facts(values)))

    assert "not_leaving_reason" in asked(wants_job="4")
    assert "wage_floor" not in asked(wants_job="4")
    assert "wage_floor" in asked(wants_job="1")
    assert "occupations" not in asked(wants_job="1", any_occupation=True)


def test_what_stands_behind_more_never_needs_an_answer() -> None:
    for kind in records.record_kinds():
        for name, declared in kind.fields.items():
            is_aside = declared.info.aside or declared.info.tells_change
            assert not (is_aside and declared.info.required), name
            assert not is_aside or declared.info.group, name
