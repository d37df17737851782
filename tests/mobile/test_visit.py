"""A visit from the first touch to the outbox."""

import json
from typing import Any

import pytest
from phones import (
    CADRE,
    SON,
    TODAY,
    VILLAGE,
    a_filled_visit,
    a_number,
    a_submitted_household,
    a_visit,
    fill_child,
    fill_member,
)

from mobile.forms.visit import Position, Visit, VisitLockedError, open_visit
from mobile.storage import inbox, outbox, records
from mobile.storage.database import Store, put
from mobile.storage.outbox import Answer
from shared_schemas.wire import group_rows


def waiting(store: Store) -> list[dict[str, Any]]:
    rows = store.connection.execute("SELECT * FROM outbox WHERE state = 'waiting' ORDER BY id")
    return [{**row, "values": json.loads(row["values"])} for row in map(dict, rows)]


def pulled(store: Store, kind: str, record_id: str, seq: int, values: dict[str, Any]) -> None:
    """Let a row of the county arrive."""
    line = {
        "cursor": f"c{seq}",
        "more": False,
        "groups": [group_rows(kind, [(record_id, seq, values)])],
    }
    with store.writing() as connection:
        inbox.apply_lines(connection, [line])


def sent_and_answered(store: Store, seq: int) -> None:
    """Let everything be sent and answered; the changes get `seq` and the numbers after it."""
    with store.writing() as connection:
        batch = outbox.next_batch(connection, 1000)
        assert batch is not None
        answers = [
            Answer(change.n, "applied", seq + i, None) for i, change in enumerate(batch.changes)
        ]
        outbox.keep_answers(connection, batch, answers, store.clock())


def settled(store: Store, household_id: str, seq: int = 1) -> None:
    """Let the county have and show back every record of a household, each at its own seq."""
    with store.writing() as connection:
        shown = records.shown_records(connection, household_id)
    with store.writing() as connection:
        while outbox.next_batch(connection, 1000) is not None:
            batch = outbox.next_batch(connection, 1000)
            assert batch is not None
            outbox.keep_answers(
                connection, batch, [Answer(c.n, "applied", seq, None) for c in batch.changes], 1
            )
    for i, record in enumerate(shown):
        pulled(store, record.kind, record.id, seq + i, dict(record.values))


def test_new_household_is_handed_in_household_first_with_the_program_s_fields(
    store: Store,
) -> None:
    visit = a_filled_visit(store)
    head = visit.members[0]
    assert visit.submit().submitted
    changes = waiting(store)
    assert [c["kind"] for c in changes] == [
        "household", "member", "member", "member", "member", "intention", "consent", "consent",
    ]  # fmt: skip
    household = changes[0]["values"]
    assert household["village_code"] == VILLAGE
    assert household["survey_date"] == TODAY
    assert household["head_member_id"] == head.record_id
    assert household["responsible_cadre"] == CADRE
    intention, consent = changes[5]["values"], changes[6]["values"]
    assert intention["confirmed_on"] == TODAY
    assert intention["member_id"] == head.record_id
    assert consent["consented_on"] == TODAY
    assert consent["text_version"] == "2026-11"
    assert {c["base"] for c in changes} == {0}
    assert not any(None in c["values"].values() for c in changes)


def test_changes_get_numbers_without_gaps_when_they_are_first_sent(store: Store) -> None:
    a_submitted_household(store)
    with store.writing() as connection:
        first = outbox.next_batch(connection, 5)
        both = outbox.next_batch(connection, 8)
    assert first is not None
    assert both is not None
    assert [c.n for c in first.changes] == [1, 2, 3, 4, 5]
    assert [c.n for c in both.changes] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert both.changes[:5] == first.changes


def test_only_changed_fields_travel(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "河边第三家")
    visit.members[1].answer("phone", "13700137000")
    visit.members[1].answer("name", "岑秀兰")  # touched, not changed
    assert visit.submit().submitted
    assert [c["values"] for c in waiting(store)] == [
        {"address": "河边第三家", "survey_date": TODAY},
        {"phone": "13700137000"},
    ]


def test_visit_that_changes_nothing_is_still_one_change(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    assert visit.submit().submitted
    assert [c["values"] for c in waiting(store)] == [{"survey_date": TODAY}]


def test_nothing_changed_renews_the_visit_and_every_wish(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id, today="2027-05-20")
    visit.confirm_unchanged()
    assert visit.submit().submitted
    assert [c["values"] for c in waiting(store)] == [
        {"survey_date": "2027-05-20"},
        {"confirmed_on": "2027-05-20"},
    ]


def test_refused_submit_puts_nothing_into_the_outbox(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.members[1].clear("education")
    result = visit.submit()
    assert not result.submitted
    assert [hit.rule for hit in result.problems] == ["V10"]
    assert waiting(store) == []
    assert visit.state == records.DRAFT
    place = visit.place_of(result.problems[0])
    assert place == Position(visit.members[1].record_id, "background", "education")


def test_open_visit_comes_back_with_its_answers_at_the_same_question(store: Store) -> None:
    visit = a_visit(store)
    visit.household.answer("address", "河边")
    member = visit.add_member()
    member.answer("name", "韦正明")
    member.answer("birth_date", "1985-03-12")
    wish = visit.intention_of(member)
    assert wish is not None
    visit.position = Position(wish.record_id, "wish", "wants_job")

    opened = open_visit(store)
    assert opened is not None
    again = a_visit(store, opened.household_id)
    assert again.position == Position(wish.record_id, "wish", "wants_job")
    assert again.record(wish.record_id).title() == wish.title()
    assert again.household.values["address"] == "河边"
    assert again.members[0].values["name"] == "韦正明"
    again.leave()
    assert open_visit(store) is None


def test_household_in_which_nothing_was_answered_leaves_no_trace(store: Store) -> None:
    a_visit(store)
    assert records.households(store) == []


def test_discarded_visit_shows_the_county_s_values_again(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "写错了")
    visit.discard()
    assert "address" not in visit.household.values
    assert not visit.has_drafts


def test_submitted_visit_is_locked_until_it_is_recalled(store: Store) -> None:
    visit = a_filled_visit(store)
    before = {form.record_id: form.values for form in visit.records()}
    visit.submit()
    assert visit.locked
    with pytest.raises(VisitLockedError):
        visit.household.answer("address", "x")
    with pytest.raises(VisitLockedError):
        visit.add_member()

    assert visit.recall()
    assert not visit.locked
    assert waiting(store) == []
    for record_id, values in before.items():
        assert values.items() <= visit.record(record_id).values.items()
    visit.household.answer("address", "河边")
    assert visit.submit().submitted
    assert waiting(store)[0]["values"]["address"] == "河边"


def test_sent_visit_can_not_be_recalled_but_changed(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.submit()
    with store.writing() as connection:
        outbox.next_batch(connection, 100)
    assert not visit.recall()
    assert not visit.locked
    visit.household.answer("address", "河边")
    assert visit.submit().submitted


def test_new_member_that_is_removed_was_never_there(store: Store) -> None:
    visit = a_filled_visit(store)
    extra = visit.add_member()
    fill_child(extra, "韦多余", SON, "2016-01-01", "1")
    visit.remove_member(extra)
    assert [m.title() for m in visit.members] == ["韦正明", "岑秀兰", "罗阿妹", "韦小军"]
    assert visit.submit().submitted
    assert all(c["record_id"] != extra.record_id for c in waiting(store))


def test_known_member_that_is_removed_becomes_void_with_his_wish_and_consents(
    store: Store,
) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    visit.members[1].answer("relation", "02")
    visit.remove_member(visit.members[0])
    assert visit.submit().submitted
    void = [c["kind"] for c in waiting(store) if c["values"] == {"deleted": True}]
    assert void == ["member", "intention", "consent", "consent"]
    assert records.bundle(store, household_id).intentions == ()


def test_who_refuses_the_survey_has_no_wish_and_stops_nobody(store: Store) -> None:
    visit = a_filled_visit(store)
    head = visit.members[0]
    visit.record_consent(head, "survey", False)
    assert "intention" not in {step.kind for step in visit.steps() if "韦正明" in step.record_title}
    assert visit.submit().submitted
    assert "intention" not in {c["kind"] for c in waiting(store)}


def test_withdrawn_consent_keeps_its_day_and_gets_the_day_of_the_withdrawal(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id, today="2026-12-24")
    visit.record_consent(visit.members[0], "share_hr", False)
    assert visit.submit().submitted
    assert waiting(store)[1]["values"] == {"given": False, "withdrawn_on": "2026-12-24"}


def test_who_refuses_is_asked_nothing_more(store: Store) -> None:
    visit = a_filled_visit(store)
    wife = visit.members[1]
    visit.record_consent(wife, "survey", given=False)
    asked = [step for step in visit.steps() if step.about == wife.record_id]
    assert [(step.kind, step.group) for step in asked][-1] == ("consent", "answer")
    assert [step.kind for step in asked].count("consent") == 1
    assert visit.submit().submitted


def test_the_survey_s_consent_comes_before_health_work_and_wishes(store: Store) -> None:
    visit = a_filled_visit(store)
    asked = [s for s in visit.steps() if s.about == visit.members[0].record_id]
    assert [(step.kind, step.group) for step in asked[:9]] == [
        ("member", "identity"), ("member", "family"), ("consent", "answer"),
        ("member", "background"), ("member", "health"), ("member", "work"),
        ("consent", "answer"), ("intention", "wish"), ("intention", "where"),
    ]  # fmt: skip
    assert asked[2].record_id == visit.consents_of(visit.members[0])["survey"].record_id


def test_of_who_refuses_at_the_door_only_who_he_is_is_handed_in(store: Store) -> None:
    visit = a_filled_visit(store)
    wife = visit.members[1]
    visit.record_consent(wife, "survey", given=False)
    assert [s.group for s in visit.steps() if s.about == wife.record_id] == [
        "identity", "family", "answer",
    ]  # fmt: skip
    assert visit.submit().submitted
    sent = next(c for c in waiting(store) if c["record_id"] == wife.record_id)
    assert set(sent["values"]) == {
        "household_id", "id_no", "name", "sex", "birth_date", "relation", "lives_here", "in_school",
    }  # fmt: skip


def test_who_refuses_later_keeps_what_was_known_and_no_answer_of_today(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    head = visit.members[0]
    ability = head.values["labour_ability"]
    head.answer("labour_ability", "4")
    head.answer("education", "40")
    visit.record_consent(head, "survey", given=False)
    assert visit.submit().submitted
    assert head.record_id not in {c["record_id"] for c in waiting(store)}
    kept = records.bundle(store, household_id).member(head.record_id)
    assert kept["labour_ability"] == ability


def test_who_agrees_after_all_has_the_answers_of_today(store: Store) -> None:
    visit = a_filled_visit(store)
    wife = visit.members[1]
    answers = wife.answered
    visit.record_consent(wife, "survey", given=False)
    visit.record_consent(wife, "survey", given=True, method="1")
    assert visit.record(wife.record_id).answered == answers
    assert "health" in {step.group for step in visit.steps() if step.about == wife.record_id}


def test_who_refuses_what_he_once_shared_is_asked_to_close_that_too(store: Store) -> None:
    visit = a_filled_visit(store)
    wife = visit.members[1]
    visit.record_consent(wife, "share_hr", given=True, method="1")
    visit.record_consent(wife, "survey", given=False)
    asked = [step for step in visit.steps() if step.about == wife.record_id]
    assert [step.kind for step in asked].count("consent") == 2
    assert [step.kind for step in asked].count("intention") == 0


def test_wish_without_consent_is_sent_to_the_consent_question(store: Store) -> None:
    visit = a_filled_visit(store)
    wife = visit.members[1]
    wish = visit.intention_of(wife)
    assert wish is not None
    wish.answer("wants_job", "4")
    missing = [hit for hit in visit.submit().problems if hit.rule == "V16"]
    places = [visit.place_of(hit) for hit in missing]
    consents = visit.consents_of(wife)
    assert [p.record_id for p in places if p] == [
        consents["survey"].record_id,
        consents["share_hr"].record_id,
    ]


def test_answer_to_a_question_that_fell_away_is_not_handed_in(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.household.answer("relocated", True)
    visit.household.answer("relocation_site", "望江安置点")
    visit.household.answer("relocated", False)
    assert visit.submit().submitted
    assert "relocation_site" not in waiting(store)[0]["values"]


def test_county_s_value_goes_when_the_visit_makes_its_question_fall_away(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.household.answer("relocated", True)
    visit.household.answer("relocation_site", "望江安置点")
    visit.submit()
    settled(store, visit.household_id)
    again = a_visit(store, visit.household_id)
    again.household.answer("relocated", False)
    assert again.submit().submitted
    values = waiting(store)[0]["values"]
    assert values["relocation_site"] is None
    assert values["relocated"] is False


def test_of_a_member_who_died_everything_known_stays(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id)
    visit = a_visit(store, household_id)
    mother = visit.members[2]
    mother.answer("member_change", "2")
    assert visit.submit().submitted
    assert waiting(store)[1]["values"] == {"member_change": "2"}


def test_household_without_a_head_is_sent_to_the_relation_question(store: Store) -> None:
    visit = a_filled_visit(store)
    visit.members[0].answer("relation", "99")
    hit = next(h for h in visit.submit().problems if h.rule == "V04")
    place = visit.place_of(hit)
    assert place is not None
    assert place.field == "relation"


def test_id_number_of_another_household_on_this_phone_is_warned_of_at_the_door(
    store: Store,
) -> None:
    a_submitted_household(store, "岑", serial=100)
    visit = a_visit(store)
    member = visit.add_member()
    fill_member(member, "岑正明", "02", a_number("1985-03-12", 101))
    shown = next(q for q in member.questions("identity") if q.name == "id_no")
    assert "岑正明" in (shown.warning or "")


def test_a_wish_is_asked_of_the_grown_up_and_present_only(store: Store) -> None:
    visit = a_filled_visit(store)
    head, _, mother, son = visit.members
    assert visit.intention_of(head) is not None
    assert visit.intention_of(son) is None
    assert visit.consents_of(son) == {}
    mother.answer("member_change", "5")
    assert visit.intention_of(mother) is None


def test_steps_go_from_the_house_through_each_person_to_the_visit_itself(store: Store) -> None:
    visit = a_filled_visit(store)
    steps = visit.steps()
    assert [s.group for s in steps[:4]] == ["place", "register", "contact", "income"]
    assert steps[-1].group == "visit"
    kinds = [s.kind for s in steps if s.record_id[:13] == visit.household_id]
    assert kinds.index("member") < kinds.index("consent") < kinds.index("intention")
    walked = [steps[0]]
    while (after := visit.next_step(walked[-1])) is not None:
        walked.append(after)
    assert walked == steps
    assert visit.previous_step(steps[5]) == steps[4]
    assert visit.previous_step(steps[0]) is None
    assert all(s.done for s in steps if s.record_title.startswith("韦正明"))


# --- which version an edit was made over (sync.md 3.3) ---


def test_edit_over_an_own_change_that_is_not_shown_back_inherits_its_base(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id, seq=10)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "甲")
    visit.submit()
    sent_and_answered(store, 40)
    # Someone else's change of another field arrives first: the record moves to 30, ours shows on.
    values = dict(records.bundle(store, household_id).household) | {"group_no": "五组"}
    del values["id"], values["address"]
    pulled(store, "household", household_id, 30, values)
    assert records.bundle(store, household_id).household["address"] == "甲"

    again = a_visit(store, household_id)
    assert again.household.values["group_no"] == "五组"
    again.household.answer("address", "乙")
    again.household.answer("helper_name", "王帮扶")
    assert again.submit().submitted
    bases = {name: c["base"] for c in waiting(store) for name in c["values"]}
    assert bases["address"] == 10
    assert bases["helper_name"] == 30


def test_draft_keeps_the_version_that_was_on_the_screen(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id, seq=10)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "甲")
    values = dict(records.bundle(store, household_id).household) | {"address": "别人写的"}
    del values["id"]
    pulled(store, "household", household_id, 30, values)

    again = a_visit(store, household_id)
    assert again.household.values["address"] == "甲"
    again.household.answer("address", "丙")
    assert again.submit().submitted
    assert {name: c["base"] for c in waiting(store) for name in c["values"]}["address"] == 10


def test_own_value_shows_until_a_row_covers_it(store: Store) -> None:
    household_id = a_submitted_household(store)
    settled(store, household_id, seq=10)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "甲")
    visit.submit()
    sent_and_answered(store, 40)
    values = dict(records.bundle(store, household_id).household)
    del values["id"]
    pulled(store, "household", household_id, 39, values | {"address": "旧"})
    assert records.bundle(store, household_id).household["address"] == "甲"
    pulled(store, "household", household_id, 41, values | {"address": "县里定的"})
    assert records.bundle(store, household_id).household["address"] == "县里定的"


def test_visit_begun_before_the_server_was_restored_says_so(store: Store) -> None:
    with store.writing() as connection:
        put(connection, "epoch", "first")
    household_id = a_submitted_household(store)
    settled(store, household_id, seq=10)
    visit = a_visit(store, household_id)
    visit.household.answer("address", "甲")
    with store.writing() as connection:
        put(connection, "epoch", "second")
    assert a_visit(store, household_id).submit().submitted
    assert waiting(store)[0]["epoch"] == "first"


def test_two_phones_that_ask_the_same_member_make_one_wish(store: Store) -> None:
    household_id = a_submitted_household(store)
    wife = a_visit(store, household_id).members[1].record_id

    def wish_id(visit: Visit) -> str:
        member = visit.member(wife)
        assert member is not None
        wish = visit.intention_of(member)
        assert wish is not None
        return wish.record_id

    assert wish_id(a_visit(store, household_id)) == wish_id(a_visit(store, household_id))
