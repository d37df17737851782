"""Two cadres change one household without seeing each other (domain.md 4.5), with real phones.

Different fields merge without a word. The same field is a conflict: both values stay with author,
phone and time, one of them shows for now by the field's policy and never by a phone's clock, and the
county's page and both phones say so.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import update

from mobile.forms.matters import matters
from mobile.forms.visit import Visit
from mobile.storage import outbox, records
from mobile.storage.database import Store, get, put, tick
from mobile.storage.outbox import NewChange
from server.storage import review_pages as queries
from server.storage.engine import reading, writing
from server.storage.tables import device
from shared_schemas import ids
from tests.mobile.phones import (
    COUNTY,
    TODAY,
    VILLAGE,
    County,
    a_submitted_household,
    a_visit,
    sync,
)

from .ledger import conflicting, conflicts, rows, waiting

DAY_MS = 86_400_000


@pytest.fixture
def home(one: Store, two: Store) -> str:
    """Return a household of four that both phones hold."""
    with one.writing() as connection:
        put(connection, "label", "一号机")
    household_id = a_submitted_household(one)
    sync(one)
    sync(two)
    return household_id


def edit(store: Store, visited: str, kind: str, record_id: str, **values: Any) -> None:
    """Hand in an edit over what the phone shows, as a submit does, whatever the rules say."""
    with store.writing() as connection:
        known = {one.id: one for one in records.shown_records(connection, visited)}
        seen = known.get(record_id)
        epoch, base = (seen.epoch, seen.seq) if seen else (get(connection, "epoch"), 0)
        at_ms = tick(connection, store.clock)
        change = NewChange(kind, record_id, values, epoch, base, at_ms)
        outbox.add(connection, visited, [change])


def members(store: Store, household_id: str) -> list[str]:
    return [member.record_id for member in a_visit(store, household_id).members]


def exchange(*phones: Store) -> None:
    """Let everybody hear of everything."""
    for store in (*phones, *phones):
        sync(store)


def shown(store: Store, household_id: str, record_id: str) -> dict[str, Any]:
    bundle = records.bundle(store, household_id)
    found: dict[str, Any] = {record["id"]: record for _, record in bundle.records()}
    return found[record_id]


def narrow(county: County, user_id: str, scope: str) -> None:
    """Give the phones of a cadre other villages."""
    with writing(county.engine) as conn:
        conn.execute(update(device).where(device.c.user_id == user_id).values(scope=scope))


def told(store: Store, household_id: str, lang: str = "zh") -> str:
    """Return all that the visit screen says about what the county has to settle."""
    return "\n".join(
        "\n".join([matter.title, *matter.lines])
        for matter in matters(a_visit(store, household_id), lang)
    )


def page_says(county: County) -> str:
    """Return the county's page of open conflicts."""
    with reading(county.engine) as conn:
        listed = queries.conflicts(conn, COUNTY, COUNTY, state="open", limit=50, offset=0)
    return "\n".join(f"{row.field}: {row.ours} / {row.theirs} ({row.shown})" for row in listed)


# --- the same field, other fields ---


def test_edits_of_different_fields_merge_without_a_word(
    county: County, one: Store, two: Store, home: str
) -> None:
    head = members(one, home)[0]
    edit(one, home, "member", head, education="60")
    edit(two, home, "member", head, marital="10")
    exchange(one, two)
    for store in (one, two):
        member = shown(store, home, head)
        assert (member["education"], member["marital"]) == ("60", "10")
        assert told(store, home) == ""
    assert rows(county.engine, queries.conflict) == []


def test_same_field_is_told_on_both_phones_with_author_phone_and_time(
    county: County, one: Store, two: Store, home: str
) -> None:
    edit(one, home, "household", home, phone="13711111111")
    edit(two, home, "household", home, phone="13722222222")
    exchange(one, two)
    [row] = conflicts(county.engine, "phone")
    assert {row["ours"], row["theirs"]} == {"13711111111", "13722222222"}
    assert {row["ours_author"], row["theirs_author"]} == {"cadre1", "cadre2"}
    assert min(row["ours_at_ms"], row["theirs_at_ms"]) > county.server.now_ms() - DAY_MS
    for store in (one, two):
        words = told(store, home)
        assert "户主电话" in words or "电话" in words
        for said in ("13711111111", "13722222222", "测试村干", "另一村干", "等县里裁定"):
            assert said in words
        assert words.count("暂时用这个") == 1
        assert len(re.findall(r"\d+月\d+日 \d\d:\d\d", words)) == 2
        assert "the county decides" in told(store, home, "en")
        assert records.household_row(store, home).state == records.CONFLICT  # type: ignore[union-attr]
    assert "13711111111" in page_says(county)
    county.decide("phone", "13733333333")
    exchange(one, two)
    for store in (one, two):
        assert shown(store, home, home)["phone"] == "13733333333"
        assert told(store, home) == ""


def test_phone_that_wrote_is_named_where_it_has_a_name(
    county: County, one: Store, two: Store, home: str
) -> None:
    from sqlalchemy import update

    from server.storage.engine import writing
    from server.storage.tables import device

    with writing(county.engine) as conn:
        conn.execute(update(device).where(device.c.user_id == "cadre1").values(label="红米一号"))
        conn.execute(update(device).where(device.c.user_id == "cadre2").values(label="荣耀二号"))
    edit(one, home, "household", home, address="坡上")
    edit(two, home, "household", home, address="坡下")
    exchange(one, two)
    for store in (one, two):
        words = told(store, home)
        assert "测试村干,红米一号" in words
        assert "另一村干,荣耀二号" in words


@pytest.mark.parametrize("ahead_days", [365, -20_000])
def test_clock_of_a_phone_decides_nothing_of_high_stakes(
    county: County, one: Store, two: Store, home: str, ahead_days: int
) -> None:
    """A clock a year ahead, or at 1970 and before: the name that the county had stays shown."""
    head = members(one, home)[0]
    edit(one, home, "member", head, name="韦大明")
    right, two.clock = two.clock, lambda: one.clock() + ahead_days * DAY_MS
    edit(two, home, "member", head, name="韦小明")
    exchange(one, two)
    two.clock = right
    [row] = conflicts(county.engine, "name")
    assert (row["ours"], row["theirs"], row["shown"]) == ("韦大明", "韦小明", "ours")
    for store in (one, two):
        assert shown(store, home, head)["name"] == "韦大明"


def test_clock_a_year_ahead_does_not_win_for_ever(
    county: County, one: Store, two: Store, home: str
) -> None:
    """Low stakes: the later shows. A stamp of the future is brought back to when it arrived."""
    two.clock = lambda: one.clock() + 365 * DAY_MS
    edit(two, home, "household", home, address="坡下")
    sync(two)
    edit(one, home, "household", home, address="坡上")
    exchange(one, two)
    [row] = conflicts(county.engine, "address")
    assert row["ours_at_ms"] < county.server.now_ms() + DAY_MS
    sync(one)
    edit(one, home, "household", home, address="坡上新屋")
    exchange(one, two)
    for store in (one, two):
        assert shown(store, home, home)["address"] == "坡上新屋"


# --- deletion against an edit ---


def test_deletion_that_comes_after_an_unseen_edit_waits_for_the_county(
    county: County, one: Store, two: Store, home: str
) -> None:
    wife = members(one, home)[1]
    edit(one, home, "member", wife, education="60")
    edit(two, home, "member", wife, deleted=True)
    sync(one)
    assert sync(two).conflicts == 1
    exchange(one, two)
    assert county.values("member", wife).get("deleted") is None
    for store in (one, two):
        assert "已作废" in told(store, home)
        assert wife in members(store, home)
    county.decide("deleted", True)
    exchange(one, two)
    for store in (one, two):
        assert wife not in members(store, home)
        assert told(store, home) == ""


def test_edit_that_comes_after_an_unseen_deletion_is_held_and_its_author_is_told(
    county: County, one: Store, two: Store, home: str
) -> None:
    wife = members(one, home)[1]
    edit(one, home, "member", wife, deleted=True)
    edit(two, home, "member", wife, education="60")
    sync(one)
    assert sync(two).held == 1
    exchange(one, two)
    [held] = waiting(county.engine)
    assert (held["reason"], held["values"]) == ("record_void", {"education": "60"})
    assert "县里已收到,待处理" in told(two, home)
    assert "作废" in told(two, home)
    assert told(one, home) == ""


# --- consent ---


@pytest.mark.parametrize("withdrawal_first", [True, False])
def test_withdrawal_of_consent_wins_whichever_comes_first(
    county: County, one: Store, two: Store, home: str, withdrawal_first: bool
) -> None:
    [consent] = [
        form.record_id
        for form in a_visit(one, home).records()
        if form.kind == "consent" and form.values["consent_kind"] == "share_hr"
    ]
    edit(one, home, "consent", consent, given=False)
    edit(two, home, "consent", consent, given=True, method="1", consented_on=TODAY)
    exchange(*((one, two) if withdrawal_first else (two, one)))
    assert county.values("consent", consent)["given"] is False
    # A grant made later, still without having seen the withdrawal.
    edit(two, home, "consent", consent, method="2")
    exchange(one, two)
    assert county.values("consent", consent)["given"] is False
    for store in (one, two):
        assert shown(store, home, consent)["given"] is False


def test_later_grant_that_saw_the_withdrawal_counts(
    county: County, one: Store, two: Store, home: str
) -> None:
    """The person may change his mind; only who has not seen the withdrawal cannot undo it."""
    [consent] = [
        form.record_id
        for form in a_visit(one, home).records()
        if form.kind == "consent" and form.values["consent_kind"] == "share_hr"
    ]
    edit(one, home, "consent", consent, given=False, withdrawn_on=TODAY)
    edit(two, home, "consent", consent, given=True)
    exchange(one, two)
    assert county.values("consent", consent)["given"] is False
    edit(two, home, "consent", consent, given=True, withdrawn_on=None)
    exchange(two, one)
    for store in (one, two):
        assert shown(store, home, consent)["given"] is True
    assert conflicts(county.engine, "given") == []


# --- households that move, split, change their head ---


def another_village(county: County) -> str:
    with reading(county.engine) as conn:
        from server.storage.divisions import places_within

        villages = [p.code for p in places_within(conn, VILLAGE[:9]) if p.level == 5]
    return next(code for code in villages if code != VILLAGE)


def test_household_that_moved_keeps_what_the_other_wrote_meanwhile(
    county: County, one: Store, two: Store, home: str
) -> None:
    there = another_village(county)
    head = members(one, home)[0]
    edit(one, home, "household", home, village_code=there)
    edit(two, home, "member", head, education="60")
    edit(two, home, "household", home, address="坡上")
    exchange(one, two)
    for store in (one, two):
        household = shown(store, home, home)
        assert (household["village_code"], household["address"]) == (there, "坡上")
        assert shown(store, home, head)["education"] == "60"
        assert told(store, home) == ""
    assert waiting(county.engine) == []


def test_household_that_moved_out_of_the_other_cadres_place_has_his_edit_held(
    county: County, one: Store, two: Store, home: str
) -> None:
    """The other cadre is in charge of one village only; his edit is kept and can be applied."""
    there = another_village(county)
    narrow(county, "cadre2", VILLAGE)
    sync(two)
    head = members(two, home)[0]
    edit(two, home, "member", head, education="60")
    edit(one, home, "household", home, village_code=there)
    sync(one)
    result = sync(two)
    assert (result.held, result.remaining) == (1, 0)
    [held] = waiting(county.engine)
    assert held["reason"] == "out_of_scope"
    assert "不在您现在负责的地方" in told(two, home)
    assert "县里已收到,待处理" in told(two, home)
    [change] = [row for row in county.changes() if row.outcome == "held"]
    county.apply_held(change)
    assert county.values("member", head)["education"] == "60"
    assert sync(two).settled == 1
    # Applied, and none of his any more: it leaves his phone.
    assert records.household_row(two, home) is None
    sync(one)
    assert shown(one, home, head)["education"] == "60"


def test_household_split_keeps_members_together_with_what_was_written_about_them(
    county: County, one: Store, two: Store, home: str
) -> None:
    """One cadre lets the son's family begin a household of its own; the other edits its members."""
    _head, wife, mother, _son = members(one, home)
    fresh = ids.household_id(0x5A11)
    edit(one, fresh, "household", fresh, village_code=VILLAGE, address="新屋", head_member_id=wife)
    for member, relation in ((wife, "02"), (mother, "52")):
        edit(one, home, "member", member, household_id=fresh, relation=relation)
    edit(two, home, "member", wife, education="60")
    edit(two, home, "member", mother, name="罗老妹")
    exchange(one, two)
    for store in (one, two):
        assert set(members(store, fresh)) == {wife, mother}
        assert wife not in members(store, home)
        assert shown(store, fresh, wife)["education"] == "60"
        assert shown(store, fresh, mother)["name"] == "罗老妹"
        assert shown(store, fresh, wife)["relation"] == "02"
    assert waiting(county.engine) == []
    assert page_says(county) == ""


def test_member_split_off_a_household_that_moved_away_stays_in_sight_and_no_sum_differs(
    county: County, one: Store, two: Store, home: str
) -> None:
    """What the county has in the household that left is not counted where an own edit shows it."""
    there = another_village(county)
    narrow(county, "cadre2", VILLAGE)
    sync(two)
    wife, fresh = members(two, home)[1], ids.household_id(0x5A12)
    edit(two, fresh, "household", fresh, village_code=VILLAGE, address="新屋")
    edit(two, home, "member", wife, household_id=fresh)
    edit(one, home, "household", home, village_code=there)
    sync(one)
    result = sync(two)
    assert (result.held, result.is_repaired, result.is_unequal) == (1, False, False)
    assert members(two, fresh) == [wife]
    [change] = [row for row in county.changes() if row.outcome == "held"]
    county.apply_held(change)
    exchange(two, one)
    for store in (one, two):
        assert members(store, fresh) == [wife]
    assert records.household_row(two, home) is None


def test_member_who_left_with_a_household_of_his_own_leaves_the_phone_that_knew_him_in_the_old(
    county: County, one: Store, two: Store, home: str
) -> None:
    there = another_village(county)
    narrow(county, "cadre2", VILLAGE)
    sync(two)
    wife, fresh = members(one, home)[1], ids.household_id(0x5A13)
    edit(one, fresh, "household", fresh, village_code=VILLAGE, address="新屋")
    edit(one, home, "member", wife, household_id=fresh)
    edit(one, fresh, "household", fresh, village_code=there)
    sync(one)
    result = sync(two)
    assert (result.is_repaired, result.is_unequal) == (False, False)
    assert wife not in members(two, home)
    left = two.connection.execute("SELECT count(*) FROM member WHERE id = ?", (wife,)).fetchone()
    assert left[0] == 0


def test_member_moved_by_both_to_different_households_waits_for_the_county(
    county: County, one: Store, two: Store, home: str
) -> None:
    wife = members(one, home)[1]
    targets = [a_submitted_household(one, "岑", 300), a_submitted_household(one, "罗", 400)]
    sync(one)
    sync(two)
    edit(one, home, "member", wife, household_id=targets[0])
    edit(two, home, "member", wife, household_id=targets[1])
    exchange(one, two)
    assert county.values("member", wife)["household_id"] == targets[0]
    [row] = conflicts(county.engine, "household_id")
    assert {row["ours"], row["theirs"]} == set(targets)
    for store in (one, two):
        words = told(store, targets[0])
        assert "岑正明" in words
        assert "罗正明" in words
    county.decide("household_id", targets[1])
    exchange(one, two)
    for store in (one, two):
        assert wife in members(store, targets[1])
        assert wife not in members(store, targets[0])


def test_member_who_was_moved_takes_along_the_other_phones_edit(
    county: County, one: Store, two: Store, home: str
) -> None:
    wife = members(one, home)[1]
    target = a_submitted_household(one, "岑", 300)
    sync(one)
    sync(two)
    edit(one, home, "member", wife, household_id=target, relation="97")
    edit(two, home, "member", wife, phone="13700137000")
    exchange(two, one)
    for store in (one, two):
        assert shown(store, target, wife)["phone"] == "13700137000"
    assert page_says(county) == ""


def test_head_changed_on_two_phones_is_one_conflict_and_the_county_sees_two_heads(
    county: County, one: Store, two: Store, home: str
) -> None:
    head, wife, mother, _ = members(one, home)
    for store, new in ((one, wife), (two, mother)):
        edit(store, home, "household", home, head_member_id=new)
        edit(store, home, "member", new, relation="02")
        edit(store, home, "member", head, relation="10")
    exchange(one, two)
    [row] = conflicts(county.engine, "head_member_id")
    assert {row["ours"], row["theirs"]} == {wife, mother}
    assert county.values("household", home)["head_member_id"] == wife
    for store in (one, two):
        words = told(store, home)
        assert "岑秀兰" in words
        assert "罗阿妹" in words
    with reading(county.engine) as conn:
        review = queries.review_row(conn, COUNTY, COUNTY, home)
    assert review is not None
    assert review.lane == "red"
    assert any("head" in str(hit) or "V" in str(hit) for hit in review.hits), review.hits
    county.decide("head_member_id", mother)
    exchange(one, two)
    for store in (one, two):
        assert shown(store, home, home)["head_member_id"] == mother


def test_value_that_lost_is_never_gone(county: County, one: Store, two: Store, home: str) -> None:
    """Whatever is decided, both values stay with the county for ever."""
    edit(one, home, "household", home, address="坡上")
    edit(two, home, "household", home, address="坡下")
    exchange(one, two)
    county.decide("address", "坡顶")
    assert {"坡上", "坡下"} <= conflicting(county.engine, "address")
    assert isinstance(a_visit(one, home), Visit)
