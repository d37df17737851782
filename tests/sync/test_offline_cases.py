"""The offline cases of ODK Central, each by a test of ours, on both databases.

ODK Central is the field's own server; the list is `test/integration/api/offline-entities.js` of
getodk/central-backend (4f5943d). An ODK *branch* is what one phone did to one record without a link,
its *trunk* the version that it started from: our incarnation and `base`. ODK's *soft* conflict
(other fields changed meanwhile) is our outcome `merged`, its *hard* conflict our `conflict`. *Forced*
is: the county applies a held change.

==================================================================  ================================
ODK Central                                                         Here (each name without `test_`)
==================================================================  ================================
parse branch and trunk from a create, an update; empty strings;     cannot occur: no branch ids. `n`,
  trunk without branch                                                incarnation and `base` are checked
                                                                      in tests/api/test_bad_input.py
multiple updates of one branch applied in order                     edits_of_one_offline_day_...
branch in order after the server's version advanced                 offline_day_goes_on_over_...
branch in order, but with an interruption                           county_edit_between_two_edits_...
branch that starts with a create                                    created_and_edited_offline_...
create + update + update with interleaved online updates            edits_of_the_county_between_...
no entity work if trunk and base are not good                       edit_of_a_record_that_nobody_knows_...
out-of-order update after the start of a run is not applied         skipped_edit_is_asked_for_...
trunk past the server's version                                     base_that_the_server_never_gave_...
later run received earlier                                          later_part_of_the_day_...
update that comes before the create                                 edit_that_came_before_its_member_...
                                                                      member_that_came_before_...
create and updates that come in backwards                           day_that_comes_in_backwards_...
log of hold, force (update), (update as create, create as update)   holding_and_applying_is_in_the_log
reprocess event of a held submission                                holding_and_applying_is_in_the_log
approval of submissions toggled (3 cases)                           cannot occur: no change waits for an
                                                                      approval before it is stored; a
                                                                      review looks at stored households
forced: previous update missing                                     forced_edit_over_a_gap_...
forced: two updates, the first missing                              forced_edit_over_a_gap_...
forced: update as a create; then another update; then the create    forced_edit_of_an_unborn_record_...
forced: still parsed as a create                                    cannot occur: a change is a patch, to
                                                                      create is to be the first
forced only after 7 days                                            cannot occur: nothing is forced by
                                                                      time, a person decides
forced: deleted form, deleted submission                            cannot occur: nothing is deleted
forced: deleted entity                                              forced_edit_of_a_void_household_...
not contiguous with the trunk is a conflict (central#698)           conflict_with_the_trunk_is_not_hidden_...
not contiguous by forcing (central#805)                             own_edits_applied_out_of_order_...
not contiguous despite an earlier resolution                        decided_conflict_opens_again_...
not contiguous from an offline create, despite a resolution         decided_conflict_of_a_record_born_...
no conflict where there is none                                     created_and_edited_offline_...
conflict info of a create applied as an update (central#815)        forced_edit_of_an_unborn_record_...
... that is only a soft conflict                                    forced_edit_of_an_unborn_record_...
create + update at the same time (central#705)                      household_and_member_at_the_same_time_...
two updates followed by a delayed create (central#808)              day_that_comes_in_backwards_...
update, update by API, then the delayed create (central#810)        county_edit_before_the_late_create_...
==================================================================  ================================
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from builders import NOW_MS, Family, Phone, a_child_id, a_family, a_member, a_phone, changes
from flask import Flask
from sqlalchemy import Engine, update

from server.services.apply_changes import COUNTY as BY_COUNTY
from server.services.apply_changes import Author, apply_changes, next_n
from server.services.decide_conflict import decide_conflict
from server.services.held import APPLIED, apply_held_change
from server.storage import tables
from server.storage.engine import writing
from shared_schemas import SCHEMA_VERSION, ids
from shared_schemas.changes import Change
from shared_schemas.fields import Value
from tests.conftest import Clock

from .ledger import conflicts, record, rows, seq_of, value, waiting
from .world import COUNTY, REVIEWER

ANOTHER_SCHEMA = 99


@pytest.fixture
def phone(app: Flask, engine: Engine) -> Phone:
    return a_phone(app, engine)


@pytest.fixture
def known(phone: Phone, clock: Clock) -> tuple[Family, int]:
    """Return a family that the phone pulled an hour ago, and the version of its member."""
    family = a_family()
    outcomes = phone.submit(family)
    # What the phone does from now on, it does in another life: its own submit counts as a stranger's.
    phone.incarnation, phone.n = ids.incarnation_id(4711), 0
    clock.now_ms += 3_600_000
    return family, outcomes[1]["seq"]


def by_the_county(
    engine: Engine, kind: str, record_id: str, base: int | None = None, **values: Value
) -> None:
    """Edit a record at the county, over its present version unless told otherwise."""
    base = seq_of(engine, kind, record_id) if base is None else base
    with writing(engine) as conn:
        apply_changes(
            conn,
            [Change(next_n(conn, COUNTY, BY_COUNTY), kind, record_id, base, NOW_MS, values)],
            author=Author(COUNTY, BY_COUNTY, REVIEWER.id, None, COUNTY, "county"),
            sent_ms=NOW_MS,
            received_ms=NOW_MS,
            schema=SCHEMA_VERSION,
        )


def force(engine: Engine, incarnation: str, n: int) -> str:
    """Apply a held change as the county does; return what came of it."""
    with writing(engine) as conn:
        applied = apply_held_change(
            conn, COUNTY, incarnation, n, user=REVIEWER, now_ms=NOW_MS,
            new_id=lambda: ids.household_id(n),
        )  # fmt: skip
    return str(applied.outcome)


def decide(engine: Engine, field: str, decided: Value) -> None:
    """Decide the open conflict about a field."""
    [row] = conflicts(engine, field)
    with writing(engine) as conn:
        decide_conflict(conn, COUNTY, row["id"], decided, user=REVIEWER, now_ms=NOW_MS,
                        new_id=lambda: ids.household_id(1))  # fmt: skip


def send(phone: Phone, *edits: tuple[str, str, int, dict[str, Value]], **given: Any) -> list[Any]:
    """Push the phone's next edits, (kind, record id, base, values), in one batch."""
    batch = [
        Change(phone.n + i, kind, record_id, base, phone.now_ms - 60_000 + i, values)
        for i, (kind, record_id, base, values) in enumerate(edits, start=1)
    ]
    phone.n += len(batch)
    return [entry["outcome"] for entry in phone.push(batch, **given)["outcomes"]]


# --- in order ---


def test_edits_of_one_offline_day_apply_in_their_order(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    said = [("member", family.member, base, {"work_employer": place}) for place in "甲乙丙"]
    assert send(phone, *said) == ["applied"] * 3
    assert value(engine, "member", family.member, "work_employer") == "丙"
    assert conflicts(engine, "work_employer") == []


def test_offline_day_goes_on_over_a_record_that_moved_meanwhile(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    by_the_county(engine, "member", family.member, name="岑大山")
    outcomes = send(
        phone,
        ("member", family.member, base, {"work_employer": "甲"}),
        ("member", family.member, base, {"work_employer": "乙"}),
    )
    assert outcomes == ["merged", "merged"]
    member = record(engine, "member", family.member)
    assert (member["name"], member["work_employer"]) == ("岑大山", "乙")


def test_county_edit_between_two_edits_of_an_offline_day_stays(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    send(phone, ("member", family.member, base, {"work_employer": "甲"}))
    by_the_county(engine, "member", family.member, name="岑大山")
    assert send(phone, ("member", family.member, base, {"work_employer": "乙"})) == ["merged"]
    member = record(engine, "member", family.member)
    assert (member["name"], member["work_employer"]) == ("岑大山", "乙")


def test_created_and_edited_offline_is_no_conflict_with_itself(
    engine: Engine, phone: Phone
) -> None:
    family = a_family()
    outcomes = send(
        phone,
        *((kind, record_id, 0, values) for kind, record_id, values in family.edits),
        ("member", family.member, 0, {"name": "岑晓山"}),
        ("member", family.member, 0, {"name": "岑晓珊", "marital": "20"}),
    )
    assert outcomes == ["applied"] * 7
    assert value(engine, "member", family.member, "name") == "岑晓珊"
    assert rows(engine, tables.conflict) == []


def test_edits_of_the_county_between_create_and_edits_stand_beside_them(
    engine: Engine, phone: Phone
) -> None:
    family = a_family()
    phone.submit(family)
    by_the_county(engine, "member", family.member, education="60")
    first = send(phone, ("member", family.member, 0, {"work_employer": "甲"}))
    by_the_county(engine, "member", family.member, education="80")
    second = send(phone, ("member", family.member, 0, {"work_employer": "乙"}))
    assert (first, second) == (["merged"], ["merged"])
    member = record(engine, "member", family.member)
    assert (member["education"], member["work_employer"]) == ("80", "乙")


# --- out of order ---


def test_edit_of_a_record_that_nobody_knows_is_held_not_dropped(
    engine: Engine, phone: Phone, clock: Clock
) -> None:
    family = a_family()
    edit = ("member", family.member, 3, {"work_employer": "甲"})
    assert send(phone, edit) == ["held"]
    [row] = waiting(engine)
    assert (row["reason"], row["values"]) == ("missing_household", {"work_employer": "甲"})


def test_skipped_edit_is_asked_for_before_the_later_one_applies(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    first, second, third = (
        Change(n, "member", family.member, base, phone.now_ms, {"work_employer": place})
        for n, place in enumerate("甲乙丙", start=1)
    )
    phone.push([first])
    refused = phone.send([third])
    assert (refused.status_code, refused.json["acked"]) == (409, 1)
    assert value(engine, "member", family.member, "work_employer") == "甲"
    phone.push([second, third])
    assert value(engine, "member", family.member, "work_employer") == "丙"


def test_base_that_the_server_never_gave_counts_as_having_seen_nothing(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """As from a phone that pulled before the database was copied back, and heard of no new epoch."""
    family, _ = known
    by_the_county(engine, "member", family.member, name="岑大山")
    ahead = rows(engine, tables.county_counter)[0]["seq"] + 1000
    assert send(phone, ("member", family.member, ahead, {"name": "岑晓山"})) == ["conflict"]
    assert value(engine, "member", family.member, "name") == "岑大山"
    [row] = conflicts(engine, "name")
    assert (row["ours"], row["theirs"]) == ("岑大山", "岑晓山")


def test_member_that_is_sent_before_its_household_in_one_batch_is_answered_as_applied(
    engine: Engine, phone: Phone
) -> None:
    family = a_family()
    parts = [(kind, key, 0, values) for kind, key, values in family.edits]
    assert send(phone, parts[1], parts[0], *parts[2:]) == ["applied"] * 5
    assert waiting(engine) == []


def test_held_edit_from_before_a_restore_has_seen_nothing_when_it_is_applied_late(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """Its base is a number of the earlier life, which this life has given to something else."""
    family, _ = known
    by_the_county(engine, "member", family.member, name="岑大山")
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    base = seq_of(engine, "member", family.member)
    edit = ("member", family.member, base, {"name": "岑晓山"})
    assert send(phone, edit, epoch="an earlier life") == ["held"]
    assert force(engine, phone.incarnation, 1) == "conflict"
    assert value(engine, "member", family.member, "name") == "岑大山"
    [row] = conflicts(engine, "name")
    assert (row["ours"], row["theirs"]) == ("岑大山", "岑晓山")


def test_later_part_of_the_day_that_a_copy_sent_first_stands(
    app: Flask, engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """A restored phone sends the evening first, the phone itself then the morning: both are there."""
    family, base = known
    restored = replace(phone, client=app.test_client(), incarnation=ids.incarnation_id(815), n=0)
    assert send(restored, ("member", family.member, base, {"name": "岑晓珊"})) == ["applied"]
    assert send(phone, ("member", family.member, base, {"name": "岑晓山"})) == ["conflict"]
    assert value(engine, "member", family.member, "name") == "岑晓珊"
    [row] = conflicts(engine, "name")
    assert {row["ours"], row["theirs"]} == {"岑晓珊", "岑晓山"}


def test_member_that_came_before_its_household_is_released_by_it(
    app: Flask, engine: Engine, phone: Phone
) -> None:
    family = a_family()
    other = a_phone(app, engine)
    early = [(kind, key, 0, values) for kind, key, values in family.edits[1:]]
    assert send(phone, *early) == ["held"] * 4
    assert send(other, ("household", family.household, 0, family.edits[0][2])) == ["applied"]
    assert waiting(engine) == []
    assert value(engine, "member", family.member, "name") == family.edits[1][2]["name"]


def test_edit_that_came_before_its_member_is_released_by_it(
    app: Flask, engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """The household has long been there; the member's first change is still on the other phone."""
    family, _ = known
    newcomer = a_child_id(family.household)
    assert send(phone, ("member", newcomer, 0, {"work_employer": "甲"})) == ["held"]
    whole = a_member(family.household, relation="20")
    assert send(a_phone(app, engine), ("member", newcomer, 0, whole)) == ["applied"]
    assert waiting(engine) == []
    assert value(engine, "member", newcomer, "work_employer") == "甲"


def test_day_that_comes_in_backwards_ends_as_it_was_lived(
    engine: Engine, phone: Phone, clock: Clock
) -> None:
    """Edits of a member come first, then the member, then the household: each from another life."""
    family = a_family()
    member = family.edits[1][2]
    day = [
        ("household", family.household, 0, family.edits[0][2]),
        ("member", family.member, 0, member),
        ("member", family.member, 0, {"work_employer": "甲"}),
        ("member", family.member, 0, {"work_employer": "乙", "marital": "20"}),
    ]
    # A batch of its own for each, from the last to the first; `n` tells the order that it was.
    epoch = phone.hello()["epoch"]
    for n in (4, 3, 2):
        clock.now_ms += 1000
        life = replace(phone, incarnation=ids.incarnation_id(100 + n), n=0, epoch=epoch)
        kind, key, base, values = day[n - 1]
        [entry] = life.push([Change(1, kind, key, base, NOW_MS - 100 + n, values)])["outcomes"]
        assert (entry["outcome"], entry["reason"]) == ("held", "missing_household")
    assert send(phone, day[0]) == ["applied"]
    assert waiting(engine) == []
    found = record(engine, "member", family.member)
    assert found["name"] == member["name"]
    # Nobody can know which of three lives was the later one but by the clock of the edits.
    assert (found["work_employer"], found["marital"]) == ("乙", "20")


def test_holding_and_applying_is_in_the_log(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    assert send(phone, ("member", family.member, base, {"work_employer": "甲"})) == ["held"]
    assert force(engine, phone.incarnation, 1) == "applied"
    logged = rows(engine, tables.change, tables.change.c.incarnation == phone.incarnation)
    assert [(row["outcome"], row["resolution"]) for row in logged] == [("applied", "applied")]
    [line] = rows(engine, tables.audit, tables.audit.c.action == APPLIED)
    assert line["actor"] == REVIEWER.id
    assert line["detail"] == {"incarnation": phone.incarnation, "n": 1, "outcome": "applied"}


# --- forced: the county applies what was held ---


def test_forced_edit_over_a_gap_spares_what_came_after_it(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """The first edit is held, the second applied; then the county applies the first."""
    family, base = known
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    send(phone, ("member", family.member, base, {"work_employer": "甲", "marital": "20"}))
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="active"))
    assert send(phone, ("member", family.member, base, {"work_employer": "乙"})) == ["applied"]
    assert force(engine, phone.incarnation, 1) == "applied"
    found = record(engine, "member", family.member)
    assert (found["work_employer"], found["marital"]) == ("乙", "20")
    assert rows(engine, tables.conflict) == []


def test_forced_edit_of_an_unborn_record_and_its_create_meet_field_by_field(
    app: Flask, engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """An edit of a member whose own first change is still on another phone."""
    family, _ = known
    newcomer = a_child_id(family.household)
    home = family.household
    early = {"household_id": home, "work_employer": "甲", "name": "岑晓山"}
    assert send(phone, ("member", newcomer, 0, early)) == ["applied"]
    whole = a_member(home, name="岑晓珊", relation="20")
    other = a_phone(app, engine)
    assert send(other, ("member", newcomer, 0, whole)) == ["conflict"]
    found = record(engine, "member", newcomer)
    assert (found["work_employer"], found["relation"]) == ("甲", "20")
    [row] = conflicts(engine, "name")
    assert {row["ours"], row["theirs"]} == {"岑晓山", "岑晓珊"}
    assert conflicts(engine, "relation") == []
    assert send(phone, ("member", newcomer, 0, {"work_employer": "乙"})) == ["merged"]
    assert value(engine, "member", newcomer, "work_employer") == "乙"


def test_forced_edit_of_a_void_household_is_applied_and_it_stays_void(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    by_the_county(engine, "member", family.member, deleted=True)
    assert send(phone, ("member", family.member, base, {"work_employer": "甲"})) == ["held"]
    assert waiting(engine)[0]["reason"] == "record_void"
    assert force(engine, phone.incarnation, 1) == "merged"
    found = record(engine, "member", family.member)
    assert (found["work_employer"], found["deleted"]) == ("甲", True)


# --- conflicts ---


def test_conflict_with_the_trunk_is_not_hidden_by_an_edit_before_it(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """central#698: the first edit of the day merges, the second one contradicts the county."""
    family, base = known
    by_the_county(engine, "member", family.member, education="80")
    outcomes = send(
        phone,
        ("member", family.member, base, {"work_employer": "甲"}),
        ("member", family.member, base, {"education": "60"}),
        ("member", family.member, base, {"work_employer": "乙"}),
    )
    assert outcomes == ["merged", "conflict", "merged"]
    [row] = conflicts(engine, "education")
    assert (row["ours"], row["theirs"], row["state"]) == ("80", "60", "open")
    assert value(engine, "member", family.member, "work_employer") == "乙"


def test_own_edits_applied_out_of_order_are_no_conflict_and_the_last_stands(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """central#805: of three edits the first is applied last; none of them contradicts another."""
    family, base = known
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="lost"))
    send(phone, *(("member", family.member, base, {"work_employer": place}) for place in "甲乙"))
    with writing(engine) as conn:
        conn.execute(update(tables.device).values(state="active"))
    assert send(phone, ("member", family.member, base, {"work_employer": "丙"})) == ["applied"]
    assert [force(engine, phone.incarnation, n) for n in (2, 1)] == ["applied"] * 2
    assert value(engine, "member", family.member, "work_employer") == "丙"
    assert rows(engine, tables.conflict) == []


def test_decided_conflict_opens_again_when_the_same_day_contradicts_the_decision(
    engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    family, base = known
    by_the_county(engine, "member", family.member, name="岑大山")
    assert send(phone, ("member", family.member, base, {"name": "岑晓山"})) == ["conflict"]
    decide(engine, "name", "岑大山")
    assert send(phone, ("member", family.member, base, {"name": "岑晓珊"})) == ["conflict"]
    assert value(engine, "member", family.member, "name") == "岑大山"
    [again] = conflicts(engine, "name")
    assert (again["ours"], again["theirs"], again["shown"]) == ("岑大山", "岑晓珊", "ours")
    [first] = conflicts(engine, "name", state="decided")
    assert (first["ours"], first["theirs"]) == ("岑大山", "岑晓山")


def test_decided_conflict_of_a_record_born_offline_opens_again(
    engine: Engine, phone: Phone
) -> None:
    family = a_family()
    phone.submit(family)
    by_the_county(engine, "member", family.member, name="岑大山")
    assert send(phone, ("member", family.member, 0, {"name": "岑晓山"})) == ["conflict"]
    decide(engine, "name", "岑晓山")
    assert send(phone, ("member", family.member, 0, {"work_employer": "甲"})) == ["merged"]
    assert conflicts(engine, "name") == []
    assert send(phone, ("member", family.member, 0, {"name": "岑晓珊"})) == ["conflict"]
    assert value(engine, "member", family.member, "name") == "岑晓山"
    assert len(conflicts(engine, "name")) == 1


# --- at the same time, and late creates ---


def test_household_and_member_at_the_same_time_end_applied_both(app: Flask, engine: Engine) -> None:
    """central#705: whichever transaction wins, the member finds its household or is released by it."""
    phones = [a_phone(app, engine) for _ in range(2)]
    for phone in phones:
        phone.hello()
    for _ in range(12):
        family = a_family()
        parts = [changes(family.edits[:1]), changes(family.edits[1:])]
        lives = [
            replace(phone, client=app.test_client(), incarnation=ids.incarnation_id(seed))
            for seed, phone in enumerate(phones, start=hash(family.household) % 2**40)
        ]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda pair: pair[0].push(pair[1]), zip(lives, parts, strict=True)))
        assert waiting(engine) == []
        assert value(engine, "member", family.member, "household_id") == family.household


def test_county_edit_before_the_late_create_is_kept_beside_it(
    app: Flask, engine: Engine, phone: Phone, known: tuple[Family, int]
) -> None:
    """central#810: an edit, an edit of the county, and only then the change that bore the record."""
    family, _ = known
    newcomer = a_child_id(family.household)
    early = {"household_id": family.household, "work_employer": "甲"}
    send(phone, ("member", newcomer, 0, early))
    by_the_county(engine, "member", newcomer, education="80")
    whole = a_member(family.household, name="岑晓珊", relation="20", education="60")
    assert send(a_phone(app, engine), ("member", newcomer, 0, whole)) == ["conflict"]
    found = record(engine, "member", newcomer)
    assert (found["work_employer"], found["education"], found["name"]) == ("甲", "80", "岑晓珊")
    [row] = conflicts(engine, "education")
    assert (row["ours"], row["theirs"]) == ("80", "60")
