"""What a cadre's day looks like: how far he is, what came back and why, who lives next door."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mobile.storage import records
from mobile.storage.database import Store
from mobile.storage.records import (
    DONE,
    DRAFT,
    RETURNED,
    TO_VISIT,
    WAITING,
    WITH_COUNTY,
    HouseholdRow,
)

SHOWN = 3
"""Returned households and drafts that stand on the first screen with their people; the lists have all."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A household that the county returned, and its first words about it."""

    row: HouseholdRow
    reason: str


@dataclass(frozen=True, slots=True)
class Today:
    """The day at a glance. Each part leads somewhere with one touch."""

    done: int
    total: int
    returned: tuple[Returned, ...]
    next_door: HouseholdRow | None
    drafts: tuple[HouseholdRow, ...]
    waiting: int
    """Households that are submitted and not sent."""
    with_county: int
    """Households of which the county has something to settle: a conflict, or what it holds."""
    village_code: str
    """Where the cadre is: of the household that he touched last, or of the next one; "" when unknown."""
    is_clock_behind: bool
    """Whether the phone's day lies before the last answer: visits would get a wrong date."""


def today(store: Store, day: str) -> Today:
    """Return what the phone knows of the day."""
    rows = records.households(store, brief=True)
    touched = records.last_touched(store)
    brief = today_of(
        rows,
        records.returned_words(store),
        last=touched.household_id if touched else None,
        is_clock_behind=touched is not None and day < touched.day,
    )

    def whole(row: HouseholdRow) -> HouseholdRow:
        return records.household_row(store, row.id) or row

    return replace(
        brief,
        returned=tuple(replace(one, row=whole(one.row)) for one in brief.returned[:SHOWN])
        + brief.returned[SHOWN:],
        next_door=whole(brief.next_door) if brief.next_door else None,
        drafts=tuple(map(whole, brief.drafts[:SHOWN])) + brief.drafts[SHOWN:],
    )


def today_of(
    rows: Sequence[HouseholdRow],
    words: Mapping[str, Sequence[str]],
    *,
    last: str | None,
    is_clock_behind: bool = False,
) -> Today:
    """Return the day of these households; `last` is the one that was touched last."""
    next_one = next_door(rows, last)
    here = next((row for row in rows if row.id == last), next_one)
    returned = (row for row in rows if row.state == RETURNED)
    return Today(
        done=sum(row.state in DONE for row in rows),
        total=len(rows),
        returned=tuple(Returned(row, next(iter(words.get(row.id, ())), "")) for row in returned),
        next_door=next_one,
        drafts=tuple(row for row in rows if row.state == DRAFT),
        waiting=sum(row.state == WAITING for row in rows),
        with_county=sum(row.state in WITH_COUNTY for row in rows),
        village_code=here.village_code if here else "",
        is_clock_behind=is_clock_behind,
    )


def next_door(rows: Iterable[HouseholdRow], last: str | None) -> HouseholdRow | None:
    """Return the next household by address that waits for a visit; after the last house, the first.

    It is of the village of the last one as long as somebody waits there, then of the next village.
    """
    rows = list(rows)
    here = next((row for row in rows if row.id == last), None)
    to_visit = [row for row in rows if row.state == TO_VISIT]
    if not to_visit:
        return None
    home = here.village_code if here else ""
    village = min({row.village_code for row in to_visit}, key=lambda code: (code < home, code))
    street = sorted((row for row in to_visit if row.village_code == village), key=_place)
    if here is None or village != home:
        return street[0]
    return next((row for row in street if _place(row) > _place(here)), street[0])


_Part = tuple[int, int, str]


def _place(row: HouseholdRow) -> tuple[tuple[_Part, ...], str]:
    return address_order(row.address), row.id


def address_order(address: str) -> tuple[_Part, ...]:
    """Return a key by which addresses stand as the houses do: 二组9号 before 二组12号 before 十组1号."""
    return tuple(
        (0, _number(part), "") if _NUMBER.fullmatch(part) else (1, 0, part)
        for part in _PARTS.findall(address)
    )


_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_NUMBER = re.compile(r"\d+|[零〇一二两三四五六七八九十百]+")
_PARTS = re.compile(rf"{_NUMBER.pattern}|[^\d零〇一二两三四五六七八九十百\s]+")


def _number(written: str) -> int:
    """Return 12 for 12, 十二 and 一二."""
    if written.isdecimal():
        return int(written)
    total = digit = 0
    for character in written:
        if character in "十百":
            total += (digit or 1) * (100 if character == "百" else 10)
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[character]
    return total + digit
