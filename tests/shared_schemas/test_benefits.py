"""What a family may be entitled to: the sums of the sources, and who is left out."""

from typing import Any

import pytest

from shared_schemas.benefits import benefits, chances, most_yuan
from shared_schemas.bundle import Bundle, bundle_of
from shared_schemas.codes import code_list
from shared_schemas.codes.divisions import division
from shared_schemas.fields import Flag
from shared_schemas.records import record_kind

TODAY = "2026-11-20"
QINGCHUAN, WANGMO = "510822101001", "522326102001"
WUXING = "330502"


def a_family(
    *people: dict[str, Any], category: str = "2", village: str = QINGCHUAN, **household: Any
) -> Bundle:
    records = [
        ("household", {"id": "h", "village_code": village, "category": category, **household})
    ]
    for number, person in enumerate(people):
        wish = {k: v for k, v in person.items() if k in record_kind("intention").fields}
        member = {k: v for k, v in person.items() if k not in wish}
        records.append(("member", {"id": f"m{number}", "birth_date": "1990-05-01", **member}))
        if wish:
            records.append(("intention", {"id": f"i{number}", "member_id": f"m{number}", **wish}))
    return bundle_of(records)


def codes(bundle: Bundle, member_id: str | None = "m0") -> set[str]:
    found = chances(bundle, TODAY)
    return {c.benefit.code for c in found if c.member_id == member_id and not c.open}


def test_a_registered_worker_gets_what_the_source_says_with_and_without_rent() -> None:
    found = chances(a_family({"wants_job": "1"}), TODAY)
    assert most_yuan(found, WUXING, renting=True) == 21_500
    assert most_yuan(found, WUXING, renting=False) == 15_500


def test_a_worker_who_is_not_registered_gets_the_journey() -> None:
    found = chances(a_family({"wants_job": "3"}, category="1"), TODAY)
    assert most_yuan(found, WUXING, renting=True) == 1_000


def test_a_couple_gets_it_twice() -> None:
    found = chances(a_family({"wants_job": "1"}, {"wants_job": "1"}), TODAY)
    assert most_yuan(found, WUXING, renting=True) == 43_000


def test_what_the_employer_gets_is_told_and_not_counted() -> None:
    bundle = a_family({"wants_job": "1"}, village=WANGMO)
    assert codes(bundle) == {"NB-STAB"}
    assert most_yuan(chances(bundle, TODAY), "330200", renting=True) == 0


@pytest.mark.parametrize(
    "person",
    [
        {"wants_job": "4"},
        {"wants_job": "6"},
        {"wants_job": "1", "birth_date": "2015-01-01"},
        {"wants_job": "1", "birth_date": "1950-01-01"},
        {"wants_job": "1", "member_change": "2"},
    ],
)
def test_who_does_not_go_or_cannot_is_not_told_of_work_elsewhere(person: dict[str, Any]) -> None:
    assert codes(a_family(person)) == set()


def test_schooling_disability_training_and_allowance() -> None:
    assert codes(a_family({"in_school": "3", "birth_date": "2009-01-01"})) == {"YULU"}
    assert codes(a_family({"in_school": "2", "birth_date": "2009-01-01"})) == set()
    disabled = {"health": ["2", "4"], "disability_level": "2"}
    assert codes(a_family(disabled, dibao=True)) == {"DIS-LIVE", "DIS-CARE"}
    assert codes(a_family(disabled | {"disability_level": "3"}, dibao=True)) == {"DIS-LIVE"}
    home = {
        "labour_ability": "3",
        "training_wish": True,
        "public_post_wish": True,
        "wants_job": "4",
    }
    assert codes(a_family(home)) == {"TRAINING", "PUB-POST"}
    assert codes(a_family({}, category="4", dibao=False), None) == {"DIBAO"}
    assert codes(a_family({}, category="4", dibao=True), None) == set()


def test_an_open_answer_is_named_and_nothing_is_said_of_whom_nothing_is_known() -> None:
    found = chances(a_family({}), TODAY)
    assert {c.open for c in found if c.benefit.code == "WX-EMP"} == {(("intention", "wants_job"),)}
    assert chances(bundle_of([("household", {"id": "h"}), ("member", {"id": "m"})]), TODAY) == []


def test_every_rule_names_fields_values_and_places_that_exist() -> None:
    assert len({rule.code for rule in benefits()}) == len(benefits())
    for rule in benefits():
        assert rule.per in ("once", "month", "year")
        assert not rule.place or division(rule.place) is not None
        assert len(rule.papers["zh"]) == len(rule.papers["en"]) > 0
        assert rule.source["zh"]
        for path, values in rule.needs.items():
            kind, _, name = path.partition(".")
            field = record_kind(kind).fields[name]
            known = [True, False] if isinstance(field, Flag) else code_list(field.codes)
            assert [value for value in values if value not in known] == [], path
