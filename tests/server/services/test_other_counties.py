"""A person in two counties: found by keyed hashes, shown to nobody before both have agreed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import (
    OTHER_COUNTY_VILLAGE,
    PASSWORD,
    VILLAGE,
    WANGMO,
    ZHENFENG,
    a_family,
    a_household_id,
    a_phone,
    a_user,
    an_id_number,
)
from sqlalchemy import select

from server.services.other_counties import follow, follow_all, say, sides_of
from server.storage import tables
from server.storage.engine import reading, writing
from server.storage.other_counties import doubles
from shared_schemas.errors import ChushanError

KEY = "for tests only"


@pytest.fixture
def offices(engine):
    with writing(engine) as conn:
        return {
            county: a_user(conn, f"office{county}", role="county", scope=county, password=PASSWORD)
            for county in (WANGMO, ZHENFENG)
        }


def register(app, engine, *people):
    """Register families: (village, what is said of the head); return the members' ids."""
    ids = []
    for village, said in people:
        family = a_family(village, **said)
        a_phone(app, engine, scope=village[:6]).submit(family)
        ids.append(family.member)
    return ids


def find(engine, key=KEY):
    assert follow_all(engine, key, now_ms=1, for_s=60)


def seen(engine, county):
    with reading(engine) as conn:
        return doubles(conn, county, county, 10)


def act(engine, offices, county, double_id, *acts):
    for each in acts:
        with writing(engine) as conn:
            say(
                conn, county, double_id, each, user=offices[county], now_ms=5, new_id=a_household_id
            )


def test_the_same_number_in_two_counties_is_found_by_both_and_tells_neither_more(
    app, engine, offices
):
    number = an_id_number()
    own, other = register(
        app, engine, (VILLAGE, {"id_no": number, "name": "韦甲"}),
        (OTHER_COUNTY_VILLAGE, {"id_no": number, "name": "罗乙"}),
    )  # fmt: skip
    find(engine)
    [mine], [theirs] = seen(engine, WANGMO), seen(engine, ZHENFENG)
    assert (mine.record_id, mine.other_county, mine.strength) == (own, ZHENFENG, "likely")
    assert (theirs.record_id, theirs.other_county, theirs.id) == (other, WANGMO, mine.id)
    for row, hidden in ((mine, other), (theirs, own)):
        assert hidden not in map(str, row)
    with reading(engine) as conn:
        assert sides_of(conn, offices[WANGMO], WANGMO, mine.id)[3] is None


def test_name_birth_and_sex_find_a_possible_double_unless_two_numbers_speak_against_it(
    app, engine, offices
):
    who = {"name": "岑远山", "birth_date": "1988-07-04", "sex": "1"}
    register(app, engine, (VILLAGE, {**who, "id_no": None}),
             (OTHER_COUNTY_VILLAGE, {**who, "name": "岑远珊"}))  # fmt: skip
    find(engine)
    assert [row.strength for row in seen(engine, WANGMO)] == ["possible"]
    register(app, engine, (VILLAGE, who))
    find(engine)
    assert len(seen(engine, WANGMO)) == 1


@pytest.fixture
def double_id(app, engine, offices):
    number = an_id_number()
    register(app, engine, *((v, {"id_no": number}) for v in (VILLAGE, OTHER_COUNTY_VILLAGE)))
    find(engine)
    return seen(engine, WANGMO)[0].id


def is_exchanged(engine, offices, county, double_id):
    with reading(engine) as conn:
        return sides_of(conn, offices[county], county, double_id)[3] is not None


def test_only_when_both_agree_do_both_see_the_pair_and_either_ends_it(engine, offices, double_id):
    act(engine, offices, WANGMO, double_id, "agree")
    assert not is_exchanged(engine, offices, WANGMO, double_id)
    assert not is_exchanged(engine, offices, ZHENFENG, double_id)
    act(engine, offices, ZHENFENG, double_id, "agree")
    assert is_exchanged(engine, offices, WANGMO, double_id)
    assert is_exchanged(engine, offices, ZHENFENG, double_id)
    act(engine, offices, WANGMO, double_id, "take_back")
    assert not is_exchanged(engine, offices, WANGMO, double_id)
    assert not is_exchanged(engine, offices, ZHENFENG, double_id)


def test_one_person_takes_both_verdicts_and_cannot_be_said_unseen(engine, offices, double_id):
    with pytest.raises(ChushanError, match="wrong_state"):
        act(engine, offices, WANGMO, double_id, "same")
    act(engine, offices, WANGMO, double_id, "agree")
    act(engine, offices, ZHENFENG, double_id, "agree", "same")
    assert seen(engine, WANGMO)[0].their_verdict == "same"
    act(engine, offices, WANGMO, double_id, "same", "take_back")
    assert seen(engine, WANGMO)[0].verdict == ""


def test_every_word_stands_in_the_audit_of_its_own_county(engine, offices, double_id):
    act(engine, offices, WANGMO, double_id, "agree", "refuse", "not_same", "undecide")
    with reading(engine) as conn:
        found = conn.execute(
            select(tables.audit.c.county, tables.audit.c.action, tables.audit.c.detail).where(
                tables.audit.c.action.startswith("double_")
            )
        ).all()
    assert sorted(row.action for row in found) == [
        "double_agree", "double_not_same", "double_refuse", "double_undecide",
    ]  # fmt: skip
    assert {(row.county, str(row.detail)) for row in found} == {
        (WANGMO, str({"other_county": ZHENFENG}))
    }


def test_another_countys_office_and_a_township_of_other_villages_find_no_such_double(
    engine, offices, double_id
):
    with writing(engine) as conn:
        away = a_user(conn, "away", role="township", scope="522326112", password=PASSWORD)
    with reading(engine) as conn, pytest.raises(ChushanError, match="not_found"):
        sides_of(conn, away, WANGMO, double_id)
    with reading(engine) as conn, pytest.raises(ChushanError, match="not_found"):
        sides_of(conn, offices[WANGMO], "522301", double_id)


def test_a_number_put_right_takes_an_unspoken_double_back_and_a_spoken_one_stays(
    app, engine, offices
):
    numbers = an_id_number(), an_id_number()
    phone = a_phone(app, engine)
    families = []
    for number in numbers:
        family = a_family(VILLAGE, id_no=number, name="韦甲", birth_date="1990-05-04")
        phone.submit(family)
        families.append(family)
        register(app, engine, (OTHER_COUNTY_VILLAGE, {"id_no": number, "name": "罗乙"}))
    find(engine)
    spoken, _ = seen(engine, WANGMO)
    act(engine, offices, WANGMO, spoken.id, "agree")
    pulled = phone.pull()
    for family in families:
        seq = pulled["member", family.member]["seq"]
        phone.edit("member", family.member, base=seq, id_no=an_id_number())
    find(engine)
    assert [row.id for row in seen(engine, WANGMO)] == [spoken.id]
    assert [row.id for row in seen(engine, ZHENFENG)] == [spoken.id]


def test_under_another_key_all_hashes_are_made_anew_and_what_was_said_stays(
    engine, offices, double_id
):
    act(engine, offices, WANGMO, double_id, "agree")
    query = select(tables.cross_key.c.key_hash)
    with reading(engine) as conn:
        before = set(conn.execute(query).scalars())
    find(engine, "another key")
    with reading(engine) as conn:
        after = set(conn.execute(query).scalars())
    assert before
    assert not before & after
    assert len(before) == len(after)
    [row] = seen(engine, WANGMO)
    assert (row.id, row.word) == (double_id, "agreed")


def test_two_counties_that_are_compared_at_once_do_not_miss_each_other(app, engine, offices):
    for _ in range(3):
        number = an_id_number()
        register(app, engine, *((v, {"id_no": number}) for v in (VILLAGE, OTHER_COUNTY_VILLAGE)))

    def compare(county):
        return follow(engine, KEY, county, now_ms=1, for_s=60)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(compare, [WANGMO, ZHENFENG] * 2))
    assert len(seen(engine, WANGMO)) == len(seen(engine, ZHENFENG)) == 3
