"""What a machine may link by itself: two independent kinds of evidence, and nothing against it.

A false link gives one man's subsidy to another; a missed one is found by a person later. So whatever
the weight says, a pair that is not through this gate is at most a candidate (docs/matching.md).
"""

from __future__ import annotations

from collections.abc import Mapping

_ALIKE = frozenset({"equal", "same_sound", "dialect", "dropped_or_swapped", "one_character",
                    "two_letters"})  # fmt: skip
_SOUNDS = frozenset({"equal", "same_sound", "dialect"})
_NEAR = frozenset({"village", "township"})


def may_link(levels: Mapping[str, str | None]) -> bool:
    """Tell whether the outcome of the comparisons (`levels.COMPARISONS`) lets a machine link."""
    number, name, birth = levels["id_no"], levels["name"], levels["birth_date"]
    if levels["household"] == "one_list" or number in ("two_valid", "different"):
        return False
    same_sex = levels["sex"] == "equal"
    if number == "equal":
        if name in _ALIKE:
            # Twins have neighbouring numbers, not one: this is one number and one name.
            return name in _SOUNDS or birth not in (None, "different") or same_sex
        return name in ("surname", "given_name") and birth == "equal" and same_sex
    if number in ("one_digit", "two_digits"):
        return name in _SOUNDS and same_sex and birth in ("equal", "month_day", "swapped", "lunar")
    if name not in _SOUNDS or birth != "equal" or not same_sex:
        return False
    return (
        levels["phone"] == "equal"
        or levels["place"] in _NEAR
        or levels["head"] == "same_place_in_family"
    )


def may_ask(levels: Mapping[str, str | None]) -> bool:
    """Tell whether a person should be asked at all about a pair that weighs enough.

    Families live in one place with one phone and one surname, which weighs much and says little: two
    entries of one list, or two good numbers, are asked about only where name and birth agree.
    """
    number, name, birth = levels["id_no"], levels["name"], levels["birth_date"]
    agrees = name in _SOUNDS and birth == "equal" and levels["sex"] != "different"
    if levels["household"] == "one_list":
        return agrees and number not in ("two_valid", "different")
    if number == "two_valid":
        return agrees
    if name in _ALIKE or name == "given_name" or number == "equal":
        return True
    # A milk-name, or a name after marriage: then the rest must agree.
    near_number = number in ("one_digit", "two_digits") or levels["phone"] == "equal"
    return near_number and birth == "equal" and levels["sex"] == "equal"
