"""The roster import on both databases: what is written, reported, merged and left alone."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from sheets import xlsx
from sqlalchemy import Engine, func, select

from server.services import roster_import
from server.services.apply_changes import Author, apply_changes
from server.services.roster_import import Imported, RosterFile, fault_sheet_bytes, import_roster
from server.storage import roster as storage
from server.storage.divisions import store_divisions
from server.storage.engine import reading, writing
from server.storage.records import StoredRecord, records_of_households
from server.storage.tables import change, conflict, county_counter, record_tables, review
from shared_schemas import SCHEMA_VERSION
from shared_schemas.changes import Change
from shared_schemas.codes.divisions import divisions_within
from shared_schemas.errors import ChushanError
from shared_schemas.ids import household_id

COUNTY = "522326"
NOW_MS = 1_795_168_800_000
DAY_MS = 86_400_000
VILLAGE = "522326111201"
HEADINGS = ["户编号", "乡镇", "村", "人口编号", "姓名", "证件号码", "与户主关系", "文化程度", "户电话", "户类型"]  # fmt: skip
HEAD = ["5223260001", "边饶镇", "坎边村", "101", "韦小山", "522399199303121129", "户主", "初中", "13900000001", "脱贫户"]  # fmt: skip
SON = ["5223260001", "边饶镇", "坎边村", "102", "韦小水", "52239920120601118X", "之子", "小学", "13900000001", "脱贫户"]  # fmt: skip
OTHER = ["5223260002", "边饶镇", "拉稍村", "201", "王大田", "622999198402291133", "户主", "小学", "13900000003", "监测户"]  # fmt: skip

_ids = itertools.count(1)


@pytest.fixture(autouse=True)
def divisions(engine: Engine) -> None:
    with writing(engine) as conn:
        store_divisions(
            conn,
            [
                {"code": p.code12, "name": p.name, "level": p.level, "parent": p.parent}
                for level in (4, 5)
                for p in divisions_within(COUNTY, level)
            ],
        )


def imported(
    engine: Engine,
    rows: Sequence[Sequence[Any]],
    *,
    headings: Sequence[str] = HEADINGS,
    now_ms: int = NOW_MS,
    scope: str = COUNTY,
    county: str = COUNTY,
    **options: Any,
) -> Imported:
    file = RosterFile(xlsx([headings, *rows]), "名册.xlsx", county, scope, "clerk00000001")
    return import_roster(
        engine, file, clock=lambda: now_ms, new_id=lambda: household_id(next(_ids)), **options
    )


def records(engine: Engine) -> dict[str, list[StoredRecord]]:
    household = record_tables()["household"]
    with reading(engine) as conn:
        ids = conn.execute(select(household.c.id)).scalars().all()
        found: dict[str, list[StoredRecord]] = {}
        for record in records_of_households(conn, COUNTY, ids):
            found.setdefault(record.kind, []).append(record)
    return found


def by_name(engine: Engine, name: str) -> StoredRecord:
    [found] = [m for m in records(engine)["member"] if m.values["name"] == name]
    return found


def as_cadre(engine: Engine, record: StoredRecord, values: dict[str, Any], *, at_ms: int) -> None:
    author = Author(COUNTY, "phone00000001", "cadre00000001", "device0000001", VILLAGE, "device")
    edit = Change(next(_ids), record.kind, record.id, record.seq, at_ms, values)
    with writing(engine) as conn:
        apply_changes(conn, [edit], author=author, sent_ms=at_ms, received_ms=at_ms,
                      schema=SCHEMA_VERSION)  # fmt: skip


def everything(engine: Engine) -> tuple[Any, ...]:
    with reading(engine) as conn:
        seq = conn.execute(select(county_counter.c.seq)).scalar()
        changes = conn.execute(select(func.count()).select_from(change)).scalar()
        reviews = conn.execute(select(review.c.household_id, review.c.seq, review.c.state)).all()
    return seq, changes, sorted(map(tuple, reviews)), records(engine)


def test_rows_become_households_to_be_confirmed(engine: Engine) -> None:
    done = imported(engine, [HEAD, SON, OTHER])
    assert (done.counts.households_new, done.counts.members_new, done.counts.rows_bad) == (2, 3, 0)
    found = records(engine)
    first = next(h for h in found["household"] if h.values["registry_no"] == "5223260001")
    head = by_name(engine, "韦小山")
    assert first.values["village_code"] == VILLAGE
    assert first.values["category"] == "3"
    assert first.values["head_member_id"] == head.id
    assert head.values["birth_date"] == "1993-03-12"
    assert by_name(engine, "韦小水").values["relation"] == "20"
    with reading(engine) as conn:
        assert set(conn.execute(select(review.c.state)).scalars()) == {"to_confirm"}
        run = storage.import_of(conn, COUNTY, done.import_id)
    assert run is not None
    assert (run.state, run.rows_read, run.rows_total, run.households_new) == ("done", 3, 3, 2)


def test_the_same_file_twice_changes_nothing(engine: Engine) -> None:
    imported(engine, [HEAD, SON, OTHER])
    before = everything(engine)
    again = imported(engine, [HEAD, SON, OTHER], now_ms=NOW_MS + DAY_MS)
    assert everything(engine) == before
    assert (again.counts.rows_read, again.counts.records_changed) == (3, 0)


def test_bad_rows_are_reported_with_row_column_and_reason_and_good_ones_imported(
    engine: Engine,
) -> None:
    rounded = [*SON[:5], 5.22399201206011e17, *SON[6:]]
    elsewhere = [*OTHER[:2], "没有村", *OTHER[3:]]
    done = imported(engine, [HEAD, rounded, elsewhere])
    assert (done.counts.rows_read, done.counts.rows_bad) == (3, 2)
    assert [m.values["name"] for m in records(engine)["member"]] == ["韦小山"]
    sheet = openpyxl.load_workbook(
        io.BytesIO(fault_sheet_bytes(engine, COUNTY, done.import_id))
    ).active
    lines = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert lines[0] == ["行号", "列", "内容", "原因"]
    assert [line[:2] for line in lines[1:]] == [[3, "证件号码"], [4, "村"]]
    assert "末几位已丢失" in lines[1][3]
    assert "没有“没有村”" in lines[2][3]
    assert all(cell.data_type == "s" for cell in sheet["C"])


def test_a_newer_roster_and_a_cadres_edit_of_other_fields_both_stand(engine: Engine) -> None:
    imported(engine, [HEAD, SON])
    head = by_name(engine, "韦小山")
    as_cadre(engine, head, {"phone": "13800000009"}, at_ms=NOW_MS + DAY_MS)
    newer = [*HEAD[:7], "高中", *HEAD[8:]]
    done = imported(engine, [newer, SON], now_ms=NOW_MS + 2 * DAY_MS)
    assert (done.counts.records_changed, done.counts.conflicts) == (1, 0)
    merged = by_name(engine, "韦小山").values
    assert (merged["phone"], merged["education"]) == ("13800000009", "60")


def test_a_newer_roster_against_a_cadres_edit_is_a_conflict_and_the_visit_shows(
    engine: Engine,
) -> None:
    imported(engine, [HEAD, SON])
    head = by_name(engine, "韦小山")
    as_cadre(engine, head, {"education": "70", "name": "韦晓山"}, at_ms=NOW_MS + DAY_MS)
    newer = [*HEAD[:4], "韦筱山", HEAD[5], HEAD[6], "高中", *HEAD[8:]]
    before = [*HEAD[:4], "韦小山", HEAD[5], HEAD[6], "初中", *HEAD[8:]]
    assert imported(engine, [before, SON], now_ms=NOW_MS + 2 * DAY_MS).counts.records_changed == 0
    done = imported(engine, [newer, SON], now_ms=NOW_MS + 3 * DAY_MS)
    assert done.counts.conflicts == 1
    with reading(engine) as conn:
        rows = conn.execute(
            select(conflict.c.field, conflict.c.ours, conflict.c.theirs, conflict.c.shown)
        ).all()
    assert ("name", "韦晓山", "韦筱山", "ours") in [tuple(row) for row in rows]
    assert by_name(engine, "韦晓山").values["name"] == "韦晓山"
    after = everything(engine)
    imported(engine, [newer, SON], now_ms=NOW_MS + 4 * DAY_MS)
    assert everything(engine) == after


def test_a_cell_that_became_empty_takes_nothing_away(engine: Engine) -> None:
    imported(engine, [HEAD])
    done = imported(engine, [[*HEAD[:7], "", "", HEAD[9]]], now_ms=NOW_MS + DAY_MS)
    assert done.counts.records_changed == 0
    assert by_name(engine, "韦小山").values["education"] == "70"


def test_a_household_that_a_cadre_registered_already_is_matched_not_doubled(engine: Engine) -> None:
    own = household_id(77)
    with writing(engine) as conn:
        author = Author(
            COUNTY, "phone00000001", "cadre00000001", "device0000001", VILLAGE, "device"
        )
        edits = [
            Change(1, "household", own, 0, NOW_MS, {"village_code": VILLAGE, "registry_no": "5223260001",
                                                   "phone": "13800000009"}),
            Change(2, "member", own + "aaaa", 0, NOW_MS, {"household_id": own, "name": "韦小山",
                                                         "id_no": "522399199303121129"}),
        ]  # fmt: skip
        apply_changes(conn, edits, author=author, sent_ms=NOW_MS, received_ms=NOW_MS,
                      schema=SCHEMA_VERSION)  # fmt: skip
    done = imported(engine, [HEAD, SON], now_ms=NOW_MS + DAY_MS)
    assert (done.counts.households_new, done.counts.members_new) == (0, 1)
    found = records(engine)
    assert [h.id for h in found["household"]] == [own]
    assert len(found["member"]) == 2
    # What the cadre left open is filled, what he said stays.
    assert found["household"][0].values["phone"] == "13800000009"
    assert by_name(engine, "韦小山").values["education"] == "70"


def test_rows_of_one_household_join_wherever_they_stand(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_import, "BATCH_ROWS", 1)
    imported(engine, [HEAD, OTHER, SON])
    found = records(engine)
    assert len(found["household"]) == 2
    assert by_name(engine, "韦小山").household_id == by_name(engine, "韦小水").household_id


def test_a_run_that_was_killed_is_completed_by_running_it_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_import, "BATCH_ROWS", 1)

    def die(read: int, _total: int) -> None:
        if read >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imported(engine, [HEAD, SON, OTHER], progress=die)
    assert len(records(engine)["member"]) == 2
    with reading(engine) as conn:
        assert [run.state for run in storage.imports_of(conn, COUNTY)] == ["failed"]
    seen: list[tuple[int, int]] = []
    done = imported(engine, [HEAD, SON, OTHER], progress=lambda *at: seen.append(at))
    assert (done.counts.households_new, done.counts.members_new) == (1, 1)
    assert len(records(engine)["member"]) == 3
    assert seen[-1] == (3, 3)


def test_a_person_who_stands_twice_in_a_household_is_reported(engine: Engine) -> None:
    done = imported(engine, [HEAD, SON, SON])
    assert (done.counts.members_new, done.counts.rows_bad) == (2, 1)
    with reading(engine) as conn:
        [fault] = storage.faults_of(conn, COUNTY, done.import_id)
    assert (fault.row_no, fault.heading) == (4, "证件号码")
    assert "已经出现过" in fault.reason


def test_namesakes_with_other_birth_dates_are_two_people(engine: Engine) -> None:
    headings = ["户编号", "村", "姓名", "出生日期"]
    rows = [["1", "坎边村", "韦小山", "19600101"], ["1", "坎边村", "韦小山", "19900101"]]
    assert imported(engine, rows, headings=headings).counts.members_new == 2
    assert imported(engine, rows, headings=headings).counts.members_new == 0


def test_one_household_in_two_villages_is_reported_even_far_apart(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_import, "BATCH_ROWS", 1)
    stray = [*SON[:2], "拉稍村", *SON[3:]]
    done = imported(engine, [HEAD, OTHER, stray])
    assert done.counts.rows_bad == 1
    with reading(engine) as conn:
        [fault] = storage.faults_of(conn, COUNTY, done.import_id)
    assert (fault.row_no, fault.heading) == (4, "村")
    assert "第 2 行" in fault.reason


def test_another_phone_in_a_members_row_is_his_own(engine: Engine) -> None:
    imported(engine, [HEAD, [*SON[:8], "13800000008", SON[9]]])
    assert by_name(engine, "韦小水").values["phone"] == "13800000008"
    assert records(engine)["household"][0].values["phone"] == "13900000001"


def test_rows_that_disagree_about_their_household_follow_the_head(engine: Engine) -> None:
    done = imported(engine, [[*SON[:9], "监测户"], HEAD])
    assert records(engine)["household"][0].values["category"] == "3"
    with reading(engine) as conn:
        [fault] = storage.faults_of(conn, COUNTY, done.import_id)
    assert (fault.row_no, fault.heading, fault.value) == (2, "户类型", "监测对象")
    assert done.counts.rows_bad == 0


def test_a_township_clerk_imports_his_own_villages_only(engine: Engine) -> None:
    done = imported(engine, [HEAD, [*OTHER[:1], "王母街道", "", *OTHER[3:]]], scope="522326111")
    assert (done.counts.members_new, done.counts.rows_bad) == (1, 1)


def test_another_county_is_refused(engine: Engine) -> None:
    with pytest.raises(ChushanError) as refused:
        imported(engine, [HEAD], scope="522325")
    assert refused.value.error.code == "forbidden"


def test_a_file_without_the_needed_columns_is_refused_whole(engine: Engine) -> None:
    with pytest.raises(ChushanError) as refused:
        imported(engine, [["韦小山", "初中"]], headings=["姓名", "文化程度"])
    assert refused.value.error.code == "invalid_values"
    assert "户编号" in refused.value.detail
