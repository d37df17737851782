"""Builds spreadsheets as county offices send them."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
import xlwt


def xlsx(rows: Sequence[Sequence[Any]], *, above: Sequence[str] = ()) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for n, line in enumerate(above):
        sheet.write_string(n, 0, line)
    for n, row in enumerate(rows, start=len(above)):
        for m, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(n, m, cell)
            elif isinstance(cell, dt.date):
                sheet.write_datetime(n, m, dt.datetime.combine(cell, dt.time()), day)
            else:
                sheet.write(n, m, cell)
    book.close()
    return file.getvalue()


def xls(rows: Sequence[Sequence[Any]]) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("花名册")
    for n, row in enumerate(rows):
        for m, cell in enumerate(row):
            sheet.write(n, m, cell)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def text(rows: Sequence[Sequence[str]], encoding: str, delimiter: str = ",") -> bytes:
    return "\r\n".join(delimiter.join(row) for row in rows).encode(encoding)
