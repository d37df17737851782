"""Writes invented households as a county's register: one row a person, headings as offices use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import xlsxwriter

from server.demo.people import InventedHousehold
from shared_schemas.codes.divisions import division
from shared_schemas.fields import Declared
from shared_schemas.records import record_kind

REGISTER = ("household", "member")


def write_roster(path: Path, households: Iterable[InventedHousehold], *, title: str) -> int:
    """Write an .xlsx register; return the number of rows. Memory does not grow with the rows."""
    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_numbers": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet("花名册")
    sheet.write_string(0, 0, title)
    for column, heading in enumerate(headings()):
        sheet.write_string(1, column, heading)
    count = 0
    for row in rows(households):
        for column, cell in enumerate(row):
            if cell:
                sheet.write_string(2 + count, column, cell)
        count += 1
    book.close()
    return count


def headings() -> list[str]:
    """Return the headings of the register, the place first."""
    return ["乡镇", *(declared.info.roster[0] for _, _, declared in _columns())]


def rows(households: Iterable[InventedHousehold]) -> Iterator[list[str]]:
    """Yield a row for each person; what belongs to the household stands in every row."""
    for whole in households:
        place = division(whole.household["village_code"][:9])
        for member in whole.members:
            of_kind = {"household": whole.household, "member": member}
            yield [
                place.name if place else "",
                *(_cell(declared, of_kind[kind].get(name)) for kind, name, declared in _columns()),
            ]


def _columns() -> Iterator[tuple[str, str, Declared]]:
    for kind in REGISTER:
        for name, declared in record_kind(kind).fields.items():
            if declared.info.roster:
                yield kind, name, declared


def _cell(declared: Declared, value: Any) -> str:
    if value is None:
        return ""
    if declared.widget == "skills":
        # A register names the trade; certificates have their own papers.
        return "、".join(declared.shown([{"occupation": s["occupation"]}]) for s in value)
    if declared.widget == "division":
        place = division(value)
        known_by_name = place is not None and value[6:] != "000000"
        return place.name if place and known_by_name else str(value)
    return declared.shown(value)
