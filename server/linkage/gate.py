"""What a machine may link by itself: two independent kinds of evidence, and nothing against it.

A false link gives one man's subsidy to another; a missed one is found by a person later. So whatever
the weight says, a pair that is not through this gate is at most a candidate (docs/matching.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from server.linkage.levels import Side

SOUNDS = frozenset({"equal", "same_sound", "dialect"})
"""Names that are one name, written as it was heard."""
ALIKE = SOUNDS | {"dropped_or_swapped", "one_character", "two_letters"}
"""Names that may well be one, written with a slip."""
_NEAR = frozenset({"village", "township"})
_ALMOST = frozenset({"month_day", "swapped", "lunar", "year_only"})


def may_matter(left: Side, right: Side) -> bool:
    """Tell whether a pair can get through `may_link` or `may_ask` at all, before it is compared.

    Families meet by their phone and are many: of two entries of one list, or two good numbers,
    neither links nor is shown who differs in birth date or in name.
    """
    is_one_list = left.household_id is not None and left.household_id == right.household_id
    are_two_valid = left.is_id_valid and right.is_id_valid and left.id18 != right.id18
    return not (is_one_list or are_two_valid) or (
        left.birth_day is not None
        and left.birth_day == right.birth_day
        and left.name_folded == right.name_folded
    )


def may_link(levels: Mapping[str, str | None]) -> bool:
    """Tell whether the outcome of the comparisons (`levels.COMPARISONS`) lets a machine link."""
    number, name, birth = levels["id_no"], levels["name"], levels["birth_date"]
    if levels["household"] == "one_list" or number in ("two_valid", "different"):
        return False
    if number == "equal":
        return _one_number(levels)
    if levels["sex"] == "different":
        return False
    if number is not None:
        return (birth == "equal" and name in ALIKE) or (birth in _ALMOST and name in SOUNDS)
    if name not in SOUNDS:
        return False
    near = levels["place"] in _NEAR
    same_place = levels["head"] == "same_place_in_family"
    if birth == "equal":
        return levels["phone"] == "equal" or near or same_place
    return birth in _ALMOST and levels["phone"] == "equal" and (near or same_place)


def _one_number(levels: Mapping[str, str | None]) -> bool:
    """Judge two entries with one number: a child may bear its father's, a sister her brother's."""
    name, birth = levels["name"], levels["birth_date"]
    if name == "equal":
        return True
    if name in SOUNDS:
        return birth != "different" and levels["sex"] != "different"
    if name in ALIKE:
        return birth not in (None, "different") and levels["sex"] != "different"
    return name in ("surname", "given_name") and birth == "equal" and levels["sex"] == "equal"


def may_ask(levels: Mapping[str, str | None]) -> bool:
    """Tell whether a person should be asked at all about a pair that weighs enough.

    Families live in one place with one phone and one surname, which weighs much and says little: two
    entries of one list, or two good numbers, are asked about only where name and birth agree.
    """
    number, name, birth = levels["id_no"], levels["name"], levels["birth_date"]
    agrees = name in SOUNDS and birth == "equal" and levels["sex"] != "different"
    if levels["household"] == "one_list":
        return agrees and number not in ("two_valid", "different")
    if number == "two_valid":
        return agrees
    if name in SOUNDS:
        return True
    if number == "equal":
        # Two strangers with one number are one mistake: the rules tell of it (V03).
        return birth != "different" or name not in ("surname", "different")
    if name in ALIKE or name == "given_name":
        return birth != "different"
    # A milk-name, or a name after marriage: then the rest must agree.
    near = number in ("one_digit", "two_digits") or "equal" in (levels["phone"], levels["employer"])
    return near and birth == "equal" and levels["sex"] != "different"
