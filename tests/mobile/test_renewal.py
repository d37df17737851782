"""“没变”: last time's answers stand, for a household or for one person; new words of consent are asked anew."""

from phones import a_submitted_household, a_visit
from test_visit import settled, waiting

from mobile.forms.visit import Visit
from mobile.storage.database import Store
from shared_schemas.records.consent import SHARE_HR, SURVEY

LATER = "2027-05-20"


def known_visit(store: Store) -> Visit:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    return a_visit(store, household_id, today=LATER)


def under_older_words(store: Store, visit: Visit) -> Visit:
    with store.writing() as connection:
        connection.execute(
            "UPDATE consent SET text_version = '2020-01', server = json_set(server, '$.text_version', '2020-01')"
        )
    return a_visit(store, visit.household_id, today=LATER)


def test_one_person_is_renewed_and_the_others_are_not(store: Store) -> None:
    visit = known_visit(store)
    head, wife = visit.members[:2]
    assert visit.can_renew(head)
    assert not visit.can_renew(wife)  # she has no wish on record
    visit.renew(head)
    assert not visit.can_renew(head)
    assert visit.is_renewed(head)
    again = a_visit(store, visit.household_id, today=LATER)
    assert again.is_renewed(again.members[0])
    assert again.submit().submitted
    assert {tuple(change["values"].items()) for change in waiting(store)} == {
        (("survey_date", LATER),),
        (("confirmed_on", LATER),),
    }


def test_somebody_whose_answers_change_is_not_offered_a_renewal(store: Store) -> None:
    visit = known_visit(store)
    head = visit.members[0]
    visit.renew(head)
    wish = visit.intention_of(head)
    assert wish is not None
    wish.answer("wage_floor", 6000)
    assert not visit.is_renewed(head)
    assert not visit.can_renew(head)


def test_consent_to_todays_words_is_not_asked_again(store: Store) -> None:
    visit = known_visit(store)
    visit.confirm_unchanged()
    assert visit.to_ask_anew() == []


def test_consent_to_older_words_is_asked_anew_and_the_same_answer_counts(store: Store) -> None:
    visit = under_older_words(store, known_visit(store))
    assert {c.values["consent_kind"] for c in visit.to_ask_anew()} == {SURVEY, SHARE_HR}
    outdated = {consent.record_id for consent in visit.to_ask_anew()}
    assert outdated <= {step.record_id for step in visit.steps() if not step.done}
    visit.confirm_unchanged()
    for consent in visit.to_ask_anew():
        consent.answer("given", consent.values["consent_kind"] == SURVEY)
    assert visit.to_ask_anew() == []
    assert visit.submit().submitted
    consents = [c["values"] for c in waiting(store) if c["kind"] == "consent"]
    assert {"text_version": "2026-11", "consented_on": LATER} in consents
    assert any(c.get("given") is False and c["withdrawn_on"] == LATER for c in consents)
