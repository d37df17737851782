"""What two registrations are compared by: each comparison with its levels, strongest first.

A level is a condition on the features of both sides (`Side`), said twice, side by side: in the SQL that
DuckDB and Spark share, for a whole register, and in Python, for one record that arrives. The SQL is
equality and prefixes, and `levenshtein` of ASCII alone: DuckDB counts bytes, Spark characters. How much
a level weighs is not said here: m comes from the shipped model, u and term frequencies from the
register at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from shared_schemas.match_features import features_of
from shared_schemas.names import normal_name


class Side(NamedTuple):
    """One registration as it is compared: the features and what stands around it. None is unknown."""

    record_id: str
    household_id: str | None
    relation: str | None
    head: str | None
    """Name of the head of the household."""
    name: str | None
    latin: str | None
    """The name where it is all ASCII: typed letters slip otherwise than characters do."""
    surname: str | None
    given_name: str | None
    name_pinyin: str | None
    name_folded: str | None
    given_folded: str | None
    name_initial: str | None
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
    employer: str | None
    """Where he works, as the county's own members tell it; files have no such column."""


_ALSO_FEATURES = [
    name
    for name in Side._fields
    if name not in ("record_id", "relation", "head", "latin", "name_initial", "employer")
]
_also_features = attrgetter(*_ALSO_FEATURES)


def side_of(record_id: str, person: Mapping[str, Any], head_name: str | None) -> Side:
    """Return a member's values, with `household_id` and `village_code` beside them, as one side."""
    features = features_of(person)
    name = features.name
    return Side(
        record_id=record_id,
        relation=person.get("relation"),
        head=head_of(head_name),
        latin=name if name and name.isascii() else None,
        name_initial=name[0] if name else None,
        employer=normal_name(str(person.get("work_employer") or "")) or None,
        **dict(zip(_ALSO_FEATURES, _also_features(features), strict=True)),
    )


@lru_cache(maxsize=1024)  # a family has one
def head_of(name: str | None) -> str | None:
    """Return the name of a head as it is compared."""
    return normal_name(name or "") or None


Holds = Callable[[Side, Side], object]
"""Whether a condition holds of two sides; a comparison with something unknown does not hold."""


@dataclass(frozen=True, slots=True)
class Level:
    """One way in which a comparison can turn out. `u` and `m`, where given, are not learnt.

    Random pairs never show how often two people's numbers nearly agree, and the invented registers
    have no names in Latin letters, so that is said here.
    `frequent`: the feature whose commonness is allowed for (two 王秀英 say less than two 缪怀瑾).
    """

    name: str
    sql: str
    holds: Holds
    u: float | None = None
    m: float | None = None
    frequent: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A feature or a group of them. Where `unknown` holds, it says nothing; else the first level that does."""

    name: str
    unknown: str
    is_unknown: Holds
    levels: tuple[Level, ...]

    def level_of(self, gamma: int) -> str | None:
        """Return the level for a comparison vector value of Splink; None for unknown."""
        if gamma < 0:
            return None
        return DIFFERENT if gamma == 0 else self.levels[len(self.levels) - gamma].name

    def outcome(self, left: Side, right: Side) -> str | None:
        """Return the level of two sides; None for unknown."""
        if self.is_unknown(left, right):
            return None
        for level in self.levels:
            if level.holds(left, right):
                return level.name
        return DIFFERENT


DIFFERENT = "different"
"""The last level of every comparison: none of the others holds."""


def _lacks(feature: str) -> Holds:
    at = Side._fields.index(feature)

    def holds(left: Side, right: Side) -> bool:
        return left[at] is None or right[at] is None

    return holds


def _same(feature: str) -> Holds:
    at = Side._fields.index(feature)

    def holds(left: Side, right: Side) -> bool:
        return left[at] is not None and left[at] == right[at]

    return holds


def _within(distance: int, a: str | None, b: str | None) -> bool:
    # A distance above the cut-off comes back as one more than that.
    return bool(a and b) and Levenshtein.distance(a, b, score_cutoff=distance) <= distance  # type: ignore[type-var]


def _one_place_differs(left: Side, right: Side) -> bool:
    a, b = left.name or "", right.name or ""
    return (
        len(a) == len(b)
        and 2 <= len(a) <= _LONGEST
        and sum(x != y for x, y in zip(a, b, strict=True)) <= 1
    )


_LONGEST = 8
"""Longest name that is compared character by character."""
_EQUAL_PLACES = " + ".join(
    f"(CASE WHEN substr(name_l, {i}, 1) = substr(name_r, {i}, 1) THEN 1 ELSE 0 END)"
    for i in range(1, _LONGEST + 1)
)
# Places behind the end of both names are equal as well.
ONE_PLACE_DIFFERS = (
    f"(length(name_l) = length(name_r) AND length(name_l) BETWEEN 2 AND {_LONGEST}"
    f" AND {_EQUAL_PLACES} >= {_LONGEST - 1})"
)


def _is_dropped_or_swapped(left: Side, right: Side) -> bool:
    a, b = left.given_name, right.given_name
    return (
        left.surname is not None
        and left.surname == right.surname
        and a is not None
        and b is not None
        and (b in a or a in b or a == b[::-1])
    )


def _is_swapped_day(left: Side, right: Side) -> bool:
    a, b = left.birth_month_day, right.birth_month_day
    same_year = left.birth_year is not None and left.birth_year == right.birth_year
    return same_year and a is not None and b is not None and a == b[2:] + b[:2]


COMPARISONS = (
    Comparison(
        "id_no",
        "id18_l IS NULL OR id18_r IS NULL",
        _lacks("id18"),
        (
            Level("equal", "id18_l = id18_r", _same("id18"), u=2e-8),
            # A slip of the pen breaks the checksum: two good numbers are two people's.
            Level(
                "two_valid",
                "is_id_valid_l AND is_id_valid_r",
                lambda a, b: a.is_id_valid and b.is_id_valid,
            ),
            Level(
                "one_digit",
                "levenshtein(id18_l, id18_r) <= 1",
                lambda a, b: _within(1, a.id18, b.id18),
                u=5e-8,
            ),
            Level(
                "two_digits",
                "levenshtein(id18_l, id18_r) <= 2",
                lambda a, b: _within(2, a.id18, b.id18),
                u=5e-7,
            ),
        ),
    ),
    Comparison(
        "name",
        "name_l IS NULL OR name_r IS NULL",
        _lacks("name"),
        (
            Level("equal", "name_l = name_r", _same("name"), frequent="name"),
            Level(
                "same_sound",
                "name_pinyin_l = name_pinyin_r",
                _same("name_pinyin"),
                frequent="name_pinyin",
            ),
            Level(
                "dialect",
                "name_folded_l = name_folded_r",
                _same("name_folded"),
                frequent="name_folded",
            ),
            Level(
                "dropped_or_swapped",
                "surname_l = surname_r AND ("
                "given_name_l LIKE concat('%', given_name_r, '%')"
                " OR given_name_r LIKE concat('%', given_name_l, '%')"
                " OR given_name_l = reverse(given_name_r))",
                _is_dropped_or_swapped,
            ),
            Level(
                "one_character",
                f"surname_l = surname_r AND ({ONE_PLACE_DIFFERS}"
                " OR levenshtein(latin_l, latin_r) <= 1)",
                lambda a, b: (
                    a.surname is not None
                    and a.surname == b.surname
                    and (_one_place_differs(a, b) or _within(1, a.latin, b.latin))
                ),
            ),
            # A wife who is listed under another surname.
            Level(
                "given_name",
                "surname_l <> '' AND length(given_name_l) > 1 AND given_folded_l = given_folded_r",
                lambda a, b: (
                    a.surname
                    and len(a.given_name or "") > 1
                    and a.given_folded is not None
                    and a.given_folded == b.given_folded
                ),
            ),
            # Long names in Latin letters.
            Level(
                "two_letters",
                "length(latin_l) >= 7 AND levenshtein(latin_l, latin_r) <= 2",
                lambda a, b: len(a.latin or "") >= 7 and _within(2, a.latin, b.latin),
                m=0.1,
            ),
            Level(
                "surname",
                "surname_l <> '' AND surname_l = surname_r",
                lambda a, b: a.surname and a.surname == b.surname,
            ),
        ),
    ),
    Comparison(
        "birth_date",
        "birth_year_l IS NULL OR birth_year_r IS NULL",
        _lacks("birth_year"),
        (
            Level("equal", "birth_day_l = birth_day_r", _same("birth_day")),
            Level("month_day", "birth_month_day_l = birth_month_day_r", _same("birth_month_day")),
            Level(
                "swapped",
                "birth_year_l = birth_year_r AND birth_month_day_l ="
                " concat(substr(birth_month_day_r, 3, 2), substr(birth_month_day_r, 1, 2))",
                _is_swapped_day,
            ),
            Level(
                "year_only",
                "birth_year_l = birth_year_r AND (birth_day_l IS NULL OR birth_day_r IS NULL)",
                lambda a, b: (
                    a.birth_year == b.birth_year and (a.birth_day is None or b.birth_day is None)
                ),
            ),
            # A lunar date (农历) is twenty to fifty days before the solar one.
            Level(
                "lunar",
                "abs(birth_day_l - birth_day_r) <= 50",
                lambda a, b: (
                    a.birth_day is not None
                    and b.birth_day is not None
                    and abs(a.birth_day - b.birth_day) <= 50
                ),
            ),
            Level("year", "birth_year_l = birth_year_r", _same("birth_year")),
        ),
    ),
    Comparison(
        "sex",
        "sex_l IS NULL OR sex_r IS NULL",
        _lacks("sex"),
        (Level("equal", "sex_l = sex_r", _same("sex")),),
    ),
    Comparison(
        "phone",
        "phone_l IS NULL OR phone_r IS NULL",
        _lacks("phone"),
        (
            Level("equal", "phone_l = phone_r", _same("phone"), frequent="phone"),
            Level(
                "one_digit",
                "levenshtein(phone_l, phone_r) <= 1",
                lambda a, b: _within(1, a.phone, b.phone),
                u=2e-7,
            ),
        ),
    ),
    Comparison(
        "place",
        "prefecture_l IS NULL OR prefecture_r IS NULL",
        _lacks("prefecture"),
        (
            Level("village", "village_l = village_r", _same("village")),
            Level("township", "township_l = township_r", _same("township")),
            Level("county", "county_l = county_r", _same("county")),
            Level("prefecture", "prefecture_l = prefecture_r", _same("prefecture")),
        ),
    ),
    Comparison(
        "household",
        "household_id_l IS NULL OR household_id_r IS NULL",
        _lacks("household_id"),
        # Two people on one list are two people: else brothers and twins would become one.
        (Level("one_list", "household_id_l = household_id_r", _same("household_id")),),
    ),
    Comparison(
        "head",
        # Of a head himself it says no more than his name.
        "head_l IS NULL OR head_r IS NULL OR household_id_l = household_id_r"
        " OR head_l = name_l OR head_r = name_r",
        lambda a, b: (
            a.head is None
            or b.head is None
            or (a.household_id is not None and a.household_id == b.household_id)
            or a.head == a.name
            or b.head == b.name
        ),
        (
            Level(
                "same_place_in_family",
                "head_l = head_r AND relation_l = relation_r",
                lambda a, b: (
                    a.head == b.head and a.relation is not None and a.relation == b.relation
                ),
            ),
            # The invented registers never write down another relation to the same head.
            Level("equal", "head_l = head_r", _same("head"), m=0.02),
        ),
    ),
    Comparison(
        "employer",
        # That two work elsewhere says nothing: people change jobs.
        "employer_l IS NULL OR employer_r IS NULL OR employer_l <> employer_r",
        lambda a, b: a.employer is None or a.employer != b.employer,
        # The invented registers have no employers.
        (Level("equal", "employer_l = employer_r", _same("employer"), m=0.4, u=0.002),),
    ),
)


def outcomes(left: Side, right: Side) -> dict[str, str | None]:
    """Return how two sides compare: the level of each comparison, None for unknown."""
    return {one.name: one.outcome(left, right) for one in COMPARISONS}


BLOCKING = (
    ("id18",),
    ("id_area_birth", "surname"),
    ("birth_day", "name_initial"),
    ("birth_day", "township"),
    ("birth_year", "name_folded"),
    ("birth_year", "phone"),
    ("phone", "name_folded"),
    ("birth_month_day", "given_folded", "sex"),
    ("township", "name"),
)
"""Features by which pairs are found: two are compared that share all of one line, and no others.

Each line is narrow. A birthday and a county alone are shared by some forty of a million, a phone and
a surname by every family: they find hardly anybody whom these do not.
"""

BLOCKING_SQL = tuple(" AND ".join(f"l.{one} = r.{one}" for one in line) for line in BLOCKING)


COLUMNS = {
    **dict.fromkeys(Side._fields, "string"),
    "is_id_valid": "bool", "birth_day": "int32", "birth_year": "int32",
}  # fmt: skip
"""Columns of the table of features and their Arrow types."""
