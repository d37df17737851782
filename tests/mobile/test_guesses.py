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
from mobile.forms.record_form import RecordForm
from mobile.forms.visit import LOOK, Step, Visit
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
    visit = guessing(a_visit(store))
    member = visit.add_member()
    made = {form.kind: set(form.guesses) for form in visit.records()}
    fill_household(visit.household)
    fill_member(member, "韦正明", HEAD, a_number("1985-03-12", 801))
    for form in [*visit.records(), *visit.consents_of(member).values()]:
        made[form.kind] = made.get(form.kind, set()) | set(form.guesses)
    assert made["household"]
    assert made["member"]
    for kind, names in made.items():
        assert not NEVER[kind] & names, kind


def test_what_nearly_all_of_a_village_say_is_likely(store: Store) -> None:
    assert "relocated" not in guessing(a_visit(store)).household.guesses
    for serial in range(100, 600, 100):
        a_submitted_household(store, serial=serial)
    visit = guessing(a_visit(store))
    assert visit.household.guesses["relocated"] is False
    assert visit.add_member().guesses["ethnic"] == "09"
    elsewhere = guessing(a_visit(store))
    elsewhere.village_code = VILLAGE[:9] + "999"
    assert "relocated" not in elsewhere.household.guesses


def guessing(visit: Visit) -> Visit:
    visit.is_guessing = True
    return visit


def step_of(visit: Visit, form: RecordForm, group: str) -> Step:
    [step] = [s for s in visit.steps() if (s.record_id, s.group) == (form.record_id, group)]
    return step


def test_a_guess_is_stored_when_it_was_looked_at_and_not_before(store: Store) -> None:
    visit = guessing(a_visit(store))
    fill_household(visit.household)
    member = visit.add_member()
    member.answer("id_no", a_number("1985-03-12", 101))
    assert member.values["relation"] == HEAD
    assert a_visit(store, visit.household_id).members[0].values.get("relation") is None
    visit.is_guessing = False
    assert "relation" not in member.values
    visit.is_guessing = True
    visit.keep_guesses(step_of(visit, member, "family"))
    kept = a_visit(store, visit.household_id).members[0].values
    assert kept["relation"] == HEAD
    assert "labour_ability" not in kept


def test_a_step_with_likely_answers_only_is_passed_over_and_looked_at_in_the_end(
    store: Store,
) -> None:
    visit = guessing(a_filled_visit(store))
    child = visit.add_member()
    child.answer("name", "韦小花")
    child.answer("sex", "2")
    child.answer("birth_date", "2015-06-02")
    family, look = (step_of(visit, child, group) for group in ("family", LOOK))
    assert family.likely
    assert not look.done
    assert visit.next_step(step_of(visit, child, "identity")) == look
    assert visit.previous_step(look) == family
    likely = visit.likely_answers(child.record_id)
    assert [(one.label, one.shown) for one in likely] == [
        ("与户主关系", "女"),
        ("常住本户", "是"),
        ("在校状况", "义务教育"),
    ]
    visit.keep_guesses(look)
    assert LOOK not in {s.group for s in visit.steps() if s.about == child.record_id}
    kept = a_visit(store, visit.household_id).member(child.record_id).values
    assert (kept["lives_here"], kept["in_school"]) == (True, "1")


def test_what_was_not_looked_at_is_never_handed_in(store: Store) -> None:
    visit = guessing(a_filled_visit(store))
    del visit.household.drafts["survey_mode"]  # as if nobody had touched it
    visit.is_guessing = False
    visit.is_guessing = True
    assert visit.household.values["survey_mode"] == "1"
    result = visit.submit()
    assert not result.submitted
    assert "survey_mode" in {hit.field for hit in result.problems}


def test_an_answer_that_was_taken_back_is_not_guessed_again(store: Store) -> None:
    visit = guessing(a_visit(store))
    member = visit.add_member()
    member.answer("lives_here", True)
    member.clear("lives_here")
    assert "lives_here" not in member.values


def test_what_is_only_likely_of_one_says_nothing_of_another(store: Store) -> None:
    visit = guessing(a_visit(store))
    first, second = visit.add_member(), visit.add_member()
    first.answer("id_no", a_number("1985-03-12", 101))
    second.answer("id_no", a_number("1987-03-12", 102))
    assert first.values["relation"] == second.values["relation"] == HEAD
    visit.keep_guesses(step_of(visit, first, LOOK))
    assert second.values.get("relation") != HEAD


def test_the_second_consent_is_likely_taken_as_the_first(store: Store) -> None:
    visit = guessing(a_visit(store))
    fill_household(visit.household)
    member = visit.add_member()
    fill_member(member, "韦正明", HEAD, a_number("1985-03-12", 101))
    member.answer("labour_ability", "1")
    visit.record_consent(member, "survey", True, "2", "罗见证")
    second = visit.consents_of(member)["share_hr"]
    assert second.values.get("method") is None
    second.answer("given", True)
    assert second.values["method"] == "2"
    assert [one.of for one in visit.likely_answers(member.record_id)] == ["提供给人力资源机构"]
    second.refuse_all(["given"])
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


def test_words_that_neighbours_share_are_offered_and_those_of_one_are_not(store: Store) -> None:
    home = a_submitted_household(store)
    store.connection.execute("UPDATE household SET address = '坡上' WHERE id = ?", (home,))
    often = {q.name: q.often for q in a_visit(store).household.questions("place")}
    assert often["group_no"] == ("二组",)
    assert often["address"] == ()
