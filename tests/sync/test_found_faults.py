"""What the simulation, and reading for it, once found: each fault by its name, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import NOW_MS, a_family, a_phone, changes
from flask import Flask
from sqlalchemy import Engine, update

from mobile.storage import inbox, outbox, records
from mobile.storage.database import Store, get, tick
from mobile.sync.attempt import sync_once
from server.services.apply_changes import Author, apply_held
from server.services.decide_conflict import decide_conflict
from server.services.held import apply_held_change, close_held_change
from server.services.receive_push import read_outcomes
from server.storage import tables
from server.storage.engine import writing
from shared_schemas import ids
from shared_schemas.changes import Change
from shared_schemas.errors import ChushanError
from tests.conftest import Clock
from tests.mobile.phones import County, a_submitted_household, a_visit, sync

from .ledger import conflicting, conflicts, rows, seq_of, value, waiting
from .world import COUNTY, HOME_VILLAGES, REVIEWER, VILLAGES


def test_an_edit_that_a_copied_phone_sends_anew_has_one_effect(app: Flask, engine: Engine) -> None:
    phone, family = a_phone(app, engine), a_family()
    first = phone.submit(family)
    before = rows(engine, tables.county_counter)
    copied = replace(phone, incarnation=ids.incarnation_id(77), n=0)
    again = copied.push(changes(family.edits))["outcomes"]
    assert [(a["outcome"], a["seq"]) for a in again] == [(a["outcome"], a["seq"]) for a in first]
    assert rows(engine, tables.county_counter) == before
    logged = rows(engine, tables.change)
    assert [row["resolution"] for row in logged].count("again") == len(family.edits)
    assert copied.hello()["acked"] == len(family.edits)


def test_hello_tells_the_hash_of_the_last_change_so_that_a_copy_is_told_apart(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    assert phone.hello()["acked_hash"] is None
    phone.submit(family)
    logged = rows(engine, tables.change, tables.change.c.n == phone.n)
    assert phone.hello()["acked_hash"] == logged[0]["hash"]


def test_a_second_unseen_edit_takes_nothing_from_a_union(app: Flask, engine: Engine) -> None:
    first, second, family = a_phone(app, engine), a_phone(app, engine), a_family()
    first.submit(family)
    seen = seq_of(engine, "member", family.member)
    skill = {name: {"occupation": "01", "cert_no": name} for name in "甲乙丙"}
    first.edit("member", family.member, skills=[skill["甲"]], base=seen)
    second.edit("member", family.member, skills=[skill["乙"]], base=seen)
    second.edit("member", family.member, skills=[skill["乙"], skill["丙"]], base=seen)
    held = value(engine, "member", family.member, "skills")
    assert {entry["cert_no"] for entry in held} == {"甲", "乙", "丙"}


def test_a_withdrawal_stands_whatever_another_phone_toggles_unseen(
    app: Flask, engine: Engine
) -> None:
    first, second, family = a_phone(app, engine), a_phone(app, engine), a_family()
    first.submit(family)
    consent = family.edits[-1][1]
    seen = seq_of(engine, "consent", consent)
    first.edit("consent", consent, given=False, base=seen)
    for answer in (True, False, True):
        second.edit("consent", consent, given=answer, base=seen)
    assert value(engine, "consent", consent, "given") is False


def test_a_record_that_is_to_belong_to_no_household_is_held_and_the_push_answered(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    answers = phone.push(
        changes(
            [
                ("member", family.member, {"household_id": None, "work_employer": "甲"}),
                ("household", family.household, {"address": "坡上"}),
            ],
            first=phone.n + 1,
        )
    )["outcomes"]
    assert [(one["outcome"], one.get("reason")) for one in answers] == [
        ("held", "invalid"),
        ("applied", None),
    ]
    assert value(engine, "member", family.member, "household_id") == family.household


def test_a_third_value_written_between_two_edits_of_a_conflict_is_kept(
    app: Flask, engine: Engine, clock: Clock
) -> None:
    first, second, third = (a_phone(app, engine) for _ in range(3))
    family = a_family()
    first.submit(family)
    seen = seq_of(engine, "household", family.household)

    def write(phone: Any, words: str, base: int, at_s: int) -> None:
        at_ms = NOW_MS + at_s * 1000
        phone.edit("household", family.household, address=words, base=base, at_ms=at_ms)

    clock.now_ms = NOW_MS + 100_000
    write(first, "甲", seen, 30)
    write(second, "乙", seen, 20)  # earlier: 甲 shows, and a conflict holds both
    clock.now_ms = NOW_MS + 200_000
    write(third, "丙", seq_of(engine, "household", family.household), 140)  # saw 甲
    write(second, "丁", seen, 150)  # saw neither
    shown = value(engine, "household", family.household, "address")
    assert shown == "丁"
    assert {"丙", "丁"} <= conflicting(engine, "address")


def test_a_field_that_the_county_cleared_stays_clear(app: Flask, engine: Engine) -> None:
    first, second, family = a_phone(app, engine), a_phone(app, engine), a_family()
    first.submit(family)
    seen = seq_of(engine, "household", family.household)
    first.edit("household", family.household, address="甲", base=seen)
    second.edit("household", family.household, address="乙", base=seen)
    [conflict] = rows(engine, tables.conflict)
    with writing(engine) as conn:
        decide_conflict(
            conn,
            COUNTY,
            conflict["id"],
            None,
            user=REVIEWER,
            now_ms=NOW_MS,
            new_id=lambda: "a" * 13,
        )
    outcome = second.edit("household", family.household, address="丙", base=seen)
    assert outcome["outcome"] == "conflict"
    assert value(engine, "household", family.household, "address") is None
    assert "丙" in conflicting(engine, "address")


def test_a_held_edit_that_the_county_applies_late_spares_its_author_s_newer_one(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    seen = seq_of(engine, "household", family.household)
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    old = phone.edit("household", family.household, address="旧", group_no="三组", base=seen)
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="active"))
    phone.edit("household", family.household, address="新", base=seen)
    with writing(engine) as conn:
        apply_held_change(
            conn, COUNTY, phone.incarnation, old["n"],
            user=REVIEWER, now_ms=NOW_MS, new_id=lambda: "b" * 13,
        )  # fmt: skip
    assert value(engine, "household", family.household, "address") == "新"
    assert value(engine, "household", family.household, "group_no") == "三组"


def test_edits_that_waited_for_their_household_do_not_undo_those_that_came_with_it(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    member = family.edits[1][2]
    early = Change(1, "member", family.member, 0, NOW_MS - 5000, {**member, "phone": "13900000001"})
    assert phone.push([early])["outcomes"][0]["reason"] == "missing_household"
    phone.push(
        [
            Change(2, "household", family.household, 0, NOW_MS - 4000, family.edits[0][2]),
            Change(
                3, "member", family.member, 0, NOW_MS - 3000, {**member, "phone": "13900000002"}
            ),
        ]
    )
    assert value(engine, "member", family.member, "phone") == "13900000002"


def test_a_held_edit_that_its_own_household_frees_costs_no_fetching_anew(one: Store) -> None:
    home = ids.household_id(0x77)
    member = ids.child_id(home, 1)

    def hand_in(kind: str, record_id: str, **values: Any) -> None:
        with one.writing() as connection:
            at_ms = tick(connection, one.clock)
            change = outbox.NewChange(kind, record_id, values, "", 0, at_ms)
            outbox.add(connection, home, [change])

    hand_in("member", member, household_id=home, name="韦山甲", relation="02")
    assert sync_once(one).held == 1
    hand_in("household", home, village_code=VILLAGES[0], address="老屋")
    result = sync_once(one)
    assert (result.settled, result.is_repaired, result.is_unequal) == (1, False, False)


def test_a_void_that_comes_with_its_own_record_after_a_restore_is_no_conflict(
    app: Flask, engine: Engine
) -> None:
    """Nobody else ever wrote it, whatever life of the server it says that it saw."""
    phone, family = a_phone(app, engine), a_family()
    edits = changes(family.edits)
    void = Change(len(edits) + 1, "member", family.member, 61, NOW_MS, {"deleted": True})
    answered = phone.push([*edits, void], epoch="another life")["outcomes"]
    assert answered[-1]["outcome"] == "applied"
    assert value(engine, "member", family.member, "deleted") is True


def test_a_household_cannot_be_decided_out_of_every_village(app: Flask, engine: Engine) -> None:
    first, second, family = a_phone(app, engine), a_phone(app, engine), a_family()
    first.submit(family)
    seen = seq_of(engine, "household", family.household)
    here = value(engine, "household", family.household, "village_code")
    others = [village for village in HOME_VILLAGES if village != here]
    first.edit("household", family.household, village_code=others[0], base=seen)
    second.edit("household", family.household, village_code=others[1], base=seen)
    [conflict] = conflicts(engine, "village_code")
    with pytest.raises(ChushanError, match="invalid_values"), writing(engine) as conn:
        decide_conflict(
            conn, COUNTY, conflict["id"], None,
            user=REVIEWER, now_ms=NOW_MS, new_id=lambda: "d" * 13,
        )  # fmt: skip
    assert [row["id"] for row in conflicts(engine, "village_code")] == [conflict["id"]]


def test_what_was_settled_before_its_answer_arrived_is_heard_all_the_same(
    one: Store, county: County
) -> None:
    home = ids.household_id(0x700172)
    with one.writing() as connection:
        values = {"village_code": VILLAGES[0], "registry_no": "不合规" * 30}
        change = outbox.NewChange("household", home, values, "", 0, tick(connection, one.clock))
        outbox.add(connection, home, [change])
    assert sync_once(one).held == 1
    with one.writing() as connection:  # as if the answer had been cut off
        connection.execute("UPDATE outbox SET state = 'sent', outcome = NULL, reason = NULL")
    [held] = waiting(county.engine)
    with writing(county.engine) as conn:
        close_held_change(
            conn, COUNTY, held["incarnation"], held["n"], "册号不对",
            user=REVIEWER, now_ms=NOW_MS, new_id=lambda: "e" * 13,
        )  # fmt: skip
    assert [sync_once(one).closed for _ in range(3)] == [0, 1, 0]


def test_the_author_of_a_held_change_that_came_twice_hears_what_becomes_of_the_first(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    kind, record_id, values = family.edits[0]
    edit = Change(1, kind, record_id, 0, NOW_MS, {**values, "registry_no": "不合规" * 30})
    phone.push([edit])
    copied = replace(phone, incarnation=ids.incarnation_id(78), n=0)
    copied.push([edit])
    with writing(engine) as conn:
        [told] = read_outcomes(conn, copied.device, copied.incarnation, 1, 1)
        assert (told["outcome"], told.get("resolution")) == ("held", None)
        close_held_change(
            conn, COUNTY, phone.incarnation, 1, "册号不对",
            user=REVIEWER, now_ms=NOW_MS, new_id=lambda: "f" * 13,
        )  # fmt: skip
        [told] = read_outcomes(conn, copied.device, copied.incarnation, 1, 1)
    assert (told["resolution"], told["note"]) == ("dismissed", "册号不对")


def test_a_held_edit_that_came_again_waits_once_whatever_is_tried_with_it(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    seen = seq_of(engine, "member", family.member)
    edit = Change(phone.n + 1, "member", family.member, seen, NOW_MS, {"education": "no such code"})
    phone.push([edit])
    copied = replace(phone, incarnation=ids.incarnation_id(78), n=0)
    copied.push([replace(edit, n=1)])
    [held] = waiting(engine)
    with writing(engine) as conn:
        apply_held(
            conn, COUNTY, [(held["incarnation"], held["n"])],
            by=Author(COUNTY, "county", REVIEWER.id, None, COUNTY, "county"), now_ms=NOW_MS,
        )  # fmt: skip
    assert len(waiting(engine)) == 1


def test_a_restored_phone_notices_a_server_that_was_copied_back_by_its_earlier_life(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    phone.pull()
    epoch = phone.hello()["epoch"]
    later = ids.incarnation_id(79)

    def hello(n: int, named: str) -> str:
        query = {"incarnation": later, "cursor": phone.cursor,
                 "answered": f"{phone.incarnation}-{n}-{named[:8]}"}  # fmt: skip
        answer = phone.client.get("/sync/v1/hello", query_string=query, headers=phone.headers)
        assert answer.status_code == 200, answer.text
        return answer.json["epoch"]

    last = phone.hello()["acked_hash"]
    assert hello(phone.n, last) == epoch
    assert hello(phone.n + 1, last) != epoch


def test_a_copy_that_spoke_after_the_server_went_back_hides_nothing(
    app: Flask, engine: Engine
) -> None:
    phone, family = a_phone(app, engine), a_family()
    phone.submit(family)
    phone.pull()
    epoch = phone.hello()["epoch"]
    query = {"incarnation": phone.incarnation, "cursor": phone.cursor,
             "answered": f"{phone.incarnation}-{phone.n}-{'0' * 8}"}  # fmt: skip
    answer = phone.client.get("/sync/v1/hello", query_string=query, headers=phone.headers)
    assert answer.json["epoch"] != epoch


def test_a_lost_phone_that_cannot_pull_notices_a_copied_back_server_as_well(
    one: Store, county: County
) -> None:
    """A copy of it spoke under its numbers since; without a cursor it says whose answers it has."""
    a_submitted_household(one)
    sync(one)
    with writing(county.engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    with one.writing() as connection:
        inbox.begin_full_pull(connection)  # as after a restore: it never gets a cursor again
    a_submitted_household(one, serial=200)
    late, life = sync_once(one).held, get(one.connection, "incarnation")
    sync_once(one)
    assert get(one.connection, "incarnation") == life  # nothing has happened yet
    with writing(county.engine) as conn:
        of_copy = tables.change.c.outcome == "held"
        conn.execute(update(tables.change).where(of_copy).values(hash="0" * 16))
    sync_once(one)
    offered = rows(county.engine, tables.change, tables.change.c.incarnation != life)
    assert len([row for row in offered if row["outcome"] == "held"]) == late


def test_what_is_typed_of_a_member_goes_with_him_to_the_household_where_he_is_now(
    one: Store, two: Store, county: County
) -> None:
    home = a_submitted_household(one)
    sync(one)
    sync(two)
    member = a_visit(two, home).members[-1].record_id
    visit = a_visit(two, home)
    visit.member(member).answer("phone", "13900000007")
    visit.leave()
    fresh = ids.household_id(0x5711)
    county.import_records(
        [
            ("household", fresh, {"village_code": VILLAGES[0], "address": "坡上"}),
            ("member", member, {"household_id": fresh}),
        ],
        seen=True,
    )
    sync(two)
    assert a_visit(two, home).member(member) is None
    assert a_visit(two, fresh).member(member).drafts["phone"].value == "13900000007"


def test_what_a_member_began_to_say_goes_with_him_to_the_household_where_he_is_now(
    one: Store, two: Store, county: County
) -> None:
    home, fresh = a_submitted_household(one), ids.household_id(0x5712)
    sync(one)
    member = ids.child_id(home, 0x77)
    county.import_records(
        [
            ("household", fresh, {"village_code": VILLAGES[0], "address": "坡上"}),
            (
                "member",
                member,
                {"household_id": home, "name": "罗小山", "birth_date": "1990-01-02"},
            ),
        ],
        seen=True,
    )
    sync(two)
    visit = a_visit(two, home)
    about = visit.member(member)
    visit.record_consent(about, "survey", given=True, method="1")
    visit.intention_of(about).answer("wants_job", "1")
    visit.leave()
    county.import_records([("member", member, {"household_id": fresh})], seen=True)
    sync(two)
    assert [form.kind for form in a_visit(two, home).records() if form.drafts] == ["household"]
    there = a_visit(two, fresh)
    about = there.member(member)
    assert there.intention_of(about).values["wants_job"] == "1"
    assert there.intention_of(about).values["household_id"] == fresh
    assert there.consents_of(about)["survey"].values["given"] is True


def test_an_edit_that_was_taken_in_after_its_record_left_waits_for_nothing(
    one: Store, county: County
) -> None:
    """Else an update of the app showed it again, as a household of one answer."""
    home = a_submitted_household(one)
    sync(one)
    with one.writing() as connection:
        [seq] = [r.seq for r in records.shown_records(connection, home) if r.id == home]
        values = {"village_code": VILLAGES[-1]}
        at_ms = tick(connection, one.clock)
        outbox.add(connection, home, [outbox.NewChange("household", home, values, "", seq, at_ms)])
    assert sync_once(one).held == 1
    county.import_records([("household", home, {"village_code": VILLAGES[-1]})], seen=True)
    [held] = [change for change in county.changes() if change.outcome == "held"]
    county.apply_held(held)
    for _ in range(2):
        sync(one)
    assert home not in {row.id for row in records.households(one)}
    [open_ones] = one.connection.execute("SELECT count(*) FROM outbox WHERE covered = 0").fetchone()
    assert open_ones == 0
