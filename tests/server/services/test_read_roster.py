"""Reading a register as offices keep it: forms of file, headings, cells, places."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import pytest
import xlsxwriter
from sheets import text, xls, xlsx

from server.services.read_roster import (
    ID_NO,
    Places,
    RosterRow,
    RowParser,
    Unreadable,
    mapping_from_json,
    mapping_of,
    mapping_to_json,
    open_roster,
    parse_cell,
    place_in_china,
    preview,
)
from shared_schemas.codes.divisions import divisions_within
from shared_schemas.errors import ChushanError
from shared_schemas.records import record_kind

HEADINGS = ["户编号", "村", "姓名", "证件号码", "与户主关系"]
ROW = ["5223260001", "坎边村", "韦小山", "522399199303121129", "户主"]


def places(scope: str = "522326") -> Places:
    return Places([_Known(p.code12, p.name, p.level) for level in (4, 5)
                   for p in divisions_within("522326", level)], scope=scope)  # fmt: skip


class _Known:
    def __init__(self, code: str, name: str, level: int) -> None:
        self.code, self.name, self.level = code, name, level


def parsed(headings: list[str], *rows: Sequence[Any]) -> list[RosterRow]:
    roster = open_roster(xlsx([headings, *rows]))
    parser = RowParser(mapping_of(roster.headings), roster.headings, places())
    return [parser.parse(row_no, cells) for row_no, cells in roster.rows()]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (xlsx([HEADINGS, ROW]), "xlsx"),
        (xls([HEADINGS, ROW]), "xls"),
        (text([HEADINGS, ROW], "utf-8"), "csv"),
        (text([HEADINGS, ROW], "utf-8-sig"), "csv"),
        (text([HEADINGS, ROW], "gb18030"), "csv"),
        (text([HEADINGS, ROW], "gb18030", "\t"), "csv"),
        (text([HEADINGS, ROW], "utf-16", ";"), "csv"),
    ],
)
def test_every_form_of_file_gives_the_same_row(data: bytes, form: str) -> None:
    roster = open_roster(data)
    assert roster.form == form
    [(row_no, cells)] = roster.rows()
    assert row_no == 2
    assert [str(cell) for cell in cells.values()] == ROW


def test_the_heading_row_is_found_below_titles() -> None:
    roster = open_roster(xlsx([HEADINGS, ROW], above=["某县花名册", "填报单位:某镇", ""]))
    assert roster.heading_row_no == 4
    assert [row_no for row_no, _ in roster.rows()] == [5]
    assert roster.rows_total == 1


def test_excel_tricks_that_keep_numbers_text_are_undone_in_csv() -> None:
    data = text([HEADINGS, ["'5223260001", "坎边村", "韦小山", '="522399199303121129"', "户主"]],
                "utf-8")  # fmt: skip
    [(_, cells)] = open_roster(data).rows()
    assert (cells[1], cells[4]) == ("5223260001", "522399199303121129")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed"),
        (b"PK\x03\x04 not a workbook", "malformed"),
        (xlsx([HEADINGS, ROW])[:900], "malformed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "malformed"),
        (b"<html><table><tr><td>x</td></tr></table></html>", "wrong_media_type"),
        (bytes(range(256)) * 4, "wrong_media_type"),
        ("只有一行字".encode(), "malformed"),
        (xlsx([["甲", "乙"], ["1", "2"]]), "malformed"),
    ],
)
def test_what_is_no_roster_is_refused_with_a_reason(data: bytes, code: str) -> None:
    with pytest.raises(ChushanError) as refused:
        open_roster(data)
    assert refused.value.error.code == code
    assert refused.value.detail


def test_headings_are_known_in_any_width_spacing_and_brackets() -> None:
    headings = {
        1: "户 编 号",
        2: "姓名*",
        3: "务工时间（月）",
        4: "公民身份号码\n",
        5: "与户主关系",
        6: "备注",
    }
    meant = mapping_of(headings)
    assert meant == {
        1: ("household", "registry_no"),
        2: ("member", "name"),
        3: ("member", "work_months"),
        4: ("member", "id_no"),
        5: ("member", "relation"),
    }


def test_an_open_heading_takes_what_the_others_leave() -> None:
    assert mapping_of({1: "联系电话"}) == {1: ("household", "phone")}
    both = mapping_of({1: "联系电话", 2: "户电话"})
    assert both == {1: ("member", "phone"), 2: ("household", "phone")}
    assert mapping_of({1: "联系电话", 2: "成员电话"})[1] == ("household", "phone")


def test_the_heads_name_counts_only_where_nobody_else_is_named() -> None:
    assert 1 not in mapping_of({1: "户主姓名", 2: "姓名"})
    [row] = parsed(["户编号", "村", "户主姓名"], ["1", "坎边村", "韦小山"])
    assert (row.member["name"], row.member["relation"]) == ("韦小山", "02")


def test_preview_says_what_is_missing_and_what_is_not_understood() -> None:
    seen = preview(
        xlsx([["姓名", "证件号码", "备注"], ["韦小山", 5.22399199303121e17, "x"]]), "名册.xlsx"
    )
    assert seen.missing == ("户编号", "所在村")
    assert seen.unmapped == ("备注",)
    assert seen.mapping == {1: ("member", "name"), 2: ID_NO}
    assert seen.sample[0][1][1] == "韦小山"
    assert "变成了数字" in seen.problems[0]


def test_a_mapping_survives_json_and_refuses_unknown_fields() -> None:
    mapping = mapping_of(dict(enumerate(HEADINGS, start=1)))
    assert mapping_from_json(mapping_to_json(mapping)) == mapping
    for wrong in (
        {"1": "member.deleted"},
        {"x": "member.name"},
        {"1": "member.name", "2": "member.name"},
    ):
        with pytest.raises(ChushanError):
            mapping_from_json(wrong)


@pytest.mark.parametrize(
    "cell", [5.22399199303121e17, "5.22399E+17", "5.22399199303121E+17", "522399199303121000"]
)
def test_an_id_number_that_a_spreadsheet_rounded_is_refused_not_repaired(cell: Any) -> None:
    [row] = parsed(HEADINGS, [*ROW[:3], cell, "户主"])
    assert row.is_refused
    assert "id_no" not in row.member
    [fault] = row.faults
    assert (fault.row_no, fault.heading) == (2, "证件号码")
    assert "末几位已丢失" in fault.told
    assert fault.told.startswith("整行未导入")


def test_a_rounded_register_number_is_refused_and_a_short_one_is_taken() -> None:
    rounded, short = parsed(HEADINGS, [5.22326000112233e16, *ROW[1:]], [5223260001, *ROW[1:]])
    assert rounded.is_refused
    assert "末几位已丢失" in rounded.faults[0].reason
    assert short.registry_no == "5223260001"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("20150102", "2015-01-02"),
        (20150102, "2015-01-02"),
        ("2015-01-02", "2015-01-02"),
        ("2015/1/2", "2015-01-02"),
        ("2015.1.2", "2015-01-02"),
        ("2015年1月2日", "2015-01-02"),
        ("2015年1月", "2015-01-01"),
        ("201501", "2015-01-01"),
        ("2015-01", "2015-01-01"),
        ("2015-01-02 00:00:00", "2015-01-02"),
        (42006, "2015-01-02"),
        ("42006", "2015-01-02"),
        (dt.date(2015, 1, 2), "2015-01-02"),
        ("2015", "2015-01-01"),
        (2015, "2015-01-01"),
        ("-", None),
    ],
)
def test_days_are_read_in_the_usual_forms(written: Any, meant: str | None) -> None:
    day = record_kind("household").fields["jdlk_from"]
    assert parse_cell(day, written, "识别时间") == meant


def test_a_year_of_leaving_poverty_ends_with_the_year() -> None:
    day = record_kind("household").fields["jdlk_to"]
    assert parse_cell(day, "2019", "脱贫年度") == "2019-12-31"


@pytest.mark.parametrize("written", ["2015-02-30", "昨天", "15年", 3.5, "1815-01-01"])
def test_what_is_no_day_has_a_reason(written: Any) -> None:
    with pytest.raises(Unreadable, match=r"日期|没有这一天"):
        parse_cell(record_kind("household").fields["jdlk_from"], written)


@pytest.mark.parametrize(
    ("kind", "name", "written", "meant"),
    [
        ("member", "relation", "之子", "20"),
        ("member", "relation", "之儿媳", "38"),
        ("member", "relation", "02", "02"),
        ("member", "education", "文盲或半文盲", "90"),
        ("member", "education", "初中", "70"),
        ("member", "ethnic", "布依", "09"),
        ("member", "ethnic", "布依族", "09"),
        ("member", "speaks_mandarin", "是", "1"),
        ("member", "speaks_mandarin", "否", "3"),
        ("member", "health", "长期慢性病,残疾", ["2", "4"]),
        ("member", "labour_ability", "弱劳动力或半劳动力", "3"),
        ("member", "in_school", "非在校生", "0"),
        ("member", "work_months", "8个月", 8),
        ("member", "phone", 13900000001.0, "13900000001"),
        ("member", "phone", "139 0000 0001/13800000000", "13900000001"),
        ("member", "phone", "0859-4610000", "0859-4610000"),
        ("household", "category", "低保贫困户", "2"),
        ("household", "category", "脱贫户", "3"),
        ("household", "dibao", "√", True),
        ("household", "dibao", "否", False),
        ("household", "address", "无", "无"),
    ],
)
def test_a_registers_words_are_understood(kind: str, name: str, written: Any, meant: Any) -> None:
    assert parse_cell(record_kind(kind).fields[name], written) == meant


@pytest.mark.parametrize(("name", "written"), [("ethnic", "02"), ("education", "3")])
def test_numbers_of_lists_that_programs_numbered_anew_are_not_trusted(
    name: str, written: str
) -> None:
    with pytest.raises(Unreadable, match="编号"):
        parse_cell(record_kind("member").fields[name], written)


def test_every_synonym_means_a_code_of_its_list() -> None:
    from server.services.read_roster import _synonyms
    from shared_schemas.codes import code_list

    for (name, word), (code, _) in _synonyms().items():
        assert name == "flag" or code in code_list(name), (name, word, code)


def test_one_word_may_say_two_things() -> None:
    headings = [*HEADINGS, "文化程度", "户类型"]
    [row] = parsed(headings, [*ROW, "文盲", "脱贫不稳定户"])
    assert (row.member["education"], row.member["illiterate"]) == ("90", True)
    assert (row.household["category"], row.household["monitor_type"]) == ("4", "1")


def test_a_name_padded_with_spaces_and_a_number_written_as_none_are_understood() -> None:
    [row] = parsed(HEADINGS, [*ROW[:2], "韦　 山", "无", "之子"])
    assert not row.faults
    assert row.member == {"name": "韦山", "relation": "20"}


def test_household_cells_merged_over_the_members_rows_count_for_each() -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    sheet.merge_range(1, 0, 3, 0, "5223260001")
    sheet.merge_range(1, 1, 3, 1, "坎边村")
    for line, name in enumerate(("韦小山", "韦小水", "韦小花"), start=1):
        sheet.write_string(line, 2, name)
    book.close()
    roster = open_roster(file.getvalue())
    parser = RowParser(mapping_of(roster.headings), roster.headings, places())
    rows = [parser.parse(row_no, cells) for row_no, cells in roster.rows()]
    assert [(r.registry_no, r.member["name"]) for r in rows] == [
        ("5223260001", name) for name in ("韦小山", "韦小水", "韦小花")
    ]
    assert not any(row.faults for row in rows)


def test_birth_date_and_sex_come_from_the_id_number_where_the_sheet_is_silent() -> None:
    [row, by_month] = parsed([*HEADINGS, "出生年月"], [*ROW, ""], [*ROW, "1993年3月"])
    for seen in (row, by_month):
        assert (seen.member["birth_date"], seen.member["sex"]) == ("1993-03-12", "2")


def test_a_low_stakes_cell_is_left_empty_and_reported_the_row_stays() -> None:
    [row] = parsed([*HEADINGS, "务工所在地"], [*ROW, "火星"])
    assert not row.is_refused
    assert "work_place_code" not in row.member
    [fault] = row.faults
    assert fault.told.startswith("此项留空")
    assert fault.value == "火星"


def test_a_row_without_household_number_or_name_is_refused() -> None:
    nobody, homeless = parsed(HEADINGS, ["5223260001", "坎边村", "", "", ""], ["", *ROW[1:]])
    assert [f.reason for f in nobody.faults] == ["姓名为空"]
    assert [f.reason for f in homeless.faults] == ["户编号为空"]


def test_a_village_is_found_by_code_by_name_and_within_its_township() -> None:
    known = places()
    assert known.village("522326111201") == "522326111201"
    assert known.village(522326111201.0) == "522326111201"
    assert known.village("坎边村", "边饶镇") == "522326111201"
    assert known.village("坎边", "边饶") == "522326111201"
    assert known.village("坎边村村委会") == "522326111201"


def test_an_unknown_township_or_village_gets_a_hint() -> None:
    with pytest.raises(Unreadable, match="没有“边城街道”,是否为“边饶镇”"):
        places().village("坎边村", "边城街道")
    with pytest.raises(Unreadable, match=r"没有“坎辺村”,是否为.*“坎边村”"):
        places().village("坎辺村", "边饶镇")


def test_a_village_name_that_stands_twice_is_not_guessed() -> None:
    twins = [_Known("522326101000", "甲镇", 4), _Known("522326102000", "乙镇", 4),
             _Known("522326101201", "新寨村", 5), _Known("522326102201", "新寨村", 5)]  # fmt: skip
    known = Places(twins, scope="522326")
    with pytest.raises(Unreadable, match="2 个“新寨村”"):
        known.village("新寨村")
    assert known.village("新寨村", "乙镇") == "522326102201"


def test_a_township_user_reaches_his_own_villages_only() -> None:
    known = places("522326111")
    assert known.village("坎边村") == "522326111201"
    with pytest.raises(Unreadable, match="不在您负责的范围"):
        known.village("522326101201")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("浙江省余姚市", "330281000000"),
        ("浙江宁波", "330200000000"),
        ("广东", "440000000000"),
        ("贵州省黔西南州望谟县", "522326000000"),
        ("上海浦东新区", "310115000000"),
        ("北京市朝阳区", "110105000000"),
        ("朝阳区", None),
        ("火星", None),
    ],
)
def test_a_place_of_work_is_found_as_people_write_it(written: str, code: str | None) -> None:
    assert place_in_china(written) == code
