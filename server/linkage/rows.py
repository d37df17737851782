"""A row of a register as other people write it, made plain for the features."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

INPUT = ("record_id", "name", "sex", "birth_date", "id_no", "phone", "village_code", "household_id",
         "relation", "head_name")  # fmt: skip
"""Columns that are read; others are ignored, and any but the first may be missing or empty."""

_SEXES = {"男": "1", "M": "1", "MALE": "1", "女": "2", "F": "2", "FEMALE": "2"}


def plain_person(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a row with `INPUT` as plain texts: dates as YYYY-MM-DD, sexes as 1 and 2."""
    values = {name: _text(row.get(name)) for name in INPUT}
    values["birth_date"] = birth_date(values["birth_date"])
    sex = (values["sex"] or "").upper()
    values["sex"] = _SEXES.get(sex, sex) or None
    return values


def _text(value: Any) -> str | None:
    if value is None:
        return None
    said = unicodedata.normalize("NFKC", str(value)).strip()
    # What spreadsheets make of a number that is none, and of an empty cell.
    said = re.sub(r"^(\d+)\.0$", r"\1", said)
    return None if said.casefold() in ("", "nan", "none", "null", "na", "n/a", "-", "无") else said


def birth_date(value: str | None) -> str | None:
    """Return a birth date in any common form as YYYY-MM-DD, or the year alone where no more is told."""
    if value is None:
        return None
    parts = re.fullmatch(r"(\d{4})\D+(\d{1,2})\D+(\d{1,2})(?:\D.*)?", value)
    if parts is None:
        parts = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", value)
    if parts is None:
        back = re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})", value)
        if back is not None:
            day, month, year = back.groups()
            if int(month) > 12:
                day, month = month, day
            return f"{year}-{int(month):02}-{int(day):02}"
        year_only = re.match(r"(\d{4})", value)
        return year_only[1] if year_only else None
    year, month, day = parts.groups()
    return f"{year}-{int(month):02}-{int(day):02}"
