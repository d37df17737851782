"""The labour list as a spreadsheet: the same rows and columns as the page and the API."""

from __future__ import annotations

import datetime as dt
from typing import IO
from zoneinfo import ZoneInfo

import xlsxwriter

from server.services.labour import ListColumn, ListRow, PulledList, columns

_NUMBERS = frozenset({"list_no", "age", "pair_no", "days_since_confirmed"})
_WORDS = {
    "zh": {
        "sheet": "劳动力名单",
        "title": "可输出劳动力名单",
        "pull": "名单号",
        "firm": "调取单位",
        "purpose": "用途",
        "at": "调取时间",
        "rows": "人数",
        "some": "符合条件 {total} 人,本表列出 {rows} 人",
        "all": "{rows}",
        "note": "仅限上述用途,不得转给他人;联系方式请凭名单号和序号逐人申请查看。",
    },
    "en": {
        "sheet": "Labour list",
        "title": "People available for work",
        "pull": "Pull number",
        "firm": "Pulled by",
        "purpose": "Purpose",
        "at": "Pulled at",
        "rows": "People",
        "some": "{total} match, {rows} are listed here",
        "all": "{rows}",
        "note": "For this purpose only, not to be passed on. Ask for contact details one person at a "
        "time by pull number and list number.",
    },
}


def write_list(
    pulled: PulledList, *, firm_name: str, timezone: str, file: IO[bytes] | str, lang: str = "zh"
) -> None:
    """Write a pulled list as .xlsx: what it is and who pulled it, then headings, then the rows.

    Text is written as text, so that nothing in a cell is ever taken for a formula or a number.
    """
    words = _WORDS.get(lang, _WORDS["zh"])
    at = dt.datetime.fromtimestamp(pulled.at_ms / 1000, ZoneInfo(timezone))
    count = words["some" if pulled.total > len(pulled.rows) else "all"]
    head = (
        (words["pull"], pulled.pull_id),
        (words["firm"], firm_name),
        (words["purpose"], pulled.purpose),
        (words["at"], f"{at:%Y-%m-%d %H:%M}"),
        (words["rows"], count.format(total=pulled.total, rows=len(pulled.rows))),
    )
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    bold = book.add_format({"bold": True})
    heading = book.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1, "text_wrap": True})
    sheet = book.add_worksheet(words["sheet"])
    listed = columns()
    for number, column in enumerate(listed):
        sheet.set_column(number, number, _width(column))
    sheet.write_string(0, 0, words["title"], bold)
    for line, (name, value) in enumerate(head, start=1):
        sheet.write_string(line, 0, name, bold)
        sheet.write_string(line, 1, value)
    sheet.write_string(len(head) + 1, 0, words["note"])
    top = len(head) + 2
    sheet.freeze_panes(top + 1, 2)
    for number, column in enumerate(listed):
        sheet.write_string(top, number, column.heading(lang), heading)
    for line, row in enumerate(pulled.rows, start=top + 1):
        _write_row(sheet, line, row, listed, lang)
    book.close()


def _write_row(
    sheet: xlsxwriter.worksheet.Worksheet,
    line: int,
    row: ListRow,
    listed: tuple[ListColumn, ...],
    lang: str,
) -> None:
    values = row.values()
    for number, column in enumerate(listed):
        value = values.get(column.key)
        whole = column.declared is not None and column.declared.widget == "number"
        if isinstance(value, int) and (whole or column.key in _NUMBERS):
            sheet.write_number(line, number, value)
        elif words := column.shown(values, lang):
            sheet.write_string(line, number, words)


def _width(column: ListColumn) -> int:
    if column.key in _NUMBERS:
        return 8
    many = column.declared is not None and column.declared.column == "JSON"
    return 22 if many else max(10, 2 * len(column.zh) + 2)
