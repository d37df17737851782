"""What two registrations are compared by: each comparison with its levels, strongest first.

A level is a condition on the features of both sides (`shared_schemas.match_features`) in the SQL that
DuckDB and Spark share: equality, `levenshtein`, and nothing else that differs between them. How much
a level weighs is not said here: m comes from the shipped model, u and term frequencies from the
register at hand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """One way in which a comparison can turn out. `u` and `m`, where given, are not learnt.

    Random pairs never show how often two people's numbers nearly agree, and the invented registers
    have no names in Latin letters, so that is said here.
    `frequent`: the feature whose commonness is allowed for (two 王秀英 say less than two 缪怀瑾).
    """

    name: str
    sql: str
    u: float | None = None
    m: float | None = None
    frequent: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A feature or a group of them. Where `unknown` holds, it says nothing; else the first level that does."""

    name: str
    unknown: str
    levels: tuple[Level, ...]

    def level_of(self, gamma: int) -> str | None:
        """Return the level for a comparison vector value of Splink; None for unknown."""
        if gamma < 0:
            return None
        return "different" if gamma == 0 else self.levels[len(self.levels) - gamma].name


COMPARISONS = (
    Comparison(
        "id_no",
        "id18_l IS NULL OR id18_r IS NULL",
        (
            Level("equal", "id18_l = id18_r", u=2e-8),
            # A slip of the pen breaks the checksum: two good numbers are two people's.
            Level("two_valid", "is_id_valid_l AND is_id_valid_r"),
            Level("one_digit", "levenshtein(id18_l, id18_r) <= 1", u=5e-8),
            Level("two_digits", "levenshtein(id18_l, id18_r) <= 2", u=5e-7),
        ),
    ),
    Comparison(
        "name",
        "name_l IS NULL OR name_r IS NULL",
        (
            Level("equal", "name_l = name_r", frequent="name"),
            Level("same_sound", "name_pinyin_l = name_pinyin_r", frequent="name_pinyin"),
            Level("dialect", "name_folded_l = name_folded_r", frequent="name_folded"),
            Level(
                "dropped_or_swapped",
                "surname_l = surname_r AND ("
                "given_name_l LIKE concat('%', given_name_r, '%')"
                " OR given_name_r LIKE concat('%', given_name_l, '%')"
                " OR given_name_l = reverse(given_name_r))",
            ),
            Level("one_character", "surname_l = surname_r AND levenshtein(name_l, name_r) <= 1"),
            # A wife who is listed under another surname.
            Level(
                "given_name",
                "surname_l <> '' AND length(given_name_l) > 1 AND given_folded_l = given_folded_r",
            ),
            # Long names: Latin letters, or a Tibetan name written out.
            Level("two_letters", "length(name_l) >= 7 AND levenshtein(name_l, name_r) <= 2", m=0.1),
            Level("surname", "surname_l <> '' AND surname_l = surname_r"),
        ),
    ),
    Comparison(
        "birth_date",
        "birth_year_l IS NULL OR birth_year_r IS NULL",
        (
            Level("equal", "birth_day_l = birth_day_r"),
            Level("month_day", "birth_month_day_l = birth_month_day_r"),
            Level(
                "swapped",
                "birth_year_l = birth_year_r AND birth_month_day_l ="
                " concat(substr(birth_month_day_r, 3, 2), substr(birth_month_day_r, 1, 2))",
            ),
            Level(
                "year_only",
                "birth_year_l = birth_year_r AND (birth_day_l IS NULL OR birth_day_r IS NULL)",
            ),
            # A lunar date (农历) is twenty to fifty days before the solar one.
            Level("lunar", "abs(birth_day_l - birth_day_r) <= 50"),
            Level("year", "birth_year_l = birth_year_r"),
        ),
    ),
    Comparison(
        "sex",
        "sex_l IS NULL OR sex_r IS NULL",
        (Level("equal", "sex_l = sex_r"),),
    ),
    Comparison(
        "phone",
        "phone_l IS NULL OR phone_r IS NULL",
        (
            Level("equal", "phone_l = phone_r", frequent="phone"),
            Level("one_digit", "levenshtein(phone_l, phone_r) <= 1", u=2e-7),
        ),
    ),
    Comparison(
        "place",
        "prefecture_l IS NULL OR prefecture_r IS NULL",
        (
            Level("village", "village_l = village_r"),
            Level("township", "township_l = township_r"),
            Level("county", "county_l = county_r"),
            Level("prefecture", "prefecture_l = prefecture_r"),
        ),
    ),
    Comparison(
        "household",
        "household_id_l IS NULL OR household_id_r IS NULL",
        # Two people on one list are two people: else brothers and twins would become one.
        (Level("one_list", "household_id_l = household_id_r"),),
    ),
    Comparison(
        "head",
        "head_l IS NULL OR head_r IS NULL OR household_id_l = household_id_r",
        (
            # Of a head himself it says no more than his name.
            Level(
                "same_place_in_family",
                "head_l = head_r AND relation_l = relation_r AND head_l <> name_l",
            ),
            Level("equal", "head_l = head_r"),
        ),
    ),
)

BLOCKING = (
    "l.id18 = r.id18",
    "l.id_area_birth = r.id_area_birth AND l.surname = r.surname",
    "l.birth_day = r.birth_day AND l.county = r.county",
    "l.birth_day = r.birth_day AND l.name_initial = r.name_initial",
    "l.name_folded = r.name_folded AND l.birth_year = r.birth_year",
    "l.phone = r.phone AND l.surname = r.surname",
    "l.given_folded = r.given_folded AND l.birth_month_day = r.birth_month_day AND l.sex = r.sex",
    "l.name = r.name AND l.township = r.township",
    "l.head = r.head AND l.birth_year = r.birth_year AND l.given_folded = r.given_folded",
)
"""Pairs that share one of these are compared, all others never."""

COLUMNS = {
    "record_id": "string", "household_id": "string", "relation": "string", "head": "string",
    "name": "string", "surname": "string", "given_name": "string", "name_pinyin": "string",
    "name_folded": "string", "given_folded": "string", "name_initial": "string", "sex": "string",
    "id18": "string", "is_id_valid": "bool", "id_area_birth": "string", "birth_day": "int32",
    "birth_year": "int32", "birth_month_day": "string", "phone": "string", "village": "string",
    "township": "string", "county": "string", "prefecture": "string",
}  # fmt: skip
"""Columns of the table of features and their Arrow types."""
