"""What two registrations are compared by."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from shared_schemas.match_features import (
    birth_parts,
    division_prefixes,
    features_of,
    id_number,
    phone_number,
)
from shared_schemas.resident_id import check_character, slip


def test_the_features_of_a_person():
    number = "52239919800512002"
    number += check_character(number)
    person = features_of(
        {
            "name": "单 秀兰",
            "sex": "2",
            "id_no": number,
            "birth_date": "1980-05-12",
            "phone": "+86 138 0000 0001",
            "village_code": "522326111201",
            "household_id": "h1",
        }
    )
    assert (person.name, person.surname, person.given_name) == ("单秀兰", "单", "秀兰")
    assert (person.name_pinyin, person.name_folded) == ("shan xiu lan", "san xiu lan")
    assert (person.given_pinyin, person.given_folded) == ("xiu lan", "xiu lan")
    assert (person.id18, person.is_id_valid) == (number, True)
    assert person.id_area_birth == "52239919800512"
    assert person.birth_day == dt.date(1980, 5, 12).toordinal()
    assert (person.birth_year, person.birth_month_day) == (1980, "0512")
    assert person.phone == "13800000001"
    assert (person.village, person.township) == ("522326111201", "522326111")
    assert (person.county, person.prefecture) == ("522326", "5223")


def test_nothing_known_is_nothing_compared():
    person = features_of({"name": " ", "id_no": "", "birth_date": None})
    assert {getattr(person, name) for name in person.__slots__} == {None}


def test_the_old_form_of_an_id_number_becomes_the_new_one():
    assert id_number("522399800512002") == id_number(
        "52239919800512002" + check_character("52239919800512002")
    )


def test_an_id_number_of_full_width_and_small_x_is_the_same():
    assert id_number("５２２３９９ 19800512 002x") == "52239919800512002X"


def test_a_year_alone_is_a_year():
    assert birth_parts("1980") == (None, 1980, None)
    assert birth_parts("1980-02-31") == (None, 1980, None)
    assert birth_parts("19800512") == birth_parts("1980-05-12")
    assert birth_parts("不详") == (None, None, None)


def test_a_short_division_code_tells_what_it_has():
    assert division_prefixes("522326111") == (None, "522326111", "522326", "5223")
    assert division_prefixes("别处") == (None, None, None, None)


def test_a_landline_keeps_its_area_code():
    assert phone_number("0859-8612345") == "08598612345"
    assert phone_number("008613800000001") == "13800000001"


@given(st.from_regex(r"[1-9][0-9]{14}", fullmatch=True))
def test_an_old_number_is_completed_to_one_whose_checksum_holds(number):
    completed = id_number(number)
    assert completed is not None
    assert slip(completed) in (None, "birth")


@given(st.dictionaries(st.sampled_from(["name", "id_no", "birth_date", "phone", "village_code", "sex"]),
                       st.one_of(st.none(), st.text(max_size=20), st.integers())))  # fmt: skip
def test_no_value_stops_the_computation_and_features_are_the_same_twice(values):
    assert features_of(values) == features_of(values)
