"""Likely answers: what they follow from, what is never guessed, and that they are stored only when gone on with."""

from typing import Any

import pytest
from phones import (
    HEAD,
    SPOUSE,
    TODAY,
    VILLAGE,
    a_filled_visit,
    a_number,
    a_submitted_household,
    a_visit,
    fill_household,
    fill_member,
)

from mobile.forms.guesses import Known, guesses
from mobile.storage.database import Store

NEVER = {
    "household": {"category", "dibao", "tekun", "yearly_income_band", "phone"},
    "member": {
        "id_no",
        "name",
        "health",
        "disability_level",
        "phone",
        "education",
        "member_change",
    },
    "consent": {"given", "witness"},
    "intention": {"wants_job", "reach", "wage_floor", "training_wish", "public_post_wish"},
}


def born(year: int, sex: str = "1", **more: Any) -> dict[str, Any]:
    return {"birth_date": f"{year}-03-01", "sex": sex, **more}


def of_member(values: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    return guesses("member", values, Known(TODAY, others=others))


@pytest.mark.parametrize(
    ("person", "relation"),
    [
        (born(1988, "2"), "10"),
        (born(2015), "20"),
        (born(2018, "2"), "30"),
        (born(1958), "51"),
        (born(1960, "2"), "52"),
        (born(1986), None),
        ({"sex": "2"}, None),
    ],
)
def test_relation_follows_from_the_head(person: dict[str, Any], relation: str | None) -> None:
    assert of_member(person, born(1985, relation=HEAD, ethnic="09")).get("relation") == relation


def test_first_adult_is_the_head_and_nobody_has_two_spouses() -> None:
    assert of_member(born(1985))["relation"] == HEAD
    assert "relation" not in of_member(born(2015))
    head, wife = born(1985, relation=HEAD), born(1987, "2", relation=SPOUSE)
    assert "relation" not in of_member(born(1990, "2"), head, wife)
    assert of_member(head, wife)["marital"] == "20"


def test_school_and_ability_follow_from_age_and_health() -> None:
    assert of_member(born(2015))["in_school"] == "1"
    assert "in_school" not in of_member(born(2008))
    assert "labour_ability" not in of_member(born(1985, in_school="0"))
    assert of_member(born(1985, in_school="0", health=["1"]))["labour_ability"] == "1"
    assert "labour_ability" not in of_member(born(1985, in_school="0", health=["1", "2"]))
    assert "labour_ability" not in of_member(born(1950, in_school="0", health=["1"]))


def test_what_a_person_must_say_himself_is_never_guessed(store: Store) -> None:
    for serial in range(100, 700, 100):
        a_submitted_household(store, serial=serial)
    visit = a_filled_visit(store, serial=800)
    for form in visit.records():
        made = visit.guesses_of(form)
        assert not NEVER[form.kind] & set(made), form.kind


def test_what_nearly_all_of_a_village_say_is_likely(store: Store) -> None:
    assert "relocated" not in a_visit(store).guesses_of(a_visit(store).household)
    for serial in range(100, 600, 100):
        a_submitted_household(store, serial=serial)
    visit = a_visit(store)
    assert visit.guesses_of(visit.household)["relocated"] is False
    assert visit.guesses_of(visit.add_member())["ethnic"] == "09"
    elsewhere = a_visit(store)
    elsewhere.village_code = VILLAGE[:9] + "999"
    assert "relocated" not in elsewhere.guesses_of(elsewhere.household)


def test_a_guess_is_stored_when_the_cadre_goes_on_and_not_before(store: Store) -> None:
    visit = a_visit(store)
    fill_household(visit.household)
    member = visit.add_member()
    member.answer("id_no", a_number("1985-03-12", 101))
    member.guess("family")
    assert member.values["relation"] == HEAD
    assert a_visit(store, visit.household_id).members[0].values.get("relation") is None
    member.drop_guesses()
    assert "relation" not in member.values
    member.guess("family")
    member.keep_guesses()
    assert a_visit(store, visit.household_id).members[0].values["relation"] == HEAD


def test_an_answer_that_was_taken_back_is_not_guessed_again(store: Store) -> None:
    visit = a_visit(store)
    member = visit.add_member()
    member.answer("lives_here", True)
    member.clear("lives_here")
    member.guess("family")
    assert "lives_here" not in member.values


def test_the_second_consent_is_likely_taken_as_the_first(store: Store) -> None:
    visit = a_visit(store)
    fill_household(visit.household)
    member = visit.add_member()
    fill_member(member, "韦正明", HEAD, a_number("1985-03-12", 101))
    member.answer("labour_ability", "1")
    visit.record_consent(member, "survey", True, "2", "罗见证")
    second = visit.consents_of(member)["share_hr"]
    second.guess("answer")
    assert second.values.get("method") is None
    second.answer("given", True)
    second.guess("answer")
    assert second.values["method"] == "2"
    second.refuse_all(["given"])
    second.guess("answer")
    assert second.values.get("method") is None


def test_of_a_long_list_what_this_village_has_most_is_offered_at_once(store: Store) -> None:
    for serial in (100, 200):
        a_submitted_household(store, serial=serial)
    head = a_filled_visit(store, serial=300).members[0]
    [ethnic] = [q for q in head.questions("background") if q.name == "ethnic"]
    [school] = [q for q in head.questions("family") if q.name == "in_school"]
    assert ethnic.often == ("09",)
    assert {code for code, _, _ in ethnic.options} > set(ethnic.often)
    assert school.often == ()  # a short list stands there whole
