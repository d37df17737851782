"""Who is on the labour list and when he leaves it, on both databases (domain.md 4.7)."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openpyxl
import pytest
import python_calamine
from sqlalchemy import Connection, Engine, insert, select

from server.services import labour
from server.services.labour import Filters, PulledList
from server.services.labour_export import write_list
from server.services.labourers import store_labourers, take_off_lists
from server.storage.accounts import Firm, add_organisation
from server.storage.divisions import store_divisions
from server.storage.engine import writing
from server.storage.labour import pulls_of_county
from server.storage.tables import county_double, list_pull, reveal
from shared_schemas.bundle import Bundle
from shared_schemas.errors import ChushanError
from shared_schemas.ids import child_id, household_id

COUNTY, NEIGHBOUR = "522326", "522325"
VILLAGE = "522326111201"
TODAY, NOW_MS, DAY_MS = "2026-11-20", 1_795_168_800_000, 86_400_000
FIRM = Firm("firm000000001", "余姚人力", (COUNTY,))
RIVAL = Firm("firm000000002", "集美人力", (COUNTY,))

_numbers = itertools.count(1)


def new_id() -> str:
    return household_id(900_000 + next(_numbers))


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as opened:
        store_divisions(
            opened,
            [
                {"code": "522326000000", "name": "望谟县", "level": 3},
                {"code": "522326111000", "name": "边饶镇", "level": 4},
                {"code": VILLAGE, "name": "坎边村", "level": 5},
            ],
        )
        for firm in (FIRM, RIVAL):
            add_organisation(opened, {"id": firm.org_id, "name": firm.name, "type": "agency",
                                      "counties": list(firm.counties), "active": True})  # fmt: skip
        yield opened


MEMBER = {
    "name": "韦小山",
    "id_no": "522399199303121129",
    "sex": "2",
    "birth_date": "1993-03-12",
    "relation": "02",
    "labour_ability": "1",
    "in_school": "0",
    "ethnic": "09",
    "education": "70",
    "speaks_mandarin": "1",
    "health": ["2"],
    "phone": "13900000001",
}
INTENTION = {
    "wants_job": "1",
    "reach": "4",
    "occupations": ["01", "02"],
    "wage_floor": 4500,
    "available_from": TODAY,
    "together_with": "0",
    "confirmed_on": "2026-11-08",
}
CONSENT = {"consent_kind": "share_hr", "given": True, "consented_on": "2026-11-08"}
HOUSEHOLD = {"village_code": VILLAGE, "category": "2", "address": "上寨74号", "dibao": True,
             "phone": "15400000001", "registry_no": "5223260001", "office_phone": "0859-4610000",
             "survey_date": "2026-11-08"}  # fmt: skip


def person(
    *,
    member: dict[str, Any] | None = None,
    intention: dict[str, Any] | None = None,
    consent: dict[str, Any] | None = None,
    household: dict[str, Any] | None = None,
    placements: tuple[dict[str, Any], ...] = (),
) -> Bundle:
    """Return the bundle of a household of one, available unless something given says otherwise."""
    home = household_id(next(_numbers))
    own = child_id(home, 1)
    of_member = {"household_id": home, "member_id": own}
    return Bundle(
        {**HOUSEHOLD, **(household or {}), "id": home},
        ({**MEMBER, **(member or {}), "household_id": home, "id": own},),
        ({**INTENTION, **(intention or {}), **of_member, "id": child_id(home, 2)},),
        ({**CONSENT, **(consent or {}), **of_member, "id": child_id(home, 3)},),
        tuple({**p, **of_member, "id": child_id(home, 4)} for p in placements),
    )


def approve(conn: Connection, *bundles: Bundle, county: str = COUNTY) -> None:
    for bundle in bundles:
        store_labourers(conn, county, bundle, approved_at_ms=NOW_MS)


def pull(conn: Connection, filters: Filters | None = None, *, firm: Firm = FIRM, now_ms: int = NOW_MS,
         limit: int = 200, today: str = TODAY) -> PulledList:  # fmt: skip
    return labour.pull_list(
        conn, firm, filters or Filters(), purpose="招装配工", channel="api", user_id=None, limit=limit,
        today=today, now_ms=now_ms, new_id=new_id,
    )  # fmt: skip


def listed(
    conn: Connection, bundle: Bundle, filters: Filters | None = None, **options: Any
) -> bool:
    approve(conn, bundle)
    return bool(pull(conn, filters, **options).rows)


NOT_AVAILABLE: list[dict[str, Any]] = [
    {"consent": {"given": False}},
    {"consent": {"withdrawn_on": "2026-11-10"}},
    {"consent": {"consent_kind": "survey"}},
    {"member": {"id_no": None, "no_id_reason": "1"}},
    {"member": {"labour_ability": "4"}},
    {"member": {"labour_ability": None}},
    {"member": {"in_school": "3"}},
    {"member": {"in_school": "3", "graduates_on": "2027-06-30"}},
    {"member": {"birth_date": "2011-01-01"}},
    {"member": {"birth_date": "2008-11-21"}},
    {"member": {"birth_date": None}},
    {"member": {"member_change": "2"}},
    {"member": {"member_change": "5"}},
    {"intention": {"wants_job": "4"}},
    {"intention": {"wants_job": "5"}},
    {"intention": {"wants_job": "6"}},
    {"intention": {"confirmed_on": "2026-05-23"}},
    {"intention": {"available_from": "2026-12-21"}},
    {"household": {"deleted": True}},
    {"placements": ({"state": "on_job", "started_on": "2026-10-01"},)},
    {"placements": ({"state": "departed", "started_on": "2026-11-01"},)},
]


def test_who_is_not_available_is_not_listed(conn: Connection) -> None:
    for given in NOT_AVAILABLE:
        assert not listed(conn, person(**given)), given


AVAILABLE: list[dict[str, Any]] = [
    {},
    {"member": {"in_school": "3", "graduates_on": "2026-12-20"}},
    {"member": {"birth_date": "2008-11-20"}},
    {"member": {"birth_date": "1950-01-01", "member_change": "3"}},
    {"intention": {"wants_job": "2", "reach": None}},
    {"intention": {"confirmed_on": "2026-05-24"}},
    {"intention": {"available_from": "2026-12-20"}},
    {"placements": ({"state": "ended", "started_on": "2026-01-01", "ended_on": "2026-10-01"},)},
    {"placements": ({"state": "declined", "started_on": "2026-10-01"},)},
]


def test_who_is_available_is_listed(conn: Connection) -> None:
    for count, given in enumerate(AVAILABLE, start=1):
        approve(conn, person(**given))
        assert len(pull(conn).rows) == count, given


FILTERS = [
    (Filters(occupations=("02", "09")), True),
    (Filters(occupations=("09",)), False),
    (Filters(sex="2"), True),
    (Filters(sex="1"), False),
    (Filters(age_min=33, age_max=33), True),
    (Filters(age_min=34), False),
    (Filters(age_max=32), False),
    (Filters(reach="4"), True),
    (Filters(wage_max=4500), True),
    (Filters(wage_max=4499), False),
    (Filters(available_by=TODAY), True),
    (Filters(available_by="2026-11-19"), False),
    (Filters(mandarin="2"), True),
    (Filters(together="1"), False),
    (Filters(township="522326111"), True),
    (Filters(township="522326111000"), True),
    (Filters(township="522326112000"), False),
    (Filters(confirmed_within_days=12), True),
    (Filters(confirmed_within_days=11), False),
]


def test_each_filter_asks_what_it_says(conn: Connection) -> None:
    approve(conn, person())
    for filters, matches in FILTERS:
        assert bool(pull(conn, filters).rows) is matches, filters


def test_any_occupation_answers_every_occupation(conn: Connection) -> None:
    anything = person(intention={"occupations": None, "any_occupation": True})
    assert listed(conn, anything, Filters(occupations=("27",)))


def test_people_of_16_and_17_are_listed_only_where_asked_for_and_marked(conn: Connection) -> None:
    approve(conn, person(member={"birth_date": "2009-11-20"}))
    assert not pull(conn).rows
    [row] = pull(conn, Filters(minors=True)).rows
    assert (row.age, row.minor) == (17, True)


def test_people_with_a_post_stand_in_a_section_of_their_own(conn: Connection) -> None:
    working = ({"state": "on_job", "started_on": "2026-01-01"},)
    approve(conn, person(intention={"wants_job": "5"}, placements=working))
    assert not pull(conn).rows
    assert pull(conn, Filters(section=labour.MAY_CHANGE)).rows


FORBIDDEN = ("韦小山", "小山", "522399199303121129", "13900000001", "15400000001", "上寨74号", "1993-03-12",
             "5223260001", "建档立卡", "慢性病", "坎边")  # fmt: skip


def test_a_row_is_masked_in_json_and_in_the_spreadsheet(conn: Connection) -> None:
    bundle = person()
    approve(conn, bundle)
    pulled = pull(conn)
    [row] = pulled.rows
    told = json.dumps(row.values(), ensure_ascii=False)
    file = io.BytesIO()
    write_list(pulled, firm_name=FIRM.name, timezone="Asia/Shanghai", file=file)
    cells = [cell.value for line in openpyxl.load_workbook(io.BytesIO(file.getvalue())).active.iter_rows()
             for cell in line]  # fmt: skip
    for forbidden in (*FORBIDDEN, VILLAGE, bundle.household["id"], bundle.members[0]["id"]):
        assert forbidden not in told
        assert not any(forbidden in str(cell) for cell in cells)
    assert "布依族" not in cells
    assert row.values()["ethnic"] is None
    assert row.name == "韦*"
    assert (row.county_name, row.township_name, row.age) == ("望谟县", "边饶镇", 33)
    assert row.days_since_confirmed == 12
    assert row.values()["office_phone"] == "0859-4610000"
    assert row.values()["education"] == "70"


def test_the_ethnic_group_is_told_only_where_the_worker_ticked_it(conn: Connection) -> None:
    approve(conn, person(intention={"share_ethnic": True}))
    assert pull(conn).rows[0].values()["ethnic"] == "09"


def test_the_spreadsheet_has_the_rows_pull_number_and_declared_headings(conn: Connection) -> None:
    approve(conn, person(), person(member={"name": "=HYPERLINK(1)", "sex": "1"}))
    pulled = pull(conn)
    file = io.BytesIO()
    write_list(pulled, firm_name=FIRM.name, timezone="Asia/Shanghai", file=file)
    lines = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.getvalue())) \
        .get_sheet_by_index(0).to_python()  # fmt: skip
    assert lines[1][:2] == ["名单号", pulled.pull_id]
    assert lines[5][:2] == ["人数", "2"]
    top = next(n for n, line in enumerate(lines) if line[0] == "序号")
    assert lines[top][:10] == ["序号", "姓名", "年龄", "未成年工", "县", "乡镇", "同行组号",
                               "确认至今(天)", "性别", "文化程度"]  # fmt: skip
    assert [line[0] for line in lines[top + 1 :]] == [1, 2]
    shown = dict(zip(lines[top], lines[top + 1], strict=True))
    assert shown["文化程度"] == "初中"
    assert shown["意向工种"] == "缝纫、装配"
    assert shown["最低月薪(元)"] == 4500
    sheet = openpyxl.load_workbook(io.BytesIO(file.getvalue())).active
    assert all(cell.data_type != "f" for line in sheet.iter_rows() for cell in line)


def couple() -> Bundle:
    one = person(intention={"together_with": "1"})
    home = one.household["id"]
    wife = {
        **one.members[0],
        "id": child_id(home, 11),
        "name": "王小花",
        "relation": "12",
        "sex": "2",
    }
    husband = {**one.members[0], "sex": "1"}
    of_wife = {"member_id": wife["id"]}
    return replace(
        one,
        members=(husband, wife),
        intentions=(*one.intentions, {**one.intentions[0], **of_wife, "id": child_id(home, 12)}),
        consents=(*one.consents, {**one.consents[0], **of_wife, "id": child_id(home, 13)}),
    )


def test_a_couple_has_one_pair_number_and_is_not_split_over_pages(conn: Connection) -> None:
    approve(conn, couple(), *[person() for _ in range(3)])
    seen: list[labour.ListRow] = []
    page = pull(conn, limit=1)
    while True:
        seen += page.rows
        if page.next_cursor is None:
            break
        page = labour.next_page(conn, FIRM, page.next_cursor, limit=1, today=TODAY, now_ms=NOW_MS)
    assert [row.list_no for row in seen] == [1, 2, 3, 4, 5]
    paired = [row for row in seen if row.pair_no]
    assert len({row.pair_no for row in paired}) == 1
    assert [row.list_no for row in paired] == [paired[0].pair_no, paired[0].pair_no + 1]


def test_no_pair_number_where_the_partner_is_not_listed(conn: Connection) -> None:
    bundle = couple()
    refused = {**bundle.consents[1], "given": False}
    approve(conn, replace(bundle, consents=(bundle.consents[0], refused)))
    [row] = pull(conn).rows
    assert row.pair_no is None


def test_pages_hold_everybody_once_and_a_page_asked_twice_is_the_same(conn: Connection) -> None:
    approve(
        conn, *[person(intention={"confirmed_on": f"2026-11-{day:02}"}) for day in range(1, 18)]
    )
    first = pull(conn, limit=7)
    second = labour.next_page(
        conn, FIRM, str(first.next_cursor), limit=7, today=TODAY, now_ms=NOW_MS
    )
    again = labour.next_page(
        conn, FIRM, str(first.next_cursor), limit=7, today=TODAY, now_ms=NOW_MS
    )
    third = labour.next_page(
        conn, FIRM, str(second.next_cursor), limit=7, today=TODAY, now_ms=NOW_MS
    )
    assert again.rows == second.rows
    assert again.next_cursor == second.next_cursor
    assert (first.total, third.next_cursor) == (17, None)
    days = [row.days_since_confirmed for page in (first, second, third) for row in page.rows]
    assert days == list(range(3, 20))
    assert conn.execute(select(list_pull.c.rows)).scalars().all() == [17]


@pytest.mark.parametrize("cursor", ["", "x", "aaaaaaaaaaaaa.1", "aaaaaaaaaaaaa.-1", "٣.٣"])
def test_a_strange_cursor_is_refused(conn: Connection, cursor: str) -> None:
    with pytest.raises(ChushanError):
        labour.next_page(conn, FIRM, cursor, limit=1, today=TODAY, now_ms=NOW_MS)


def test_a_pull_without_a_purpose_is_refused_and_lists_nobody(conn: Connection) -> None:
    with pytest.raises(ChushanError):
        labour.pull_list(conn, FIRM, Filters(), purpose=" ", channel="api", user_id=None, limit=1,
                         today=TODAY, now_ms=NOW_MS, new_id=new_id)  # fmt: skip


def test_a_firm_sees_the_counties_of_its_agreements_only(conn: Connection) -> None:
    theirs = person(household={"village_code": "522325001203"})
    approve(conn, theirs, county=NEIGHBOUR)
    approve(conn, person())
    assert [row.county for row in pull(conn).rows] == ["522326000000"]
    both = Firm(FIRM.org_id, FIRM.name, (COUNTY, NEIGHBOUR))
    assert len(pull(conn, firm=both).rows) == 2
    assert not pull(conn, firm=Firm("firm000000003", "无协议", ())).rows


def test_a_withdrawal_counts_at_the_next_pull_before_anybody_approves(conn: Connection) -> None:
    bundle = person()
    approve(conn, bundle)
    pulled = pull(conn)
    withdrawn = replace(bundle, consents=({**bundle.consents[0], "withdrawn_on": TODAY},))
    assert take_off_lists(conn, COUNTY, [withdrawn]) == 1
    assert not pull(conn).rows
    with pytest.raises(ChushanError) as refused:
        reveal_one(conn, pulled.pull_id)
    assert refused.value.error.code == "wrong_state"
    assert take_off_lists(conn, COUNTY, [withdrawn]) == 0
    # Given again and approved, he is back.
    again = {
        **bundle.consents[0],
        "id": child_id(bundle.household["id"], 9),
        "consented_on": "2026-11-21",
    }
    approve(conn, replace(withdrawn, consents=(*withdrawn.consents, again)))
    assert pull(conn).rows


def test_a_death_or_a_voided_record_leaves_the_list_at_once(conn: Connection) -> None:
    dead, void = person(), person()
    approve(conn, dead, void)
    take_off_lists(
        conn,
        COUNTY,
        [
            replace(dead, members=({**dead.members[0], "member_change": "2"},)),
            replace(void, members=()),
        ],
    )
    assert not pull(conn).rows


def test_somebody_who_moved_to_another_household_is_listed_from_there(conn: Connection) -> None:
    before, after = person(), person()
    moved = {**before.members[0], "household_id": after.household["id"]}
    approve(conn, before)
    take_off_lists(conn, COUNTY, [replace(before, members=())])
    assert not pull(conn).rows
    approve(
        conn,
        replace(after, members=(moved,), intentions=before.intentions, consents=before.consents),
    )
    assert len(pull(conn).rows) == 1


def test_an_unapproved_revision_leaves_the_approved_values_on_the_list(conn: Connection) -> None:
    bundle = person()
    approve(conn, bundle)
    revised = replace(bundle, intentions=({**bundle.intentions[0], "wage_floor": 9000},))
    assert take_off_lists(conn, COUNTY, [revised]) == 0
    assert pull(conn).rows[0].values()["wage_floor"] == 4500


def test_whom_one_firm_holds_no_other_firm_sees_for_72_hours(conn: Connection) -> None:
    approve(conn, person())
    mine, theirs = pull(conn), pull(conn, firm=RIVAL)
    [held] = labour.hold_listed(conn, FIRM, pull_id=mine.pull_id, list_nos=[1], now_ms=NOW_MS)
    assert (held.held, held.until_ms) == (True, NOW_MS + 3 * DAY_MS)
    assert pull(conn).rows[0].held_until_ms == held.until_ms
    assert not pull(conn, firm=RIVAL).rows
    [refused] = labour.hold_listed(conn, RIVAL, pull_id=theirs.pull_id, list_nos=[1], now_ms=NOW_MS)
    assert (refused.held, refused.code) == (False, "held_by_other")
    with pytest.raises(ChushanError) as not_told:
        reveal_one(conn, theirs.pull_id, firm=RIVAL)
    assert not_told.value.error.code == "held_by_other"
    assert pull(conn, firm=RIVAL, now_ms=NOW_MS + 3 * DAY_MS + 1).rows


def test_a_hold_is_extended_once_and_then_goes_back_to_all(conn: Connection) -> None:
    approve(conn, person())
    pulled = pull(conn)

    def hold(now_ms: int) -> labour.HoldAnswer:
        return labour.hold_listed(conn, FIRM, pull_id=pulled.pull_id, list_nos=[1], now_ms=now_ms)[
            0
        ]

    assert hold(NOW_MS).held
    assert hold(NOW_MS + DAY_MS).until_ms == NOW_MS + 6 * DAY_MS
    assert hold(NOW_MS + 2 * DAY_MS).code == "wrong_state"
    assert hold(NOW_MS + 7 * DAY_MS).code == "wrong_state"
    assert hold(NOW_MS + 9 * DAY_MS + 1).held


def reveal_one(
    conn: Connection, pull_id: str, *, firm: Firm = FIRM, list_no: int = 1, per_day: int = 300
) -> dict[str, Any]:
    return labour.reveal_listed(
        conn, firm, pull_id=pull_id, list_no=list_no, reason="电话确认", user_id=None, per_day=per_day,
        day_start_ms=labour.day_start_ms(TODAY, "Asia/Shanghai"), now_ms=NOW_MS, new_id=new_id,
    )  # fmt: skip


def test_a_reveal_gives_the_revealed_fields_and_is_logged(conn: Connection) -> None:
    approve(conn, person())
    pulled = pull(conn)
    told = reveal_one(conn, pulled.pull_id)
    assert told == {"name": "韦小山", "phone": "13900000001", "office_phone": "0859-4610000"}
    [logged] = conn.execute(select(reveal)).all()
    assert (logged.org_id, logged.reason, logged.pull_id) == (
        FIRM.org_id,
        "电话确认",
        pulled.pull_id,
    )


def test_reveals_end_at_the_days_limit_and_the_same_person_again_is_free(conn: Connection) -> None:
    approve(conn, person(), person())
    pulled = pull(conn)
    reveal_one(conn, pulled.pull_id, per_day=1)
    reveal_one(conn, pulled.pull_id, per_day=1)
    with pytest.raises(ChushanError) as refused:
        reveal_one(conn, pulled.pull_id, list_no=2, per_day=1)
    assert refused.value.error.code == "limit_reached"


def test_nobody_is_revealed_outside_a_pull_of_that_firm(conn: Connection) -> None:
    approve(conn, person())
    pulled = pull(conn)
    for firm, pull_id, list_no in (
        (RIVAL, pulled.pull_id, 1),
        (FIRM, "aaaaaaaaaaaaa", 1),
        (FIRM, pulled.pull_id, 2),
        (Firm(FIRM.org_id, FIRM.name, (NEIGHBOUR,)), pulled.pull_id, 1),
    ):
        with pytest.raises(ChushanError) as refused:
            reveal_one(conn, pull_id, firm=firm, list_no=list_no)
        assert refused.value.error.code == "not_found"


def test_the_county_sees_who_pulled_its_people(conn: Connection) -> None:
    approve(conn, person())
    pulled = pull(conn, Filters(sex="2"))
    reveal_one(conn, pulled.pull_id)
    [seen] = pulls_of_county(conn, COUNTY)
    assert (seen.pull_id, seen.org_name, seen.purpose) == (pulled.pull_id, FIRM.name, "招装配工")
    assert (seen.rows, seen.reveals, seen.filters["sex"]) == (1, 1, "2")
    assert not pulls_of_county(conn, NEIGHBOUR)


@pytest.mark.parametrize(("verdicts", "counties"), [
    (("same", "same"), [NEIGHBOUR]),
    (("same", ""), [COUNTY, NEIGHBOUR]),
    (("same", "not_same"), [COUNTY, NEIGHBOUR]),
])  # fmt: skip
def test_whom_two_counties_call_one_person_a_firm_of_both_finds_once_where_he_is_newer(
    conn, verdicts, counties
):
    here, there = person(), person(intention={"confirmed_on": "2026-11-10"})
    approve(conn, here)
    approve(conn, there, county=NEIGHBOUR)
    ways = ((COUNTY, NEIGHBOUR, here), (NEIGHBOUR, COUNTY, there))
    for (county, other, whose), verdict in zip(ways, verdicts, strict=True):
        row = {"county": county, "id": "double0000001", "other_county": other,
               "record_id": whose.members[0]["id"], "strength": "likely", "word": "agreed",
               "verdict": verdict, "found_at_ms": 1}  # fmt: skip
        conn.execute(insert(county_double), row)
    both = Firm(FIRM.org_id, FIRM.name, (COUNTY, NEIGHBOUR))
    assert sorted({row.county[:6] for row in pull(conn, firm=both).rows}, reverse=True) == counties
    assert pull(conn, firm=FIRM).total == 1
