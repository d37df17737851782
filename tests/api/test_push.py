"""Push over HTTP: each change once, whatever the link does; nothing unseen is overwritten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from builders import (
    NOW_MS,
    OTHER_COUNTY_VILLAGE,
    OTHER_TOWNSHIP_VILLAGE,
    VILLAGE,
    a_child_id,
    a_clone,
    a_consent,
    a_family,
    a_household,
    a_household_id,
    a_member,
    a_phone,
    changes,
)
from sqlalchemy import func, select, update

from server.services.apply_changes import Author, apply_held
from server.storage import tables
from server.storage.engine import reading, writing
from shared_schemas.changes import Change
from shared_schemas.wire import rows_digest, unpack


def count(engine, table, *conditions):
    with reading(engine) as conn:
        return conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def rows(engine, table, *conditions):
    with reading(engine) as conn:
        return conn.execute(select(table).where(*conditions)).mappings().all()


def stored(engine, kind, record_id):
    table = tables.record_tables()[kind]
    [row] = rows(engine, table, table.c.id == record_id)
    return row


def test_a_family_arrives_and_comes_down_again_as_it_was_sent(app, engine):
    phone, family = a_phone(app, engine), a_family(name="韦小梅")
    outcomes = phone.submit(family)
    assert [entry["outcome"] for entry in outcomes] == ["applied"] * 5
    found = a_phone(app, engine).pull()
    for kind, record_id, values in family.edits:
        assert {k: v for k, v in found[kind, record_id].items() if k != "seq"} == values
    assert found["review", family.household]["state"] == "in_review"


def test_a_good_family_lands_in_the_green_lane(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    [row] = rows(engine, tables.review)
    assert (row["lane"], row["hits"]) == ("green", [])


def test_a_batch_sent_twice_has_one_effect_and_the_same_answer(app, engine):
    phone, family = a_phone(app, engine), a_family()
    batch = changes(family.edits)
    first, second = phone.push(batch), phone.push(batch)
    assert second == first
    assert count(engine, tables.change) == 5
    assert count(engine, tables.feed_commit) == 1


def test_a_brief_answer_says_the_same_in_runs(app, engine):
    phone, family, other = a_phone(app, engine), a_family(), a_family()
    batch = changes([*family.edits, *other.edits])
    first = phone.push(batch, brief=True)
    assert first["outcomes"] == [{"n": 1, "outcome": "applied", "seq": 1, "count": 10}]
    assert phone.push(batch)["outcomes"] == [
        {"n": n, "outcome": "applied", "seq": n} for n in range(1, 11)
    ]
    edit = Change(11, "member", family.member, 2, NOW_MS, {"name": "韦小梅"})
    child = Change(12, "member", a_child_id(a_household_id()), 0, NOW_MS, {"name": "无户"})
    other = Change(13, "member", a_child_id(a_household_id()), 0, NOW_MS, {"name": "无户"})
    told = phone.push([*batch[8:], edit, child, other], brief=True)["outcomes"]
    held = {"outcome": "held", "seq": 0, "reason": "missing_household"}
    assert told[0] == {"n": 9, "outcome": "applied", "seq": 9, "count": 2}
    assert (told[1]["n"], told[1]["outcome"]) == (11, "applied")
    assert told[2:] == [{"n": 12, **held}, {"n": 13, **held}]


def test_a_digest_is_of_what_a_pull_brings(app, engine):
    phone, family = a_phone(app, engine), a_family()
    shown = phone.push(changes(family.edits), brief=True)["shown"]
    rows = [
        (kind, row_id, values.pop("seq"), values)
        for (kind, row_id), values in phone.pull().items()
        if kind not in ("review", "person")
    ]
    assert rows_digest(rows) == shown["digest"]
    assert (shown["first"], shown["last"]) == (1, 5)


def test_a_pull_leaves_out_what_is_held_already_and_nothing_else(app, engine):
    phone, other, family = a_phone(app, engine), a_phone(app, engine), a_family()
    shown = phone.push(changes(family.edits), brief=True)["shown"]
    span = "{first}-{last}-{tag}".format(**shown)
    assert {kind for kind, _ in phone.pull(held=span)} == {"review"}
    phone.cursor = None
    wrong_tag = span[:-8] + "00000000"
    assert len(phone.pull(held=wrong_tag)) == 6
    base = shown["last"]
    edited = other.edit("household", family.household, base=base, address="河边")
    phone.cursor = None
    found = phone.pull(held=span, limit=1)
    assert found["household", family.household]["seq"] == edited["seq"]
    assert {kind for kind, _ in found} == {"household", "review"}


@pytest.mark.parametrize("held", ["x", "1-2", "2-1-00000000", "1-2-0000000z", "1-2-00000000,"])
def test_spans_that_are_none_are_refused(app, engine, held):
    phone = a_phone(app, engine)
    answer = phone.client.get(f"/sync/v1/pull?held={held}", headers=phone.headers)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_query")


def test_a_batch_sent_by_eight_threads_at_once_has_one_effect(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.hello()
    batch = changes(family.edits)
    copies = [replace(phone, client=app.test_client()) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda copy: copy.push(batch)["outcomes"], copies))
    assert all(answer == answers[0] for answer in answers)
    assert count(engine, tables.change) == 5
    assert count(engine, tables.record_tables()["member"]) == 1


def test_eight_phones_push_at_once_and_every_change_gets_its_own_place(app, engine):
    phones = [a_phone(app, engine) for _ in range(8)]
    families = [[a_family() for _ in range(3)] for _ in phones]
    for phone in phones:
        phone.hello()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda pair: [pair[0].submit(f) for f in pair[1]],
                         zip(phones, families, strict=True)))  # fmt: skip
    seqs = [row["seq"] for row in rows(engine, tables.change)]
    assert len(seqs) == len(set(seqs)) == 8 * 3 * 5
    found = phones[0].pull(limit=7)
    assert {family.member for group in families for family in group} == {
        record_id for kind, record_id in found if kind == "member"
    }


def test_the_half_that_arrived_before_is_not_applied_again(app, engine):
    phone, family = a_phone(app, engine), a_family()
    batch = changes(family.edits)
    first = phone.push(batch[:3])
    whole = phone.push(batch)
    assert whole["outcomes"][:3] == first["outcomes"]
    assert whole["acked"] == 5
    assert count(engine, tables.change) == 5


def test_an_old_batch_that_arrives_late_changes_nothing(app, engine):
    phone, family = a_phone(app, engine), a_family()
    batch = changes(family.edits)
    phone.push(batch)
    edit = Change(6, "member", family.member, 5, NOW_MS, {"phone": "13912345678"})
    phone.push([edit])
    assert phone.push(batch)["acked"] == 6
    assert stored(engine, "member", family.member)["phone"] == "13912345678"


def test_a_gap_is_refused_with_what_has_arrived(app, engine):
    phone, family = a_phone(app, engine), a_family()
    batch = changes(family.edits)
    phone.push(batch[:2])
    answer = phone.send(batch[3:])
    assert (answer.status_code, answer.json["code"], answer.json["acked"]) == (
        409, "sequence_gap", 2,
    )  # fmt: skip
    assert count(engine, tables.change) == 2


def test_a_batch_with_a_hole_is_no_message(app, engine):
    phone, family = a_phone(app, engine), a_family()
    batch = changes(family.edits)
    answer = phone.send([batch[0], batch[2]])
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_message")


def test_a_copied_phone_that_edits_on_is_told_to_fork(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    copy = a_clone(phone)
    phone.edit("member", family.member, base=5, phone="13912345678")
    answer = copy.send([Change(6, "member", family.member, 5, NOW_MS, {"phone": "13900001111"})])
    assert (answer.status_code, answer.json["code"]) == (409, "forked")
    assert stored(engine, "member", family.member)["phone"] == "13912345678"


def test_an_incarnation_belongs_to_one_phone(app, engine):
    phone, other = a_phone(app, engine), a_phone(app, engine)
    phone.submit(a_family())
    other.incarnation = phone.incarnation
    answer = other.send(changes(a_family().edits, first=6))
    assert (answer.status_code, answer.json["code"]) == (409, "forked")


def two_phones_with_a_family(app, engine, clock, **member):
    """Return two phones that both hold a family since an hour, and the seq of its member."""
    first, second, family = a_phone(app, engine), a_phone(app, engine), a_family(**member)
    outcomes = first.submit(family)
    clock.now_ms += 3_600_000
    return first, second, family, outcomes[1]["seq"]


def test_edits_of_different_fields_both_stand(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    assert first.edit("member", family.member, base=base, marital="20")["outcome"] == "applied"
    assert second.edit("member", family.member, base=base, education="60")["outcome"] == "merged"
    member = stored(engine, "member", family.member)
    assert (member["marital"], member["education"]) == ("20", "60")


def test_the_later_of_two_low_stakes_edits_shows_and_the_other_is_kept(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    later, earlier = clock.now_ms - 1000, clock.now_ms - 9000
    first.edit("member", family.member, base=base, at_ms=later, phone="13911111111")
    done = second.edit("member", family.member, base=base, at_ms=earlier, phone="13922222222")
    assert done["outcome"] == "conflict"
    assert stored(engine, "member", family.member)["phone"] == "13911111111"
    [conflict] = rows(engine, tables.conflict)
    assert (conflict["ours"], conflict["theirs"], conflict["shown"], conflict["state"]) == (
        "13911111111", "13922222222", "ours", "open",
    )  # fmt: skip
    assert conflict["ours_author"] == first.device.user_id
    assert conflict["theirs_author"] == second.device.user_id
    [review] = rows(engine, tables.review)
    assert review["lane"] == "red"


def test_a_name_that_two_phones_changed_stays_until_the_county_decides(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock, name="岑小山")
    first.edit("member", family.member, base=base, at_ms=clock.now_ms - 9000, name="岑大山")
    second.edit("member", family.member, base=base, at_ms=clock.now_ms - 1000, name="岑晓山")
    assert stored(engine, "member", family.member)["name"] == "岑大山"


def test_skills_of_both_phones_are_kept_without_a_conflict(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, skills=[{"occupation": "01"}])
    done = second.edit("member", family.member, base=base, skills=[{"occupation": "02"}])
    assert done["outcome"] == "merged"
    skills = stored(engine, "member", family.member)["skills"]
    assert skills == [{"occupation": "01"}, {"occupation": "02"}]


def test_a_refusal_of_consent_wins_over_a_later_yes(app, engine, clock):
    first, second, family, _ = two_phones_with_a_family(app, engine, clock)
    consent = a_child_id(family.household)
    values = a_consent(family.household, family.member, "share_hr")
    base = first.edit("consent", consent, **values)["seq"]
    first.edit("consent", consent, base=base, given=False, at_ms=clock.now_ms - 9000)
    second.edit("consent", consent, base=base, given=True, at_ms=clock.now_ms - 1000)
    assert stored(engine, "consent", consent)["given"] is False


def test_a_second_edit_of_the_same_phone_extends_its_conflict(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, name="岑大山")
    second.edit("member", family.member, base=base, name="岑晓山")
    second.edit("member", family.member, base=base, name="岑晓珊")
    [conflict] = rows(engine, tables.conflict)
    assert (conflict["ours"], conflict["theirs"]) == ("岑大山", "岑晓珊")


def test_both_sides_of_a_conflict_may_move_on(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, at_ms=clock.now_ms - 9000, phone="13911111111")
    second.edit("member", family.member, base=base, at_ms=clock.now_ms - 5000, phone="13922222222")
    second.edit("member", family.member, base=base, at_ms=clock.now_ms - 1000, phone="13933333333")
    [conflict] = rows(engine, tables.conflict)
    assert (conflict["ours"], conflict["theirs"], conflict["shown"]) == (
        "13911111111", "13933333333", "theirs",
    )  # fmt: skip
    assert stored(engine, "member", family.member)["phone"] == "13933333333"


def test_a_conflict_comes_down_with_the_names_of_both_authors(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, name="岑大山")
    second.edit("member", family.member, base=base, name="岑晓山")
    [told] = [row for (kind, _), row in first.pull().items() if kind == "conflict"]
    assert told["ours_name"] == first.device.cadre
    assert told["theirs_name"] == second.device.cadre
    assert (told["record_kind"], told["field"], told["shown"]) == ("member", "name", "ours")


def test_voiding_a_record_that_somebody_edited_meanwhile_is_a_conflict(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, phone="13911111111")
    done = second.edit("member", family.member, base=base, deleted=True)
    assert done["outcome"] == "conflict"
    assert stored(engine, "member", family.member)["deleted"] is None


def test_an_edit_of_a_record_that_was_voided_is_held(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, deleted=True)
    done = second.edit("member", family.member, base=base, phone="13911111111")
    assert (done["outcome"], done["reason"], done["seq"]) == ("held", "record_void", 0)


@pytest.mark.parametrize("village", [OTHER_TOWNSHIP_VILLAGE, OTHER_COUNTY_VILLAGE])
def test_a_household_outside_the_phones_scope_is_held(app, engine, village):
    phone = a_phone(app, engine, scope="522326111")
    outcomes = phone.submit(a_family(village))
    assert {entry["reason"] for entry in outcomes} == {"out_of_scope", "missing_household"}
    assert count(engine, tables.record_tables()["household"]) == 0
    assert count(engine, tables.change) == 5


def test_a_household_cannot_be_moved_out_of_the_phones_scope(app, engine):
    phone, family = a_phone(app, engine, scope="522326111"), a_family()
    base = phone.submit(family)[0]["seq"]
    done = phone.edit("household", family.household, base=base, village_code=OTHER_COUNTY_VILLAGE)
    assert (done["outcome"], done["reason"]) == ("held", "out_of_scope")


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("member", {"sex": "7"}, "invalid"),
        ("member", {"name": 5}, "invalid"),
        ("member", {"work_wage": True}, "invalid"),
        ("member", {"health": ["1", "2"]}, "invalid"),
        ("trip", {"mode": "bus"}, "unknown_kind"),
    ],
)
def test_what_cannot_be_applied_is_held_with_its_reason_and_kept(app, engine, kind, values, reason):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    done = phone.edit(kind, family.member, base=5, **values)
    assert (done["outcome"], done["reason"]) == ("held", reason)
    [held] = rows(engine, tables.change, tables.change.c.outcome == "held")
    assert held["values"] == values
    assert phone.edit("member", family.member, base=5, marital="20")["outcome"] == "applied"


def test_a_household_without_a_village_is_held(app, engine):
    phone = a_phone(app, engine)
    done = phone.edit("household", a_household_id(), address="坡上")
    assert (done["outcome"], done["reason"]) == ("held", "invalid")


def test_of_a_newer_schema_what_is_known_is_applied_and_the_rest_kept(app, engine):
    phone, family = a_phone(app, engine), a_family(favourite_tool="镰刀")
    edits = [*family.edits, ("member", family.member, {"marital": "77"}),
             ("pension", a_child_id(family.household), {"amount": 100})]  # fmt: skip
    answer = phone.push(changes(edits), schema=99)
    assert answer["acked"] == 7
    assert [entry["outcome"] for entry in answer["outcomes"]] == ["applied"] * 5 + ["held"] * 2
    assert [e["reason"] for e in answer["outcomes"][5:]] == ["unknown_schema", "unknown_kind"]
    assert stored(engine, "member", family.member)["extra"] == {"favourite_tool": "镰刀"}


def test_a_member_that_comes_before_its_household_waits_for_it(app, engine):
    early, late, family = a_phone(app, engine), a_phone(app, engine), a_family()
    held = early.push(changes(family.edits[1:]))["outcomes"]
    assert {entry["reason"] for entry in held} == {"missing_household"}
    late.push(changes(family.edits[:1]))
    assert stored(engine, "member", family.member)["village_code"] == VILLAGE
    assert count(engine, tables.change, tables.change.c.outcome == "held") == 0
    again = early.push(changes(family.edits[1:]))["outcomes"]
    assert {entry["outcome"] for entry in again} == {"applied"}
    assert rows(engine, tables.review)[0]["lane"] == "green"


def test_a_revoked_phone_may_push_and_everything_is_held(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.hello()
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    outcomes = phone.submit(family)
    assert {entry["reason"] for entry in outcomes} == {"device_revoked"}
    answer = phone.client.get("/sync/v1/pull", headers=phone.headers)
    assert (answer.status_code, answer.json["code"]) == (403, "device_revoked")


def test_the_county_can_apply_what_was_held(app, engine):
    phone = a_phone(app, engine, scope="522326111")
    family = a_family(OTHER_TOWNSHIP_VILLAGE)
    phone.submit(family)
    by = Author("522326", "county", "reviewer", None, "522326", "county")
    with writing(engine) as conn:
        [done] = apply_held(conn, "522326", [(phone.incarnation, 1)], by=by, now_ms=NOW_MS)
    assert done.outcome == "applied"
    # What waited for this household came with it.
    assert stored(engine, "member", family.member)["village_code"] == OTHER_TOWNSHIP_VILLAGE


def test_fields_of_a_newer_phone_are_kept_and_come_back(app, engine):
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    phone.edit("member", family.member, base=5, blood_type="A", marital="20")
    phone.edit("member", family.member, base=5, blood_type=None, education="60")
    row = a_phone(app, engine).pull()["member", family.member]
    assert (row["blood_type"], row["marital"], row["education"]) == ("A", "20", "60")


def test_an_answer_taken_back_is_empty_everywhere(app, engine):
    phone, family = a_phone(app, engine), a_family()
    base = phone.submit(family)[1]["seq"]
    phone.edit("member", family.member, base=base, work_form=None)
    assert stored(engine, "member", family.member)["work_form"] is None
    assert "work_form" not in a_phone(app, engine).pull()["member", family.member]


def test_a_clock_that_is_wrong_is_noted_and_does_not_date_an_edit_into_the_future(app, engine):
    phone, family = a_phone(app, engine), a_family()
    year_ahead = NOW_MS + 365 * 86_400_000
    phone.push(changes(family.edits, at_ms=year_ahead - 5000), sent_at_ms=year_ahead)
    [device] = rows(engine, tables.device)
    assert device["clock_skew_s"] == 365 * 86_400
    assert {row["eff_ms"] for row in rows(engine, tables.change)} <= set(
        range(NOW_MS - 5000, NOW_MS + 1)
    )


def test_members_follow_their_household_to_another_village(app, engine):
    phone, family = a_phone(app, engine), a_family()
    base = phone.submit(family)[0]["seq"]
    near = a_phone(app, engine, scope="522326112")
    assert near.pull() == {}
    phone.edit("household", family.household, base=base, village_code=OTHER_TOWNSHIP_VILLAGE)
    assert {kind for kind, _ in near.pull()} >= {"household", "member", "intention", "consent"}


def test_a_member_moves_to_another_household_and_both_are_checked_again(app, engine):
    phone, old, new = a_phone(app, engine), a_family(), a_family(relation="02")
    base = phone.submit(old)[1]["seq"]
    phone.submit(new)
    phone.edit("member", old.member, base=base, household_id=new.household, relation="20")
    found = {row["household_id"]: row for row in rows(engine, tables.review)}
    assert found[old.household]["lane"] == "red"  # nobody is its head now
    assert found[old.household]["bundle_seq"] > 0


def test_the_same_id_number_in_two_households_is_red(app, engine):
    phone, first = a_phone(app, engine), a_family()
    phone.submit(first)
    twin = a_family(id_no=first.edits[1][2]["id_no"])
    phone.submit(twin)
    [row] = rows(engine, tables.review, tables.review.c.household_id == twin.household)
    assert row["lane"] == "red"
    assert [hit["rule"] for hit in row["hits"]] == ["V03"]


def test_a_push_of_nothing_answers_what_has_arrived(app, engine):
    phone = a_phone(app, engine)
    phone.submit(a_family())
    assert phone.push([])["acked"] == 5


def test_an_answer_comes_in_the_form_of_the_question(app, engine):
    phone, family = a_phone(app, engine), a_family()
    message = phone.message(changes(family.edits))
    as_json = phone.client.post("/sync/v1/push", json=message, headers=phone.headers)
    assert as_json.mimetype == "application/json"
    assert unpack(phone.send_message(message).data)["outcomes"] == as_json.json["outcomes"]


def test_after_a_restore_nothing_that_others_wrote_counts_as_seen(app, engine, clock):
    first, second, family, base = two_phones_with_a_family(app, engine, clock)
    first.edit("member", family.member, base=base, name="岑大山")
    batch = [Change(1, "member", family.member, base + 50, clock.now_ms, {"name": "岑晓山"})]
    done = second.push(batch, epoch="another life")["outcomes"][0]
    assert done["outcome"] == "conflict"
    assert stored(engine, "member", family.member)["name"] == "岑大山"


def test_many_households_of_one_batch_are_all_reviewed(app, engine):
    phone = a_phone(app, engine)
    edits = []
    for _ in range(60):
        home = a_household_id()
        edits += [("household", home, a_household()), ("member", a_child_id(home), a_member(home))]
    outcomes = phone.push(changes(edits))["outcomes"]
    assert {entry["outcome"] for entry in outcomes} == {"applied"}
    assert count(engine, tables.review) == 60
