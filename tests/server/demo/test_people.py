"""The invented people: they pass the rules, they are many kinds of people, they are nobody."""

from collections import Counter

import pytest

from server.demo.people import REFERENCE_DAY, InventedHousehold, invent_households
from shared_schemas import resident_id, rules
from shared_schemas.codes import divisions
from shared_schemas.fields import age_on
from shared_schemas.records import record_kind

VILLAGES = [place.code12 for place in divisions.divisions_within("522326", divisions.VILLAGE)]
AROUND = rules.Surroundings(
    REFERENCE_DAY.isoformat(),
    village_known=lambda code: divisions.division(code) is not None,
    on_server=True,
)


@pytest.fixture(scope="module")
def households() -> list[InventedHousehold]:
    return list(invent_households(7, 600, VILLAGES))


def test_no_household_breaks_a_rule_and_few_are_doubtful(households):
    lanes = Counter()
    for whole in households:
        hits = rules.check_bundle(whole.bundle(), AROUND)
        assert [hit.message() for hit in hits if hit.level is not rules.Level.WARNING] == []
        lanes[rules.lane(hits)] += 1
    assert 20 <= lanes["yellow"] <= 90
    assert lanes["green"] + lanes["yellow"] == 600


def test_the_same_seed_invents_the_same_people_and_another_seed_others(households):
    assert list(invent_households(7, 600, VILLAGES)) == households
    assert list(invent_households(8, 3, VILLAGES)) != households[:3]


def test_id_numbers_belong_to_no_county_and_say_what_the_record_says(households):
    numbers = []
    for member in (m for whole in households for m in whole.members):
        number = member.get("id_no")
        if number is None:
            assert age_on(member["birth_date"], REFERENCE_DAY.isoformat()) <= 16
            continue
        assert resident_id.slip(number) is None
        assert resident_id.area(number) in ("522399", "510899", "622999")
        assert resident_id.birth_date(number) == member["birth_date"]
        assert resident_id.sex(number) == member["sex"]
        numbers.append(number)
    assert len(set(numbers)) == len(numbers) > 1000


def test_records_hold_declared_fields_only_and_everyone_of_age_has_a_wish_and_two_consents(
    households,
):
    for whole in households:
        assert 1 <= len(whole.members) <= 6
        for kind, record in whole.records():
            assert set(record) - {"id"} <= set(record_kind(kind).fields)
        asked = Counter(consent["member_id"] for consent in whole.consents)
        assert all(asked[intention["member_id"]] == 2 for intention in whole.intentions)


def test_families_of_several_peoples_live_there(households):
    ethnic = Counter(m.get("ethnic") for whole in households for m in whole.members)
    assert {"01", "04", "06", "09"} <= set(ethnic)
    names = [m["name"] for whole in households for m in whole.members]
    assert any(name.startswith(("欧阳", "上官", "司徒", "东方", "令狐")) for name in names)
