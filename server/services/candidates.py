"""Finds the registrations of a county that may be one person, by the keys K1–K4 of domain.md 4.5.

`candidates_for` is the one door: whoever finds pairs in a better way replaces what is behind it. A
pair comes with what was compared, how it turned out and how much that weighs, which is what a
person reads beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from server.storage.persons import look_alikes
from server.storage.records import records_by_id
from shared_schemas import resident_id
from shared_schemas.names import normal_name


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the comparison of two registrations: how a field turned out and what it weighs."""

    comparison: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two registrations that may be one person, the lower id on the left.

    `reasons`: codes of the keys that found them. `certain`: the evidence is of two independent
    kinds, so that a machine may link them (matching.md, the gate).
    """

    left: str
    right: str
    reasons: tuple[str, ...]
    breakdown: tuple[Comparison, ...]
    certain: bool

    @property
    def score(self) -> float:
        """Return the sum of the weights."""
        return round(sum(line.weight for line in self.breakdown), 2)


Person = Mapping[str, Any]
"""A member's values with its id, household_id and village_code."""

_WEIGHTS: Mapping[tuple[str, str], float] = {
    ("id_no", "equal"): 17.0,
    ("id_no", "one_digit"): 9.0,
    ("id_no", "swapped"): 9.0,
    ("id_no", "different"): -4.0,
    ("id_no", "two_valid"): -9.0,
    ("name", "equal"): 8.0,
    ("name", "one_character"): 3.5,
    ("name", "swapped"): 4.0,
    ("name", "shared"): 1.0,
    ("name", "different"): -6.0,
    ("birth_date", "equal"): 8.5,
    ("birth_date", "month_day"): 3.0,
    ("birth_date", "swapped"): 5.0,
    ("birth_date", "lunar"): 2.0,
    ("birth_date", "year"): 0.5,
    ("birth_date", "different"): -5.0,
    ("sex", "equal"): 1.0,
    ("sex", "different"): -6.5,
    ("phone", "equal"): 5.0,
    ("phone", "one_digit"): 4.0,
    ("phone", "different"): -0.5,
    ("place", "village"): 2.5,
    ("place", "township"): 1.5,
    ("place", "county"): 0.0,
    ("employer", "equal"): 3.0,
    ("household", "one_list"): -12.0,
}
"""log2 of how much likelier an outcome is for one person than for two, from the noise that
matching.md describes. What cannot be compared weighs nothing."""


def candidates_for(conn: Connection, county: str, member_ids: Collection[str]) -> list[Candidate]:
    """Return the pairs that these members make with each other and with all others of the county.

    Void members make none. `member_ids` are stored already.
    """
    own = records_of(conn, county, member_ids)
    if not own:
        return []
    rows = look_alikes(
        conn,
        county,
        id_nos={str(p["id_no"]) for p in own.values() if p.get("id_no")},
        phones={str(p["phone"]) for p in own.values() if p.get("phone")},
        births={str(p["birth_date"]) for p in own.values() if p.get("birth_date")},
    )
    found: dict[tuple[str, str], Candidate] = {}
    by_value: dict[tuple[str, Any], list[Person]] = {}
    for row in rows:
        person = dict(row._mapping)
        for name in ("id_no", "phone", "birth_date"):
            if person[name]:
                by_value.setdefault((name, person[name]), []).append(person)
    for one in own.values():
        for name in ("id_no", "phone", "birth_date"):
            for other in by_value.get((name, one.get(name)), ()):
                pair = (min(one["id"], other["id"]), max(one["id"], other["id"]))
                if one["id"] != other["id"] and pair not in found:
                    candidate = candidate_of(one, other)
                    if candidate is not None:
                        found[pair] = candidate
    return list(found.values())


def records_of(
    conn: Connection, county: str, member_ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the present members with these ids, each with its village."""
    return {
        record.id: {**record.values, "id": record.id, "village_code": record.village_code}
        for record in records_by_id(conn, county, "member", member_ids).values()
        if not record.values.get("deleted")
    }


def candidate_of(one: Person, other: Person) -> Candidate | None:
    """Return the candidate that two registrations make, None when no key joins them."""
    left, right = sorted((one, other), key=lambda person: str(person["id"]))
    lines = compare(left, right)
    level = {line.comparison: line.level for line in lines}
    reasons = _keys(left, right, level)
    if not reasons:
        return None
    return Candidate(str(left["id"]), str(right["id"]), reasons, lines, _is_certain(level))


def _keys(left: Person, right: Person, level: Mapping[str, str]) -> tuple[str, ...]:
    named = level.get("name", "different")
    alike = level.get("birth_date") == "equal" and level.get("sex") == "equal"
    if level.get("id_no") == "equal":
        return ("K1",) if named != "different" else ("K1", "one_number_two_names")
    if "household" in level:
        # Two lines of one list are two people, unless it is plainly one line written twice.
        return ("K2",) if alike and named == "equal" and "id_no" not in level else ()
    if level.get("id_no") == "two_valid" and not (alike and named == "equal"):
        return ()
    found = []
    if alike and named == "equal" and not (left.get("id_no") and right.get("id_no")):
        found.append("K2")
    if level.get("phone") == "equal" and _shares_given_name(left, right):
        found.append("K3")
    near = level.get("place") in ("village", "township") or "employer" in level
    if alike and near and named != "different":
        found.append("K4")
    return tuple(found)


def _is_certain(level: Mapping[str, str]) -> bool:
    """Tell whether a machine may link: equal ID and names alike, never on one household's list."""
    named = level.get("name")
    agrees = level.get("birth_date") == "equal" and level.get("sex") == "equal"
    return (
        level.get("id_no") == "equal"
        and (named == "equal" or (named in ("one_character", "swapped") and agrees))
        and "household" not in level
    )


def compare(left: Person, right: Person) -> tuple[Comparison, ...]:
    """Return how two registrations compare, line by line; what one does not know is left out."""
    outcomes = {
        "id_no": _id_numbers(left.get("id_no"), right.get("id_no")),
        "name": _names(left.get("name"), right.get("name")),
        "birth_date": _births(left.get("birth_date"), right.get("birth_date")),
        "sex": _equal(left.get("sex"), right.get("sex")),
        "phone": _phones(left.get("phone"), right.get("phone")),
        "place": _places(left.get("village_code"), right.get("village_code")),
        "employer": _employers(left.get("work_employer"), right.get("work_employer")),
        "household": "one_list" if left.get("household_id") == right.get("household_id") else "",
    }
    return tuple(
        Comparison(name, level, _WEIGHTS[name, level]) for name, level in outcomes.items() if level
    )


def _equal(a: Any, b: Any) -> str:
    return "" if not a or not b else "equal" if a == b else "different"


def _id_numbers(a: Any, b: Any) -> str:
    if not a or not b:
        return ""
    if a == b:
        return "equal"
    if not resident_id.slip(a) and not resident_id.slip(b):
        return "two_valid"
    return "swapped" if _is_swap(a, b) else "one_digit" if _differ(a, b) == 1 else "different"


def _names(a: Any, b: Any) -> str:
    if not a or not b:
        return ""
    a, b = normal_name(a), normal_name(b)
    if a == b:
        return "equal"
    if sorted(a) == sorted(b):
        return "swapped"
    if a[:1] == b[:1] and (_differ(a, b) == 1 or a in b or b in a):
        return "one_character"
    return "shared" if set(a) & set(b) else "different"


def _shares_given_name(left: Person, right: Person) -> bool:
    # The surname alone says little on a phone that a whole family shares.
    a, b = (normal_name(str(p.get("name") or "")) for p in (left, right))
    return bool(set(a[1:]) & set(b[1:])) or (bool(a) and a == b)


def _births(a: Any, b: Any) -> str:
    if not a or not b:
        return ""
    if a == b:
        return "equal"
    (year, month, day), (other_year, other_month, other_day) = a.split("-"), b.split("-")
    if (month, day) == (other_month, other_day):
        return "month_day"
    if year == other_year and (month, day) == (other_day, other_month):
        return "swapped"
    if abs(_day_number(a) - _day_number(b)) <= 50:
        return "lunar"
    return "year" if year == other_year else "different"


def _day_number(day: str) -> int:
    return dt.date.fromisoformat(day).toordinal()


def _phones(a: Any, b: Any) -> str:
    if not a or not b:
        return ""
    return "equal" if a == b else "one_digit" if _differ(a, b) == 1 else "different"


def _places(a: Any, b: Any) -> str:
    if not a or not b:
        return ""
    return "village" if a == b else "township" if a[:9] == b[:9] else "county"


def _employers(a: Any, b: Any) -> str:
    return "equal" if a and b and normal_name(a) == normal_name(b) else ""


def _differ(a: str, b: str) -> int:
    """Return in how many places two texts of one length differ; their length otherwise."""
    if len(a) != len(b):
        return max(len(a), len(b))
    return sum(x != y for x, y in zip(a, b, strict=True))


def _is_swap(a: str, b: str) -> bool:
    return _differ(a, b) == 2 and sorted(a) == sorted(b)


def differing(a: str, b: str) -> Sequence[bool]:
    """Return for each character of `a` whether `b` has another one, or none, in its place.

    Characters are laid side by side from both ends, so that one that was left out marks itself and
    not all that follow.
    """
    if len(a) == len(b):
        return [x != y for x, y in zip(a, b, strict=True)]
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    return [head <= i < len(a) - tail for i in range(len(a))]
