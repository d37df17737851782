"""What two registrations are compared by: computed once from a person's values, then only looked at.

All that is done with features later is equality or plain edit distance, so that the phone, the
server, DuckDB and Spark say the same of two people (matching.md).
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared_schemas import resident_id
from shared_schemas.names import dialect_folded, normal_name, split_name, syllables


@dataclass(frozen=True, slots=True)
class Features:
    """A person as compared; None where it is not known. Texts are normalised."""

    name: str | None
    surname: str | None
    given_name: str | None
    name_pinyin: str | None
    given_pinyin: str | None
    name_folded: str | None
    given_folded: str | None
    sex: str | None
    id18: str | None
    is_id_valid: bool | None
    id_area_birth: str | None
    birth_day: int | None
    birth_year: int | None
    birth_month_day: str | None
    phone: str | None
    village: str | None
    township: str | None
    county: str | None
    prefecture: str | None
    household_id: str | None


def features_of(values: Mapping[str, Any]) -> Features:
    """Return the features of a member's values, with `village_code` and `household_id` beside them."""
    id18 = id_number(values.get("id_no"))
    day, year, month_day = birth_parts(values.get("birth_date"))
    village, township, county, prefecture = division_prefixes(values.get("village_code"))
    return Features(
        *_name_features(_plain(values.get("name")) or ""),
        sex=_plain(values.get("sex")),
        id18=id18,
        is_id_valid=None if id18 is None else resident_id.slip(id18) is None,
        id_area_birth=id18[:14] if id18 and re.fullmatch(r"\d{14}.{4}", id18, re.ASCII) else None,
        birth_day=day,
        birth_year=year,
        birth_month_day=month_day,
        phone=phone_number(values.get("phone")),
        village=village,
        township=township,
        county=county,
        prefecture=prefecture,
        household_id=_plain(values.get("household_id")),
    )


_Text = str | None
_NameFeatures = tuple[_Text, _Text, _Text, _Text, _Text, _Text, _Text]


@lru_cache(maxsize=4096)  # names repeat: those of a village, and the few that everybody has
def _name_features(name: str) -> _NameFeatures:
    """Return the first features, in their order: those that are a name's alone."""
    surname, given = split_name(name)
    read = syllables(surname, given)
    folded = tuple(dialect_folded(syllable) for syllable in read)
    own = len(surname)
    return (
        normal_name(name) or None,
        surname or None,
        given or None,
        # A space keeps xi'an apart from xian.
        " ".join(read) or None,
        " ".join(read[own:]) or None,
        " ".join(folded) or None,
        " ".join(folded[own:]) or None,
    )


def id_number(value: Any) -> str | None:
    """Return an ID number as 18 characters, the old form of 15 completed; what is neither as it is."""
    number = re.sub(r"[^0-9A-Z]", "", (_plain(value) or "").upper())
    if len(number) == 15 and re.fullmatch(r"[0-9]{15}", number):
        first = f"{number[:6]}19{number[6:]}"
        return first + resident_id.check_character(first)
    return number or None


def birth_parts(value: Any) -> tuple[int | None, int | None, str | None]:
    """Return a birth date as day number, year and month with day; of a year alone, the year."""
    found = re.fullmatch(r"([0-9]{4})(?:[-/.]?([0-9]{2})[-/.]?([0-9]{2}))?", _plain(value) or "")
    if found is None:
        return None, None, None
    year, month, day = found.groups()
    if month is None:
        return None, int(year), None
    try:
        date = dt.date(int(year), int(month), int(day))
    except ValueError:
        return None, int(year), None
    return date.toordinal(), date.year, month + day


def phone_number(value: Any) -> str | None:
    """Return the digits of a phone number, without the country's 86 before a mobile number."""
    digits = re.sub(r"[^0-9]", "", _plain(value) or "")
    return re.sub(r"^(?:00)?86(?=1[0-9]{10}$)", "", digits) or None


@lru_cache(maxsize=1024)
def division_prefixes(value: Any) -> tuple[str | None, str | None, str | None, str | None]:
    """Return village, township, county and prefecture of a division code, as far as it tells them."""
    code = _plain(value) or ""
    if not re.fullmatch(r"[0-9]{4,12}", code):
        return None, None, None, None
    village, township, county, prefecture = (
        code[:length] if len(code) >= length else None for length in (12, 9, 6, 4)
    )
    return village, township, county, prefecture


def _plain(value: Any) -> str | None:
    """Return a value as text of half width without space around it, None for nothing."""
    if value is None:
        return None
    if isinstance(value, str) and value.isascii():  # most are: numbers, dates and codes
        return value.strip() or None
    return unicodedata.normalize("NFKC", str(value)).strip() or None
