"""What a family may be entitled to: rules as data in codes/benefits.toml, matched by one pure function.

Nobody is promised anything: a chance says which rule speaks for a person and which answers are
still open, and the county decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared_schemas.bundle import Bundle, Record
from shared_schemas.fields import age_on

_DATA = Path(__file__).resolve().parent / "codes" / "benefits.toml"

GONE = frozenset({"2", "5"})
"""Codes of `member_change` for the dead and those who moved away."""


@dataclass(frozen=True, slots=True)
class Benefit:
    """A rule, as codes/benefits.toml tells it. `yuan` is None where only the document knows."""

    code: str
    is_for_household: bool
    names: Mapping[str, str]
    origins: tuple[str, ...]
    place: str
    yuan: int | None
    per: str
    is_paid_to_employer: bool
    if_renting: bool
    age: tuple[int, int] | None
    needs: Mapping[str, Sequence[Any]]
    papers: Mapping[str, Sequence[str]]
    source: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Chance:
    """A rule that speaks for somebody; `open` are the fields (kind, name) that are not answered yet."""

    benefit: Benefit
    member_id: str | None
    open: tuple[tuple[str, str], ...] = ()


@cache
def benefits() -> tuple[Benefit, ...]:
    """Return every rule."""
    table = tomllib.loads(_DATA.read_text("utf-8"))
    return tuple(_benefit(entry) for entry in table["benefit"])


def _benefit(entry: Mapping[str, Any]) -> Benefit:
    least, most = entry.get("age", (None, None))
    return Benefit(
        code=entry["code"],
        is_for_household=entry["for"] == "household",
        names={"zh": entry["zh"], "en": entry["en"]},
        origins=tuple(entry.get("origins", ())),
        place=entry.get("place", ""),
        yuan=entry.get("yuan"),
        per=entry["per"],
        is_paid_to_employer=entry.get("payee") == "employer",
        if_renting=entry.get("if_renting", False),
        age=None if least is None else (least, most),
        needs=entry["needs"],
        papers=entry["papers"],
        source=entry["source"],
    )


def chances(bundle: Bundle, today: str, *, rules: Iterable[Benefit] | None = None) -> list[Chance]:
    """Return what speaks for a household and its members, the household first.

    A rule is left out where an answer speaks against it, and where nothing at all speaks for it yet.
    """
    home = str(bundle.household.get("village_code") or "")
    rules = [
        rule
        for rule in (benefits() if rules is None else rules)
        if not rule.origins or home.startswith(rule.origins)
    ]
    wishes = {wish.get("member_id"): wish for wish in bundle.intentions}
    found = [_chance(rule, bundle, {}, {}, today) for rule in rules if rule.is_for_household]
    for member in bundle.members:
        if member.get("member_change") not in GONE:
            wish = wishes.get(member["id"], {})
            found += [
                _chance(rule, bundle, member, wish, today)
                for rule in rules
                if not rule.is_for_household
            ]
    return [chance for chance in found if chance is not None]


def _chance(
    rule: Benefit, bundle: Bundle, member: Record, wish: Record, today: str
) -> Chance | None:
    records = {"household": bundle.household, "member": member, "intention": wish}
    open_fields = []
    if rule.age is not None:
        age = age_on(member.get("birth_date"), today)
        if age is None:
            open_fields.append(("member", "birth_date"))
        elif not rule.age[0] <= age <= rule.age[1]:
            return None
    answered = 0
    for path, values in rule.needs.items():
        kind, _, name = path.partition(".")
        value = records[kind].get(name)
        if value is None:
            open_fields.append((kind, name))
        elif _fits(value, values):
            answered += 1
        else:
            return None
    if not answered:
        return None
    return Chance(rule, member.get("id"), tuple(open_fields))


def _fits(value: Any, values: Sequence[Any]) -> bool:
    return any(one in values for one in value) if isinstance(value, list) else value in values


def most_yuan(found: Iterable[Chance], place: str, *, renting: bool) -> int:
    """Return the most that one worker may get in his first year at a place, all of it granted."""
    return sum(
        chance.benefit.yuan or 0
        for chance in found
        if chance.benefit.place == place
        and not chance.benefit.is_paid_to_employer
        and (renting or not chance.benefit.if_renting)
    )
